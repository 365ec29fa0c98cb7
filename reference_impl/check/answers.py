"""Where a good completion states its answer, and what answers are wrong in its place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference_impl.contract.error import InvalidGoldError
from reference_impl.rules.answer import extract_answer, gold_answer
from reference_impl.rules.math.final_answer import final_answer
from reference_impl.rules.normalize import normalize_answer
from reference_impl.rules.number import parse_number

# A longer gold is an essay, not an answer that stands at one place of a completion.
LONGEST_GOLD = 200


@dataclass(frozen=True)
class Place:
    """A good completion with a hole where its answer stood, and its gold answer nowhere else.

    Attributes:
        before: What stands before the answer.
        answer: The answer, as the completion states it.
        after: What stands behind it.
    """

    before: str
    answer: str
    after: str

    def fill(self, answer: str) -> str:
        """Return the completion with another answer in its place."""
        return self.before + answer + self.after


def gold_text(value: Any) -> str | None:
    """Return the gold answer of a column as text, or None if it is no short answer.

    Args:
        value: What the column holds.

    Returns:
        The answer, such as "72" out of "... #### 72".

    Example:
        >>> gold_text("48 + 24 = 72\\n#### 72"), gold_text(["72"])
        ('72', None)

    Explained in :ref:`check-your-reward`.
    """
    try:
        gold = gold_answer(value)
    except InvalidGoldError:
        return None
    return gold if len(gold) <= LONGEST_GOLD else None


def same_answer(first: str, second: str) -> bool:
    """Tell whether two answers are the same text or the same number."""
    if normalize_answer(first) == normalize_answer(second):
        return True
    numbers = parse_number(first), parse_number(second)
    return None not in numbers and numbers[0].value == numbers[1].value


def mentions(text: str, answer: str) -> bool:
    """Tell whether an answer occurs in a text, as a word or number of its own."""
    return _occurrences(answer.casefold()).search(text.casefold()) is not None


def find_place(completion: str, gold: str, wrong: str) -> Place | None:
    r"""Find where a good completion states its answer.

    Args:
        completion: The good completion.
        gold: The gold answer.
        wrong: What to put where the answer occurs besides.

    Returns:
        The place, or None if the answer is not to be found.

    Example:
        >>> find_place(r"2 + 2 = 4, so \boxed{4}.", gold="4", wrong="5").fill("6")
        '2 + 2 = 5, so \\boxed{6}.'

    Explained in :ref:`check-your-reward`.
    """
    found = extract_answer(completion) or (final_answer(completion).texts or ("",))[-1]
    at = completion.rfind(found) if found else -1
    start, end = at, at + len(found)
    matches = list(_occurrences(gold).finditer(completion))
    inside = [match for match in matches if at < 0 or (start <= match.start() < end)]
    if inside:
        start, end = inside[-1].span()
    if start < 0:
        return None
    stated = completion[start:end]
    others = [_occurrences(text) for text in dict.fromkeys((stated, gold))]
    before, after = completion[:start], completion[end:]
    for pattern in others:
        before, after = (pattern.sub(lambda _: wrong, part) for part in (before, after))
    return Place(before, stated, after)


def wrong_answer(gold: str, others: Sequence[str]) -> str:
    """Choose a wrong answer: the gold of another row, or one beside this gold.

    Args:
        gold: The gold answer.
        others: The golds of the other rows, the preferred ones first.

    Returns:
        An answer that is not the gold.

    Example:
        >>> wrong_answer("72", ["72.0", "15"]), wrong_answer("72", [])
        ('15', '73')

    Explained in :ref:`check-your-reward`.
    """
    for other in others:
        if not same_answer(other, gold) and not mentions(other, gold):
            return other
    number = parse_number(gold)
    if number is not None:
        return str(number.value + 1)
    if re.fullmatch("[A-Za-z]", gold):
        return "B" if gold in "Aa" else "A"
    return "something else"


def larger_answers(gold: str) -> list[str]:
    """Return answers that hold the gold answer and are not it, such as 14 and 40 for 4."""
    if re.fullmatch(r"[0-9][0-9,]*(\.[0-9]+)?", gold):
        larger = [f"1{gold}", f"{gold}0", f"-{gold}", f"{gold}.5"]
        return [text for text in larger if parse_number(text) and not same_answer(text, gold)]
    if re.fullmatch(r"[A-Za-z]{2,}( [A-Za-z]+)*", gold):
        return [f"non{gold}", f"{gold}terday"]
    return []


def candidate_lists(gold: str, golds: Sequence[str]) -> list[str]:
    """Return lists of candidates that hold the gold answer, not at their ends."""
    lists = []
    number = parse_number(gold)
    if number is not None and number.value.denominator == 1 and abs(number.value) < 10**12:
        middle = int(number.value)
        lists.append([str(value) for value in range(middle - 50, middle + 50)])
    elif re.fullmatch("[A-Z]", gold):
        others = [letter for letter in "ABCDE" if letter != gold]
        lists.append([*others[:2], gold, *others[2:]])
    different: list[str] = []
    for text in golds:
        if not any(same_answer(text, known) for known in (*different, gold)):
            different.append(text)
    if len(different) >= 2:
        lists.append([different[0], gold, *different[1:]])
    return [", ".join(candidates) for candidates in lists]


def _occurrences(answer: str) -> re.Pattern[str]:
    """Match an answer where it is not part of a longer number or word."""
    start = r"(?<![A-Za-z0-9_])(?<![0-9][.,])" if answer[:1].isalnum() else ""
    end = r"(?![A-Za-z0-9_]|[.,][0-9])" if answer[-1:].isalnum() else ""
    return re.compile(start + re.escape(answer) + end)

r"""Find the one answer that a completion commits to.

A completion is a text; a reward needs one answer out of it, or none. Nothing is guessed: a number
that merely stands at the end of the text is no answer, unless the caller asks for "last_number".
"""

import math
import numbers
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from reference_impl.contract.error import InvalidGoldError
from reference_impl.rules.end_tokens import strip_end_tokens

DEFAULT_FORMS = ("boxed", "hash", "phrase")

# In every pattern of this package a possessive quantifier (++, *+) stands on single characters and
# never on a group, which Python before 3.11.5 can match wrongly.

# Everything that opens or closes a brace. An escaped brace (\{ \}) is text. A double backslash is a
# line break and does not escape what follows, but "\\boxed{4}" is a box that was escaped twice.
_BRACE = re.compile(r"\\boxed\s*+\{|\\\\(?!boxed)|\\[{}]|[{}]")

# The first letters are spelled out, and what must not stand before them is checked after them, so
# that the search can skip ahead by those letters.
_PHRASE_EN = re.compile(
    r"[Tt][Hh][Ee](?<!\w[Tt][Hh][Ee])(?i:\s++(?:final\s++)?answer\s++is\b)\s*+[:：]?"
)
_PHRASE_ZH = re.compile(r"答案[是为]\s*+[:：]?")

_BEFORE_ANSWER = re.compile(r"\s*+(?:(?:\\\[|\$\$)\s*+)?")

# A sentence ends at a line break, at a Chinese stop, or at a stop before white space, so that a
# decimal point does not end it. Marks that close a quotation or bold face belong to the sentence.
_SENTENCE_END = re.compile(r"""[\n。！？]|[.!?][*_"'”’)\]$`]*+(?=\s|\Z)""")

_LAST_NUMBER = re.compile(
    r"(?:(?<![\w)])[-+−－])?(?:[0-9０-９]++(?:[,，][0-9０-９]{3})*(?:[.．][0-9０-９]++)?|\.[0-9]++)"
)


def extract_answer(text: str, forms: Sequence[str] = DEFAULT_FORMS) -> str | None:
    r"""Return the answer that a completion commits to, or None if it commits to none.

    The rule:

    1. Only what follows the last ``</think>`` counts, without an ``</answer>``
       or special tokens such as ``<|im_end|>`` at its end. A
       ``<think>`` that is never closed means that the model never got to an answer. (Where the
       chat template opens ``<think>`` in the prompt, a completion that was cut inside its thought
       cannot be told from one that has none.)
    2. The forms are tried in order, and the first one that occurs decides, with its last
       occurrence, since models correct themselves as they go.
    3. If that occurrence is empty, or a box that is never closed, there is no answer. No later
       form is tried.

    The forms:

    - ``"boxed"``: the content of ``\boxed{...}``, braces balanced. Of boxes within a box, the
      outermost counts.
    - ``"hash"``: what follows ``####``, to the end of the line.
    - ``"phrase"``: what follows "the answer is", "the final answer is", 答案是 or 答案为, to the
      end of the sentence.
    - ``"last_number"``: the last number of the text. It is a guess, and pays a model that ends on
      a list of candidates; it is never used unless you ask for it.

    The time taken is linear in the length of the text, whatever it holds.

    Args:
        text: The completion, as text.
        forms: The forms to try, in order.

    Returns:
        The answer as it is written, without white space around it, or None.

    Raises:
        ValueError: If a form is unknown, or none is given.

    Example:
        >>> extract_answer(r"First \boxed{14}. No, 2 + 2 is \boxed{4}.")
        '4'
        >>> extract_answer("The answer is 3.5. I am sure.")
        '3.5'
        >>> extract_answer("It is one of 1, 2, 3, 4.") is None
        True

    Explained in :ref:`final-answer`.
    """
    return _find_answer(text, check_forms(forms)) or None


def gold_answer(gold: object, forms: Sequence[str] = DEFAULT_FORMS) -> str:
    r"""Return the answer that a data set's own column holds.

    Data sets store either the bare answer ("72") or a worked solution that ends on it
    ("... #### 72"). A gold that holds a marker of one of the forms is read by the same rule as a
    completion; any other is taken whole. The last number is never guessed here: of the gold "3/4"
    it would make "4".

    Args:
        gold: The gold answer: a str, an int or a float. A number is written out in full, without
            an exponent and without a trailing ".0".
        forms: The forms that the completions are read by.

    Returns:
        The answer as it is written, not empty.

    Raises:
        InvalidGoldError: If there is no such answer, or it has another type.
        ValueError: If a form is unknown, or none is given.

    Example:
        >>> gold_answer("48 + 24 = 72\n#### 72")
        '72'
        >>> gold_answer(4.0)
        '4'

    Explained in :ref:`final-answer`.
    """
    written = _gold_text(gold)
    found = _find_answer(written, tuple(f for f in check_forms(forms) if f != "last_number"))
    answer = written.strip() if found is None else found
    if not answer:
        raise InvalidGoldError(
            f"the gold answer {_shortened(written)} holds no answer: it is empty, or its box or "
            "'####' is. Mend the row, or drop it from the data set."
        )
    return answer


def check_forms(forms: Sequence[str]) -> tuple[str, ...]:
    """Return the forms as a tuple.

    Args:
        forms: Names of answer forms, in the order in which to try them.

    Returns:
        The same names.

    Raises:
        ValueError: If a form is unknown, or none is given.

    Example:
        >>> check_forms(["boxed", "hash"])
        ('boxed', 'hash')

    Explained in :ref:`final-answer`.
    """
    names = (forms,) if isinstance(forms, str) else tuple(forms)
    unknown = [name for name in names if name not in _FINDERS]
    if unknown or not names or isinstance(forms, str):
        raise ValueError(
            f"forms must be a tuple of one or more of {', '.join(map(repr, _FINDERS))}; "
            f"got {forms!r}"
        )
    return names


def _find_answer(text: str, forms: tuple[str, ...]) -> str | None:
    """None: no form occurs. Empty: a form occurs, and holds no answer."""
    text = text[text.rfind("</think>") + len("</think>") :] if "</think>" in text else text
    if "<think>" in text:
        return ""
    text = strip_end_tokens(text).removesuffix("</answer>")
    for form in forms:
        found = _FINDERS[form](text)
        if found is not None:
            return found.strip()
    return None


def _last_box(text: str) -> str | None:
    first = text.find(r"\boxed")
    if first < 0:
        return None
    open_braces: list[int] = []  # where the content of an open box starts; -1 for a plain brace
    start, end = -1, -1
    for token in _BRACE.finditer(text, first):
        kind = token.group()
        if kind == "{":
            open_braces.append(-1)
        elif kind == "}":
            opened = open_braces.pop() if open_braces else -1
            if opened >= 0:
                # An outer box closes after the inner one and so replaces it.
                start, end = opened, token.start()
        elif kind.startswith(r"\boxed"):
            open_braces.append(token.end())
    last_unclosed = max(open_braces, default=-1)
    if last_unclosed > start:
        return ""
    return text[start:end] if start >= 0 else None


def _last_hash(text: str) -> str | None:
    _, marker, rest = text.rpartition("####")
    return rest.partition("\n")[0] if marker else None


def _last_phrase(text: str) -> str | None:
    ends = (phrase.end() for form in (_PHRASE_EN, _PHRASE_ZH) for phrase in form.finditer(text))
    start = max(ends, default=-1)
    if start < 0:
        return None
    # The answer may stand on the lines after "The answer is:", in display math.
    start = _BEFORE_ANSWER.match(text, start).end()
    stop = _SENTENCE_END.search(text, start)
    if stop is None:
        return text[start:]
    return text[start : stop.start() if len(stop.group()) == 1 else stop.end()]


def _last_number(text: str) -> str | None:
    last = None
    for number in _LAST_NUMBER.finditer(text):
        last = number
    return last.group() if last else None


_FINDERS: dict[str, Callable[[str], str | None]] = {
    "boxed": _last_box,
    "hash": _last_hash,
    "phrase": _last_phrase,
    "last_number": _last_number,
}


def _gold_text(gold: object) -> str:
    if isinstance(gold, str):
        return gold
    if isinstance(gold, float) and math.isfinite(gold):
        whole, _, decimals = format(Decimal(repr(float(gold))), "f").partition(".")
        return f"{whole}.{decimals}" if decimals.strip("0") else whole
    if isinstance(gold, numbers.Integral) and not isinstance(gold, bool):
        # Via Decimal, since str() refuses an int of more than 4,300 digits.
        return format(Decimal(int(gold)), "f")
    raise InvalidGoldError(
        f"the gold answer must be a str, an int or a finite float; got {_shortened(gold)} "
        f"({type(gold).__name__}). Convert the column to text before training, one answer a row."
    )


def _shortened(value: object) -> str:
    return repr(value if not isinstance(value, str) else value[:80])[:100]

"""A process reward that needs no model: do the sums that a step writes down hold?

No text is evaluated as code. A chain of numbers and operators is read by a grammar, in exact
fractions, and what the grammar does not know is not judged.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.number import parse_number
from reference_impl.steps.aggregate import Aggregate, aggregate_steps
from reference_impl.steps.split import StepRule, split_steps

#: More numbers in one equation than this, and it is not judged: exact fractions grow.
MAX_NUMBERS = 32

_NUMBER = r"\$?(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]++)(?:\.[0-9]++)?"
_OPERATOR = r"[+*/×÷·−-]|\\times\b|\\cdot\b|\\div\b|(?<=[ \t])[xX](?=[ \t])"
# One run of numbers with operators and equals signs between, as long as it goes: read once.
_CHAIN = re.compile(rf"[-−]?{_NUMBER}(?:[ \t]*+(?:{_OPERATOR}|=)[ \t]*+[-−]?{_NUMBER})*+")
_NUMBERS = re.compile(_NUMBER)
_TOKEN = re.compile(rf"(?P<number>{_NUMBER})|(?P<operator>{_OPERATOR})")
# Beside these a chain is part of something larger that is not read, such as 2x + 3 = 7 or 5%.
# A tag beside it, such as <answer> or <|im_end|>, is no comparison.
_LARGER_BEFORE = re.compile(
    r"(?:[\w.,)\]}^\\]|[-+*/×÷·−^<≤≥≠≈][ \t]*|(?<![A-Za-z|])>[ \t]*|[ \t][xX][ \t]+)\Z"
)
_LARGER_AFTER = re.compile(
    r"[\w%‰°^!(\[{]|\\(?![)\]])|[.,][0-9]"
    r"|[ \t]*(?:[-+*/×÷·−^≤≥≠≈=%]|[<>](?![A-Za-z/|])|\\times|\\cdot|\\div|[xX]\b)"
)
# These are no operators: the mark of a list, bold type, and GSM8K's marks around a calculation.
_MARK_BEFORE = re.compile(r"(?:\n[ \t]*[-*+][ \t]+|(?<![\w)])\*\*|<<)\Z")
_MARK_AFTER = re.compile(r"\*\*(?![\w(])|>>")
_TIMES = {"*", "×", "·", "\\times", "\\cdot", "x", "X"}
_MINUS = {"-", "−"}


class Equation(NamedTuple):
    """An equation that a text writes down.

    Attributes:
        text: The equation, as written.
        holds: Whether all its sides are equal, exactly.

    Explained in :ref:`process-verify`.
    """

    text: str
    holds: bool


def find_equations(text: str) -> list[Equation]:
    """Read the equations between numbers that a text writes down, and check each.

    Read are numbers, with commas between thousands and a dollar sign, with `+`, `-`, `*`, `/` and
    their other spellings between them, and equals signs: "3 x 4 = 12", "2 + 3 * 4 = 14 = 7 + 7". A
    side without an operator is fine, as long as another side has one.

    Everything else is left out, and neither right nor wrong: letters in place of numbers, powers,
    brackets, percentages, and chains of more than 32 numbers. "10 / 3 = 3.33" does not hold. Who
    rounds writes "≈", which is left out.

    Args:
        text: A step, or any other text.

    Returns:
        The equations in order. A division by zero does not hold.

    Example:
        >>> find_equations("First 12 / 4 = 3, then 3 + 5 = 9. So 2x + 3 = 9.")
        [Equation(text='12 / 4 = 3', holds=True), Equation(text='3 + 5 = 9', holds=False)]

    Explained in :ref:`process-verify`.
    """
    found = []
    for match in _CHAIN.finditer(text):
        if "=" not in match[0] or _is_part_of_more(text, *match.span()):
            continue
        if len(_NUMBERS.findall(match[0])) > MAX_NUMBERS:
            continue
        sides = [_read(side) for side in match[0].split("=")]
        if None in sides:
            continue
        if any(len(side) > 1 for side in sides):
            found.append(Equation(match[0], _all_equal(sides)))
    return found


@dataclass(frozen=True)
class ArithmeticSteps:
    r"""Pay a completion for steps whose sums hold.

    A step scores 1.0 if all its equations hold and 0.0 if one does not. A step without an equation
    has no score and no part in the reward: if it counted as right, empty talk would be paid.

    That a sum holds says nothing about whether it leads anywhere: "1 + 1 = 2" is paid in full. Put
    this reward behind a gate that asks for the right answer.

    Args:
        rule: How steps are told apart, as for `split_steps`.
        marker: The marker of the rule `"marker"`.
        aggregate: How the scores become one reward, as for `aggregate_steps`.

    Raises:
        ValueError: If there is no such rule or aggregate.

    Example:
        >>> strict = ArithmeticSteps(rule="step_number", aggregate="min")
        >>> strict("", "Step 1: 2 + 2 = 4.\nStep 2: 4 * 3 = 11.", [], [])
        0.0

    Explained in :ref:`process-verify`.
    """

    rule: StepRule = "blank_line"
    marker: str = ""
    aggregate: Aggregate = "min"

    def __post_init__(self) -> None:
        split_steps("", self.rule, self.marker)
        aggregate_steps([], self.aggregate)

    def step_scores(self, completion: str) -> list[float | None]:
        """Score each step by itself.

        Args:
            completion: The completion.

        Returns:
            1.0, 0.0 or None for each step that `split_steps` finds.

        Raises:
            InvalidSampleError: If the completion is not a str.
        """
        steps = split_steps(completion, self.rule, self.marker)
        return [_score(find_equations(completion[start:end])) for start, end in steps]

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one completion; see `arithmetic_steps_reward_fn`."""
        scores = self.step_scores(check_text("completions", completions))
        return aggregate_steps([score for score in scores if score is not None], self.aggregate)


def arithmetic_steps_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    **columns: Any,
) -> float:
    r"""Pay 1.0 if a completion writes equations between numbers and all of them hold, else 0.0.

    This is `ArithmeticSteps` with its defaults.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        **columns: The columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.

    Example:
        >>> arithmetic_steps_reward_fn("", "3 x 60 = 180.\n\n180 + 5 = 185.", [], [])
        1.0
        >>> arithmetic_steps_reward_fn("", "I just know it.", [], [])
        0.0

    Explained in :ref:`process-verify`.
    """
    return _ARITHMETIC_STEPS(prompt, completions, prompt_ids, completion_ids, **columns)


_ARITHMETIC_STEPS = ArithmeticSteps()


def _is_part_of_more(text: str, start: int, end: int) -> bool:
    before = "\n" * (start < 16) + text[max(0, start - 16) : start]
    if _LARGER_BEFORE.search(before) and not _MARK_BEFORE.search(before):
        return True
    return bool(_LARGER_AFTER.match(text, end)) and not _MARK_AFTER.match(text, end)


def _score(equations: Sequence[Equation]) -> float | None:
    return float(all(equation.holds for equation in equations)) if equations else None


def _read(side: str) -> list[Fraction | str] | None:
    """Read numbers and operators in turn; None if a number is too long to read."""
    parts: list[Fraction | str] = []
    sign = 1
    for token in _TOKEN.finditer(side):
        if token["number"]:
            number = parse_number(token["number"].lstrip("$"))
            if number is None:
                return None
            parts.append(sign * number.value)
            sign = 1
        elif parts and isinstance(parts[-1], Fraction):
            parts.append(token["operator"])
        else:  # a sign before a number
            sign = -1
    return parts


def _all_equal(sides: Sequence[list[Fraction | str]]) -> bool:
    try:
        values = {_value(side) for side in sides}
    except ZeroDivisionError:
        return False
    return len(values) == 1


def _value(parts: list[Fraction | str]) -> Fraction:
    """Evaluate numbers with operators between them: products first, then from left to right."""
    total, product = Fraction(0), parts[0]
    for operator, number in zip(parts[1::2], parts[2::2], strict=True):
        if operator in _TIMES:
            product *= number
        elif operator in ("/", "÷", "\\div"):
            product /= number
        else:
            total += product
            product = -number if operator in _MINUS else number
    return total + product

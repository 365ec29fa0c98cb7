"""Split a completion into steps, by a rule that can be said in one sentence.

The rule decides what a policy can gain by splitting differently, so it is a setting of yours and
never a guess.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from reference_impl.contract.reward_fn import check_text

StepRule = Literal["blank_line", "step_number", "marker"]

_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n\s*+")
_STEP_NUMBER = re.compile(
    r"^[^\S\n]*+[#*\-]*+[^\S\n]*+(?:step[^\S\n]*+\d|步骤[^\S\n]*+\d|第[^\S\n]*+[\d一二三四五六七八九十]+[^\S\n]*+步)",
    re.IGNORECASE | re.MULTILINE,
)


class Span(NamedTuple):
    """Where a step stands in its completion.

    Attributes:
        start: The place of its first character.
        end: The place behind its last character.

    Explained in :ref:`process-steps`.
    """

    start: int
    end: int


def split_steps(completion: str, rule: StepRule = "blank_line", marker: str = "") -> list[Span]:
    r"""Split a completion into steps that cover it from end to end.

    - `"blank_line"`: a step ends with one or more blank lines.
    - `"step_number"`: a step begins with a line such as "Step 2" or "第二步". What stands before
      the first one belongs to it.
    - `"marker"`: a step ends with `marker`, such as the token that a process reward model reads.

    What stands between two steps belongs to the first of them. A part without a letter or a digit
    is no step of its own: it belongs to the step before it, and at the beginning to the one after.

    Args:
        completion: The completion.
        rule: The rule.
        marker: The text that ends a step, for the rule `"marker"` alone.

    Returns:
        The steps in order. None, if no letter or digit is there at all.

    Raises:
        InvalidSampleError: If the completion is not a str.
        ValueError: If there is no such rule, or the marker does not go with it.

    Example:
        >>> text = "2 + 2 = 4.\n\nSo it is 4."
        >>> [text[start:end] for start, end in split_steps(text)]
        ['2 + 2 = 4.\n\n', 'So it is 4.']
        >>> len(split_steps("One.<step>Two.<step><step>", "marker", marker="<step>"))
        2

    Explained in :ref:`process-steps`.
    """
    text = check_text("completions", completion)
    steps: list[Span] = []
    start = 0
    for end in [*_ends(text, rule, marker), len(text)]:
        if any(map(str.isalnum, text[start:end].removesuffix(marker))):
            steps.append(Span(start if steps else 0, end))
        elif steps:
            steps[-1] = steps[-1]._replace(end=end)
        start = end
    return steps


def _ends(text: str, rule: StepRule, marker: str) -> Iterator[int]:
    """Yield where a part ends, the end of the text left out."""
    if bool(marker) != (rule == "marker"):
        raise ValueError(
            f"`marker` is {marker!r} and `rule` {rule!r}: a marker goes with 'marker'."
        )
    if rule == "blank_line":
        return (match.end() for match in _BLANK_LINE.finditer(text))
    if rule == "marker":
        return (match.end() for match in re.finditer(re.escape(marker), text))
    if rule == "step_number":
        # What stands before the first number is part of the first step.
        return (match.start() for match in list(_STEP_NUMBER.finditer(text))[1:])
    raise ValueError(f"`rule` is {rule!r}: give 'blank_line', 'step_number' or 'marker'.")

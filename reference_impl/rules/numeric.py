r"""Numeric match: pay a completion whose final answer is the gold number, however it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from reference_impl.contract.error import InvalidGoldError
from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.answer import DEFAULT_FORMS, check_forms, extract_answer, gold_answer
from reference_impl.rules.number import parse_number, units_agree

Tolerance = str | int | float | Fraction


@dataclass(frozen=True)
class NumericMatch:
    r"""Pay 1.0 if the final answer of a completion equals the gold number, else 0.0.

    Both sides are read by `parse_number` and compared as exact fractions, so that no rounding of
    floating point decides a reward. The prediction :math:`p` matches the gold :math:`g` if

    .. math::

        |p - g| \le \max(\text{abs\_tol}, \text{rel\_tol} \cdot |g|)

    and their units agree. A tolerance is paid in full to an answer that is wrong by less: keep it
    at 0 unless the gold itself is rounded.

    Args:
        forms: Where an answer may stand, in order of precedence; see `extract_answer`.
        rel_tol: The tolerance relative to the gold, such as "0.01" or "1%". A float means the
            decimal number that Python prints for it.
        abs_tol: The absolute tolerance, in the gold's own unit.

    Raises:
        ValueError: If a form is unknown, or a tolerance is not a number of at least 0.

    Source:
        The formula of `math.isclose`, relative to the gold alone.

    Example:
        >>> rounded = NumericMatch(abs_tol="0.01")
        >>> rounded("10 / 3?", r"\boxed{3.33}", [], [], answer="10/3")
        1.0
        >>> rounded("10 / 3?", r"\boxed{3.3}", [], [], answer="10/3")
        0.0

    Explained in :ref:`numeric-match`.
    """

    forms: Sequence[str] = DEFAULT_FORMS
    rel_tol: Tolerance = "0"
    abs_tol: Tolerance = "0"

    def __post_init__(self) -> None:
        object.__setattr__(self, "forms", check_forms(self.forms))
        object.__setattr__(self, "rel_tol", _tolerance("rel_tol", self.rel_tol))
        object.__setattr__(self, "abs_tol", _tolerance("abs_tol", self.abs_tol))

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        answer: str | int | float,
        **columns: Any,
    ) -> float:
        """Score one completion; see `numeric_match_reward_fn`."""
        text = check_text("completions", completions)
        gold_written = gold_answer(answer, self.forms)
        gold = parse_number(gold_written)
        if gold is None:
            raise InvalidGoldError(
                f"the gold answer {gold_written[:80]!r} is not one number. Mend the row, or score "
                "this data set with exact_match_reward_fn."
            )
        predicted = parse_number(extract_answer(text, self.forms) or "")
        if predicted is None or not units_agree(predicted.unit, gold.unit):
            return 0.0
        if predicted.value == gold.value:
            return 1.0
        allowed = max(self.abs_tol, self.rel_tol * abs(gold.value))
        return 1.0 if abs(predicted.value - gold.value) <= allowed else 0.0


def numeric_match_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | int | float,
    **columns: Any,
) -> float:
    r"""Pay 1.0 if the final answer of a completion is exactly the gold number, else 0.0.

    This is `NumericMatch` with its defaults: no tolerance.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer, a column of the data set: a number, or a solution that holds it
            in one of the forms ("... #### 72").
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0. An answer that is not one number earns 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.
        InvalidGoldError: If the gold answer is missing, or is not one number.

    Example:
        >>> numeric_match_reward_fn("Half?", r"\boxed{\frac{1}{2}}", [], [], answer="0.5")
        1.0
        >>> numeric_match_reward_fn("Half?", r"\boxed{0.5 or 2}", [], [], answer="0.5")
        0.0

    Explained in :ref:`numeric-match`.
    """
    return _NUMERIC_MATCH(prompt, completions, prompt_ids, completion_ids, answer, **columns)


def _tolerance(name: str, value: Tolerance) -> Fraction:
    if isinstance(value, Fraction):
        tolerance = value
    else:
        # A float's shortest form is what its author wrote: 0.1 means 1/10.
        written = repr(value) if isinstance(value, int | float) else value
        read = parse_number(written) if isinstance(written, str) else None
        tolerance = read.value if read and not read.unit else None
    if tolerance is None or tolerance < 0:
        raise ValueError(
            f"{name} must be a number of at least 0, such as '0.01' or '1%'; got {value!r}"
        )
    return tolerance


_NUMERIC_MATCH = NumericMatch()

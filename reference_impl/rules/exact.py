r"""Exact match: pay a completion whose final answer is written like the gold answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference_impl.contract.error import InvalidGoldError
from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.answer import DEFAULT_FORMS, check_forms, extract_answer, gold_answer
from reference_impl.rules.normalize import normalize_answer
from reference_impl.rules.number import read_numeral, units_agree


@dataclass(frozen=True)
class ExactMatch:
    r"""Pay 1.0 if the final answer of a completion is written like the gold answer, else 0.0.

    Both sides are normalized: typography, LaTeX wrappers and letter case do not count. Two numbers
    also match when their digits do, without commas and units: "$1,234" and "1234" match, "5 km"
    and "5 m" do not, "10%" and "10" do not. It does not see that 1/2 is 0.5, or that 4 is 4.0;
    `NumericMatch` does.

    Args:
        forms: Where an answer may stand, in order of precedence; see `extract_answer`.

    Raises:
        ValueError: If a form is unknown, or none is given.

    Example:
        >>> boxed_only = ExactMatch(forms=("boxed",))
        >>> boxed_only("2 + 2?", r"\boxed{4}", [], [], answer="4")
        1.0
        >>> boxed_only("2 + 2?", "#### 4", [], [], answer="4")
        0.0

    Explained in :ref:`exact-match`.
    """

    forms: Sequence[str] = DEFAULT_FORMS

    def __post_init__(self) -> None:
        object.__setattr__(self, "forms", check_forms(self.forms))

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        answer: str | int | float,
        **columns: Any,
    ) -> float:
        """Score one completion; see `exact_match_reward_fn`."""
        text = check_text("completions", completions)
        gold_written = gold_answer(answer, self.forms)
        gold = normalize_answer(gold_written)
        if not gold:
            raise InvalidGoldError(
                f"the gold answer {gold_written[:80]!r} holds nothing visible. Mend the "
                "row, or drop it from the data set."
            )
        predicted = extract_answer(text, self.forms)
        if predicted is None:
            return 0.0
        return 1.0 if _written_alike(normalize_answer(predicted), gold) else 0.0


def exact_match_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | int | float,
    **columns: Any,
) -> float:
    r"""Pay 1.0 if the final answer of a completion is written like the gold answer, else 0.0.

    This is `ExactMatch` with its defaults.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer, a column of the data set: the bare answer, or a solution that
            holds it in one of the forms ("... #### 72").
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.
        InvalidGoldError: If the gold answer is missing, empty or of another type.

    Source:
        The metric of SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250), on the final answer only.

    Example:
        >>> exact_match_reward_fn("2 + 2?", r"2 + 2 makes \boxed{4}.", [], [], answer="4")
        1.0
        >>> exact_match_reward_fn("2 + 2?", r"2 + 2 makes \boxed{14}.", [], [], answer="4")
        0.0

    Explained in :ref:`exact-match`.
    """
    return _EXACT_MATCH(prompt, completions, prompt_ids, completion_ids, answer, **columns)


_EXACT_MATCH = ExactMatch()


def _written_alike(predicted: str, gold: str) -> bool:
    if predicted == gold:
        return True
    first, second = read_numeral(predicted), read_numeral(gold)
    return (
        first is not None
        and second is not None
        and first.digits == second.digits
        and units_agree(first.unit, second.unit)
    )

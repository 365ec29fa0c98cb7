r"""The rewards of GSM8K, Geometry3K and CLEVR counting, under AReaL's names.

Each is a `MathVerifier` with the forms that its data set asks for.
"""

from typing import Any

from reference_impl.contract.error import InvalidSampleError
from reference_impl.rules.math.final_answer import DEFAULT_MATH_FORMS
from reference_impl.rules.math.verifier import MathVerifier

_STRICT = MathVerifier()
_WITH_BARE_NUMBER = MathVerifier(forms=(*DEFAULT_MATH_FORMS, "number"))
_WITH_BRACKETS = MathVerifier(forms=(*DEFAULT_MATH_FORMS, "bracket"))


def gsm8k_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | int | float,
    *,
    strict: bool = False,
    **columns: Any,
) -> float:
    r"""Pay 1.0 if the final answer of a completion is the gold answer of GSM8K, else 0.0.

    Like AReaL's reward of this name, it also pays a bare number at the end of a completion that
    marks no answer ("So there are 72 apples."). That fallback is what most attacks on it use;
    `strict` turns it off.

    Args:
        prompt: The prompt; an answer that is repeated from it does not count.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer, a column of the data set: "72", or the whole solution that ends
            in "#### 72".
        strict: Whether an answer must be stated, and a bare number is none. Set it with
            `functools.partial`; a data set must not have a column of this name.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str, or `strict` is not a bool.
        InvalidGoldError: If the gold answer is missing or cannot be read.
        WorkerUnavailableError: If the algebra's process cannot be started.

    Source:
        AReaL, areal/reward/gsm8k.py. Data: Cobbe et al. 2021, arXiv 2110.14168.

    Example:
        >>> gsm8k_reward_fn("", "She sold 48 + 24 = 72.", [], [], answer="48 + 24 = 72\n#### 72")
        1.0
        >>> gsm8k_reward_fn("", "So there are 72.", [], [], answer="72", strict=True)
        0.0

    Explained in :ref:`math-gsm8k`.
    """
    if not isinstance(strict, bool):
        raise InvalidSampleError(
            f"`strict` must be True or False; got {strict!r}. If the data set has a column of this "
            "name, rename it."
        )
    verifier = _STRICT if strict else _WITH_BARE_NUMBER
    return verifier(prompt, completions, prompt_ids, completion_ids, answer, **columns)


def geometry3k_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | int | float,
    **columns: Any,
) -> float:
    r"""Pay 1.0 if the final answer of a completion is the gold answer of Geometry3K, else 0.0.

    An answer may stand in square brackets, as in AReaL's reward of this name, or in any other form
    that `final_answer` knows.

    Args:
        prompt: The prompt; an answer that is repeated from it does not count.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer, a column of the data set, in LaTeX or plain.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.
        InvalidGoldError: If the gold answer is missing or cannot be read.
        WorkerUnavailableError: If the algebra's process cannot be started.

    Source:
        AReaL, areal/reward/geometry3k.py. Data: Lu et al. 2021, arXiv 2105.04165.

    Example:
        >>> geometry3k_reward_fn("", r"\boxed{2\sqrt{221}}", [], [], answer=r"2 \sqrt { 221 }")
        1.0
        >>> geometry3k_reward_fn("", r"\boxed{\frac{13}{2}}", [], [], answer="2")
        0.0

    Explained in :ref:`math-geometry3k`.
    """
    return _WITH_BRACKETS(prompt, completions, prompt_ids, completion_ids, answer, **columns)


def clevr_count_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | int | float,
    **columns: Any,
) -> float:
    r"""Pay 1.0 if a completion counts as many objects as the gold answer of CLEVR says, else 0.0.

    The count stands in square brackets, "[3]", on the last line that has any, or in any other form
    that `final_answer` knows. Brackets that disagree earn nothing.

    Args:
        prompt: The prompt; an answer that is repeated from it does not count.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold count, a column of the data set.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.
        InvalidGoldError: If the gold answer is missing or cannot be read.

    Source:
        AReaL, areal/reward/clevr_count_70k.py. Data: Johnson et al. 2017, arXiv 1612.06890.

    Example:
        >>> clevr_count_reward_fn("", "I count [3] cubes.", [], [], answer="3")
        1.0
        >>> clevr_count_reward_fn("", "[1] [2] [3]", [], [], answer="3")
        0.0

    Explained in :ref:`math-clevr`.
    """
    return _WITH_BRACKETS(prompt, completions, prompt_ids, completion_ids, answer, **columns)


# AsyncRewardWrapper calls this in each worker before the clock of the first call runs.
gsm8k_reward_fn.warm_up = _WITH_BARE_NUMBER.warm_up
geometry3k_reward_fn.warm_up = _WITH_BRACKETS.warm_up
clevr_count_reward_fn.warm_up = _WITH_BRACKETS.warm_up

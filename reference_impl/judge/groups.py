"""What judges of a whole group share: which completions they take, and what a failure is worth."""

from collections.abc import Sequence
from typing import Literal

from reference_impl.contract.error import RewardError
from reference_impl.contract.failure import FailureCounts
from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.end_tokens import strip_end_tokens


def read_group(completions: Sequence[str]) -> list[str]:
    """Read the completions of a prompt, without the special tokens at their ends.

    Args:
        completions: The completions, shape (n,).

    Returns:
        Their texts, shape (n,).

    Raises:
        InvalidSampleError: If one is no text.

    Example:
        >>> read_group(["4<|im_end|>", "5"])
        ['4', '5']

    Explained in :ref:`judge-groups`.
    """
    return [strip_end_tokens(check_text("completions", text)) for text in completions]


def apply_policy(
    rewards: Sequence[float | RewardError],
    on_failure: Literal["raise", "skip"] | float,
    counts: FailureCounts,
) -> list[float | None]:
    """Say what the completions of a group are worth that have no reward.

    Args:
        rewards: The rewards, and what went wrong instead, shape (n,).
        on_failure: `"raise"`, `"skip"` (None), or the number that a failure is worth.
        counts: Where calls and failures are counted.

    Returns:
        The rewards, shape (n,).

    Raises:
        RewardError: The first failure, if `on_failure` is `"raise"`.

    Explained in :ref:`judge-groups`.
    """
    failures = [reward for reward in rewards if isinstance(reward, RewardError)]
    for _ in rewards:
        counts.add_call()
    for failure in failures:
        counts.add_failure(failure.reason)
    if failures and on_failure == "raise":
        raise failures[0]
    worth = None if isinstance(on_failure, str) else float(on_failure)
    return [worth if isinstance(reward, RewardError) else reward for reward in rewards]

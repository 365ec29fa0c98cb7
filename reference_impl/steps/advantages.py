"""Advantages of steps or turns, compared within the group of a prompt."""

from collections.abc import Sequence

from reference_impl.compose.advantages import grpo_advantages
from reference_impl.steps.turns import turn_returns


def process_advantages(
    rewards: Sequence[Sequence[float]], *, eps: float = 1e-4
) -> list[list[float]]:
    """Standardize all rewards of a group together, then add to each step those that follow it.

    A completion may have any number of steps. A step's advantage goes on each of its tokens
    (`turn_values_to_tokens` with `"every"` does that for turns).

    Args:
        rewards: The rewards of the steps or turns of each completion of one prompt.
        eps: What is added to the standard deviation, above 0.

    Returns:
        The advantage of each step, of the same shapes. 0.0 throughout if all rewards are equal.

    Raises:
        ValueError: If a reward is not finite, or `eps` is not above 0.
        TypeError: If one of them is no number.

    Source:
        Shao et al. 2024, DeepSeekMath, arXiv:2402.03300, section 4.1.3, process supervision. It
        adds nothing to the standard deviation.

    Example:
        >>> advantages = process_advantages([[1.0, 1.0], [1.0, 0.0]])
        >>> [[round(advantage, 2) for advantage in one] for one in advantages]
        [[1.0, 0.5], [-1.0, -1.5]]

    Explained in :ref:`process-advantages`.
    """
    flat = [reward for one in rewards for reward in one]
    if not flat:
        return [[] for _ in rewards]
    standardized = iter(grpo_advantages(flat, len(flat), eps=eps))
    return [turn_returns([next(standardized) for _ in one]) for one in rewards]

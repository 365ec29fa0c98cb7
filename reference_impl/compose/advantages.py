"""Advantages: what a group-relative trainer makes of the rewards of a batch.

This is the arithmetic of trainers, on plain lists, to see what a reward turns into before a GPU
is paid for it. Rewards stand in the order of a batch: `group_size` samples of the first prompt,
then those of the second. None is a sample without a reward. It counts in no mean, and its
advantage is 0.0, so that it does not move the policy.

A group of which all rewards are equal, or all but one are None, has the advantage 0.0 throughout.
"""

import math
from collections.abc import Callable, Mapping, Sequence

from reference_impl.compose.settings import finite

# Trainers hold rewards as float32, where anything larger is infinite.
LARGEST_REWARD = 3.4e38

Rewards = Sequence[float | None]


def grpo_advantages(
    rewards: Rewards, group_size: int, *, eps: float = 1e-4, ddof: int = 1
) -> list[float]:
    """Standardize the rewards of each group: `(r - mean) / (std + eps)`.

    Trainers agree on the standard deviation of a sample, with `n - 1` below the fraction, and
    differ in `eps`: TRL has 1e-4, AReaL 1e-5, verl 1e-6, OpenRLHF 1e-9. That is what happens if
    the rewards of a group are nearly equal: differences that are small beside `eps` stay small,
    and all others are blown up to the same size.

    Args:
        rewards: The rewards of the batch, shape (groups * group_size,). None is no reward.
        group_size: How many samples each prompt has.
        eps: What is added to the standard deviation, above 0.
        ddof: 1 divides the squares by `n - 1`. 0 divides them by `n`, as AReaL does with
            `std_unbiased: false`.

    Returns:
        The advantages, of the same shape.

    Raises:
        ValueError: If the groups are uneven, a reward is not finite, or a setting is out of range.
        TypeError: If a reward or a setting is no number.

    Source:
        Shao et al. 2024, DeepSeekMath, arXiv:2402.03300, section 4.1.2, outcome supervision.
        TRL 1.16, `GRPOTrainer._generate_and_score_completions`. AReaL 1.0.4,
        `areal.utils.data.Normalization`. verl 0.9.1, `compute_grpo_outcome_advantage`, which
        gives a group of one its reward as advantage. OpenRLHF 0.11.2,
        `RemoteExperienceMaker.compute_advantages_and_returns`, estimator `group_norm`.

    Example:
        >>> [round(a, 3) for a in grpo_advantages([1.0, 0.0, 0.0, 0.0], group_size=4)]
        [1.5, -0.5, -0.5, -0.5]
        >>> grpo_advantages([1.0, 1.0, None, 1.0], group_size=4)
        [0.0, 0.0, 0.0, 0.0]

    Explained in :ref:`composition-group`.
    """
    eps = finite("`eps`", eps)
    if eps <= 0:
        raise ValueError(f"`eps` is {eps}: give a number above 0.")
    if ddof not in (0, 1):
        raise ValueError(f"`ddof` is {ddof!r}: give 0 or 1.")
    return _by_group(rewards, group_size, lambda group: _standardized(group, eps, ddof))


def dr_grpo_advantages(rewards: Rewards, group_size: int) -> list[float]:
    """Subtract the mean of each group, and leave the scale alone: `r - mean`.

    So a prompt on which nearly all completions agree is not blown up to the size of the others.
    Dr. GRPO also takes the length of a completion out of the loss. That is the trainer's part.

    Args:
        rewards: The rewards of the batch, shape (groups * group_size,). None is no reward.
        group_size: How many samples each prompt has.

    Returns:
        The advantages, of the same shape.

    Raises:
        ValueError: If the groups are uneven or a reward is not finite.
        TypeError: If a reward or the size is no number.

    Source:
        Liu et al. 2025, Understanding R1-Zero-Like Training, arXiv:2503.20783. TRL:
        `scale_rewards="none"`. verl: `norm_adv_by_std_in_grpo: false`. OpenRLHF: `dr_grpo`.
        AReaL: `reward_norm` with `std_level: null`.

    Example:
        >>> dr_grpo_advantages([1.0, 0.0, 0.0, 0.0], group_size=4)
        [0.75, -0.25, -0.25, -0.25]

    Explained in :ref:`composition-group`.
    """
    return _by_group(rewards, group_size, _centered)


def rloo_advantages(rewards: Rewards, group_size: int) -> list[float]:
    """Compare each reward with the mean of the others in its group.

    It is the centered reward times `n / (n - 1)`, with the `n` rewards that there are.

    Args:
        rewards: The rewards of the batch, shape (groups * group_size,). None is no reward.
        group_size: How many samples each prompt has.

    Returns:
        The advantages, of the same shape.

    Raises:
        ValueError: If the groups are uneven or a reward is not finite.
        TypeError: If a reward or the size is no number.

    Source:
        Ahmadian et al. 2024, Back to Basics, arXiv:2402.14740. AReaL: `reward_norm` with
        `mean_leave1out: true`. verl and OpenRLHF: `rloo`.

    Example:
        >>> rloo_advantages([1.0, 0.0, 0.0, 0.0, None], group_size=5)
        [1.0, -0.3333333333333333, -0.3333333333333333, -0.3333333333333333, 0.0]

    Explained in :ref:`composition-group`.
    """

    def leave_one_out(group: list[float]) -> list[float]:
        return [value * len(group) / (len(group) - 1) for value in _centered(group)]

    return _by_group(rewards, group_size, leave_one_out)


def gdpo_advantages(
    components: Mapping[str, Rewards],
    weights: Mapping[str, float],
    group_size: int,
    *,
    eps: float = 1e-4,
) -> list[float]:
    """Standardize each component by itself, then add up, then standardize the whole batch.

    If the sum is standardized instead, different combinations of components get the same
    advantage: below, the first prompt differs in both and the second in one, and
    `grpo_advantages` of the sums has no trace of that.

    A sample that lacks one component counts as average in it. One that lacks all of them has no
    advantage.

    Args:
        components: The values of each component by name, each of shape (groups * group_size,).
        weights: The weight of each component by name.
        group_size: How many samples each prompt has.
        eps: What is added to every standard deviation, above 0.

    Returns:
        The advantages, of the same shape as one component.

    Raises:
        ValueError: If there is no component, the names or lengths differ, the groups are uneven,
            a value or weight is not finite, or `eps` is not above 0.
        TypeError: If a value, a weight or a setting is no number.

    Source:
        Liu et al. 2026, GDPO, arXiv:2601.05242. TRL 1.16,
        `multi_objective_aggregation="normalize_then_sum"`. verl 0.9.1,
        `compute_gdpo_outcome_advantage`, which standardizes the batch by tokens, not by samples.

    Example:
        >>> correct, style = [1.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]
        >>> advantages = gdpo_advantages(
        ...     {"correct": correct, "style": style}, {"correct": 1.0, "style": 1.0}, group_size=2
        ... )
        >>> [round(advantage, 2) for advantage in advantages]
        [1.1, -1.1, 0.55, -0.55]

    Explained in :ref:`composition-gdpo`.
    """
    if not components:
        raise ValueError("There is no component: give the values of at least one.")
    if set(components) != set(weights):
        raise ValueError(
            f"The components are {sorted(components)}, the weights are for {sorted(weights)}: "
            "give one weight for each component."
        )
    lengths = {name: len(values) for name, values in components.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The components have different lengths: {lengths}.")
    sums = [0.0] * max(lengths.values())
    for name, values in components.items():
        weight = finite(f"The weight of `{name}`", weights[name])
        try:
            advantages = grpo_advantages(values, group_size, eps=eps)
        except (TypeError, ValueError) as error:
            raise type(error)(f"The component `{name}`: {error}") from error
        sums = [total + weight * a for total, a in zip(sums, advantages, strict=True)]
    scored = [
        any(value is not None for value in row) for row in zip(*components.values(), strict=True)
    ]
    rewards = [total if known else None for total, known in zip(sums, scored, strict=True)]
    return grpo_advantages(rewards, len(rewards), eps=eps) if rewards else []


def _by_group(
    rewards: Rewards, group_size: int, advantages_of: Callable[[list[float]], list[float]]
) -> list[float]:
    """Apply a function to the rewards that each group has, and put 0.0 where it has none."""
    if isinstance(group_size, bool) or not isinstance(group_size, int):
        raise TypeError(f"`group_size` is {group_size!r}: give an int.")
    if group_size < 1:
        raise ValueError(f"`group_size` is {group_size}: a group has at least one sample.")
    if len(rewards) % group_size:
        raise ValueError(
            f"{len(rewards)} rewards do not make groups of {group_size}: every prompt needs "
            f"{group_size} of them, with None for a sample without a reward."
        )
    checked = [_check(index, reward) for index, reward in enumerate(rewards)]
    advantages = [0.0] * len(checked)
    for start in range(0, len(checked), group_size):
        there = [i for i in range(start, start + group_size) if checked[i] is not None]
        group = [checked[i] for i in there]
        if len(set(group)) > 1:  # else all are equal, and rounding must not tell them apart
            for i, advantage in zip(there, advantages_of(group), strict=True):
                advantages[i] = advantage
    return advantages


def _check(index: int, reward: float | None) -> float | None:
    if reward is None:
        return None
    try:
        reward = finite(f"Reward {index}", reward)
    except ValueError as error:
        raise ValueError(f"{error} For a sample without a reward, give None.") from None
    if abs(reward) > LARGEST_REWARD:
        raise ValueError(f"Reward {index} is {reward}, which is infinite in a trainer's float32.")
    return reward


def _centered(group: list[float]) -> list[float]:
    mean = math.fsum(group) / len(group)
    return [reward - mean for reward in group]


def _standardized(group: list[float], eps: float, ddof: int) -> list[float]:
    centered = _centered(group)
    std = math.hypot(*centered) / math.sqrt(len(group) - ddof)
    return [value / (std + eps) for value in centered]

"""The figures of a step that detectors read, computed from what any trainer has at hand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Rewards of a group that differ by less than this are equal to every trainer.
EQUAL = 1e-8


@dataclass(frozen=True)
class StepFigures:
    """What to log of a step.

    None is a figure of which the step says nothing, such as the mean of no reward at all.

    Attributes:
        reward: The mean reward of the samples that have one.
        group_std: The mean over groups of the standard deviation of their rewards (n - 1 below the
            fraction, as in trainers). Groups with fewer than two rewards do not count.
        silent_groups: The share of groups in which no two rewards differ, from 0 to 1. They move
            nothing.
        length: The mean length of all completions, in tokens.
        length_correlation: Pearson's, of reward and length, both taken as differences from the
            mean of their group, from -1 to 1.
        failed: The share of samples without a reward, from 0 to 1.
        shares: For each component the share of the variance within groups that it explains.
            They add up to 1. A component that works against the sum has a negative share.

    Explained in :ref:`monitoring-figures`.
    """

    reward: float | None
    group_std: float | None
    silent_groups: float
    length: float
    length_correlation: float | None
    failed: float
    shares: dict[str, float]


def step_figures(
    rewards: Sequence[float | None],
    lengths: Sequence[int],
    group_size: int,
    components: Mapping[str, Sequence[float | None]] | None = None,
) -> StepFigures:
    r"""Compute the figures of a step.

    What a group-relative trainer learns from is how rewards differ within a group, so variances and
    correlations are taken there. With the contribution :math:`c_k` of component :math:`k` to the
    reward :math:`r = \sum_k c_k`, its share is :math:`\sum (c_k - \bar c_k)(r - \bar r) /
    \sum (r - \bar r)^2`, where bars are means of the group and sums run over all samples.

    Args:
        rewards: The rewards of the step, shape (groups * group_size,): first all samples of the
            first prompt. None is a sample without a reward.
        lengths: The lengths of the completions, in tokens, of the same shape.
        group_size: How many samples each prompt has.
        components: What each component adds to the reward, after its weight, by name, each of the
            same shape. None is a component that was not scored, and counts as 0 where the sample
            has a reward.

    Returns:
        The figures.

    Raises:
        ValueError: If there is no sample, the shapes differ, groups are uneven, or a number is not
            finite.

    Example:
        >>> figures = step_figures(
        ...     [1.0, 0.0, 0.5, 0.5], [9, 3, 5, 5], 2, {"correct": [1.0, 0.0, 0.5, 0.5]}
        ... )
        >>> figures.reward, figures.silent_groups, figures.length_correlation, figures.shares
        (0.5, 0.5, 1.0, {'correct': 1.0})

    Explained in :ref:`monitoring-figures`.
    """
    components = components or {}
    _check(rewards, lengths, group_size, components)
    groups = [
        [place for place in range(start, start + group_size) if rewards[place] is not None]
        for start in range(0, len(rewards), group_size)
    ]
    spreads = [_spread([rewards[place] for place in group]) for group in groups]
    centered = _centered(rewards, groups)
    variance = math.fsum(difference**2 for difference in centered)
    scored = [reward for reward in rewards if reward is not None]
    stds = [std for std in spreads if std is not None]
    return StepFigures(
        reward=_mean(scored),
        group_std=_mean(stds),
        silent_groups=sum(not std for std in spreads) / len(groups),
        length=math.fsum(lengths) / len(lengths),
        length_correlation=_correlation(centered, _centered(lengths, groups)),
        failed=1 - len(scored) / len(rewards),
        shares={
            name: _product(_centered(values, groups), centered) / variance
            for name, values in components.items()
            if variance
        },
    )


def _check(
    rewards: Sequence[float | None],
    lengths: Sequence[int],
    group_size: int,
    components: Mapping[str, Sequence[float | None]],
) -> None:
    if not rewards:
        raise ValueError("There is no sample: give the rewards of a step.")
    if group_size < 1 or len(rewards) % group_size:
        raise ValueError(f"{len(rewards)} rewards are no groups of {group_size}.")
    for name, values in {"`rewards`": rewards, "`lengths`": lengths, **components}.items():
        if len(values) != len(rewards):
            raise ValueError(f"{name} has {len(values)} values for {len(rewards)} rewards.")
        for value in values:
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} holds {value}. Pass None for what could not be scored.")


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _spread(group: Sequence[float]) -> float | None:
    """Return the standard deviation of a group, 0.0 if it is equal, None if it is no group."""
    if len(group) < 2:
        return None
    if max(group) - min(group) < EQUAL:
        return 0.0
    mean = math.fsum(group) / len(group)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in group) / (len(group) - 1))


def _centered(values: Sequence[float | None], groups: Sequence[Sequence[int]]) -> list[float]:
    """Subtract from each value the mean of its group. Equal values give exact zeros."""
    differences = []
    for group in groups:
        of_group = [values[place] or 0.0 for place in group]
        if not of_group or max(of_group) - min(of_group) < EQUAL:
            differences += [0.0] * len(of_group)
            continue
        mean = math.fsum(of_group) / len(of_group)
        differences += [value - mean for value in of_group]
    return differences


def _product(first: Sequence[float], second: Sequence[float]) -> float:
    return math.fsum(a * b for a, b in zip(first, second, strict=True))


def _correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    squares = _product(first, first) * _product(second, second)
    return _product(first, second) / math.sqrt(squares) if squares else None

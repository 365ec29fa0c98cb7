"""One number for many steps, for trainers that take one number a completion."""

import math
from collections.abc import Sequence
from typing import Literal

from reference_impl.compose.settings import finite

Aggregate = Literal["min", "product", "last", "mean", "sum"]


def aggregate_steps(scores: Sequence[float], how: Aggregate = "min") -> float:
    """Make one reward of the scores of a completion's steps.

    - `"min"`: the worst step. A further step can only lower it.
    - `"product"`: the probability that all are right, if each score is one and they are
      independent. It falls with each step that is not certain, so that it favours few steps.
    - `"last"`: the last step alone. Nothing is paid for what stands before.
    - `"mean"`: safe steps dilute a wrong one.
    - `"sum"`: what a trainer's return comes to if each step is paid. It grows with each step that
      scores above 0.

    Args:
        scores: The score of each step, in order.
        how: Which of the five.

    Returns:
        The reward, which is 0.0 without any step, since the product of nothing is 1 and would pay
        an empty completion in full.

    Raises:
        ValueError: If a score is not finite, one of a product is outside 0 to 1, or there is no
            such aggregate.
        TypeError: If a score is no number.

    Source:
        Product and minimum: Lightman et al. 2023, Let's Verify Step by Step, arXiv:2305.20050.
        Minimum: Wang et al. 2024, Math-Shepherd, arXiv:2312.08935.

    Example:
        >>> scores = [0.9, 0.2, 0.8]
        >>> [round(aggregate_steps(scores, how), 3) for how in ("min", "product", "last", "mean")]
        [0.2, 0.144, 0.8, 0.633]
        >>> aggregate_steps([], "product")
        0.0

    Explained in :ref:`process-aggregate`.
    """
    if how not in ("min", "product", "last", "mean", "sum"):
        raise ValueError(f"`how` is {how!r}: give 'min', 'product', 'last', 'mean' or 'sum'.")
    checked = [finite(f"The score of step {index}", score) for index, score in enumerate(scores)]
    if not checked:
        return 0.0
    if how == "min":
        return min(checked)
    if how == "last":
        return checked[-1]
    if how == "sum":
        return math.fsum(checked)
    if how == "mean":
        return math.fsum(checked) / len(checked)
    if not all(0 <= score <= 1 for score in checked):
        raise ValueError("A product needs scores from 0 to 1: two negative ones would be paid.")
    return math.prod(checked)


def min_form_rewards(scores: Sequence[float], temperature: float = 0.1) -> list[float]:
    """Weigh the scores of steps so that their sum is nearly the lowest of them.

    `r_i * exp(-r_i / T) / sum_j exp(-r_j / T)`. A trainer adds up the rewards of tokens whether you
    want it or not. With these rewards the sum says what the minimum says, and most of it stands on
    the worst step.

    Args:
        scores: The score of each step, in order.
        temperature: How near the sum comes to the minimum: the smaller, the nearer. Above 0.

    Returns:
        The reward of each step, of the same shape.

    Raises:
        ValueError: If a score is not finite, or the temperature is not above 0.
        TypeError: If one of them is no number.

    Source:
        Cheng et al. 2025, Stop Summation, arXiv:2504.15275, which uses the temperature 0.1.

    Example:
        >>> [round(reward, 3) for reward in min_form_rewards([0.9, 0.2, 0.8])]
        [0.001, 0.199, 0.002]

    Explained in :ref:`process-min-form`.
    """
    temperature = finite("`temperature`", temperature)
    if temperature <= 0:
        raise ValueError(f"`temperature` is {temperature}: give a number above 0.")
    checked = [finite(f"The score of step {index}", score) for index, score in enumerate(scores)]
    lowest = min(checked, default=0.0)
    weights = [math.exp((lowest - score) / temperature) for score in checked]  # at most 1 each
    total = math.fsum(weights)
    return [score * weight / total for score, weight in zip(checked, weights, strict=True)]

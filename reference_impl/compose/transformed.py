"""TransformedReward: another reward, scaled, shifted or clipped, one explicit step at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference_impl.compose.composite import AsyncComposite, Composite, Values
from reference_impl.contract.reward_fn import RewardFn

RAW = "raw"


@dataclass(frozen=True)
class Clip:
    """Map a score to the nearest number between two bounds. A step, as `Affine` is one.

    Beyond a bound all scores are worth the same, and a group of them teaches nothing.

    Args:
        low: The lowest score that comes out. `-math.inf` is no bound.
        high: The highest score that comes out. `math.inf` is no bound.

    Raises:
        ValueError: If `low` is not below `high`, or one of them is NaN.

    Example:
        >>> clip = Clip(-1.0, 1.0)
        >>> [clip(score) for score in (-3.0, 0.5, 3.0)]
        [-1.0, 0.5, 1.0]

    Explained in :ref:`composition-transform`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:  # NaN is not below anything
            raise ValueError(f"Clip({self.low}, {self.high}): `low` must be below `high`.")

    def __call__(self, score: float) -> float:
        """Map one score."""
        return min(max(score, self.low), self.high)


class TransformedReward(Composite):
    """Pay another reward after some steps, such as `Affine(scale, shift)` and `Clip(low, high)`.

    The reward before the steps is the component `raw`.

    Args:
        reward_fn: The reward function.
        steps: What is done to its value, in order: callables from a float to a float, such as
            `Affine`, `Sigmoid` and `Clip`.

    Attributes:
        steps: As given, as a tuple.

    Raises:
        ValueError: If there is no step.
        TypeError: If the reward function cannot be a component, or a step cannot be called.

    Example:
        >>> from reference_impl import Affine
        >>> def length_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     return len(completions)
        >>> reward = TransformedReward(length_reward_fn, [Affine(-0.1, 1.0), Clip(0.0, 1.0)])
        >>> reward.score("2 + 2?", "Four", [], [])
        Composed(value=0.6, components={'raw': 4.0})

    Explained in :ref:`composition-transform`.
    """

    def __init__(self, reward_fn: RewardFn, steps: Sequence[Callable[[float], float]]):
        self.steps = tuple(steps)
        if not self.steps:
            raise ValueError("There is no step: use the reward function as it is.")
        for step in self.steps:
            if isinstance(step, type) or not callable(step):
                raise TypeError(f"The step {step!r} cannot be called: give one such as Clip(0, 1).")
        super().__init__({RAW: reward_fn})

    def _combine(self, values: Values) -> float:
        score = values[RAW]
        for step in self.steps:
            score = step(score)
        return score


class AsyncTransformedReward(AsyncComposite, TransformedReward):
    """A transformed reward that is awaited, such as a judge on another scale.

    Args:
        reward_fn: The asynchronous reward function.
        steps: As for `TransformedReward`.

    Explained in :ref:`composition-judge`.
    """

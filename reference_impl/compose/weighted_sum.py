"""WeightedSum: the reward is a weighted sum of its components."""

import math
from collections.abc import Mapping

from reference_impl.compose.composite import AsyncComposite, Composite, Values
from reference_impl.compose.settings import finite
from reference_impl.contract.error import InvalidRewardError
from reference_impl.contract.reward_fn import RewardFn


class WeightedSum(Composite):
    """Pay the weighted sum of the components.

    A sum trades one component for another: enough of a cheap one outweighs a dear one. Where that
    must not be, use a `Gate`.

    Args:
        components: Of each component by name, the reward function and its weight. A negative
            weight is a penalty. With the weight 0, a component is scored and logged, and its
            failure is one, but it is not paid.

    Attributes:
        weights: The weights by name.

    Raises:
        ValueError: If there is no component, a name is empty or has a dot in it, or a weight is
            not finite.
        TypeError: If a component is not a pair, cannot be a part, or has no number as its weight.

    Example:
        >>> from reference_impl import exact_match_reward_fn, format_reward_fn
        >>> reward = WeightedSum(
        ...     {"correct": (exact_match_reward_fn, 1.0), "format": (format_reward_fn, 0.2)}
        ... )
        >>> completion = r"<think>2 + 2 = 4</think><answer>It is \\boxed{4}.</answer>"
        >>> reward("2 + 2?", completion, [], [], answer="4")
        1.2
        >>> reward.score("2 + 2?", r"It is \\boxed{4}.", [], [], answer="4")
        Composed(value=1.0, components={'correct': 1.0, 'format': 0.0})

    Explained in :ref:`composition-sum`.
    """

    def __init__(self, components: Mapping[str, tuple[RewardFn, float]]):
        for name, pair in components.items():
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise TypeError(
                    f"The component `{name}` is {pair!r}: give a pair, (reward_fn, weight)."
                )
        super().__init__({name: reward_fn for name, (reward_fn, _) in components.items()})
        self.weights = {
            name: finite(f"The weight of `{name}`", weight)
            for name, (_, weight) in components.items()
        }

    def _combine(self, values: Values) -> float:
        try:
            # Exact until the last rounding, so that the order of the components says nothing.
            return math.fsum(weight * values[name] for name, weight in self.weights.items())
        except (OverflowError, ValueError) as error:
            raise InvalidRewardError(f"The sum of {values} is not a finite number.") from error


class AsyncWeightedSum(AsyncComposite, WeightedSum):
    """Pay the weighted sum of components of which some are awaited, such as judges.

    Args:
        components: As for `WeightedSum`.

    Example:
        >>> import asyncio
        >>> from reference_impl import exact_match_reward_fn
        >>> async def brief_judge(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     return float(len(completions) < 20)
        >>> reward = AsyncWeightedSum(
        ...     {"correct": (exact_match_reward_fn, 1.0), "brief": (brief_judge, 0.5)}
        ... )
        >>> asyncio.run(reward("2 + 2?", r"It is \\boxed{4}.", [], [], answer="4"))
        1.5

    Explained in :ref:`composition-judge`.
    """

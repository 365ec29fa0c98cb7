"""Gate: a condition first, and a reward that is only asked for where the condition holds."""

from reference_impl.compose.composite import AsyncComposite, Composite, Values
from reference_impl.compose.settings import finite
from reference_impl.contract.reward_fn import RewardFn


class Gate(Composite):
    """Pay a reward where a condition holds, and a fixed number where it does not.

    Where the condition is below its threshold, the reward behind the gate is not called, and its
    component is None. Let the cheap and hard one be the condition, such as a rule, and the dear
    one the reward, such as a judge.

    To pay the condition itself, and more on top, put a `TransformedReward` behind the gate.

    Args:
        condition: The name of the condition and its reward function.
        reward: The name of what is paid behind the gate and its reward function.
        threshold: The least value of the condition that opens the gate.
        below: What is paid where the gate is shut. Choose it no higher than the lowest reward
            behind the gate, or the policy learns to shut it.

    Attributes:
        threshold: As given.
        below: As given.

    Raises:
        ValueError: If both have the same name, a name is empty or has a dot in it, or a number is
            not finite.
        TypeError: If a component is not a pair or cannot be a part, or a number is none.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> def brief_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     return float(len(completions) < 20)
        >>> reward = Gate(
        ...     ("correct", exact_match_reward_fn), ("brief", brief_reward_fn), threshold=1.0
        ... )
        >>> reward.score("2 + 2?", r"\\boxed{4}", [], [], answer="4")
        Composed(value=1.0, components={'correct': 1.0, 'brief': 1.0})
        >>> reward.score("2 + 2?", "5", [], [], answer="4")
        Composed(value=0.0, components={'correct': 0.0, 'brief': None})

    Explained in :ref:`composition-gate`.
    """

    def __init__(
        self,
        condition: tuple[str, RewardFn],
        reward: tuple[str, RewardFn],
        *,
        threshold: float,
        below: float = 0.0,
    ):
        for argument, pair in (("condition", condition), ("reward", reward)):
            if not isinstance(pair, tuple) or len(pair) != 2:
                raise TypeError(f"`{argument}` is {pair!r}: give a pair, (name, reward_fn).")
        self._condition, self._reward = condition[0], reward[0]
        if self._condition == self._reward:
            raise ValueError(f"Two components are named {self._reward!r}: rename one.")
        super().__init__(dict([condition, reward]))
        self.threshold = finite("`threshold`", threshold)
        self.below = finite("`below`", below)

    def _wanted(self, values: Values) -> list[str]:
        if not values:
            return [self._condition]
        return [self._reward] if self._is_open(values) and self._reward not in values else []

    def _combine(self, values: Values) -> float:
        return values[self._reward] if self._is_open(values) else self.below

    def _is_open(self, values: Values) -> bool:
        return values[self._condition] >= self.threshold


class AsyncGate(AsyncComposite, Gate):
    """A gate of which the condition or the reward is awaited, such as a rule before a judge.

    Args:
        condition: As for `Gate`.
        reward: As for `Gate`.
        threshold: As for `Gate`.
        below: As for `Gate`.

    Example:
        >>> import asyncio
        >>> from reference_impl import exact_match_reward_fn
        >>> async def kind_judge(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     print("the judge is asked")
        ...     return float("well asked" in completions.lower())
        >>> reward = AsyncGate(
        ...     ("correct", exact_match_reward_fn), ("kind", kind_judge), threshold=1.0
        ... )
        >>> asyncio.run(reward("2 + 2?", "Well asked! It is 5.", [], [], answer="4"))
        0.0
        >>> asyncio.run(reward("2 + 2?", r"Well asked! \\boxed{4}", [], [], answer="4"))
        the judge is asked
        1.0

    Explained in :ref:`composition-judge`.
    """

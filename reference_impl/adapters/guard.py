"""One failure policy for each adapter, limited to what its trainer can take."""

from collections.abc import Sequence
from typing import Literal

from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward, check_policy
from reference_impl.contract.parameters import fields_problem, is_async
from reference_impl.contract.reward_fn import RewardFn, check_callable

Policy = Literal["raise", "skip"] | float


def guard(
    reward_fn: RewardFn,
    on_failure: Policy,
    trainer: str,
    allows: Sequence[Literal["raise", "skip", "number"]],
) -> GuardedReward:
    """Join a reward function and a failure policy that a trainer can take.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: What a failure is worth, as `GuardedReward` has it.
        trainer: The trainer's name, for errors.
        allows: The policies that the trainer can take.

    Returns:
        The guarded reward. It is an `AsyncGuardedReward` if the function is asynchronous.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that the trainer cannot take.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> guard(exact_match_reward_fn, "skip", "verl", allows=("raise", "number"))
        Traceback (most recent call last):
            ...
        ValueError: `on_failure` is 'skip', and verl cannot leave a sample out. Choose 'raise', \
or a number that a failure is worth.

    Explained in :ref:`trainers-failure`.
    """
    check_callable(reward_fn, "`reward_fn`")
    if isinstance(reward_fn, GuardedReward):
        raise TypeError(
            "The reward is guarded already, and the adapter guards it too. Give the adapter the "
            f"bare function, and the policy as on_failure={reward_fn.on_failure!r}."
        )
    problem = fields_problem(reward_fn)
    if problem:
        name = getattr(reward_fn, "__name__", type(reward_fn).__name__)
        raise TypeError(f"`{name}` is no reward function of the contract: {problem}")
    check_policy(on_failure)
    kind = on_failure if isinstance(on_failure, str) else "number"
    if kind not in allows:
        raise ValueError(
            f"`on_failure` is {on_failure!r}, and {trainer} {_CANNOT[kind]}. "
            f"Choose {', or '.join(_CHOICES[allowed] for allowed in allows)}."
        )
    guarded = AsyncGuardedReward if is_async(reward_fn) else GuardedReward
    return guarded(reward_fn, on_failure)


_CANNOT = {
    "raise": "does not stop for an error",
    "skip": "cannot leave a sample out",
    "number": "has a way to say that there is no reward",
}
_CHOICES = {"raise": "'raise'", "skip": "'skip'", "number": "a number that a failure is worth"}

"""The components of a composite reward, sample by sample, for trainers that log such numbers."""

import functools
from collections.abc import Sequence
from typing import Any

from reference_impl.compose.composite import Composed, Composite
from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward
from reference_impl.contract.reward_fn import RewardFn, check_reward
from reference_impl.runtime.blocking import BlockingReward


def component_names(reward_fn: RewardFn) -> tuple[str, ...]:
    """Name the components of a reward function.

    Args:
        reward_fn: The reward function. A `BlockingReward` has those of what it calls.

    Returns:
        The `names` of a composite, and nothing for any other reward function.

    Example:
        >>> from reference_impl import TransformedReward, exact_match_reward_fn
        >>> component_names(TransformedReward(exact_match_reward_fn, [abs]))
        ('raw',)
        >>> component_names(exact_match_reward_fn)
        ()

    Explained in :ref:`composition-plug-in`.
    """
    called = reward_fn.reward_fn if isinstance(reward_fn, BlockingReward) else reward_fn
    return called.names if isinstance(called, Composite) else ()


def keep_components(guarded: GuardedReward) -> GuardedReward:
    """Let a guarded composite return its components beside its value.

    They are part of what a call returns, so that samples can be scored at once.

    Args:
        guarded: The reward, with its failure policy.

    Returns:
        A reward with the same policy, name and columns. It returns a `Composed`, and after a
        failure what the policy says. A reward that is no composite comes back as it is.

    Example:
        >>> from reference_impl import TransformedReward, exact_match_reward_fn
        >>> composite = TransformedReward(exact_match_reward_fn, [lambda score: 2 * score])
        >>> reward = keep_components(GuardedReward(composite, on_failure=-1.0))
        >>> reward("2 + 2?", "#### 4", [], [], answer="4")
        Composed(value=2.0, components={'raw': 1.0})
        >>> reward("2 + 2?", "#### 4", [], [], answer="")
        -1.0

    Explained in :ref:`composition-plug-in`.
    """
    reward_fn = guarded.reward_fn
    if not component_names(reward_fn):
        return guarded
    if isinstance(reward_fn, BlockingReward):
        scored = BlockingReward(_Scored(reward_fn.reward_fn))
    else:
        scored = _Scored(reward_fn)
    kind = _AsyncGuardedComposite if isinstance(guarded, AsyncGuardedReward) else _GuardedComposite
    return kind(scored, guarded.on_failure)


def split_outcome(
    outcome: Composed | float | None, names: Sequence[str]
) -> tuple[float | None, dict[str, float | None]]:
    """Tell a reward from its components.

    Args:
        outcome: What a reward of `keep_components` returned.
        names: The names of the components.

    Returns:
        The reward, and each component by name. None is a component that was not scored, as all
        are after a failure.

    Example:
        >>> split_outcome(Composed(0.0, {"correct": 0.0, "brief": None}), ["correct", "brief"])
        (0.0, {'correct': 0.0, 'brief': None})
        >>> split_outcome(-1.0, ["correct", "brief"])
        (-1.0, {'correct': None, 'brief': None})

    Explained in :ref:`composition-plug-in`.
    """
    value, components = outcome, {}
    if isinstance(outcome, Composed):
        value, components = outcome.value, outcome.components
    return value, {name: components.get(name) for name in names}


class _Scored:
    """Call a composite for its components too. Of an asynchronous one, it returns an awaitable."""

    def __init__(self, composite: Composite):
        self.composite = composite
        # Its parameters, which tell the columns that it needs, are those of the composite.
        functools.update_wrapper(self, composite, assigned=("__name__", "__doc__"), updated=())

    def __call__(self, *sample: Any, **columns: Any) -> Any:
        return self.composite.score(*sample, **columns)


class _GuardedComposite(GuardedReward):
    """A guard that lets the components through."""

    def _check(self, returned: Composed) -> Composed:
        return Composed(check_reward(returned.value), returned.components)


class _AsyncGuardedComposite(_GuardedComposite, AsyncGuardedReward):
    """The same, of a composite that is awaited."""

"""What a failure is worth: one explicit policy, and a count of every failure by its reason."""

import functools
import logging
import math
import numbers
import os
import threading
import weakref
from typing import Any, Literal

from reference_impl.contract.error import RewardError, describe_error
from reference_impl.contract.reward_fn import RewardFn, check_callable, check_reward

logger = logging.getLogger("reference_impl.failure")


class FailureCounts:
    """How often a reward was called, and how often it failed for which reason.

    Threads may share it. Processes do not: a process counts its own calls, from zero,
    whether it was forked or spawned. Add the counts up where the trainer logs.

    Example:
        >>> counts = FailureCounts()
        >>> counts.add_call()
        >>> counts.add_failure("invalid_gold")
        >>> counts
        FailureCounts(calls=1, failed=1, failures={'invalid_gold': 1})

    Explained in :ref:`contract-failure`.
    """

    def __init__(self) -> None:
        self._start_at_zero()
        _living_counts.add(self)

    def _start_at_zero(self) -> None:
        self._lock = threading.Lock()
        self._calls = 0
        self._failures: dict[str, int] = {}

    def add_call(self) -> None:
        """Count one call."""
        with self._lock:
            self._calls += 1

    def add_failure(self, reason: str) -> None:
        """Count one failure.

        Args:
            reason: What to count it under.
        """
        with self._lock:
            self._failures[reason] = self._failures.get(reason, 0) + 1

    @property
    def calls(self) -> int:
        """How many calls there were, failed ones included."""
        return self._calls

    @property
    def failures(self) -> dict[str, int]:
        """How many failures there were, by reason, in alphabetical order."""
        with self._lock:
            return dict(sorted(self._failures.items()))

    @property
    def failed(self) -> int:
        """How many failures there were in all."""
        return sum(self.failures.values())

    def __repr__(self) -> str:
        return f"FailureCounts(calls={self.calls}, failed={self.failed}, failures={self.failures})"


_living_counts: weakref.WeakSet[FailureCounts] = weakref.WeakSet()


def _start_at_zero_after_fork() -> None:
    # Another thread may have held a lock at the moment of the fork. In the child nobody
    # is left to release it, so the child gets new locks along with counts of its own.
    for counts in _living_counts:
        counts._start_at_zero()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_at_zero_after_fork)


class GuardedReward:
    """A reward function together with what a failure of it is worth.

    A failure is an exception, or a return value that is not a finite number. It is
    counted by its reason, logged once as a warning on the logger `reference_impl.failure`,
    and then becomes what `on_failure` says. `KeyboardInterrupt` and `SystemExit` are not
    failures of a reward and pass through.

    The object pickles as long as the reward function does. A copy counts from zero.

    Args:
        reward_fn: The reward function to guard.
        on_failure: `"raise"` lets the error through. `"skip"` returns None: TRL leaves
            such a sample out, AReaL does not accept None. A finite number is returned
            as it stands, which tells the policy that the completion deserved it.

    Attributes:
        reward_fn: The reward function that is guarded.
        on_failure: The policy, as given.
        counts: The `FailureCounts` of this process.

    Raises:
        ValueError: If `on_failure` is none of the three.
        TypeError: If `reward_fn` cannot be called.

    Example:
        >>> def brittle_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     return float(completions)
        >>> guarded = GuardedReward(brittle_reward_fn, on_failure="skip")
        >>> guarded("2 + 2?", "4", [], [])
        4.0
        >>> guarded("2 + 2?", "four", [], [])
        >>> guarded.counts
        FailureCounts(calls=2, failed=1, failures={'exception:ValueError': 1})

    Explained in :ref:`contract-failure`.
    """

    def __init__(self, reward_fn: RewardFn, on_failure: Literal["raise", "skip"] | float = "raise"):
        check_callable(reward_fn, "`reward_fn`")
        check_policy(on_failure)
        self.reward_fn = reward_fn
        self.on_failure = on_failure
        self.counts = FailureCounts()
        # Trainers log a reward under its `__name__` and read its columns from its signature.
        self.__name__ = type(reward_fn).__name__
        functools.update_wrapper(self, reward_fn, assigned=("__name__", "__doc__"), updated=())

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float | None:
        """Score one sample, and apply the policy if that fails.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward. After a failure, None or the number that `on_failure` holds.

        Raises:
            Exception: The reward function's own error, if `on_failure` is `"raise"`.
        """
        self.counts.add_call()
        try:
            return self._check(
                self.reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)
            )
        except Exception as error:
            if self._raises(error):
                raise
            return self._worth

    def _check(self, returned: Any) -> float:
        """Refuse what is no reward."""
        return check_reward(returned)

    def _raises(self, error: Exception) -> bool:
        """Count and log a failure; say whether the policy lets it through."""
        reason = _reason(error)
        self.counts.add_failure(reason)
        logger.warning("%s failed (%s): %s", self.__name__, reason, describe_error(error))
        return self.on_failure == "raise"

    @property
    def _worth(self) -> float | None:
        return None if self.on_failure == "skip" else float(self.on_failure)

    def __reduce__(self):
        # The counts, and the lock in them, stay in this process.
        return (type(self), (self.reward_fn, self.on_failure))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__name__}, on_failure={self.on_failure!r})"


class AsyncGuardedReward(GuardedReward):
    """An asynchronous reward, such as a judge, together with what a failure of it is worth.

    As `GuardedReward`, but the reward function is a coroutine function, or a callable object that
    returns something to await. A call that is cancelled is not a failure and passes through.

    Args:
        reward_fn: The asynchronous reward function to guard.
        on_failure: `"raise"`, `"skip"`, or the number that a failure is worth.

    Example:
        >>> import asyncio
        >>> async def brittle_reward(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     return float(completions)
        >>> guarded = AsyncGuardedReward(brittle_reward, on_failure="skip")
        >>> asyncio.run(guarded("2 + 2?", "four", [], []))
        >>> guarded.counts.failures
        {'exception:ValueError': 1}

    Explained in :ref:`contract-failure`.
    """

    async def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float | None:
        """Score one sample, and apply the policy if that fails.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward. After a failure, None or the number that `on_failure` holds.

        Raises:
            Exception: The reward function's own error, if `on_failure` is `"raise"`.
        """
        self.counts.add_call()
        try:
            return self._check(
                await self.reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)
            )
        except Exception as error:
            if self._raises(error):
                raise
            return self._worth


def check_policy(on_failure: object) -> None:
    """Refuse what is no failure policy.

    Args:
        on_failure: The policy that a caller chose.

    Raises:
        ValueError: If it is neither `"raise"` nor `"skip"` nor a finite number.

    Example:
        >>> check_policy("ignore")
        Traceback (most recent call last):
            ...
        ValueError: `on_failure` is 'ignore'. Choose one of three: 'raise', 'skip', or a finite \
number that a failure is worth.

    Explained in :ref:`contract-failure`.
    """
    if not _is_policy(on_failure):
        raise ValueError(
            f"`on_failure` is {on_failure!r}. Choose one of three: 'raise', 'skip', "
            "or a finite number that a failure is worth."
        )


def _is_policy(on_failure: object) -> bool:
    if isinstance(on_failure, str):
        return on_failure in ("raise", "skip")
    if isinstance(on_failure, bool) or not isinstance(on_failure, numbers.Real):
        return False  # True would silently mean 1.0, the best reward there is
    try:
        return math.isfinite(on_failure)
    except OverflowError:  # an int beyond the floats
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, RewardError):
        return error.reason
    return f"exception:{type(error).__name__}"

"""AsyncRewardWrapper: await a reward that runs in a worker that can be killed."""

import asyncio
import functools
import math
import multiprocessing.spawn
import os
import pickle
import sys
import weakref
from typing import Any, Literal, Self

from reference_impl.contract.error import describe_error
from reference_impl.contract.failure import FailureCounts, GuardedReward, logger
from reference_impl.contract.reward_fn import RewardFn, check_callable
from reference_impl.runtime.error import RewardLoadError, WrapperClosedError
from reference_impl.runtime.pool import Pool

MOST_WORKERS_BY_DEFAULT = 8
#: How many calls may wait, pickled, for each worker. More than one, so that none runs dry.
CALLS_A_WORKER = 4


class AsyncRewardWrapper:
    """A reward function that is awaited, and runs in a worker process that can be killed.

    It takes the place of AReaL's class of this name: the same arguments, the same call.

    - **Time.** A call has `timeout_seconds` from when a worker starts on it. Then the worker is
      killed, with what it started, and a spare takes its place. Starting a worker and loading the
      reward are not in that time.
    - **Queue.** Calls wait their turn, with no clock. A worker is free again within
      `timeout_seconds`, so the wait is at most that times the calls ahead divided by `max_workers`,
      plus the time to load if more workers are lost at once than there are spares. At most four
      calls a worker are queued for an event loop. Its other callers wait, uncopied, for a place.
    - **Failure.** What the reward raises, a timeout and a crash are failures of that one call. They
      are counted, logged and become what `on_failure` says, as in `GuardedReward`.
    - **Giving up.** Cancelling the task that awaits a call kills the worker that is at work on it.
      Such a call is not counted.

    Workers are fresh interpreters, not forks, start with the first call or with `warm_up`, and
    belong to this object alone. They end with `close`, with `async with`, with the object, and
    with this process, on Linux even if that is killed. Any event loop in any thread may use the
    object. It pickles; a copy has workers of its own. It does not run on Windows.

    Args:
        reward_fn: The reward function, or the import path of one, such as
            `"reference_impl.exact_match_reward_fn"`, which this process then does not import. If
            it has a method `warm_up`, each worker calls that once, after loading.
        timeout_seconds: The longest a call may take, in seconds.
        max_workers: How many calls may be at work at a time. By default half of the processors,
            and 8 at most. One worker more is kept as a spare.
        max_retries: How often to try again what has failed, for whichever reason. By default
            never: a reward that failed on a sample will do so again.
        on_failure: `"raise"`, `"skip"` (return None), or the number that a failure is worth.
        load_timeout_seconds: The longest a worker may take to start and load, in seconds.

    Raises:
        TypeError: If `reward_fn` is no reward function, does not pickle, or is a `GuardedReward`,
            whose counts would stay in the workers.
        ValueError: If a number is out of range, if `on_failure` is none of the three, or if the
            reward lives where a worker cannot import it from, as in a notebook.

    Source:
        AReaL, `areal.api.reward_api`, for the arguments and the call.

    Example:
        >>> import asyncio
        >>> async def score():
        ...     path = "reference_impl.exact_match_reward_fn"
        ...     async with AsyncRewardWrapper(path, timeout_seconds=5, max_workers=1) as reward:
        ...         return await reward("2 + 2?", r"It is \\boxed{4}.", [], [], answer="4")
        >>> asyncio.run(score())
        1.0

    Explained in :ref:`async-wrapper`.
    """

    def __init__(
        self,
        reward_fn: RewardFn | str,
        timeout_seconds: float = 15,
        max_workers: int | None = None,
        max_retries: int = 0,
        *,
        on_failure: Literal["raise", "skip"] | float = "raise",
        load_timeout_seconds: float = 300,
    ):
        if max_workers is None:
            max_workers = min(max((os.cpu_count() or 1) // 2, 1), MOST_WORKERS_BY_DEFAULT)
        _check_seconds("timeout_seconds", timeout_seconds)
        _check_seconds("load_timeout_seconds", load_timeout_seconds)
        _check_count("max_workers", max_workers, least=1)
        _check_count("max_retries", max_retries, least=0)
        self.reward_fn = reward_fn
        self.timeout_seconds = timeout_seconds
        self.max_workers = max_workers
        self.max_retries = max_retries
        self.on_failure = on_failure
        self.load_timeout_seconds = load_timeout_seconds
        # The guard counts, logs and decides. What it guards has been computed elsewhere.
        self._settle = GuardedReward(_outcome_of, on_failure)
        self._pool = Pool(_job(reward_fn), max_workers, timeout_seconds, load_timeout_seconds)
        self._gates: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
        weakref.finalize(self, self._pool.close)  # also when the interpreter exits
        # Trainers log a reward under its name and read its columns from its signature.
        if isinstance(reward_fn, str):
            self.__name__ = reward_fn.rpartition(".")[2]
        else:
            self.__name__ = type(reward_fn).__name__
            functools.update_wrapper(self, reward_fn, assigned=("__name__", "__doc__"), updated=())
        self._settle.__name__ = self.__name__

    @property
    def counts(self) -> FailureCounts:
        """How many calls there were, and how many failed for which reason."""
        return self._settle.counts

    async def __call__(
        self,
        /,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float | None:
        """Score one sample in a worker.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward. After a failure, None or the number that `on_failure` holds.

        Raises:
            RewardTimeoutError: If it took too long and `on_failure` is `"raise"`.
            WorkerCrashedError: If its worker ended and `on_failure` is `"raise"`.
            Exception: What the reward raised, if `on_failure` is `"raise"`.
            RewardLoadError: If no worker can load the reward, whatever `on_failure` is.
            WrapperClosedError: If the wrapper is closed, whatever `on_failure` is.
        """
        sample = ((prompt, completions, prompt_ids, completion_ids), columns)
        outcome = await self._score(sample)
        for left in reversed(range(self.max_retries)):
            if not isinstance(outcome, Exception):
                break
            logger.warning(
                "%s failed and is tried again, %d more times at most: %s",
                self.__name__,
                left + 1,
                describe_error(outcome),
            )
            outcome = await self._score(sample)
        return self._settle(prompt, completions, prompt_ids, completion_ids, outcome=outcome)

    async def _score(self, sample: tuple) -> float | Exception:
        """Return the reward, or what went wrong with this one call."""
        loop = asyncio.get_running_loop()
        gate = self._gates.setdefault(loop, asyncio.Semaphore(CALLS_A_WORKER * self.max_workers))
        async with gate:
            try:
                request = pickle.dumps(sample, pickle.HIGHEST_PROTOCOL)
            except Exception as error:  # pickling runs the methods of foreign classes
                return error
            task = self._pool.submit(request)
            try:
                return await asyncio.wrap_future(task.future)
            except (RewardLoadError, WrapperClosedError):
                raise
            except Exception as error:
                return error
            finally:
                if not task.future.done():  # cancelled
                    self._pool.abandon(task)

    async def warm_up(self) -> None:
        """Start the workers, and wait until every one has loaded the reward.

        Raises:
            RewardLoadError: If one could not.
        """
        self._pool.start()
        await asyncio.wrap_future(self._pool.ready)

    def close(self) -> None:
        """Kill the workers. Calls that wait raise `WrapperClosedError`, and so do later ones."""
        self._pool.close()

    async def __aenter__(self) -> Self:
        await self.warm_up()
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()

    def __reduce__(self):
        settings = {
            "reward_fn": self.reward_fn,
            "timeout_seconds": self.timeout_seconds,
            "max_workers": self.max_workers,
            "max_retries": self.max_retries,
            "on_failure": self.on_failure,
            "load_timeout_seconds": self.load_timeout_seconds,
        }
        return (functools.partial(type(self), **settings), ())

    def __repr__(self) -> str:
        return f"AsyncRewardWrapper({self.__name__}, timeout_seconds={self.timeout_seconds:g})"


def _outcome_of(prompt, completions, prompt_ids, completion_ids, outcome) -> float:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _job(reward_fn: RewardFn | str) -> bytes:
    """Write down what a worker has to load."""
    if isinstance(reward_fn, str):
        return pickle.dumps((_main_script(reward_fn.startswith("__main__.")), reward_fn))
    check_callable(reward_fn, "`reward_fn`")
    if isinstance(reward_fn, GuardedReward):
        raise TypeError(
            "A GuardedReward would count its failures in the workers, where nobody sees them. "
            "Pass the function that it guards, and `on_failure` to the wrapper."
        )
    try:
        source = pickle.dumps(reward_fn)
    except Exception as error:  # pickling runs the methods of foreign classes
        raise TypeError(
            f"`reward_fn` does not pickle, so that no worker can have it "
            f"({describe_error(error)}). Make it a function or an instance at the top of a module."
        ) from error
    return pickle.dumps((_main_script(b"__main__" in source), source))


def _main_script(is_needed: bool) -> dict[str, Any]:
    """Say how a worker runs the main script again; only a reward that lives there needs it."""
    if not is_needed:
        return {}
    data = multiprocessing.spawn.get_preparation_data("reward")
    script = {key: data[key] for key in data if key.startswith("init_main")}
    if not script:
        raise ValueError(
            "The reward function lives in a notebook or at the prompt, from where no worker can "
            "import it. Write it to a module, a .py file, and import it from there."
        )
    return {"sys_argv": sys.argv, **script}


def _check_seconds(name: str, value: float) -> None:
    if isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"`{name}` is {value!r}. It must be a number of seconds above 0.")


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"`{name}` is {value!r}. It must be a whole number, {least} or more.")

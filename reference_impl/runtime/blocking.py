"""BlockingReward: an asynchronous reward, such as a judge, called from synchronous code."""

import asyncio
import functools
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from reference_impl.contract.reward_fn import check_callable


class BlockingReward:
    """Call an asynchronous reward as a synchronous one.

    All calls of a process run in one event loop, in a thread of its own, so that threads that call
    at the same time share connections and limits. A caller waits for its own result alone. The
    object pickles if the reward does, and works in a forked process.

    Where you can await, do: a waiting thread or worker process is a place that others lack.

    Args:
        reward_fn: The asynchronous reward function.

    Raises:
        TypeError: If it cannot be called.

    Example:
        >>> async def length_reward(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     return float(len(completions))
        >>> BlockingReward(length_reward)("2 + 2?", "four", [], [])
        4.0

    Explained in :ref:`judge-workflow`.
    """

    def __init__(self, reward_fn: Callable[..., Awaitable[float | None]]):
        check_callable(reward_fn, "`reward_fn`")
        self.reward_fn = reward_fn
        # Trainers log a reward under its name and read its columns from its signature.
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
        """Score one sample, and wait for it.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name.

        Returns:
            What the reward returned.

        Raises:
            Exception: What the reward raised.
            RuntimeError: If it is called in the event loop that it would wait for.
        """
        loop = _event_loop(os.getpid())
        try:
            inside = asyncio.get_running_loop() is loop
        except RuntimeError:  # no loop runs in this thread
            inside = False
        if inside:
            raise RuntimeError("This reward runs in the loop that it would wait for: await it.")
        call = self.reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)
        future = asyncio.run_coroutine_threadsafe(_awaited(call), loop)
        try:
            return future.result()
        finally:
            future.cancel()  # a caller that was interrupted leaves no work behind

    def __reduce__(self):
        return (type(self), (self.reward_fn,))


async def _awaited(call: Awaitable[float | None]) -> float | None:
    return await call


_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def _event_loop(process: int) -> asyncio.AbstractEventLoop:
    """Return the loop of this process: a forked one has none of its parent's threads."""
    with _lock:
        if process not in _loops:
            _loops.clear()
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="rewards", daemon=True).start()
            _loops[process] = loop
        return _loops[process]


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()  # another thread may have held it at the moment of the fork


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_new_lock)

"""A pool of workers for one reward function, each of which can be killed and is then replaced.

Why a pool of our own? Python's `ProcessPoolExecutor` cannot end a call, and one dead worker breaks
it. pebble 5.2.3 is as fast, ends a hung call and is ready again 0.13 s later. But it breaks for
every caller when the kernel kills an idle worker, or when an error of a reward does not unpickle,
and a program that the reward started stays behind. All this was run, on Python 3.11. This pool is
as fast as the executor too, and ready at once after a timeout: see `benchmarks/runtime.py`.

Each worker has a thread in the trainer that starts it, feeds it, holds it to its deadline and
replaces it. There is one worker more than may work at a time, a spare that takes the place of
one that was killed.
"""

import contextlib
import os
import threading
import weakref
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from reference_impl.contract.error import describe_error
from reference_impl.contract.failure import logger
from reference_impl.contract.reward_fn import check_reward
from reference_impl.runtime import worker
from reference_impl.runtime.error import (
    RewardLoadError,
    RewardTimeoutError,
    WorkerCrashedError,
    WrapperClosedError,
    rebuild_error,
)
from reference_impl.runtime.process import WorkerProcess

SECONDS_BETWEEN_LOADS = 1.0
SECONDS_TO_CLOSE = 5.0


class Task:
    """A call, from when it is queued until it is answered.

    Args:
        request: The arguments, pickled.

    Attributes:
        future: Where the reward or the error arrives.
        process: The worker that is at work on it, if one is.
        abandoned: Whether nobody waits for the answer any more.
    """

    def __init__(self, request: bytes):
        self.request = request
        self.future: Future[float] = _uncancellable_future()
        self.process: WorkerProcess | None = None
        self.abandoned = False

    def answer(self, outcome: float | Exception) -> None:
        """Hand the reward, or what went wrong, to whoever waits."""
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Pool:
    """Workers that have loaded one reward function. Any thread may call any method.

    Args:
        job: What a worker loads, pickled.
        workers: How many may work at a time.
        seconds: The longest a call may take, from when a worker starts on it.
        load_seconds: The longest a worker may take to start and load.

    Attributes:
        ready: Is done when every worker has loaded, or when one could not.
    """

    def __init__(self, job: bytes, workers: int, seconds: float, load_seconds: float):
        self._job = job
        self._workers = workers
        self._seconds = seconds
        self._load_seconds = load_seconds
        self._start_afresh()
        _living_pools.add(self)

    def _start_afresh(self) -> None:
        # Reentrant, since garbage collection may close a pool in the middle of anything.
        self._lock = threading.RLock()
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._may_work = threading.Semaphore(self._workers)
        self._threads: list[threading.Thread] = []
        self._processes: set[WorkerProcess] = set()
        self._loaded: set[WorkerProcess] = set()
        self._stopped = threading.Event()
        self._error: Exception | None = None  # why it was stopped
        self.ready: Future[None] = _uncancellable_future()

    def start(self) -> None:
        """Start the workers, unless they were started before."""
        if worker.is_loading:
            raise RuntimeError(
                "A worker that loads its reward function must not start workers. The reward is in "
                "the main script, which each worker runs to load it: move the reward to a module "
                'of its own, or put what starts the run below `if __name__ == "__main__":`.'
            )
        with self._lock:
            if self._error:
                raise type(self._error)(*self._error.args)
            for number in range(len(self._threads), self._workers + 1):
                thread = threading.Thread(
                    target=self._supervise, name=f"reward-worker-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def submit(self, request: bytes) -> Task:
        """Queue a call.

        Args:
            request: Its arguments, pickled.

        Returns:
            The task, in whose future the reward arrives.
        """
        with self._lock:
            self.start()
            task = Task(request)
            self._tasks.put(task)
            return task

    def abandon(self, task: Task) -> None:
        """Give a call up: drop it if it waits, kill its worker if one is at work on it."""
        with self._lock:
            task.abandoned = True
            task.request = b""
            if task.process:
                task.process.kill()

    def close(self) -> None:
        """Kill the workers, and fail what is queued or at work."""
        self._stop(WrapperClosedError("The wrapper is closed. Make a new one for more calls."))
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(SECONDS_TO_CLOSE)

    def _stop(self, error: Exception) -> None:
        with self._lock:
            if self._error:
                return
            self._error = error
            self._stopped.set()
            with contextlib.suppress(Empty):
                while task := self._tasks.get_nowait():
                    task.answer(error)
            for process in self._processes:
                process.kill()
            for _ in self._threads:  # end whatever they wait for
                self._tasks.put(None)
                self._may_work.release()
            if not self.ready.done():
                self.ready.set_exception(error)

    # What follows runs in the thread of a worker.

    def _supervise(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._lock:
                    if self._stopped.is_set():
                        return
                    process = WorkerProcess()
                    self._processes.add(process)
            except Exception as error:  # out of processes, of memory, of file descriptors
                self._could_not_load(f"no process could be started: {describe_error(error)}")
                continue
            try:
                if self._load(process):
                    with self._may_work:
                        self._serve(process)
            finally:
                process.end()
                with self._lock:
                    self._processes.discard(process)
                    self._loaded.discard(process)

    def _load(self, process: WorkerProcess) -> bool:
        try:
            answer = process.ask(self._job, self._load_seconds)
        except TimeoutError:
            self._could_not_load(f"it takes longer than {self._load_seconds:g} s")
            return False
        except EOFError:
            self._could_not_load(f"its worker {process.end()}")
            return False
        if "error" in answer:
            self._could_not_load(f"{answer['error']['text']}\n{answer['error']['trace']}")
            return False
        with self._lock:
            self._loaded.add(process)
            if len(self._loaded) > self._workers and not self.ready.done():
                self.ready.set_result(None)
        return True

    def _could_not_load(self, problem: str) -> None:
        with self._lock:
            if not self.ready.done() or not self._loaded:
                self._stop(RewardLoadError(f"A worker could not load the reward: {problem}"))
                return
        # What has loaded before will load again when memory, or the disk, is back.
        logger.warning("a worker could not load the reward and will try again: %s", problem)
        self._stopped.wait(SECONDS_BETWEEN_LOADS)

    def _serve(self, process: WorkerProcess) -> None:
        """Score calls until the worker is lost."""
        while task := self._tasks.get():
            with self._lock:
                if self._error:
                    task.answer(self._error)
                    return
                if task.abandoned:
                    continue
                if process.has_ended():  # while it was idle: no fault of this call
                    self._tasks.put(task)
                    return
                task.process = process
            outcome = self._score(process, task.request)
            with self._lock:
                task.process = None
                is_lost = task.abandoned or process.was_killed
            task.answer(outcome)
            if is_lost:
                return

    def _score(self, process: WorkerProcess, request: bytes) -> float | Exception:
        try:
            answer = process.ask(request, self._seconds)
            if "reward" in answer:
                return check_reward(answer["reward"])
            error = rebuild_error(answer["error"])
        except TimeoutError:
            process.kill()
            return RewardTimeoutError(
                f"The reward took longer than {self._seconds:g} s. Its worker was killed."
            )
        except EOFError:
            return self._error or WorkerCrashedError(f"The worker of this call {process.end()}.")
        except Exception as broken:  # the reward wrote to the socket
            process.kill()
            return WorkerCrashedError(f"The worker gave an answer that is none: {broken!r:.200}")
        if isinstance(error, MemoryError):
            process.kill()  # the next call is to have a fresh one
        return error


def _uncancellable_future() -> Future:
    future: Future = Future()
    # Or whoever gives up waiting would cancel it, and the answer would find it cancelled.
    future.set_running_or_notify_cancel()
    return future


_living_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def _start_afresh_after_fork() -> None:
    # A forked child has neither the threads nor any right to the workers of its parent.
    for pool in _living_pools:
        pool._start_afresh()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_afresh_after_fork)

r"""The process that the symbolic step runs in, and that the kernel ends at the deadline.

The caller's process holds a `SymbolicWorker`, which costs no sympy and talks over two pipes to
`reference_impl.rules.math.server`. There a *template* has imported sympy; all it does is to fork a
*child*, wait for its end and fork the next, in milliseconds. The child serves the requests, each
under a timer of the kernel whose signal ends it. Nothing that runs there can put that off: no loop
in C, no exception handler, no death of the caller.

A pool of `multiprocessing` would not do: the daemonic workers of a trainer may not have children
there, and "spawn" runs the caller's main module again.
"""

import contextlib
import itertools
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
import weakref

from reference_impl.contract.error import RewardError
from reference_impl.rules.math.wire import Inbox, pack

DEFAULT_SECONDS = 2.0
# The end of a child and the template's word of it take a few milliseconds; the rest is for a
# machine with other things to do.
GRACE_SECONDS = 0.4
START_SECONDS = 60.0

_PROGRAM = "from reference_impl.rules.math.server import serve_forever; serve_forever()"


class UnsettledError(RewardError):
    """The algebra did not settle whether an answer is right: the answer's text is at fault.

    Attributes:
        reason: "math_timeout", "math_memory" or "math_crash".

    Example:
        >>> UnsettledError("no result within 2 s", reason="math_timeout").reason
        'math_timeout'

    Explained in :ref:`math-clock`.
    """

    def __init__(self, message: str, reason: str = "math_crash"):
        super().__init__(message)
        self.reason = reason


class WorkerUnavailableError(RewardError):
    """The algebra's process cannot be started or does not answer: the machine is at fault.

    Explained in :ref:`math-clock`.
    """

    reason = "math_worker_unavailable"


class SymbolicWorker:
    """Settle questions of algebra in a process that ends at a deadline.

    One request runs at a time; callers on other threads wait for their turn. The process starts
    with the first request, or with `warm_up`. A copy, by pickling or by a fork, starts its own.

    Args:
        seconds: How long one request may take. A call on a warm worker ends within half a second
            more, whatever it was asked.

    Raises:
        ValueError: If `seconds` is not positive.

    Example:
        >>> worker = SymbolicWorker(seconds=5.0)
        >>> worker.equal(gold="6t - 5", prediction="-5 + 6t")
        True
        >>> worker.reads("6t apples - 5")
        False
        >>> worker.close()

    Explained in :ref:`math-clock`.
    """

    def __init__(self, seconds: float = DEFAULT_SECONDS):
        if not 0 < seconds < float("inf"):
            raise ValueError(f"seconds must be a positive number, got {seconds!r}")
        self.seconds = float(seconds)
        self._begin()

    def equal(
        self,
        *,
        gold: str,
        prediction: str,
        ignore_percent: bool = False,
        seconds: float | None = None,
    ) -> bool:
        r"""Tell whether two bare answers are mathematically the same.

        Args:
            gold: The gold answer.
            prediction: The answer to check.
            ignore_percent: Whether ``10\%`` may also stand for 10.
            seconds: A shorter deadline for this request.

        Returns:
            True only if both read and are the same.

        Raises:
            UnsettledError: If the question took too long or too much memory.
            WorkerUnavailableError: If the process cannot be started or does not answer.

        Explained in :ref:`math-symbolic`.
        """
        question = {"gold": gold, "prediction": prediction, "ignore_percent": ignore_percent}
        return self._ask(question, min(self.seconds, seconds or self.seconds))

    def reads(self, text: str) -> bool:
        """Tell whether a bare answer reads as mathematics at all.

        Args:
            text: The answer.

        Returns:
            True if the whole text reads.

        Raises:
            UnsettledError: If the question took too long or too much memory.
            WorkerUnavailableError: If the process cannot be started or does not answer.

        Explained in :ref:`math-symbolic`.
        """
        return self._ask({"text": text}, self.seconds)

    def warm_up(self) -> None:
        """Start the process now, so that no request waits for it.

        Raises:
            WorkerUnavailableError: If the process cannot be started.

        Explained in :ref:`math-clock`.
        """
        with self._lock:
            self._running()

    def close(self) -> None:
        """End the process. A later request starts another.

        Explained in :ref:`math-clock`.
        """
        with self._lock:
            self._stop()

    def __getstate__(self) -> dict:
        return {"seconds": self.seconds}

    def __setstate__(self, state: dict) -> None:
        self.seconds = state["seconds"]
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._template: _Template | None = None
        self._finalizer: weakref.finalize | None = None
        _WORKERS.add(self)

    def _ask(self, question: dict, seconds: float) -> bool:
        with self._lock:
            try:
                try:
                    answer = self._running().ask(question, seconds)
                except _GoneError:  # somebody ended the template; nothing is wrong with this text
                    self._stop()
                    answer = self._running().ask(question, seconds)
            except _GoneError as error:
                self._stop()
                raise WorkerUnavailableError(
                    f"the process of the symbolic step ended twice in a row: {error}"
                ) from error
            except BaseException:  # a KeyboardInterrupt leaves a request behind
                self._stop()
                raise
        if "value" in answer:
            return answer["value"]
        raise _unsettled(answer, seconds)

    def _running(self) -> "_Template":
        if self._template is not None and self._template.has_ended():
            self._stop()
        if self._template is None:
            self._template = _Template()
            self._finalizer = weakref.finalize(self, self._template.stop)
            self._template.wait_until_ready()
        return self._template

    def _stop(self) -> None:
        if self._finalizer is not None:
            self._finalizer()
        self._template = self._finalizer = None

    def _forget(self) -> None:
        """After a fork: the process and the lock belong to the parent."""
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._template is not None:
            self._template.forget()
        self._begin()


_WORKERS: "weakref.WeakSet[SymbolicWorker]" = weakref.WeakSet()


def _forget_all() -> None:
    for worker in list(_WORKERS):
        worker._forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


class _GoneError(Exception):
    """The other end of the pipe is closed."""


class _Template:
    """The running process, and the pipes to it."""

    def __init__(self):
        if not hasattr(os, "fork"):
            raise WorkerUnavailableError(
                "the symbolic step needs os.fork, which this system lacks. Run on Linux or macOS, "
                "on Windows inside WSL."
            )
        # What this process can import, that one can too, whatever put it on the path.
        path = os.pathsep.join(filter(None, sys.path))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=os.environ | {"PYTHONPATH": path},
                process_group=0,  # Ctrl-C does not reach it, and killpg ends its child with it
            )
        except (OSError, ValueError, TypeError) as error:
            raise WorkerUnavailableError(
                f"the process of the symbolic step cannot be started: {error}"
            ) from error
        self._requests = self._process.stdin.fileno()
        self._answers = self._process.stdout.fileno()
        os.set_blocking(self._requests, False)
        os.set_blocking(self._answers, False)
        self._inbox = Inbox()
        self._numbers = itertools.count(1)

    def wait_until_ready(self) -> None:
        try:
            message = self._receive(time.monotonic() + START_SECONDS)
        except _GoneError as error:
            raise WorkerUnavailableError(
                "the process of the symbolic step ended while it started"
            ) from error
        if "failed" in message:
            raise WorkerUnavailableError(
                f"the process of the symbolic step cannot start: {message['failed']}. "
                'Is the extra installed? pip install "reward-guide[math]"'
            )

    def ask(self, question: dict, seconds: float) -> dict:
        number = next(self._numbers)
        deadline = time.monotonic() + seconds + GRACE_SECONDS
        self._send(pack({**question, "id": number, "seconds": seconds}), deadline)
        while True:
            # A child that ended between two requests is reported with the number 0.
            answer = self._receive(deadline)
            if answer.get("id") == number:
                return answer

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        # The number of a process that has ended may be another's by now. What is left of such a
        # group ends by itself: the child when its template does, or when its pipe is closed.
        if not self.has_ended():
            # macOS does not permit it for a group of zombies.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._close_pipes()

    def forget(self) -> None:
        self._process.returncode = 0  # it is the parent's to wait for
        self._close_pipes()

    def _close_pipes(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()

    def _send(self, message: bytes, deadline: float) -> None:
        rest = memoryview(message)
        while rest:
            _wait(self._requests, select.POLLOUT, deadline)
            try:
                rest = rest[os.write(self._requests, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise _GoneError(str(error)) from error

    def _receive(self, deadline: float) -> dict:
        while (message := self._inbox.next()) is None:
            _wait(self._answers, select.POLLIN, deadline)
            read = os.read(self._answers, 65536)
            if not read:
                raise _GoneError("it closed its pipe")
            self._inbox.add(read)
        return json.loads(message)


def _wait(pipe: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(pipe, event)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise WorkerUnavailableError(
            "the process of the symbolic step does not answer, not even to say that it ended. "
            "Is the machine short of memory or of processors?"
        )


def _unsettled(answer: dict, seconds: float) -> UnsettledError:
    ended_by = answer.get("signal")
    if ended_by == signal.SIGALRM:
        return UnsettledError(f"no result within {seconds:g} s", reason="math_timeout")
    if answer.get("error") == "memory":
        return UnsettledError("it takes too much memory", reason="math_memory")
    return UnsettledError(
        f"the process of the symbolic step was ended by signal {ended_by}", reason="math_crash"
    )

"""One worker process, seen from the trainer: ask it with a deadline, kill it with its children."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from reference_impl.runtime.error import LONGEST_ANSWER
from reference_impl.runtime.worker import LENGTH


class WorkerProcess:
    """A fresh interpreter at the other end of a socket.

    It is not forked, because a fork of a process that has used torch or CUDA may deadlock, and it
    does not run the main script anew, as multiprocessing's spawn and forkserver do.

    Attributes:
        was_killed: Whether this side killed it, or found it dead.
    """

    def __init__(self) -> None:
        self.was_killed = False
        self._killing = threading.Lock()
        self._ending = ""
        self._socket, theirs = socket.socketpair()
        self._answers = self._socket.makefile("rb")
        lifeline, held = os.pipe()
        self._lifeline = open(held, "wb")  # noqa: SIM115
        path = [entry for entry in sys.path if isinstance(entry, str)]
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"import sys; sys.path[:] = {path!r}\n"
                    "from reference_impl.runtime.worker import main\n"
                    f"main({theirs.fileno()}, {lifeline}, {os.getpid()})",
                ],
                pass_fds=[theirs.fileno(), lifeline],
                stdin=subprocess.DEVNULL,
                # A session of its own: Ctrl-C at the terminal is the trainer's to handle, and
                # one signal reaches the worker and whatever the reward starts.
                start_new_session=True,
                # Workers with as many threads as there are cores slow each other down.
                env={"OMP_NUM_THREADS": "1", **os.environ},
            )
        except OSError:
            self._close()
            raise
        finally:
            theirs.close()
            os.close(lifeline)

    def ask(self, request: bytes, seconds: float) -> dict[str, Any]:
        """Send a request and wait for the answer.

        Args:
            request: The request, pickled.
            seconds: How long to wait, sending included.

        Returns:
            The answer.

        Raises:
            TimeoutError: If none came in time.
            EOFError: If none will come.
        """
        deadline = time.monotonic() + seconds
        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(LENGTH.pack(len(request)) + request)
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            line = self._answers.readline(LONGEST_ANSWER)
        except TimeoutError:
            raise
        except OSError as error:
            raise EOFError from error
        if not line.endswith(b"\n"):
            raise EOFError
        return json.loads(line)

    def has_ended(self) -> bool:
        """Tell whether a worker that has nothing to do is gone, by the end of its stream."""
        self._socket.settimeout(0)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True  # the end of the stream, or a word that nobody asked for

    def kill(self) -> None:
        """Kill the worker and all that it started in its session. Any thread may, at any time."""
        with self._killing:
            self.was_killed = True
            if not self._ending:  # after that, its number may belong to another process
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> str:
        """Kill the worker, unless it has ended, and clean up after it.

        Returns:
            How it ended, in words that follow "the worker".
        """
        self.kill()
        with contextlib.suppress(ChildProcessError):  # somebody else waits for all children
            # Wait, and leave its number taken until nobody can send it a signal any more.
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._killing:
            code = self._process.wait()
            self._ending = self._ending or _in_words(code)
        self._close()
        return self._ending

    def _close(self) -> None:
        self._lifeline.close()
        self._answers.close()
        self._socket.close()


def _in_words(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"

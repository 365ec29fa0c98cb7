"""Run critic services and their callers for a test, and find the processes again."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import processes
import uvicorn

from reference_impl.critic.service.address import UnixListener
from reference_impl.critic.service.server import CriticService

ROOT = Path(__file__).parents[2]


@contextlib.contextmanager
def served(critic, path, **limits):
    """A real server in a thread, with a critic that is an object of the test. Yields its address.

    A critic without a `loaded` event counts as loaded.
    """
    listener = UnixListener(path)
    service = CriticService(critic, **limits)
    server = uvicorn.Server(
        uvicorn.Config(
            service.app, log_level="warning", timeout_keep_alive=600, timeout_graceful_shutdown=1
        )
    )
    thread = threading.Thread(target=server.run, args=([listener.socket],))
    thread.start()
    try:
        yield f"unix:{path}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def start_service(*arguments, **environment):
    """Start the command that serves. Its standard error can be read line by line."""
    return subprocess.Popen(
        [sys.executable, "-m", "reference_impl.critic.serve", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment},
    )


def services(mark):
    """The numbers of the service processes that carry a mark."""
    found = set()
    for pid in processes.marked(mark):
        with contextlib.suppress(OSError):
            if b"reference_impl.critic.serve" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
    return found


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

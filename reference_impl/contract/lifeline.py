"""End a process, and what it started, when the process that waits for it is gone."""

import signal
import sys

if sys.platform == "linux":
    import fcntl
    import os


def hold(lifeline_fd: int) -> None:
    """Let the kernel kill the group of this process when the other end of a pipe closes.

    The process itself might never hear of it: a reward may hold the interpreter's lock. Other
    systems than Linux have no such signal, and there nothing happens.

    Args:
        lifeline_fd: The file descriptor of the pipe's end to read from, which stays open here.
    """
    if sys.platform == "linux":
        fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline_fd, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(lifeline_fd, fcntl.F_GETFL)
        fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, flags | os.O_ASYNC)

"""What the sandbox contains on this machine: measured, by programs that try."""

import functools
import json
import logging
import os
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path

from reference_impl.rules.code.error import SandboxError
from reference_impl.rules.code.sandbox import Level, Limits, Sandbox

logger = logging.getLogger("reference_impl.code")

LEVELS: tuple[Level, ...] = ("namespaces", "limits")

# Needs all that an honest program may: imports, input, threads.
_HONEST = """
import threading
thread = threading.Thread(target=lambda: print(input()))
thread.start()
thread.join()
"""

# Prints what it could do. It gets where to try it as its input.
_PROBE = """
import json, os, threading
target = json.loads(input())
could = []

def attempt(name, action):
    try:
        action()
    except (OSError, ImportError, RuntimeError):
        return
    could.append(name)

def connect():
    import socket
    socket.create_connection(("127.0.0.1", target["port"]), 1).close()

def start_process():
    if os.fork() == 0:
        os._exit(0)

def start_threads():
    done = threading.Event()
    threads = [threading.Thread(target=done.wait) for _ in range(target["threads"] + 8)]
    try:
        for thread in threads:
            thread.start()
    finally:
        done.set()

attempt("network", connect)
attempt("reading files", lambda: open(target["file"]).read())
attempt("names of files", lambda: os.stat(target["file"]))
attempt("writing files", lambda: open(target["new_file"], "w").close())
attempt("deleting files", lambda: os.unlink(target["spare_file"]))
attempt("starting processes", start_process)
attempt("starting many threads", start_threads)
attempt("signals to processes", lambda: os.kill(target["process"], 0))
attempt("memory of processes", lambda: open(f"/proc/{target['process']}/mem", "rb").close())
attempt("names of processes", lambda: os.stat(f"/proc/{target['process']}"))
print(json.dumps(could))
"""
PROBES = (
    "network",
    "reading files",
    "names of files",
    "writing files",
    "deleting files",
    "starting processes",
    "starting many threads",
    "signals to processes",
    "memory of processes",
    "names of processes",
)


@dataclass(frozen=True)
class Isolation:
    """What a program in the sandbox can and cannot do on this machine.

    Attributes:
        level: `"namespaces"` or `"limits"`.
        contained: What a program tried and could not do.
        not_contained: What a program tried and could do.

    Explained in :ref:`code-execution`.
    """

    level: Level
    contained: tuple[str, ...]
    not_contained: tuple[str, ...]


def isolation(require: Level = "limits") -> Isolation:
    """Measure what the sandbox contains here, by a program that tries to get out of it.

    It tries to reach a server of this process, to read, write and delete files that anybody may, to
    start processes and threads, and to signal and read this process. What no program of ours tries
    is not in the answer: errors of the kernel, and what can be learned from how long things take.

    Args:
        require: The least level, as in `CodeReward`.

    Returns:
        What was tried, on the best level that this machine has.

    Raises:
        SandboxError: If the machine does not have that level.

    Example:
        >>> "network" in isolation().contained
        True

    Explained in :ref:`code-execution`.
    """
    return measure(best_level(require))


def measure(level: Level) -> Isolation:
    """Measure what one level contains.

    Args:
        level: The level.

    Returns:
        What was tried.

    Raises:
        SandboxError: If programs do not run on that level.
    """
    limits = Limits()
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as server:
        folder = Path(name)
        folder.chmod(0o777)
        for file in ("there", "spare"):
            (folder / file).write_text("for anybody to read", encoding="utf-8")
            (folder / file).chmod(0o666)
        target = {
            "port": server.getsockname()[1],
            "file": str(folder / "there"),
            "new_file": str(folder / "new"),
            "spare_file": str(folder / "spare"),
            "process": os.getpid(),
            "threads": limits.threads,
        }
        with Sandbox(_PROBE, limits, level) as sandbox:
            run = sandbox.run(input=json.dumps(target).encode())
    if run.exit_code != 0:
        raise SandboxError(f"the program that measures the isolation did not end well: {run}")
    could = json.loads(run.output)
    return Isolation(
        level,
        contained=tuple(probe for probe in PROBES if probe not in could),
        not_contained=tuple(probe for probe in PROBES if probe in could),
    )


def best_level(require: Level) -> Level:
    """Return the best level on which programs run on this machine.

    Args:
        require: The least level that will do.

    Returns:
        The level. It is found out once in a process, by running a program on it.

    Raises:
        SandboxError: If the machine does not have the level; the message says why.
        ValueError: If there is no such level.
    """
    check_level(require)
    problems = {}
    for level in LEVELS:
        problems[level] = _problem_of(level)
        if not problems[level]:
            return level
        if level == require:
            break
    raise SandboxError(
        "programs cannot be run safely on this machine. "
        + " ".join(f"Level {level!r}: {problem}." for level, problem in problems.items())
    )


def check_level(level: object) -> None:
    """Refuse what is no level.

    Args:
        level: What the caller gave.

    Raises:
        ValueError: If it is neither `"namespaces"` nor `"limits"`.
    """
    if level not in LEVELS:
        raise ValueError(f"`require` is {level!r}. It must be 'namespaces' or 'limits'.")


@functools.cache
def _problem_of(level: Level) -> str:
    """Return why programs do not run on a level, or ''."""
    try:
        with Sandbox(_HONEST, Limits(cpu_seconds=10, deadline_seconds=60), level) as sandbox:
            run = sandbox.run(input=b"hello\n")
        problem = "" if run.output == b"hello\n" else f"a harmless program ended with {run}"
    except SandboxError as error:
        problem = str(error)
    if problem:
        logger.warning("Programs do not run on the level %r here: %s", level, problem)
    return problem

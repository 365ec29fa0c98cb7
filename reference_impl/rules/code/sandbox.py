"""Run a program in a sandbox, once for each test, and leave nothing behind."""

import contextlib
import functools
import marshal
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from reference_impl.rules.code import driver
from reference_impl.rules.code.error import SandboxError
from reference_impl.rules.code.syscalls import seccomp_filter

Level = Literal["namespaces", "limits"]

_DRIVER = Path(driver.__file__).read_text(encoding="utf-8")
_HEADER_BYTES = 3 * 8
# To start, an interpreter needs milliseconds. A machine that does not manage it in this time, in
# seconds, is broken or overloaded.
_START_SECONDS = 30.0
_END_SECONDS = 10.0
# Where a program may read, beside the interpreter: what the interpreter links to.
_SYSTEM_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


@dataclass(frozen=True)
class Limits:
    """What a program may use.

    Args:
        cpu_seconds: Processor time of one test, in whole seconds. Time in which the program waits
            for its turn on a busy machine does not count.
        deadline_seconds: Wall time of all tests of one program together, in seconds. It ends
            programs that sleep, so leave a busy machine room.
        memory_mb: Address space, in mebibytes, of which the interpreter takes about 20 itself.
        output_bytes: The longest output of one test, in bytes.
        threads: How many threads it may start beside its own.

    Raises:
        ValueError: If one of them is not a positive number, or not a whole one where it must be.

    Example:
        >>> Limits(memory_mb=0)
        Traceback (most recent call last):
            ...
        ValueError: `memory_mb` is 0. It must be a whole number above 0.

    Explained in :ref:`code-execution`.
    """

    cpu_seconds: int = 2
    deadline_seconds: float = 10.0
    memory_mb: int = 512
    output_bytes: int = 1_000_000
    threads: int = 64

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "deadline_seconds":
                kinds, what = (int, float), "number of seconds"
            else:
                kinds, what = (int,), "whole number"
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < 2**40:
                raise ValueError(f"`{name}` is {value!r}. It must be a {what} above 0.")


@dataclass(frozen=True)
class Run:
    """What came out of a program on one test.

    Attributes:
        output: Its standard output, or the value that it returned, as JSON. Nobody vouches for it.
        exit_code: What it exited with, or None if a signal ended it or time was over.
        timed_out: Whether it used up its processor time or the deadline.
        too_long: Whether its output reached the limit.
        cpu_seconds: The processor time it used, in seconds.

    Explained in :ref:`code-execution`.
    """

    output: bytes
    exit_code: int | None
    timed_out: bool
    too_long: bool
    cpu_seconds: float

    @property
    def out_of_memory(self) -> bool:
        """Whether it says that it ran out of memory."""
        return self.exit_code == driver.MEMORY_EXIT


class Sandbox:
    """A program, ready to run in a sandbox; a context manager.

    The program gets a fresh interpreter and, for each test, a fresh fork of it. The fork can
    compute, read the interpreter's library and write its output. It cannot start processes, open
    files for writing, make sockets, send signals or see the other tests, so that nothing is left
    when it ends. On the level `"namespaces"` it moreover sees no file system, no process and no
    network but empty ones, which bubblewrap makes.

    Each instance serves one thread. Any number of them may be at work at a time.

    Args:
        program: The source of the program.
        limits: What it may use.
        level: `"namespaces"` or `"limits"`.

    Raises:
        SandboxError: If the sandbox cannot be set up, on entering it.

    Example:
        >>> with Sandbox("print(int(input()) + 1)", Limits(), "limits") as sandbox:
        ...     sandbox.run(input=b"41").output
        b'42\\n'

    Explained in :ref:`code-execution`.
    """

    def __init__(self, program: str, limits: Limits, level: Level):
        self.program = program
        self.limits = limits
        self.level = level

    def __enter__(self) -> Self:
        if sys.platform != "linux":
            raise SandboxError(f"programs run on Linux alone, and this is {sys.platform}")
        instructions = seccomp_filter()
        if self.level == "namespaces":
            command, drop_user = _bubblewrap(), os.geteuid() == 0
        else:
            command = []
            drop_user = os.geteuid() == 0 and _anyone_may_read(_standard_library())
        command += [_interpreter(), "-P", "-s", "-S", "-B", "-X", "utf8", "-c", _DRIVER]
        self._socket, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=theirs,
                stderr=subprocess.PIPE,
                cwd="/",
                # Nothing of the trainer's environment, such as keys. With one arena, what the
                # threads reserve does not use up the address space. With the seed, a program that
                # prints a set prints it in the same order again.
                env={"PATH": "/usr/bin:/bin", "MALLOC_ARENA_MAX": "1", "PYTHONHASHSEED": "0"},
                start_new_session=True,
            )
        except OSError as error:
            self._socket.close()
            raise SandboxError(f"the sandbox does not start: {error}") from error
        finally:
            theirs.close()
        limits = {
            "cpu_seconds": self.limits.cpu_seconds,
            "memory_bytes": self.limits.memory_mb * 2**20,
            "output_bytes": self.limits.output_bytes,
            "threads": self.limits.threads,
        }
        set_up = {
            "program": self.program,
            "limits": limits,
            "filter": instructions,
            "drop_user": drop_user,
            "readable": _readable(),
            "listable": str(_standard_library()),  # imports look a module up by its folder
        }
        try:
            try:
                self._ask(set_up, time.monotonic() + _START_SECONDS)
            except TimeoutError as error:
                raise SandboxError(f"it did not start within {_START_SECONDS:g} s") from error
        except BaseException:
            self._end()
            raise
        self._deadline = time.monotonic() + self.limits.deadline_seconds
        self._time_is_over = False
        return self

    def run(self, *, input: bytes = b"", call: str = "") -> Run:
        """Run the program once.

        Args:
            input: Its standard input.
            call: An expression to evaluate in the program's namespace, such as `"add(1, 2)"`. Then
                the output is the value, as JSON, and what the program prints is dropped.

        Returns:
            What came out.

        Raises:
            SandboxError: If the program could not be run, or was killed by somebody else.
        """
        try:
            if self._time_is_over:
                raise TimeoutError
            answer = self._ask({"input": input, "call": call}, self._deadline)
        except TimeoutError:
            self._time_is_over = True  # what it may still answer is of this test
            return Run(b"", None, timed_out=True, too_long=False, cpu_seconds=0.0)
        words = [int.from_bytes(answer[i : i + 8], "big") for i in range(0, _HEADER_BYTES, 8)]
        has_begun, status, cpu_ms = words
        output = answer[_HEADER_BYTES:]
        if not has_begun:
            raise SandboxError("the limits could not be set, so that the program was not run")
        ending = os.waitstatus_to_exitcode(status)
        # A program that ignores the first signal gets the second, as does one that somebody kills.
        # The kernel keeps the limit by its ticks, and reports a finer count: on a busy machine the
        # two differ by a tenth and more.
        cpu_is_over = ending == -signal.SIGXCPU or (
            ending == -signal.SIGKILL and cpu_ms >= 500 * self.limits.cpu_seconds
        )
        if ending == -signal.SIGKILL and not cpu_is_over:
            # No program can do this to itself. Most likely the machine ran out of memory.
            raise SandboxError("the program was killed from outside")
        return Run(
            output,
            exit_code=ending if ending >= 0 else None,
            timed_out=cpu_is_over,
            too_long=len(output) >= self.limits.output_bytes,
            cpu_seconds=cpu_ms / 1000,
        )

    def __exit__(self, *_error: object) -> None:
        self._end()

    def _ask(self, message: dict[str, Any], deadline: float) -> bytes:
        """Send a message and return the answer; TimeoutError at the deadline."""
        data = marshal.dumps(message)
        try:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            self._socket.sendall(len(data).to_bytes(8, "big") + data)
            size = int.from_bytes(self._receive(8, deadline), "big")
            if size > _HEADER_BYTES + self.limits.output_bytes:
                raise SandboxError("the sandbox sent more than it may")
            return self._receive(size, deadline)
        except TimeoutError:
            raise
        except (OSError, EOFError) as error:
            raise SandboxError(f"the sandbox ended: {self._last_words()}") from error

    def _receive(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _last_words(self) -> str:
        """Return what the sandbox wrote to its standard error, after killing it."""
        self._kill()
        words = self._process.stderr.read(2000).decode("utf-8", "replace").strip()
        return words.splitlines()[-1] if words else "it said nothing"

    def _kill(self) -> None:
        # The number is not free for others before the process is waited for, in `_end`.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _end(self) -> None:
        self._kill()
        self._process.wait()
        # The end of the stream: what held its other end, in namespaces too, is gone.
        with contextlib.suppress(OSError):
            self._socket.settimeout(_END_SECONDS)
            while self._socket.recv(65536):
                pass
        self._socket.close()
        self._process.stderr.close()


def _interpreter() -> str:
    """Return this interpreter without its virtual environment."""
    return os.path.realpath(sys._base_executable or sys.executable)


def _standard_library() -> Path:
    return Path(os.path.realpath(sysconfig.get_path("stdlib")))


@functools.cache
def _readable() -> list[str]:
    """Return what a program may read: the standard library, and what the interpreter links to."""
    library = _standard_library()
    parts = [str(part) for part in library.iterdir() if part.name != "site-packages"]
    linked = [str(path) for path in Path(sys.base_prefix, "lib").glob("*.so*")]
    return [*parts, *linked, *_SYSTEM_FOLDERS, *_SYSTEM_FILES, _interpreter()]


def _anyone_may_read(folder: Path) -> bool:
    return all(part.stat().st_mode & stat.S_IXOTH for part in (folder, *folder.parents))


def _bubblewrap() -> list[str]:
    """Return the command that makes namespaces with nothing in them but the interpreter."""
    found = shutil.which("bwrap")
    if found is None:
        raise SandboxError("bubblewrap is not installed (Debian: apt-get install bubblewrap)")
    command = [found, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"]
    command += ["--unshare-cgroup-try", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    if os.geteuid() == 0:  # become nobody inside, whose threads can be limited, unlike root's
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user"]
    library = _standard_library()
    folders = [*_SYSTEM_FOLDERS, str(Path(sys.base_prefix, "lib")), str(library)]
    paths = dict.fromkeys([*folders, "/etc/ld.so.cache", _interpreter()])
    above = {str(part) for path in paths for part in Path(path).parents}
    for path in sorted(above):  # an interpreter in a home is in a folder that nobody may enter
        command += ["--perms", "0755", "--dir", path]
    for path in paths:
        command += ["--ro-bind-try", path, path]
    packages = library / "site-packages"
    if packages.is_dir():
        command += ["--tmpfs", str(packages)]
    return [*command, "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]

"""Rewards that hang, crash and raise, for workers to import."""

import contextlib
import ctypes
import math
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from reference_impl.contract import InvalidGoldError


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    """The number that the completion is."""
    return float(completions)


class UnpicklableError(Exception):
    def __init__(self, first, second):
        super().__init__(first)
        self.handle = open(os.devnull)  # noqa: SIM115

    def __reduce__(self):
        raise TypeError("no")


class OddArgumentsError(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class RefusesToBePrintedError(Exception):
    def __str__(self):
        raise RuntimeError("no")


def _runs_out_of_memory():
    free = 64 * 2**20
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + free, resource.RLIM_INFINITY))
    return len(bytearray(16 * free))


def _ignores_signals():
    for number_ in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError):
            signal.signal(number_, signal.SIG_IGN)
    time.sleep(3600)


def _deep():
    return _deep() + 1


def _raises(error):
    raise error


ACTS = {
    "sleep": lambda: time.sleep(3600),
    "regex": lambda: re.fullmatch(r"(a|a)+b", "a" * 60),
    "power": lambda: 10 ** (10**9) % 7,  # one long call in C that looks for no signal
    "ignores_signals": _ignores_signals,
    "stops": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "exit": lambda: os._exit(3),
    "exit_zero": lambda: os._exit(0),
    "system_exit": lambda: sys.exit(4),
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "closes_files": lambda: os.closerange(3, 1000),
    "memory": _runs_out_of_memory,
    "memory_error": lambda: _raises(MemoryError()),
    "value_error": lambda: _raises(ValueError("not\x1b[31m good")),
    "key_error": lambda: _raises(KeyError("answer")),
    "invalid_gold": lambda: _raises(InvalidGoldError("no answer")),
    "unpicklable_error": lambda: _raises(UnpicklableError("a", 2)),
    "odd_arguments": lambda: _raises(OddArgumentsError("a", 2)),
    "unprintable": lambda: _raises(RefusesToBePrintedError()),
    "long_error": lambda: _raises(ValueError("x" * 10**6)),
    "large_number": lambda: _raises(ValueError(10**5000)),
    "recursion": _deep,
    "none": lambda: None,
    "nan": lambda: math.nan,
    "unpicklable_result": lambda: lambda: 1,
    "pid": os.getpid,
}


def act(prompt, completions, prompt_ids, completion_ids, **columns):
    """Do what the completion names; of a number, return it."""
    return ACTS[completions]() if completions in ACTS else float(completions)


def note_and_act(prompt, completions, prompt_ids, completion_ids, note, **columns):
    """Add a line to a file, then act."""
    with open(note, "a") as file:
        file.write(f"{completions}\n")
    return act(prompt, completions, prompt_ids, completion_ids)


def crashes_once(prompt, completions, prompt_ids, completion_ids, note, **columns):
    if not Path(note).exists():
        Path(note).touch()
        os._exit(1)
    return float(completions)


def sleeps(prompt, completions, prompt_ids, completion_ids, **columns):
    """Take as many seconds as the completion says."""
    time.sleep(float(completions))
    return float(completions)


def starts_a_process(prompt, completions, prompt_ids, completion_ids, note="", **columns):
    """Start a process of its own, and act when it runs."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]) as process:
        if note:
            Path(note).write_text(f"{os.getpid()} {process.pid}")
        try:
            return act(prompt, completions, prompt_ids, completion_ids)
        finally:
            process.kill()


class LoadsSlowly:
    """Takes as many seconds to warm up as it was told to."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.is_warm = False

    def warm_up(self):
        time.sleep(self.seconds)
        self.is_warm = True

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return float(self.is_warm)


class HangsOrLoadsSlowly(LoadsSlowly):
    """Takes its time to load, and does what the completion names."""

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return act(prompt, completions, prompt_ids, completion_ids)


class LoadsOnce:
    """Loads in one worker, and in no later one as long as its file is there."""

    def __init__(self, note):
        self.note = note

    def warm_up(self):
        if Path(self.note).exists():
            raise OSError("the disk is away")

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return act(prompt, completions, prompt_ids, completion_ids)

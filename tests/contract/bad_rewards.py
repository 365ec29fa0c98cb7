"""One good reward, and rewards with one fault each that a conformance check has to name."""

import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def good(prompt, completions, prompt_ids, completion_ids, answer=None, **columns):
    return float(completions == answer)


class Good:
    def __init__(self, paid=1.0):
        self.paid = paid

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return self.paid

    @classmethod
    def as_class_method(cls, prompt, completions, prompt_ids, completion_ids, **columns):
        return 0.5


good_instance = Good()


def returns_bool(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return completions == answer


def takes_anything(*args, **kwargs):
    return 1.0


def misspelled(prompt, completion, prompt_ids, completion_ids, **columns):
    return 1.0


def wrong_order(completions, prompt, prompt_ids, completion_ids, **columns):
    return 1.0


def keyword_only(prompt, *, completions, prompt_ids, completion_ids, **columns):
    return 1.0


def positional_only(prompt, completions, prompt_ids, completion_ids, /, **columns):
    return 1.0


def too_few(prompt, completions, **columns):
    return 1.0


async def asynchronous(prompt, completions, prompt_ids, completion_ids, **columns):
    return 1.0


def hidden_asynchronous(*args, **columns):
    return asynchronous(*args, **columns)


class AsynchronousInstance:
    async def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return 1.0


def no_columns(prompt, completions, prompt_ids, completion_ids, answer):
    return 1.0


def hidden_no_columns(*args, **kwargs):
    return no_columns(*args, **kwargs)


def other_column(prompt, completions, prompt_ids, completion_ids, answers, **columns):
    return 1.0


def raises(prompt, completions, prompt_ids, completion_ids, **columns):
    return columns["solution"]


def returns_none(prompt, completions, prompt_ids, completion_ids, **columns):
    return None


def returns_nan(prompt, completions, prompt_ids, completion_ids, **columns):
    return float("nan")


def returns_text(prompt, completions, prompt_ids, completion_ids, **columns):
    return "1.0"


def out_of_range(prompt, completions, prompt_ids, completion_ids, **columns):
    return 100.0


def at_random(prompt, completions, prompt_ids, completion_ids, **columns):
    return random.random()


def changes_inputs(prompt, completions, prompt_ids, completion_ids, **columns):
    completion_ids.append(0)
    columns["tests"].clear()
    return 1.0


class ChangesInputsLater:
    """Leaves the inputs of its first call alone, and no others."""

    def __init__(self):
        self.called = False

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        if self.called:
            completion_ids.append(0)
        self.called = True
        return 1.0


class Unpicklable:
    def __init__(self):
        self.lock = threading.Lock()

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return 1.0


class ForgetsItsState:
    """Pickles, but the copy does not pay what the original pays."""

    def __init__(self, paid=1.0):
        self.paid = paid

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return self.paid

    def __reduce__(self):
        return (ForgetsItsState, (self.paid / 2,))


nameless = lambda prompt, completions, prompt_ids, completion_ids, **columns: 1.0  # noqa: E731


def make_closure():
    def closure(prompt, completions, prompt_ids, completion_ids, **columns):
        return 1.0

    return closure


def shadowed(prompt, completions, prompt_ids, completion_ids, **columns):
    return 0.0


shadowed_before = shadowed


def shadowed(prompt, completions, prompt_ids, completion_ids, **columns):
    return 1.0


def main_thread_only(prompt, completions, prompt_ids, completion_ids, **columns):
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return 1.0


def hangs_in_thread(prompt, completions, prompt_ids, completion_ids, **columns):
    if threading.current_thread() is not threading.main_thread():
        time.sleep(3600)
    return 1.0


def ends_its_thread(prompt, completions, prompt_ids, completion_ids, **columns):
    if threading.current_thread() is not threading.main_thread():
        sys.exit()
    return 1.0


def differs_by_process(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(os.getpid())


state_of_the_parent = None


def needs_state_of_the_parent(prompt, completions, prompt_ids, completion_ids, **columns):
    return state_of_the_parent["paid"]


first_process = None


def hangs_after_fork(prompt, completions, prompt_ids, completion_ids, **columns):
    global first_process
    first_process = first_process or os.getpid()
    if os.getpid() != first_process:
        time.sleep(3600)
    return 1.0


def exits_in_child(prompt, completions, prompt_ids, completion_ids, **columns):
    if multiprocessing.parent_process() is not None:
        os._exit(0)
    return 1.0


def hangs_with_the_interpreter_lock(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(bool(re.fullmatch(r"(a|a)+b", "a" * 60)))


class HangsOnCall:
    """Hangs on one call, which it counts in the process that it is in."""

    def __init__(self, call):
        self.call = call
        self.calls = 0

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        self.calls += 1
        if self.calls == self.call:
            time.sleep(3600)
        return 1.0


def hangs_with_a_process_of_its_own(
    prompt, completions, prompt_ids, completion_ids, note, **columns
):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    Path(note).write_text(str(child.pid))
    time.sleep(3600)

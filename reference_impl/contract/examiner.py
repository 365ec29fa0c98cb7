"""Call a reward function in a process of its own, held to a deadline.

The process that asks never calls the reward itself. A regular expression that backtracks
forever holds the interpreter's lock, so that no thread could stop it, and `os._exit` takes
the whole process along. A child process can be killed whatever it does.
"""

import multiprocessing
import os
import pickle
import signal
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Literal

from reference_impl.contract import lifeline
from reference_impl.contract.error import InvalidRewardError, describe_error
from reference_impl.contract.reward_fn import FIELDS, RewardFn, check_reward, load_reward_fn

UNKNOWN_COLUMN = "a_column_added_later"
SECONDS_TO_EXIT = 1.0


@dataclass(frozen=True)
class Outcome:
    """What one step of an examination came to.

    Attributes:
        kind: "ok"; "error" if something was raised or a bad value returned; "timeout" if
            no answer came; "exit" if the process ended.
        score: The reward, if a call returned one.
        problem: What went wrong, in one line, if anything did.
        changed: The names of the inputs that the call changed.
    """

    kind: Literal["ok", "error", "timeout", "exit"]
    score: float | None = None
    problem: str = ""
    changed: tuple[str, ...] = ()


def examine(
    method: Literal["spawn", "fork"],
    source: bytes | str | RewardFn,
    sample: bytes,
    deadline: float,
    steps: tuple[str, ...] | None = None,
    nested: bool = False,
) -> dict[str, Outcome]:
    """Take a reward function through the steps of an examination in a new process.

    Args:
        method: How to start the process.
        source: The reward function: pickled, as an import path, or, for a forked process
            alone, the callable itself.
        sample: The pickled sample.
        deadline: The longest wait for one step, in seconds.
        steps: The names of the steps, by default all that the platform offers.
        nested: Whether this is a process of an examination already. It then stays in the
            group of that examination, so that whoever ends the group ends it too.

    Returns:
        The outcomes by step, in order. After the first call that gives no score, and
        after a step that does not come back, the remaining steps are missing.
    """
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    steps = steps or tuple(step for step in STEPS if step != "forked_process" or can_fork())
    # Not a daemon: a daemon may have no children, and a trainer's workers may.
    process = context.Process(
        target=_examine, args=(sender, source, sample, deadline, steps, nested)
    )
    outcomes: dict[str, Outcome] = {}
    try:
        _start(process)
        sender.close()
        for step in ("load", *steps):
            # The process that `forked_process` starts has the deadline to itself.
            patience = 2 * deadline if step == "forked_process" else deadline
            outcomes[step] = _receive(process, receiver, patience, deadline)
            if outcomes[step].kind in ("timeout", "exit"):
                break
            if step in ("load", "first_call") and outcomes[step].kind != "ok":
                break
        else:
            wait([process.sentinel], SECONDS_TO_EXIT)  # let it clean up after itself
    finally:
        sender.close()
        receiver.close()
        _end(process)
    return outcomes


def can_fork() -> bool:
    """Tell whether this platform forks; Windows does not."""
    return "fork" in multiprocessing.get_all_start_methods()


def _start(process: BaseProcess) -> None:
    with warnings.catch_warnings():
        # Python 3.12 warns that a fork of a process with threads may deadlock. Finding out
        # is the purpose here, and the deadline ends it.
        warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
        process.start()


def _receive(
    process: BaseProcess, receiver: Connection, patience: float, deadline: float
) -> Outcome:
    if not wait([receiver, process.sentinel], patience):
        return Outcome("timeout", problem=f"no answer after {deadline:g} s")
    try:
        if receiver.poll():
            return receiver.recv()
    except EOFError:
        pass  # the process closed its end without an answer: it is ending
    wait([process.sentinel], SECONDS_TO_EXIT)
    _end_group(process)
    process.join()
    return Outcome("exit", problem=f"the process ended, with exit code {process.exitcode}")


def _end(process: BaseProcess) -> None:
    """Kill what is left of a process and of those that it started, and reap it."""
    if process.pid is not None:
        _end_group(process)
        process.join()
    process.close()


def _end_group(process: BaseProcess) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, ProcessLookupError):
        # Windows has no groups; elsewhere the process may not have made its own yet.
        process.kill()


# What follows runs in the child.


def _examine(
    sender: Connection,
    source: bytes | str | RewardFn,
    sample: bytes,
    deadline: float,
    steps: tuple[str, ...],
    nested: bool,
) -> None:
    if hasattr(os, "setsid") and not nested:
        os.setsid()  # one group with all that the reward starts, so that all can be ended
        lifeline.hold(multiprocessing.parent_process().sentinel)
    try:
        reward_fn = _load(source)
        pickle.loads(sample)
    except Exception as error:  # the module of a reward is foreign code
        sender.send(Outcome("error", problem=describe_error(error)))
        return
    sender.send(Outcome("ok"))
    for step in steps:
        outcome = STEPS[step](reward_fn, sample, deadline)
        sender.send(outcome)
        if step == "first_call" and outcome.kind != "ok":
            return


def _load(source: bytes | str | RewardFn) -> RewardFn:
    if isinstance(source, bytes):
        return pickle.loads(source)
    return load_reward_fn(source) if isinstance(source, str) else source


def _call(reward_fn: RewardFn, sample: bytes, _deadline: float, **more_columns: Any) -> Outcome:
    row: Mapping[str, Any] = pickle.loads(sample)  # a copy, so that no call sees another's changes
    before = {name: pickle.dumps(value) for name, value in row.items()}
    columns = {name: value for name, value in row.items() if name not in FIELDS}
    try:
        value = reward_fn(*(row[field] for field in FIELDS), **columns, **more_columns)
    except Exception as error:  # whatever a reward raises is what the check is about
        return Outcome("error", problem=f"it raises {describe_error(error)}")
    try:
        score = check_reward(value)
    except InvalidRewardError as error:
        return Outcome("error", problem=str(error))
    changed = tuple(name for name, value in row.items() if pickle.dumps(value) != before[name])
    return Outcome("ok", score=score, changed=changed)


def _call_with_unknown_column(reward_fn: RewardFn, sample: bytes, deadline: float) -> Outcome:
    return _call(reward_fn, sample, deadline, **{UNKNOWN_COLUMN: "anything"})


def _call_copy(reward_fn: RewardFn, sample: bytes, deadline: float) -> Outcome:
    try:
        copy = pickle.loads(pickle.dumps(reward_fn))
    except Exception as error:  # pickling runs the methods of foreign classes
        return Outcome("error", problem=describe_error(error))
    return _call(copy, sample, deadline)


def _call_in_thread(reward_fn: RewardFn, sample: bytes, deadline: float) -> Outcome:
    outcomes: list[Outcome] = []
    thread = threading.Thread(
        target=lambda: outcomes.append(_call(reward_fn, sample, deadline)), daemon=True
    )
    thread.start()
    thread.join()  # the process that waits for this one knows the deadline
    return outcomes[0] if outcomes else Outcome("error", problem="the thread ended")


def _call_in_fork(reward_fn: RewardFn, sample: bytes, deadline: float) -> Outcome:
    outcomes = examine("fork", reward_fn, sample, deadline, ("first_call",), nested=True)
    outcome = list(outcomes.values())[-1]
    # The fork may be lost; the examination that started it goes on.
    return outcome if outcome.kind == "ok" else replace(outcome, kind="error")


STEPS: dict[str, Callable[[RewardFn, bytes, float], Outcome]] = {
    "first_call": _call,
    "unknown_column": _call_with_unknown_column,
    "second_call": _call,
    "third_call": _call,
    "copy": _call_copy,
    "forked_process": _call_in_fork,
    "thread": _call_in_thread,  # last: a thread that hangs cannot be ended
}

"""What can go wrong between a caller and a worker, and how an error crosses from one to the other.

An error travels as text and plain values, not as a pickle. Unpickling runs code that the sender
names, and imports its modules: neither belongs into the trainer's process.
"""

import json
import sys
import traceback
from typing import Any

from reference_impl.contract.error import RewardError, describe_error

#: The longest answer of a worker, in bytes. An error that needs more is shortened.
LONGEST_ANSWER = 131_072
# Written as JSON, a character takes up to twelve bytes.
TRACEBACK_CHARACTERS = 4_000
ARGUMENT_BYTES = 16_384
NAME_CHARACTERS = 200


class RewardTimeoutError(RewardError, TimeoutError):
    """The reward was still at work when its time was over, and its worker was killed.

    Explained in :ref:`async-wrapper-kill`.
    """

    reason = "timeout"


class WorkerCrashedError(RewardError):
    """The worker ended in the middle of a call, by a signal or an exit of its own.

    Explained in :ref:`async-wrapper-fails`.
    """

    reason = "crashed"


class RemoteRewardError(RewardError):
    """The reward raised an error that cannot be rebuilt in this process.

    The message names the error's class and quotes its message. `reason` is what the error would
    have been counted under.

    Args:
        message: What was raised, in one line.
        reason: The word for counting it.

    Explained in :ref:`async-wrapper-fails`.
    """

    def __init__(self, message: str, reason: str):
        super().__init__(message)
        self.reason = reason


class RewardLoadError(RuntimeError):
    """No worker can load the reward function: not one sample can be scored.

    This is an error of the set-up, not of a sample, so that it raises under every policy.

    Explained in :ref:`async-wrapper-warm-up`.
    """


class WrapperClosedError(RuntimeError):
    """The wrapper was closed, before the call or during it.

    Explained in :ref:`async-wrapper-plug-in`.
    """


def report_error(error: BaseException) -> dict[str, Any]:
    """Write an error down for another process.

    Args:
        error: What the reward raised.

    Returns:
        A dict that JSON can hold, for `rebuild_error`.
    """
    kind = type(error)
    trace = "".join(traceback.format_tb(error.__traceback__))[-TRACEBACK_CHARACTERS:]
    return {
        "module": kind.__module__[:NAME_CHARACTERS],
        "name": kind.__qualname__[:NAME_CHARACTERS],
        "args": _plain_arguments(error),
        "text": describe_error(error),
        "reason": error.reason if isinstance(error, RewardError) else f"exception:{kind.__name__}",
        # A line of source may hold escapes for the terminal.
        "trace": "".join(c if c.isprintable() or c == "\n" else "?" for c in trace),
    }


def rebuild_error(report: dict[str, Any]) -> Exception:
    """Turn the report of an error into an error.

    Args:
        report: What `report_error` wrote.

    Returns:
        An error of the same class with the same message, if this process has imported the class
        and it can be made from its arguments; else a `RemoteRewardError`. Where it was raised is
        a note on it.
    """
    kind = getattr(sys.modules.get(report["module"]), report["name"], None)
    error = None
    if report["args"] is not None and isinstance(kind, type) and issubclass(kind, Exception):
        try:
            error = kind(*report["args"])
        except Exception:  # the constructor of a foreign class is foreign code
            error = None
    if error is None or describe_error(error) != report["text"]:
        error = RemoteRewardError(report["text"], report["reason"])
    error.add_note(f"Raised in a worker:\n{report['trace']}")
    return error


def _plain_arguments(error: BaseException) -> list[Any] | None:
    if not all(isinstance(value, str | int | float | None) for value in error.args):
        return None
    try:
        written = json.dumps(error.args)
    except ValueError:  # an int of more digits than Python will write
        return None
    return list(error.args) if len(written) <= ARGUMENT_BYTES else None

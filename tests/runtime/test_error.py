"""An error crosses from a worker to the trainer as text, and is the same error there."""

import json

import pytest
import worker_rewards
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.contract import InvalidGoldError, RewardError
from reference_impl.contract.error import describe_error
from reference_impl.runtime import RemoteRewardError
from reference_impl.runtime.error import LONGEST_ANSWER, rebuild_error, report_error

TEXTS = st.text(st.characters(codec=None, categories=None))
ARGUMENTS = st.lists(TEXTS | st.integers() | st.floats() | st.none() | st.binary(), max_size=3)
CLASSES = st.sampled_from([ValueError, KeyError, OSError, InvalidGoldError, UnicodeDecodeError])


def cross(error):
    line = json.dumps({"error": report_error(error)}).encode()
    assert len(line) < LONGEST_ANSWER
    return rebuild_error(json.loads(line)["error"])


@given(CLASSES, ARGUMENTS)
@settings(derandomize=True, deadline=None)
def test_any_error_arrives_with_its_description(kind, arguments):
    try:
        error = kind(*arguments)
    except TypeError:  # UnicodeDecodeError is particular
        return
    arrived = cross(error)
    if isinstance(arrived, RemoteRewardError):
        assert str(arrived) == describe_error(error)
    else:
        assert type(arrived) is kind
        assert describe_error(arrived) == describe_error(error)


@given(TEXTS)
@settings(derandomize=True, deadline=None)
def test_an_error_with_one_text_arrives_as_itself(text):
    arrived = cross(InvalidGoldError(text))
    assert type(arrived) is InvalidGoldError
    assert arrived.args == (text,)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("\U0001f600" * 10**6),
        ValueError(10**5000),
        worker_rewards.OddArgumentsError("a", 2),
        worker_rewards.UnpicklableError("a", 2),
        worker_rewards.RefusesToBePrintedError(object()),
        type("Local" * 1000, (Exception,), {})("a"),
    ],
)
def test_an_error_that_cannot_be_made_again_is_named(error):
    arrived = cross(error)
    assert type(arrived) is RemoteRewardError
    assert str(arrived) == describe_error(error)
    assert arrived.reason == f"exception:{type(error).__name__}"


def test_a_reward_error_keeps_its_reason_even_if_its_class_is_not_imported_here():
    class UnknownHereError(RewardError):
        reason = "judge_down"

        def __init__(self, server, port):
            super().__init__(f"{server}:{port}")

    assert cross(UnknownHereError("a", 1)).reason == "judge_down"


def test_the_note_says_where_it_was_raised_and_holds_no_escapes():
    try:
        raise ValueError("\x1b[31mred\u202e")
    except ValueError as error:
        (note,) = cross(error).__notes__
    assert "test_error.py" in note
    assert note.replace("\n", "").isprintable()


@pytest.mark.parametrize("module, name", [("os", "system"), ("builtins", "object"), ("no", "X")])
def test_a_report_makes_nothing_but_exceptions(module, name):
    report = report_error(ValueError("a")) | {"module": module, "name": name}
    assert type(rebuild_error(report)) is RemoteRewardError


def test_no_module_is_imported_to_make_an_error():
    import sys

    sys.modules.pop("this", None)
    rebuild_error(report_error(ValueError("a")) | {"module": "this", "name": "s"})
    assert "this" not in sys.modules

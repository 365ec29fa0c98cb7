"""A failure becomes what the policy says, is counted once and logged once."""

import asyncio
import inspect
import logging
import math
import multiprocessing
import os
import pickle
import threading

import bad_rewards
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract import (
    AsyncGuardedReward,
    FailureCounts,
    GuardedReward,
    InvalidGoldError,
    InvalidRewardError,
    RewardError,
)


class Answers:
    """A reward that raises or returns what its completion stands for."""

    def __init__(self, answers):
        self.answers = answers

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        answer = self.answers[int(completions)]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def call(guarded, completion="0"):
    return guarded("", completion, [], [])


GOOD = st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
BAD = st.sampled_from(
    [None, math.nan, math.inf, "1.0", KeyError("a"), InvalidGoldError("b"), RewardError("c")]
)


@given(st.lists(GOOD | BAD), st.sampled_from(["raise", "skip", 0.0, -1, 0.5]))
def test_every_failure_is_counted_and_becomes_the_policy(answers, on_failure):
    guarded = GuardedReward(Answers(answers), on_failure)
    failures = 0
    for index, answer in enumerate(answers):
        if isinstance(answer, bool) or (isinstance(answer, float) and math.isfinite(answer)):
            assert call(guarded, str(index)) == answer
            continue
        failures += 1
        if on_failure == "raise":
            with pytest.raises((InvalidRewardError, KeyError, RewardError)):
                call(guarded, str(index))
        else:
            assert call(guarded, str(index)) == (None if on_failure == "skip" else on_failure)
    assert guarded.counts.calls == len(answers)
    assert guarded.counts.failed == failures == sum(guarded.counts.failures.values())


def test_reasons():
    answers = [KeyError("a"), InvalidGoldError("b"), None, math.nan, 1.0, KeyError("c")]
    guarded = GuardedReward(Answers(answers), on_failure="skip")
    for index in range(len(answers)):
        call(guarded, str(index))
    assert guarded.counts.failures == {
        "exception:KeyError": 2,
        "invalid_gold": 1,
        "invalid_reward": 2,
    }
    assert repr(guarded.counts) == (
        "FailureCounts(calls=6, failed=5, failures="
        "{'exception:KeyError': 2, 'invalid_gold': 1, 'invalid_reward': 2})"
    )


def test_raise_is_the_default_and_raises_the_original():
    error = KeyError("a")
    with pytest.raises(KeyError) as caught:
        call(GuardedReward(Answers([error])))
    assert caught.value is error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_the_wish_to_stop_is_no_failure(error):
    guarded = GuardedReward(Answers([error]), on_failure=0.0)
    with pytest.raises(type(error)):
        call(guarded)
    assert guarded.counts.failed == 0


@pytest.mark.parametrize(
    "on_failure", ["ignore", "", None, True, False, math.nan, math.inf, 10**400, [0.0], "0.0"]
)
def test_a_policy_is_one_of_three(on_failure):
    with pytest.raises(ValueError, match="'raise', 'skip', or a finite number"):
        GuardedReward(bad_rewards.good, on_failure)


def test_what_is_guarded_can_be_called():
    with pytest.raises(TypeError, match="`reward_fn` cannot be called"):
        GuardedReward("bad_rewards.good")
    with pytest.raises(TypeError, match="`reward_fn` is a class"):
        GuardedReward(bad_rewards.Good)


@given(st.text(st.characters(codec=None, categories=None), max_size=2000))
def test_one_safe_line_is_logged_for_a_failure(text):
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("reference_impl.failure")
    logger.addHandler(handler)
    try:
        call(GuardedReward(Answers([ValueError(text)]), on_failure="skip"))
    finally:
        logger.removeHandler(handler)
    (record,) = records
    assert record.levelno == logging.WARNING
    line = record.getMessage()
    assert line.startswith("Answers failed (exception:ValueError): ValueError")
    assert line.isprintable()
    assert len(line) < 4000


def test_a_success_logs_nothing(caplog):
    call(GuardedReward(Answers([1.0]), on_failure="skip"))
    assert caplog.records == []


def test_a_trainer_can_name_it_and_read_its_columns():
    guarded = GuardedReward(bad_rewards.returns_bool)
    assert guarded.__name__ == "returns_bool"
    assert "answer" in inspect.signature(guarded).parameters
    assert GuardedReward(bad_rewards.Good()).__name__ == "Good"
    assert GuardedReward(guarded, "skip").__name__ == "returns_bool"
    assert repr(guarded) == "GuardedReward(returns_bool, on_failure='raise')"


def test_a_copy_keeps_the_policy_and_counts_from_zero():
    guarded = GuardedReward(Answers([None]), on_failure=-1.0)
    call(guarded)
    copy = pickle.loads(pickle.dumps(guarded))
    assert (guarded.counts.calls, copy.counts.calls) == (1, 0)
    assert call(copy) == -1.0
    assert (guarded.counts.failed, copy.counts.failed) == (1, 1)


def test_threads_share_the_counts():
    guarded = GuardedReward(Answers([None]), on_failure="skip")
    threads = [
        threading.Thread(target=lambda: [call(guarded) for _ in range(200)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (guarded.counts.calls, guarded.counts.failed) == (1600, 1600)


def _count_in_child(counts, sender):
    before = counts.calls
    counts.add_call()
    sender.send((before, counts.calls))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_counts_from_zero_even_if_the_lock_was_held():
    counts = FailureCounts()
    counts.add_call()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_count_in_child, args=(counts, sender))
    with counts._lock:  # as if another thread were counting at this moment
        process.start()
    answered = receiver.poll(30)
    process.kill()
    process.join()
    assert answered
    assert receiver.recv() == (0, 1)
    assert counts.calls == 1


async def brittle_async_reward(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


@pytest.mark.parametrize(("on_failure", "worth"), [("skip", None), (0.0, 0.0), (-1, -1.0)])
def test_an_asynchronous_failure_is_worth_what_the_policy_says(on_failure, worth):
    guarded = AsyncGuardedReward(brittle_async_reward, on_failure=on_failure)
    assert asyncio.run(guarded("p", "4", [], [])) == 4.0
    assert asyncio.run(guarded("p", "four", [], [])) == worth
    assert asyncio.run(guarded("p", "nan", [], [])) == worth
    assert guarded.counts.failures == {"exception:ValueError": 1, "invalid_reward": 1}
    assert guarded.__name__ == "brittle_async_reward"


def test_an_asynchronous_failure_raises_and_is_counted():
    guarded = AsyncGuardedReward(brittle_async_reward)
    with pytest.raises(ValueError, match="four"):
        asyncio.run(guarded("p", "four", [], []))
    assert guarded.counts.failed == 1


def test_a_call_that_is_cancelled_is_no_failure():
    async def never(prompt, completions, prompt_ids, completion_ids, **columns):
        await asyncio.Event().wait()

    async def give_up(guarded):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(guarded("p", "c", [], []), 0.01)

    guarded = AsyncGuardedReward(never, on_failure="skip")
    asyncio.run(give_up(guarded))
    assert guarded.counts.failed == 0


def test_an_asynchronous_guard_pickles():
    copy = pickle.loads(pickle.dumps(AsyncGuardedReward(brittle_async_reward, on_failure="skip")))
    assert isinstance(copy, AsyncGuardedReward) and copy.on_failure == "skip"

"""BlockingReward: an asynchronous reward from synchronous code."""

import asyncio
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reference_impl import BlockingReward


class Meeting:
    """Returns when as many calls are under way as are expected, and so needs them side by side."""

    def __init__(self, expected):
        self.expected = expected
        self.there = 0

    async def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        self.there += 1
        while self.there < self.expected:
            await asyncio.sleep(0.001)
        return 1.0


async def length_reward(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(len(completions))


async def failing_reward(prompt, completions, prompt_ids, completion_ids, **columns):
    raise ValueError("no score")


async def nested_reward(prompt, completions, prompt_ids, completion_ids, **columns):
    return BlockingReward(length_reward)(prompt, completions, prompt_ids, completion_ids)


def test_calls_of_threads_run_side_by_side_in_one_loop():
    reward_fn = BlockingReward(Meeting(expected=16))
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda i: reward_fn("p", str(i), [], []), range(16))) == [1.0] * 16


def test_the_error_of_the_reward_is_the_callers():
    with pytest.raises(ValueError, match="no score"):
        BlockingReward(failing_reward)("p", "c", [], [])


def test_inside_its_own_loop_it_says_to_await_and_does_not_hang():
    with pytest.raises(RuntimeError, match="await it"):
        BlockingReward(nested_reward)("p", "c", [], [])


def test_it_may_be_called_where_another_loop_runs():
    async def inside():
        return BlockingReward(length_reward)("p", "four", [], [])

    assert asyncio.run(inside()) == 4.0


def test_it_pickles_and_keeps_the_name():
    copy = pickle.loads(pickle.dumps(BlockingReward(length_reward)))
    assert copy("p", "four", [], []) == 4.0 and copy.__name__ == "length_reward"


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError):
        BlockingReward("length_reward")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_forked_process_has_a_loop_of_its_own():
    reward_fn = BlockingReward(length_reward)
    reward_fn("p", "c", [], [])
    child = os.fork()
    if not child:
        os._exit(0 if reward_fn("p", "four", [], []) == 4.0 else 1)
    deadline = time.monotonic() + 30
    while not (ended := os.waitpid(child, os.WNOHANG))[0] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended[0], "the child hangs"
    assert os.waitstatus_to_exitcode(ended[1]) == 0


def test_one_thread_serves_them_all():
    BlockingReward(length_reward)("p", "c", [], [])
    before = threading.active_count()
    for _ in range(5):
        BlockingReward(length_reward)("p", "c", [], [])
    assert threading.active_count() == before

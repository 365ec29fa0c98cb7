"""The shape that ms-swift calls. ms-swift itself: tests/trainers/test_ms_swift_adapter.py."""

import asyncio
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.adapters import versions
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.ms_swift import SwiftReward
from reference_impl.adapters.versions import UnprovenVersionError
from reference_impl.contract import GuardedReward, InvalidSampleError
from reference_impl.rules import exact_match_reward_fn


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def seen(prompt, completions, prompt_ids, completion_ids, **columns):
    """Raise what it was called with."""
    raise LookupError(prompt, completions, prompt_ids, completion_ids, columns)


ASKED = [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2?"}]


def call(reward, completions, **columns):
    """Call as swift does, with all that it passes."""
    size = len(completions)
    passed = {
        "trainer_state": object(),
        "trajectory_inputs": {},
        "messages": [[*ASKED, {"role": "assistant", "content": said}] for said in completions],
        "prompt_id": [""] * size,
        "request_id": [""] * size,
        "finish_reason": ["stop"] * size,
        "is_truncated": [False] * size,
        "rollout_infos": [{}] * size,
        "response_token_ids": [[]] * size,
    }
    rewards = reward(args=object())(completions, **passed | columns)
    return asyncio.run(rewards) if inspect.iscoroutine(rewards) else rewards


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_batch_becomes_a_list_and_a_failure_its_number(reward_fn):
    reward = SwiftReward(reward_fn, on_failure=-1)
    assert call(reward, ["4", "four", "nan", "-1"]) == [4.0, -1.0, -1.0, -1.0]
    assert reward.guarded.counts.failures == {"exception:ValueError": 1, "invalid_reward": 1}


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_an_error_is_raised_by_default(reward_fn):
    with pytest.raises(ValueError, match="could not convert"):
        call(SwiftReward(reward_fn), ["4", "four"])


@given(st.lists(st.floats(allow_nan=True) | st.just("?"), max_size=8))
def test_what_swift_gets_is_finite(values):
    def reward_fn(prompt, completions, prompt_ids, completion_ids, value, **columns):
        return value

    rewards = call(SwiftReward(reward_fn, -1.0), ["4"] * len(values), value=values)
    finite = [isinstance(value, float) and abs(value) < float("inf") for value in values]
    assert rewards == [value if ok else -1.0 for value, ok in zip(values, finite, strict=True)]


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_swift_gets_a_function_with_the_name_and_the_kind_of_the_reward(reward_fn):
    function = SwiftReward(reward_fn)()
    assert inspect.isfunction(function)
    assert function.__name__ == reward_fn.__name__
    assert inspect.iscoroutinefunction(function) == inspect.iscoroutinefunction(reward_fn)


def test_the_columns_arrive_and_what_swift_adds_does_not():
    with pytest.raises(LookupError) as raised:
        call(SwiftReward(seen), ["It is 4."], solution=["4"], level=[3])
    assert raised.value.args == ("2 + 2?", "It is 4.", [], [], {"answer": "4", "level": 3})


@pytest.mark.parametrize(
    ("answer_column", "columns", "arrives"),
    [
        ("gold", {"solution": ["4"]}, {"gold": "4"}),
        ("solution", {"solution": ["4"]}, {"solution": "4"}),
        ("answer", {"solution": ["2 + 2 = 4"], "answer": ["4"]}, None),
    ],
)
def test_the_solution_comes_under_the_name_of_the_answer(answer_column, columns, arrives):
    with pytest.raises(LookupError) as raised:
        call(SwiftReward(seen, answer_column=answer_column), ["4"], **columns)
    assert raised.value.args[-1] == (arrives or {name: v for name, [v] in columns.items()})


@pytest.mark.parametrize(
    ("tokens", "arrive"), [([7, 8], [7, 8]), ([[7], [8]], [7, 8]), ([], []), (None, [])]
)
def test_the_tokens_of_all_turns_arrive_in_one_list(tokens, arrive):
    with pytest.raises(LookupError) as raised:
        call(SwiftReward(seen), ["4"], response_token_ids=[tokens])
    assert raised.value.args[3] == arrive


def test_a_prompt_may_stay_messages():
    with pytest.raises(LookupError) as raised:
        call(SwiftReward(seen, pass_messages=True), ["4"])
    assert raised.value.args[0] == ASKED


@pytest.mark.parametrize("messages", [[], None, "2 + 2?"])
def test_messages_that_cannot_be_read_are_a_failure_of_their_sample(messages):
    rows = [[*ASKED, {}], messages]
    reward = SwiftReward(number, on_failure=-1.0)
    if messages == "2 + 2?":
        rows[1] = [{"role": "assistant", "content": messages}]
    assert call(reward, ["4", "4"], messages=rows) == [4.0, -1.0]
    with pytest.raises(InvalidSampleError, match="no message of the user"):
        call(SwiftReward(number), ["4", "4"], messages=rows)


def test_an_empty_batch_has_no_rewards():
    assert call(SwiftReward(number), []) == []
    assert call(SwiftReward(slow_number), []) == []


def test_unequal_lengths_and_missing_columns_are_refused_whatever_the_policy():
    with pytest.raises(ValueError, match="`solution` is of length 1"):
        call(SwiftReward(number, 0.0), ["4", "6"], solution=["4"])
    with pytest.raises(MissingColumnError, match="`answer`"):
        call(SwiftReward(exact_match_reward_fn, 0.0), ["4"])


def test_a_wrong_reward_or_policy_is_refused_when_the_adapter_is_made():
    with pytest.raises(TypeError, match=r"the signature is `\(prompt, completions"):
        SwiftReward(lambda completions, **kwargs: [0.0])
    with pytest.raises(TypeError, match="guarded already"):
        SwiftReward(GuardedReward(number))
    with pytest.raises(ValueError, match="ms-swift cannot leave a sample out"):
        SwiftReward(number, on_failure="skip")


def test_a_version_that_was_not_proven_is_refused(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: "5.0.0")
    with pytest.raises(UnprovenVersionError, match=r"ms-swift 5\.0\.0"):
        SwiftReward(number)


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_copy_pickles_with_its_settings_and_counts_from_zero(reward_fn):
    reward = SwiftReward(reward_fn, -1.0, "gold", pass_messages=True)
    call(reward, ["four"])
    copy = pickle.loads(pickle.dumps(reward))
    assert (copy.__name__, copy.guarded.counts.calls) == (reward_fn.__name__, 0)
    assert call(copy, ["four"]) == [-1.0]


def test_threads_may_share_it():
    reward = SwiftReward(number)
    with ThreadPoolExecutor(8) as pool:
        rewards = list(pool.map(lambda n: call(reward, [str(n)]), range(100)))
    assert rewards == [[float(n)] for n in range(100)]

"""The shape that TRL calls. The trainers themselves: tests/trainers/test_trl_adapter.py."""

import asyncio
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.adapters import versions
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.trl import AsyncTRLReward, TRLReward
from reference_impl.adapters.versions import UnprovenVersionError
from reference_impl.compose import Gate, WeightedSum
from reference_impl.contract import GuardedReward, InvalidSampleError
from reference_impl.rules import exact_match_reward_fn
from reference_impl.steps import tool_use_reward_fn


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def seen(prompt, completions, prompt_ids, completion_ids, **columns):
    """Raise what it was called with."""
    raise LookupError(prompt, completions, prompt_ids, completion_ids, columns)


def call(reward, completions, **columns):
    """Call as TRL does. Returns the rewards and what was logged."""
    logged = {}
    size = len(completions)
    rewards = reward(
        **{"prompts": ["2 + 2?"] * size, "completion_ids": [[7]] * size} | columns,
        completions=completions,
        trainer_state=object(),
        log_extra=print,
        log_metric=logged.__setitem__,
    )
    return asyncio.run(rewards) if inspect.iscoroutine(rewards) else rewards, logged


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_batch_becomes_a_list_and_a_failure_none(reward_fn):
    rewards, logged = call(TRLReward(reward_fn), ["4", "four", "nan", "-1"])
    assert rewards == [4.0, None, None, -1.0]
    assert logged == {f"{reward_fn.__name__}/failed": 0.5}


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_the_other_policies(reward_fn):
    assert call(TRLReward(reward_fn, on_failure=-1), ["4", "four"]) == (
        [4.0, -1.0],
        {f"{reward_fn.__name__}/failed": 0.5},
    )
    with pytest.raises(ValueError, match="could not convert"):
        call(TRLReward(reward_fn, on_failure="raise"), ["4", "four"])


@given(st.lists(st.floats(allow_nan=True) | st.just("?"), max_size=8))
def test_what_trl_gets_is_finite_or_none(values):
    def reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        return columns["value"]

    rewards, _ = call(TRLReward(reward_fn), ["4"] * len(values), value=values)
    finite = [isinstance(value, float) and abs(value) < float("inf") for value in values]
    expected = [value if ok else None for value, ok in zip(values, finite, strict=True)]
    assert rewards == expected


def test_an_asynchronous_reward_makes_what_trl_awaits():
    reward = TRLReward(slow_number)
    assert type(reward) is AsyncTRLReward
    assert inspect.iscoroutinefunction(reward.__call__)
    assert not inspect.iscoroutinefunction(TRLReward(number).__call__)


def test_all_completions_wait_at_once():
    async def meets(prompt, completions, prompt_ids, completion_ids, barrier, **columns):
        await barrier.wait()
        return 1.0

    barrier = asyncio.Barrier(8)
    rewards, _ = call(TRLReward(meets, "raise"), ["4"] * 8, barrier=[barrier] * 8)
    assert rewards == [1.0] * 8


def test_the_columns_arrive_and_what_trl_adds_does_not():
    columns = {"answer": ["4"], "level": [3], "environments": [object()]}
    with pytest.raises(LookupError) as raised:
        call(TRLReward(seen, "raise"), ["It is 4."], **columns)
    assert raised.value.args == ("2 + 2?", "It is 4.", [], [7], {"answer": "4", "level": 3})


ASKED = [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2?"}]
SAID = [{"role": "assistant", "content": "It is 4."}]


@pytest.mark.parametrize(("pass_messages", "prompt"), [(False, "2 + 2?"), (True, ASKED)])
def test_messages_become_text_and_a_prompt_may_stay_as_it_is(pass_messages, prompt):
    reward = TRLReward(seen, "raise", pass_messages=pass_messages)
    with pytest.raises(LookupError) as raised:
        call(reward, [SAID], prompts=[ASKED])
    assert raised.value.args[:2] == (prompt, "It is 4.")


def test_messages_that_cannot_be_read_are_a_failure_of_their_sample():
    broken = [{"role": "assistant", "content": 4}]
    reward = TRLReward(number)
    rewards, logged = call(reward, [[{"role": "assistant", "content": "4"}], broken])
    assert rewards == [4.0, None]
    assert logged == {"number/failed": 0.5}
    assert reward.guarded.counts.failures == {"invalid_sample": 1}
    with pytest.raises(InvalidSampleError, match="`completions` is of type int"):
        call(TRLReward(number, "raise"), [broken])


def test_an_empty_batch_has_no_rewards_and_logs_nothing():
    assert call(TRLReward(number), []) == ([], {})
    assert call(TRLReward(slow_number), []) == ([], {})


@pytest.mark.parametrize(
    "columns",
    [{"answer": ["4"]}, {"prompts": ["2 + 2?"]}, {"completion_ids": [[7]]}, {"answer": "44"}],
)
def test_unequal_lengths_are_refused_by_name(columns):
    with pytest.raises(ValueError, match=f"`{next(iter(columns))}`"):
        call(TRLReward(number), ["4", "6"], **columns)


def test_a_missing_column_is_refused_whatever_the_policy():
    with pytest.raises(MissingColumnError, match="`answer`"):
        call(TRLReward(exact_match_reward_fn, "skip"), ["4"], anser=["4"])


def test_a_wrong_reward_is_refused_when_the_adapter_is_made():
    with pytest.raises(TypeError, match=r"the signature is `\(prompt, completions"):
        TRLReward(lambda completions, **kwargs: [0.0])
    with pytest.raises(TypeError, match="guarded already"):
        TRLReward(GuardedReward(number))
    with pytest.raises(ValueError, match="Choose one of three"):
        TRLReward(number, "ignore")


def test_it_has_the_name_of_a_reward_of_any_kind():
    class Number:
        def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
            return float(completions)

    sums = WeightedSum({"number": (number, 1.0)})
    names = [TRLReward(reward_fn).__name__ for reward_fn in (number, Number(), sums)]
    assert names == ["number", "Number", "WeightedSum"]


def test_the_means_of_components_are_logged_batch_by_batch():
    def length(prompt, completions, prompt_ids, completion_ids, **columns):
        return float(len(completions))

    reward = TRLReward(WeightedSum({"number": (number, 1.0), "length": (length, 0.5)}))
    for completions, number_mean, length_mean in ((["4", "6"], 5.0, 1.0), (["10"], 10.0, 2.0)):
        _, logged = call(reward, completions)
        assert logged == {
            "WeightedSum/failed": 0.0,
            "WeightedSum/number": number_mean,
            "WeightedSum/length": length_mean,
        }


def test_a_version_that_was_not_proven_is_refused(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: "2.0.0")
    with pytest.raises(UnprovenVersionError, match=r"trl 2\.0\.0"):
        TRLReward(number)


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_copy_pickles_with_its_settings_and_counts_from_zero(reward_fn):
    reward = TRLReward(reward_fn, on_failure=-1.0, pass_messages=True)
    call(reward, ["four"])
    copy = pickle.loads(pickle.dumps(reward))
    assert (type(copy), copy.__name__) == (type(reward), reward_fn.__name__)
    assert copy.guarded.counts.calls == 0
    assert call(copy, ["four"])[0] == [-1.0]


def test_threads_may_share_it():
    reward = TRLReward(number)
    with ThreadPoolExecutor(8) as pool:
        rewards = list(pool.map(lambda n: reward([""], [str(n)], [[]]), range(100)))
    assert rewards == [[float(n)] for n in range(100)]
    assert reward.guarded.counts.calls == 100


def test_tool_calls_of_messages_open_a_gate():
    def talk(arguments, answer):
        function = {"name": "now", "arguments": arguments}
        return [
            {"role": "assistant", "content": "", "tool_calls": [{"function": function}]},
            {"role": "tool", "name": "now", "content": "#### 4"},
            {"role": "assistant", "content": answer},
        ]

    gate = Gate(("tools", tool_use_reward_fn), ("correct", exact_match_reward_fn), threshold=1.0)
    talks = [talk({}, "#### 4"), talk({}, "#### 5"), talk({"zone": 0}, "#### 4"), talk("{", "4")]
    talks.append([{"role": "assistant", "content": "#### 4"}])
    columns = {"answer": ["4"] * 5, "tools": [[{"name": "now"}]] * 5}
    assert call(TRLReward(tool_use_reward_fn), talks, **columns)[0] == [1.0, 1.0, 0.0, 0.0, 0.0]
    rewards, logged = call(TRLReward(gate), talks, **columns)
    assert rewards == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert logged["Gate/failed"] == 0.0


@pytest.mark.parametrize("tool_calls", ["now", {"name": "now"}])
def test_tool_calls_that_are_no_list_are_a_failure(tool_calls):
    reward = TRLReward(tool_use_reward_fn)
    talk = [{"role": "assistant", "content": "", "tool_calls": tool_calls}]
    assert call(reward, [talk], tools=[[{"name": "now"}]])[0] == [None]
    assert reward.guarded.counts.failures == {"invalid_sample": 1}

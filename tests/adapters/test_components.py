"""The components of a composite, sample by sample, on their way to a trainer's log."""

import asyncio
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

from reference_impl.adapters.batch import MissingColumnError, Sample, check_columns
from reference_impl.adapters.components import component_names, keep_components, split_outcome
from reference_impl.adapters.guard import guard
from reference_impl.adapters.messages import read_messages
from reference_impl.compose import AsyncGate, Composed, Gate, WeightedSum
from reference_impl.contract import AsyncGuardedReward, GuardedReward
from reference_impl.runtime import BlockingReward

ALL = ("raise", "skip", "number")


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


def double(prompt, completions, prompt_ids, completion_ids, **columns):
    return 2 * float(completions)


async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return 2 * float(completions)


def needs_level(prompt, completions, prompt_ids, completion_ids, level, **columns):
    return 1.0


GATE = Gate(("number", number), ("double", double), threshold=0.0, below=-5.0)
JUDGED = AsyncGate(("number", number), ("double", judge), threshold=0.0, below=-5.0)
KINDS = ["synchronous", "awaited", "blocking"]
OPEN = Composed(8.0, {"number": 4.0, "double": 8.0})
SHUT = Composed(-5.0, {"number": -1.0, "double": None})


def call(guarded, text):
    outcome = guarded("2 + 2?", text, [], [])
    return asyncio.run(outcome) if inspect.isawaitable(outcome) else outcome


@pytest.fixture(params=[GATE, JUDGED, BlockingReward(JUDGED)], ids=KINDS)
def composite(request):
    """A synchronous one, an asynchronous one, and one that blocks."""
    return request.param


def test_a_composite_returns_its_components_and_a_failure_its_worth(composite):
    reward = keep_components(guard(composite, -9.0, "any", ALL))
    assert isinstance(reward, AsyncGuardedReward) == (composite is JUDGED)
    assert [call(reward, text) for text in ("4", "-1", "four")] == [OPEN, SHUT, -9.0]
    assert (reward.counts.calls, reward.counts.failures) == (3, {"exception:ValueError": 1})
    raising = keep_components(guard(composite, "raise", "any", ALL))
    with pytest.raises(Exception, match="the component `number` failed"):
        call(raising, "four")


def test_messages_copies_and_names_are_as_for_a_bare_reward(composite):
    bare = guard(composite, "skip", "any", ALL)
    reward = read_messages(keep_components(bare))
    copy = pickle.loads(pickle.dumps(reward))
    for one in (reward, copy):
        assert one.__name__ == bare.__name__
        assert call(one, [{"role": "assistant", "content": "4"}]) == OPEN
        assert call(one, [{"role": "assistant", "content": 4}]) is None
    assert component_names(composite) == ("number", "double")


@pytest.mark.parametrize("reward_fn", [number, judge, BlockingReward(judge)])
def test_any_other_reward_stays_what_it_is(reward_fn):
    guarded = guard(reward_fn, "skip", "any", ALL)
    assert keep_components(guarded) is guarded
    assert component_names(reward_fn) == ()
    assert split_outcome(call(guarded, "4"), ()) == (call(guarded, "4"), {})


def test_a_missing_column_is_named():
    reward = read_messages(keep_components(GuardedReward(WeightedSum({"level": (needs_level, 1)}))))
    check_columns(reward, ["level"])
    with pytest.raises(MissingColumnError, match=r"`WeightedSum`: it needs the column `level`"):
        check_columns(reward, ["answer"])


@pytest.mark.parametrize("value", [float("nan"), None, "1"])
def test_a_value_that_is_no_number_is_a_failure(value):
    class Odd(WeightedSum):
        def score(self, *sample, **columns):
            return Composed(value, {"match": 1.0})

    reward = keep_components(GuardedReward(Odd({"match": (number, 1.0)}), on_failure="skip"))
    assert call(reward, "4") is None
    assert reward.counts.failures == {"invalid_reward": 1}


def test_samples_of_many_threads_keep_their_own_components(composite):
    reward = keep_components(guard(composite, "skip", "any", ALL))
    said = [str(n) if n % 3 else "?" for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda text: call(reward, text), said))
    for n, outcome in enumerate(outcomes):
        expected = Composed(2.0 * n, {"number": n, "double": 2.0 * n}) if n % 3 else None
        assert outcome == expected


def test_samples_of_one_loop_keep_their_own_components():
    reward = keep_components(guard(JUDGED, "skip", "any", ALL))
    samples = [Sample("", str(n), [], [], {}) for n in range(50)]

    async def score_all():
        return await asyncio.gather(*(reward(*sample[:4]) for sample in samples))

    assert asyncio.run(score_all()) == [
        Composed(2.0 * n, {"number": n, "double": 2.0 * n}) for n in range(50)
    ]

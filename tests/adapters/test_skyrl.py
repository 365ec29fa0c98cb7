"""What the adapter of SkyRL-Gym scores and refuses. SkyRL itself is in tests/trainers."""

import asyncio
import pickle

import pytest

from reference_impl.adapters import versions
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.skyrl import SkyRLReward
from reference_impl.compose import AsyncGate, Gate
from reference_impl.contract import AsyncGuardedReward
from reference_impl.rules import exact_match_reward_fn

ASKED = [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2?"}]
GOLD = {"reward_spec": {"method": "rule", "ground_truth": "4"}}


async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def as_number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


def test_a_right_and_a_wrong_completion():
    env = SkyRLReward(exact_match_reward_fn)
    assert env.score(ASKED, "#### 4", GOLD) == 1.0
    assert env.score(ASKED, "#### 5", GOLD) == 0.0
    assert env.__name__ == "exact_match_reward_fn"


@pytest.mark.parametrize(("gate", "second"), [(Gate, as_number), (AsyncGate, judge)])
def test_a_composite_is_scored_as_any_other_reward(gate, second):
    composite = gate(("number", as_number), ("second", second), threshold=1.0, below=-1.0)
    env = SkyRLReward(composite, on_failure=-2.0)
    for copy in (env, pickle.loads(pickle.dumps(env))):
        assert [copy.score(ASKED, said, GOLD) for said in ("3", "0", "?")] == [3.0, -1.0, -2.0]
        assert copy.guarded.counts.failures == {"exception:ValueError": 1}


@pytest.mark.parametrize("spec", ["reward_spec", "reward_model"])
def test_the_columns_of_the_row_arrive(spec):
    seen = []

    def seen_reward(prompt, completions, prompt_ids, completion_ids, **columns):
        seen.append((prompt, completions, prompt_ids, completion_ids, columns))
        return 1.0

    row = {spec: {"ground_truth": "4"}, "answer": "other", "data_source": "math", "max_turns": 1}
    SkyRLReward(seen_reward).score(ASKED, "It is 4.", row)
    SkyRLReward(seen_reward, answer_column="gold").score(ASKED, "It is 4.", row)
    assert seen == [
        ("2 + 2?", "It is 4.", [], [], {**row, "answer": "4"}),
        ("2 + 2?", "It is 4.", [], [], {**row, "gold": "4"}),
    ]


@pytest.mark.parametrize("row", [{}, {"reward_spec": None}, {"reward_spec": {"method": "rule"}}])
def test_a_row_without_a_gold_answer_raises_under_every_policy(row):
    with pytest.raises(MissingColumnError, match="needs the column `answer`"):
        SkyRLReward(exact_match_reward_fn, on_failure=0.0).score(ASKED, "4", row)


@pytest.mark.parametrize("name", ["prompt", "completions", "prompt_ids", "completion_ids"])
def test_a_column_with_the_name_of_an_argument_is_refused(name):
    with pytest.raises(ValueError, match=f"column `{name}`.*rename it"):
        SkyRLReward(as_number).score(ASKED, "4", {name: "data"})


def test_a_failure_raises_or_is_worth_the_number():
    with pytest.raises(ValueError, match="could not convert"):
        SkyRLReward(as_number).score(ASKED, "four", {})
    env = SkyRLReward(as_number, on_failure=-1.0)
    assert env.score(ASKED, "four", {}) == -1.0
    assert env.score(ASKED, "nan", {}) == -1.0
    assert env.score([{"role": "user", "content": 4}], "4", {}) == -1.0
    assert env.guarded.counts.failures == {
        "exception:ValueError": 1,
        "invalid_reward": 1,
        "invalid_sample": 1,
    }


def test_an_asynchronous_reward_is_waited_for():
    env = SkyRLReward(judge, on_failure=0.0)
    assert env.score(ASKED, "4", {}) == 4.0
    assert env.score(ASKED, "four", {}) == 0.0
    assert env.guarded.counts.failures == {"exception:ValueError": 1}


@pytest.mark.parametrize("reward_fn", [as_number, judge])
def test_what_skyrl_cannot_take_is_refused_when_the_adapter_is_made(reward_fn):
    with pytest.raises(ValueError, match="SkyRL cannot leave a sample out"):
        SkyRLReward(reward_fn, on_failure="skip")


def test_a_reward_of_another_shape_is_refused_when_the_adapter_is_made():
    with pytest.raises(TypeError, match="signature"):
        SkyRLReward(lambda action: 0.0)
    with pytest.raises(TypeError, match="guarded already"):
        SkyRLReward(AsyncGuardedReward(judge))


@pytest.mark.parametrize("reward_fn", [as_number, judge])
def test_it_pickles_and_a_copy_counts_from_zero(reward_fn):
    env = SkyRLReward(reward_fn, on_failure=-1.0, answer_column="gold")
    env.score(ASKED, "four", {})
    copy = pickle.loads(pickle.dumps(env))
    assert copy.guarded.counts.calls == 0
    assert copy.answer_column == "gold"
    assert copy.score(ASKED, "four", {}) == -1.0


def test_a_version_that_was_not_proven_is_refused(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: {"skyrl-gym": "0.1.1"}[name])
    with pytest.raises(versions.UnprovenVersionError, match=r"skyrl-gym 0\.1\.1"):
        SkyRLReward(as_number)

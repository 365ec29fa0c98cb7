"""The shape that verl calls, and what the adapter refuses. verl itself is in tests/trainers."""

import asyncio
import inspect
import pickle
import threading

import pytest

from reference_impl.adapters import versions
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.verl import VerlReward
from reference_impl.compose import AsyncGate, ComponentError, Gate, WeightedSum
from reference_impl.contract import GuardedReward, InvalidSampleError
from reference_impl.rules import exact_match_reward_fn, gsm8k_reward_fn
from reference_impl.runtime import BlockingReward


def seen_reward(prompt, completions, prompt_ids, completion_ids, **columns):
    SEEN.append((prompt, completions, prompt_ids, completion_ids, columns))
    return 1.0


SEEN = []


@pytest.fixture(autouse=True)
def nothing_seen():
    SEEN.clear()


async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def as_number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


def twice(prompt, completions, prompt_ids, completion_ids, **columns):
    return 2 * float(completions)


def test_a_right_and_a_wrong_completion():
    compute_score = VerlReward(exact_match_reward_fn)
    assert compute_score("math", "#### 4", "4") == 1.0
    named = {"data_source": "math", "solution_str": "#### 5", "ground_truth": "4"}
    assert compute_score(**named, extra_info=None) == 0.0


def test_all_that_verl_passes_arrives():
    extra_info = {"question": "2 + 2?", "answer": "2 + 2 = 4\n#### 4", "index": 7}
    VerlReward(seen_reward)("math", "4", "4", extra_info, level="hard")
    columns = {"data_source": "math", "index": 7, "question": "2 + 2?", "level": "hard"}
    assert [("2 + 2?", "4", [], [], {**columns, "answer": "4"})] == SEEN


def test_the_gold_answer_gets_the_name_that_the_reward_function_takes():
    VerlReward(seen_reward, answer_column="gold")("math", "4", "4", {"answer": "other"})
    assert SEEN[0][-1] == {"data_source": "math", "gold": "4", "answer": "other"}


@pytest.mark.parametrize(
    ("extra_info", "prompt"),
    [
        (None, ""),
        ({}, ""),
        ({"prompt": "2 + 2?"}, "2 + 2?"),
        ({"prompt": [{"role": "user", "content": "2 + 2?"}]}, "2 + 2?"),
        ({"prompt": "template", "question": "2 + 2?"}, "2 + 2?"),
        ({"question": None}, ""),
        ({"raw_prompt": [{"role": "user", "content": "Add 2."}], "question": "2 + 2?"}, "Add 2."),
    ],
)
def test_the_prompt_comes_from_the_extra_info(extra_info, prompt):
    VerlReward(seen_reward)("math", "4", "4", extra_info)
    assert SEEN[0][0] == prompt


def test_what_the_configuration_sets_is_not_overruled_by_the_data():
    VerlReward(seen_reward)("math", "4", "4", {"level": "data"}, level="configured")
    assert SEEN[0][-1]["level"] == "configured"


@pytest.mark.parametrize(
    "name",
    [
        "completions",
        "prompt_ids",
        "completion_ids",
        "reward_router_address",
        "reward_model_tokenizer",
    ],
)
def test_the_data_cannot_pass_an_argument_that_is_not_its_own(name):
    with pytest.raises(ValueError, match=f"key `{name}`.*rename it"):
        VerlReward(seen_reward, on_failure=0.0)("math", "4", "4", {name: "data"})
    assert SEEN == []


def test_an_extra_info_that_is_no_dict_is_refused():
    with pytest.raises(TypeError, match="`extra_info` is a list"):
        VerlReward(seen_reward)("math", "4", "4", ["question"])


def test_each_data_source_has_its_reward():
    compute_score = VerlReward({"numbers": as_number, "gsm8k": gsm8k_reward_fn})
    assert compute_score("numbers", "2.5", "") == 2.5
    assert compute_score("gsm8k", "#### 72", "72") == 1.0
    with pytest.raises(ValueError, match=r"source 'math'\. There are 'numbers', 'gsm8k'"):
        compute_score("math", "4", "4")


def test_no_reward_at_all_is_refused():
    with pytest.raises(ValueError, match="one for each data source"):
        VerlReward({})


def test_a_failure_raises_or_is_worth_the_number():
    with pytest.raises(ValueError, match="could not convert"):
        VerlReward(as_number)("math", "four", "4")
    compute_score = VerlReward(as_number, on_failure=-1.0)
    assert compute_score("math", "four", "4") == -1.0
    assert compute_score("math", "nan", "4") == -1.0
    assert compute_score("math", "4", "4", {"question": 4}) == -1.0
    assert compute_score.guarded.counts.failures == {
        "exception:ValueError": 1,
        "invalid_reward": 1,
        "invalid_sample": 1,
    }


def test_a_prompt_that_cannot_be_read_is_a_failure_of_its_sample():
    with pytest.raises(InvalidSampleError, match="no message of the user"):
        VerlReward(as_number)("math", "4", "4", {"prompt": []})


def test_a_missing_column_raises_under_every_policy():
    compute_score = VerlReward(exact_match_reward_fn, on_failure=0.0, answer_column="anser")
    with pytest.raises(MissingColumnError, match="rename one of `anser` and `answer`"):
        compute_score("math", "4", "4")


@pytest.mark.parametrize("reward_fn", [as_number, {"math": as_number}])
def test_what_verl_cannot_take_is_refused_when_the_adapter_is_made(reward_fn):
    with pytest.raises(ValueError, match="verl cannot leave a sample out"):
        VerlReward(reward_fn, on_failure="skip")


def test_a_reward_of_another_shape_is_refused_when_the_adapter_is_made():
    with pytest.raises(TypeError, match="signature"):
        VerlReward({"math": lambda data_source, solution_str: 0.0})
    with pytest.raises(TypeError, match="guarded already"):
        VerlReward(GuardedReward(as_number))


def test_an_asynchronous_reward_is_one_that_verl_awaits():
    compute_score = VerlReward(judge, on_failure=0.0)
    assert inspect.iscoroutinefunction(compute_score)
    assert not inspect.iscoroutinefunction(VerlReward(as_number))
    assert not inspect.iscoroutinefunction(VerlReward(BlockingReward(judge)))
    assert asyncio.run(compute_score("math", "4", "4")) == 4.0
    assert asyncio.run(compute_score("math", "nan", "4")) == 0.0
    assert compute_score.guarded.counts.failures == {"invalid_reward": 1}


def test_a_rule_does_not_hold_up_the_judge_of_another_data_source():
    judged = threading.Event()

    async def signalling_judge(prompt, completions, prompt_ids, completion_ids, **columns):
        judged.set()
        return float(completions)

    def waiting_rule(prompt, completions, prompt_ids, completion_ids, **columns):
        return judged.wait(10)

    compute_score = VerlReward({"rule": waiting_rule, "judge": signalling_judge})

    async def both():
        calls = compute_score("rule", "4", "4"), compute_score("judge", "2", "4")
        return await asyncio.gather(*calls)

    assert asyncio.run(both()) == [1.0, 2.0]


@pytest.mark.parametrize("reward_fn", [as_number, {"math": as_number}])
def test_it_pickles_and_a_copy_counts_from_zero(reward_fn):
    compute_score = VerlReward(reward_fn, on_failure=-1.0, answer_column="gold")
    compute_score("math", "four", "4")
    copy = pickle.loads(pickle.dumps(compute_score))
    guarded = copy.guarded["math"] if isinstance(reward_fn, dict) else copy.guarded
    assert guarded.counts.calls == 0
    assert copy("math", "four", "4") == -1.0
    asynchronous = pickle.loads(pickle.dumps(VerlReward(judge)))
    assert inspect.iscoroutinefunction(asynchronous)


def test_a_version_that_was_not_proven_is_refused(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: {"verl": "0.3.1"}[name])
    with pytest.raises(versions.UnprovenVersionError, match=r"verl 0\.3\.1"):
        VerlReward(as_number)


GATE = Gate(("number", as_number), ("twice", twice), threshold=0.0, below=-5.0)
JUDGED = AsyncGate(("number", judge), ("twice", twice), threshold=0.0, below=-5.0)
KINDS = ["synchronous", "awaited", "blocking"]
SUM = WeightedSum({"number": (as_number, 1.0), "gate": (GATE, 0.5)})


def result(score, **components):
    logged = {f"reward/{name.replace('__', '.')}": value for name, value in components.items()}
    return {"score": score, "acc": score, **logged}


def call(compute_score, *arguments):
    outcome = compute_score(*arguments)
    return asyncio.run(outcome) if inspect.isawaitable(outcome) else outcome


@pytest.mark.parametrize("composite", [GATE, JUDGED, BlockingReward(JUDGED)], ids=KINDS)
def test_a_composite_becomes_the_score_and_its_components(composite):
    compute_score = VerlReward(composite, on_failure=-9.0)
    assert inspect.iscoroutinefunction(compute_score) == (composite is JUDGED)
    for copy in (compute_score, pickle.loads(pickle.dumps(compute_score))):
        assert call(copy, "math", "2", "4") == result(4.0, number=2.0, twice=4.0)
        assert call(copy, "math", "-1", "4") == result(-5.0, number=-1.0, twice=None)
        assert call(copy, "math", "four", "4") == result(-9.0, number=None, twice=None)
    assert compute_score.guarded.counts.failures == {"exception:ValueError": 1}
    with pytest.raises(ComponentError, match="`number` failed"):
        call(VerlReward(composite), "math", "four", "4")


def test_parts_of_parts_have_names_of_their_own():
    expected = result(4.0, number=2.0, gate=4.0, gate__number=2.0, gate__twice=4.0)
    assert VerlReward(SUM)("math", "2", "4") == expected


@pytest.mark.parametrize("condition", [as_number, judge])
def test_all_data_sources_return_the_keys_of_all_composites_in_one_order(condition):
    gate = AsyncGate if condition is judge else Gate
    rewards = {
        "plain": exact_match_reward_fn,
        "gate": gate(("number", condition), ("twice", twice), threshold=0.0),
        "style": WeightedSum({"style": (as_number, 1.0), "number": (as_number, 0.0)}),
    }
    compute_score = VerlReward(rewards, on_failure=-9.0)
    outcomes = {
        ("plain", "#### 4"): result(1.0, number=None, twice=None, style=None),
        ("gate", "2"): result(4.0, number=2.0, twice=4.0, style=None),
        ("gate", "?"): result(-9.0, number=None, twice=None, style=None),
        ("style", "2"): result(2.0, number=2.0, twice=None, style=2.0),
    }
    for (source, said), expected in outcomes.items():
        outcome = call(compute_score, source, said, "4")
        assert outcome == expected
        assert list(outcome) == list(expected)


def test_a_column_that_a_component_needs_is_missed_under_every_policy():
    compute_score = VerlReward(
        Gate(("match", exact_match_reward_fn), ("twice", twice), threshold=1.0),
        on_failure=0.0,
        answer_column="gold",
    )
    with pytest.raises(MissingColumnError, match="`answer`"):
        compute_score("math", "#### 4", "4")

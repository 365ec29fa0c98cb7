"""Composites: what they pay, what they call, how they fail, and what they tell of their parts."""

import asyncio
import inspect
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl import (
    Affine,
    AsyncGuardedReward,
    BlockingReward,
    CachedReward,
    GuardedReward,
    InvalidRewardError,
    check_conformance,
)
from reference_impl.compose import (
    AsyncGate,
    AsyncProduct,
    AsyncTransformedReward,
    AsyncWeightedSum,
    Clip,
    ComponentError,
    Composed,
    Gate,
    Product,
    TransformedReward,
    WeightedSum,
)
from reference_impl.contract.parameters import sample_problem
from tests.compose.rewards import broken, correct, down, half, huge, kind, length, nothing

RIGHT = ("2 + 2?", "4", [7], [8])
WRONG = ("2 + 2?", "5", [7], [8])


def constant(value):
    """Make a reward that always pays the same, and remembers its calls."""
    calls = []

    def reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        calls.append((prompt, completions, prompt_ids, completion_ids, columns))
        return value

    reward_fn.calls = calls
    return reward_fn


# What they pay


def test_a_sum_adds_weighted_values():
    reward = WeightedSum({"correct": (correct, 1.0), "half": (half, 0.2), "cost": (length, -0.01)})
    assert reward(*RIGHT, answer="4") == pytest.approx(1 + 0.1 - 0.01)
    assert reward(*WRONG, answer="4") == pytest.approx(0.1 - 0.01)


numbers = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=6))
def test_a_sum_does_not_depend_on_the_order_of_its_components(pairs):
    parts = {f"part{index}": (constant(value), w) for index, (value, w) in enumerate(pairs)}
    backwards = dict(reversed(parts.items()))
    assert WeightedSum(parts)(*RIGHT) == WeightedSum(backwards)(*RIGHT)
    assert WeightedSum(parts)(*RIGHT) == pytest.approx(sum(v * w for v, w in pairs), abs=1e-3)


@given(st.lists(numbers, min_size=1, max_size=4))
def test_a_product_multiplies(values):
    expected = 1.0
    for value in values:
        expected *= value
    parts = {f"part{index}": constant(value) for index, value in enumerate(values)}
    assert Product(parts)(*RIGHT) == pytest.approx(expected)


@given(numbers, numbers, numbers, numbers)
def test_a_gate_pays_behind_its_threshold_alone(condition, paid, threshold, below):
    dear = constant(paid)
    gate = Gate(("rule", constant(condition)), ("dear", dear), threshold=threshold, below=below)
    composed = gate.score(*RIGHT)
    if condition >= threshold:
        assert composed == Composed(paid, {"rule": condition, "dear": paid})
    else:
        assert composed == Composed(below, {"rule": condition, "dear": None})
        assert dear.calls == []


def test_a_transformed_reward_applies_its_steps_in_order():
    reward = TransformedReward(length, [Affine(2.0, 1.0), Clip(0.0, 8.0)])
    assert reward.score("", "abc", [], []) == Composed(7.0, {"raw": 3.0})
    assert reward("", "abcdefgh", [], []) == 8.0
    backwards = TransformedReward(length, [Clip(0.0, 8.0), Affine(2.0, 1.0)])
    assert backwards("", "abcdefgh", [], []) == 17.0


@given(numbers, numbers, numbers)
def test_clip_keeps_within_its_bounds_and_the_order(score, other, bound):
    clip = Clip(bound, bound + 1)
    assert bound <= clip(score) <= bound + 1
    assert (clip(score) <= clip(other)) or score > other


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_a_clip_that_leaves_nothing_is_refused(low, high):
    with pytest.raises(ValueError, match="must be below"):
        Clip(low, high)


def test_the_gate_of_the_page_on_rubrics():
    """Half for a right answer, the rest for its manner, nothing for a wrong one."""
    manner = TransformedReward(half, [Affine(0.5, 0.5)])
    gate = Gate(("correct", correct), ("manner", manner), threshold=1.0)
    assert gate(*RIGHT, answer="4") == 0.75
    assert gate(*WRONG, answer="4") == 0.0


# What the components get


def test_every_component_gets_the_sample_and_the_columns():
    first, second = constant(1.0), constant(1.0)
    WeightedSum({"first": (first, 1), "second": (second, 1)})(*RIGHT, answer="4", row=3)
    assert first.calls == second.calls == [(*RIGHT, {"answer": "4", "row": 3})]


def test_the_signature_names_the_columns_that_components_need():
    def other(prompt, completions, prompt_ids, completion_ids, unit="m", answer=None, **columns):
        return 0.0

    reward = Product({"other": other, "sum": WeightedSum({"correct": (correct, 1.0)})})
    parameters = inspect.signature(reward).parameters
    assert list(parameters)[4:] == ["unit", "answer", "columns"]
    assert parameters["answer"].default is inspect.Parameter.empty
    assert parameters["unit"].default is not inspect.Parameter.empty
    guarded = GuardedReward(reward, on_failure="skip")
    assert "needs the column `answer`" in sample_problem(guarded, ["anser"])
    assert sample_problem(guarded, ["answer", "row"]) == ""


@pytest.mark.slow
def test_a_composite_conforms_to_the_contract():
    columns = {"answer": "4", "row": 3}
    fields = {"prompt": "2 + 2?", "completions": "4", "prompt_ids": [7], "completion_ids": [8]}
    report = check_conformance("tests.compose.rewards.composite", fields | columns, low=0, high=2)
    assert report.passed, str(report)


# The parts


def nested():
    inner = Gate(("correct", correct), ("half", half), threshold=1.0)
    return WeightedSum({"task": (inner, 1.0), "length": (length, 0.0)})


def test_parts_of_parts_have_dotted_names_in_a_fixed_order():
    reward = nested()
    assert reward.names == ("task", "task.correct", "task.half", "length")
    right = {"task": 0.5, "task.correct": 1.0, "task.half": 0.5, "length": 1.0}
    assert reward.score(*RIGHT, answer="4") == Composed(0.5, right)
    wrong = {"task": 0.0, "task.correct": 0.0, "task.half": None, "length": 1.0}
    assert reward.score(*WRONG, answer="4") == Composed(0.0, wrong)
    assert tuple(reward.score(*WRONG, answer="4").components) == reward.names


def test_a_shut_gate_has_no_value_for_the_parts_of_what_is_behind_it():
    behind = WeightedSum({"half": (half, 1.0)})
    gate = Gate(("correct", correct), ("manner", behind), threshold=1.0)
    shut = {"correct": 0.0, "manner": None, "manner.half": None}
    assert gate.score(*WRONG, answer="4").components == shut


def test_the_means_count_what_was_scored():
    reward = nested()
    for sample in (RIGHT, WRONG, WRONG, WRONG):
        reward(*sample, answer="4")
    taken = reward.means.take()
    assert taken["task"] == (0.125, 4)
    assert taken["task.half"] == (0.5, 1)
    assert reward.means.take() == {}


def test_a_failed_sample_is_in_no_mean():
    reward = WeightedSum({"half": (half, 1.0), "correct": (correct, 1.0)})
    with pytest.raises(ComponentError):
        reward(*RIGHT, answer="")
    assert reward.means.take() == {}


# Failure


def failure(reward, **columns):
    with pytest.raises(ComponentError) as caught:
        reward(*RIGHT, **columns)
    return caught.value


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        (correct, "invalid_gold"),
        (broken, "exception:ZeroDivisionError"),
        (nothing, "invalid_reward"),
        (constant(float("nan")), "invalid_reward"),
    ],
)
@pytest.mark.parametrize("weight", [1.0, 0.0])
def test_a_failed_component_is_named_and_counted_as_if_it_were_alone(component, reason, weight):
    reward = WeightedSum({"half": (half, 1.0), "part": (component, weight)})
    error = failure(reward, answer="")
    assert (error.component, error.reason) == ("part", reason)
    assert "`part` failed" in str(error)
    alone = GuardedReward(component, on_failure=-1.0)
    whole = GuardedReward(reward, on_failure=-1.0)
    assert alone(*RIGHT, answer="") == whole(*RIGHT, answer="") == -1.0
    assert whole.counts.failures == alone.counts.failures == {reason: 1}


def test_a_failed_part_of_a_part_is_named_with_dots():
    reward = Product({"whole": WeightedSum({"task": (Product({"sum": broken}), 1.0)})})
    error = failure(reward)
    assert error.component == "whole.task.sum"
    assert error.reason == "exception:ZeroDivisionError"
    assert str(error) == (
        "the component `whole.task.sum` failed: ZeroDivisionError: nobody caught it"
    )


def test_a_failed_condition_leaves_the_reward_unasked():
    dear = constant(1.0)
    failure(Gate(("correct", broken), ("dear", dear), threshold=1.0))
    assert dear.calls == []


def test_the_error_of_the_component_is_the_cause():
    assert isinstance(failure(Product({"part": broken})).__cause__, ZeroDivisionError)


def test_the_error_survives_a_process():
    error = ComponentError("style.kind", "unparsable", "no verdict")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.reason, copy.component) == (str(error), "unparsable", "style.kind")


def test_a_sum_beyond_the_floats_is_a_failure_and_not_infinite():
    for parts in ({"a": (huge, 10.0)}, {"a": (huge, 1.0), "b": (huge, 1.0)}):
        with pytest.raises(InvalidRewardError):
            WeightedSum(parts)(*RIGHT)
    with pytest.raises(InvalidRewardError):
        WeightedSum({"a": (huge, 10.0), "b": (huge, -10.0)})(*RIGHT)
    with pytest.raises(InvalidRewardError):
        Product({"a": huge, "b": huge})(*RIGHT)


def test_an_interrupt_is_no_failure():
    def interrupted(prompt, completions, prompt_ids, completion_ids, **columns):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Product({"part": interrupted})(*RIGHT)


# Construction


@pytest.mark.parametrize("name", ["", " ", "a.b", 3, None])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match="is named"):
        WeightedSum({name: (half, 1.0)})
    with pytest.raises(ValueError, match="is named"):
        Gate(("correct", correct), (name, half), threshold=1.0)


def test_a_composite_needs_a_component():
    for make in (WeightedSum, Product):
        with pytest.raises(ValueError, match="no component"):
            make({})


def test_two_components_of_a_gate_have_two_names():
    with pytest.raises(ValueError, match="Two components are named 'rule'"):
        Gate(("rule", correct), ("rule", half), threshold=1.0)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 10**400])
def test_a_number_that_is_not_finite_is_refused(number):
    with pytest.raises(ValueError, match="weight of `half`"):
        WeightedSum({"half": (half, number)})
    with pytest.raises(ValueError, match="threshold"):
        Gate(("correct", correct), ("half", half), threshold=number)
    with pytest.raises(ValueError, match="below"):
        Gate(("correct", correct), ("half", half), threshold=1.0, below=number)


@pytest.mark.parametrize("number", [True, "1", None])
def test_a_number_that_is_none_is_refused(number):
    with pytest.raises(TypeError, match="weight of `half`"):
        WeightedSum({"half": (half, number)})


@pytest.mark.parametrize("pair", [half, (half,), (half, 1.0, 2.0), [half, 1.0]])
def test_what_is_no_pair_is_refused(pair):
    with pytest.raises(TypeError, match="give a pair"):
        WeightedSum({"half": pair})
    with pytest.raises(TypeError, match="give a pair"):
        Gate(pair, ("half", half), threshold=1.0)


def no_columns(prompt, completions, prompt_ids, completion_ids):
    return 0.0


def of_trl(prompts, completions, **columns):
    return [0.0]


@pytest.mark.parametrize(
    ("component", "message"),
    [
        (GuardedReward(half, on_failure="skip"), "Guard the composite"),
        (AsyncGuardedReward(kind, on_failure=0.0), "Guard the composite"),
        (kind, "Use AsyncProduct"),
        (no_columns, r"\*\*columns"),
        (of_trl, "`prompts`"),
        (Product, "is a class"),
        (0.5, "cannot be called"),
    ],
)
def test_what_cannot_be_a_part_is_refused_with_advice(component, message):
    with pytest.raises(TypeError, match=f"`part`.*{message}"):
        Product({"part": component})


def test_steps_are_checked():
    with pytest.raises(ValueError, match="no step"):
        TransformedReward(half, [])
    for step in (2.0, Clip):
        with pytest.raises(TypeError, match="cannot be called"):
            TransformedReward(half, [step])


# Processes


@pytest.mark.parametrize(
    "reward",
    [
        WeightedSum({"correct": (correct, 1.0), "half": (half, 0.5)}),
        Product({"correct": correct, "half": half}),
        Gate(("correct", correct), ("half", half), threshold=1.0, below=-1.0),
        TransformedReward(length, [Affine(2.0, 1.0), Clip(0.0, 2.0)]),
        nested(),
    ],
    ids=lambda reward: type(reward).__name__,
)
def test_a_composite_pickles_and_its_copy_counts_from_zero(reward):
    expected = reward.score(*RIGHT, answer="4")
    copy = pickle.loads(pickle.dumps(reward))
    assert copy.means.take() == {}
    assert copy.score(*RIGHT, answer="4") == expected
    assert inspect.signature(copy) == inspect.signature(reward)


def test_a_cached_component_is_a_component():
    reward = WeightedSum({"correct": (CachedReward(correct), 1.0)})
    assert [reward(*RIGHT, answer="4") for _ in range(2)] == [1.0, 1.0]


# Asynchronous components


def test_every_composite_has_an_asynchronous_form():
    sample = ("2 + 2?", "thank you", [], [])
    manner = AsyncTransformedReward(kind, [Affine(0.5, 0.5)])
    for reward, value in (
        (AsyncWeightedSum({"half": (half, 1.0), "kind": (kind, 2.0)}), 2.5),
        (AsyncProduct({"half": half, "kind": kind}), 0.5),
        (AsyncGate(("half", half), ("manner", manner), threshold=0.5), 1.0),
        (AsyncGate(("kind", kind), ("half", half), threshold=1.0), 0.5),
        (manner, 1.0),
    ):
        assert asyncio.run(reward(*sample)) == value
        assert asyncio.run(reward.score(*sample)).value == value
        assert asyncio.run(pickle.loads(pickle.dumps(reward))(*sample)) == value
        assert BlockingReward(reward)(*sample) == value
        assert asyncio.run(AsyncGuardedReward(reward, on_failure="raise")(*sample)) == value


def test_a_shut_gate_asks_no_judge():
    asked = []

    async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
        asked.append(completions)
        return 1.0

    gate = AsyncGate(("correct", correct), ("judge", judge), threshold=1.0)
    assert asyncio.run(gate(*WRONG, answer="4")) == 0.0
    assert asked == []
    assert asyncio.run(gate(*RIGHT, answer="4")) == 1.0
    assert asked == ["4"]


def test_judges_are_asked_at_the_same_time():
    async def run():
        both = asyncio.Barrier(2)

        async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
            await asyncio.wait_for(both.wait(), 60)  # alone, it would wait for the other
            return 1.0

        return await AsyncWeightedSum({"one": (judge, 1.0), "two": (judge, 1.0)})(*RIGHT)

    assert asyncio.run(run()) == 2.0


def test_a_failed_judge_is_named():
    inner = AsyncGate(("correct", correct), ("judge", down), threshold=1.0)
    reward = AsyncWeightedSum({"half": (half, 1.0), "task": (inner, 1.0), "late": (down, 1.0)})
    guarded = AsyncGuardedReward(reward, on_failure="skip")
    assert asyncio.run(guarded(*RIGHT, answer="4")) is None
    assert guarded.counts.failures == {"exception:TimeoutError": 1}
    with pytest.raises(ComponentError, match=r"`task\.judge` failed: TimeoutError"):
        asyncio.run(reward(*RIGHT, answer="4"))


def test_no_judge_is_asked_once_a_rule_has_failed():
    asked = []

    async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
        asked.append(completions)
        return 1.0

    reward = AsyncWeightedSum({"judge": (judge, 1.0), "rule": (broken, 1.0)})
    with pytest.raises(ComponentError, match="`rule` failed"):
        asyncio.run(reward(*RIGHT))
    assert asked == []


def test_a_cancelled_call_cancels_its_judges():
    ended = []

    async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
        try:
            await asyncio.sleep(600)
        finally:
            ended.append("judge")

    async def run():
        call = asyncio.ensure_future(AsyncProduct({"judge": judge})(*RIGHT))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    asyncio.run(run())
    assert ended == ["judge"]


def test_a_function_that_forgot_its_await_is_named():
    def forgot(prompt, completions, prompt_ids, completion_ids, **columns):
        return kind(prompt, completions, prompt_ids, completion_ids)

    assert "a coroutine" in str(failure(Product({"part": forgot})))

"""One number of many: what each aggregate does, and what it can be made to do."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.steps import aggregate_steps, min_form_rewards

scores = st.lists(st.floats(0, 1), min_size=1, max_size=10)
EVERY = ("min", "product", "last", "mean", "sum")


@given(scores, st.floats(0, 1))
def test_a_further_step_never_raises_the_minimum_or_the_product(scores, further):
    for how in ("min", "product"):
        assert aggregate_steps([*scores, further], how) <= aggregate_steps(scores, how)


@given(scores)
def test_each_aggregate(scores):
    assert aggregate_steps(scores, "min") == min(scores)
    assert aggregate_steps(scores, "product") == pytest.approx(math.prod(scores))
    assert aggregate_steps(scores, "last") == scores[-1]
    assert aggregate_steps(scores, "sum") == pytest.approx(sum(scores))
    assert aggregate_steps(scores, "mean") * len(scores) == pytest.approx(sum(scores))


@pytest.mark.parametrize("how", EVERY)
def test_a_completion_without_steps_is_worth_nothing(how):
    assert aggregate_steps([], how) == 0.0


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=10))
def test_the_min_form_adds_up_to_the_minimum_as_it_cools(scores):
    assert sum(min_form_rewards(scores, 1e-4)) == pytest.approx(min(scores), abs=1e-2)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=10), st.floats(0.01, 10))
def test_the_min_form_stays_between_the_minimum_and_the_mean(scores, temperature):
    """Whatever the number of steps: that is what a sum does not do."""
    total = sum(min_form_rewards(scores, temperature))
    assert min(scores) - 1e-6 <= total <= sum(scores) / len(scores) + 1e-6


def test_the_min_form_is_the_softmax_of_the_paper():
    scores = [0.9, -0.2, 0.4]
    total = sum(math.exp(-score / 0.1) for score in scores)
    expected = [score * math.exp(-score / 0.1) / total for score in scores]
    assert min_form_rewards(scores) == pytest.approx(expected)
    assert min_form_rewards([]) == []


def test_what_is_no_score_and_no_setting_is_refused():
    for how in EVERY:
        with pytest.raises(ValueError, match="step 1 is nan"):
            aggregate_steps([1.0, math.nan], how)
    with pytest.raises(TypeError, match="step 0 is None"):
        aggregate_steps([None])
    for scores in ([-1.0, -1.0], [2.0]):
        with pytest.raises(ValueError, match="from 0 to 1"):
            aggregate_steps(scores, "product")
    with pytest.raises(ValueError, match="`how` is 'max'"):
        aggregate_steps([], "max")
    for temperature in (0.0, -1.0, math.inf):
        with pytest.raises(ValueError, match="temperature"):
            min_form_rewards([1.0], temperature)

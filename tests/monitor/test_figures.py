"""The figures of a step: they are what their formulas say, and bad input is named."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.monitor import step_figures

numbers = st.floats(-100, 100)
GROUP = 4


@st.composite
def steps(draw, values=numbers):
    """Rewards that are sums of two components, and lengths, in groups of four."""
    size = GROUP * draw(st.integers(1, 4))
    parts = {name: draw(st.lists(values, min_size=size, max_size=size)) for name in ("a", "b")}
    lengths = draw(st.lists(st.integers(1, 500), min_size=size, max_size=size))
    rewards = [sum(pair) for pair in zip(*parts.values(), strict=True)]
    return rewards, lengths, parts


def groups_of(values):
    return [values[start : start + GROUP] for start in range(0, len(values), GROUP)]


@given(step=steps())
def test_means_and_spreads_are_those_of_the_statistics_module(step):
    rewards, lengths, _ = step
    figures = step_figures(rewards, lengths, GROUP)
    assert figures.reward == pytest.approx(statistics.fmean(rewards), abs=1e-9)
    assert figures.length == pytest.approx(statistics.fmean(lengths))
    stds = [statistics.stdev(group) for group in groups_of(rewards)]
    assert figures.group_std == pytest.approx(statistics.fmean(stds), abs=1e-6)
    assert figures.failed == 0
    assert figures.shares == {}


@given(step=steps(st.integers(-3, 3).map(float)))
def test_shares_of_components_add_up_to_one(step):
    rewards, lengths, parts = step
    figures = step_figures(rewards, lengths, GROUP, parts)
    if figures.silent_groups == 1:
        assert figures.shares == {}
    else:
        assert sum(figures.shares.values()) == pytest.approx(1)


@given(step=steps(), shift=st.lists(st.integers(-50, 50), min_size=4, max_size=4))
def test_what_differs_between_prompts_alone_changes_no_share_and_no_correlation(step, shift):
    rewards, lengths, parts = step
    moved = [reward + shift[place // GROUP] for place, reward in enumerate(rewards)]
    moved_part = [value + shift[place // GROUP] for place, value in enumerate(parts["a"])]
    before = step_figures(rewards, lengths, GROUP, parts)
    after = step_figures(moved, lengths, GROUP, {**parts, "a": moved_part})
    if before.group_std > 0.01 and before.length_correlation is not None:
        assert after.length_correlation == pytest.approx(before.length_correlation, abs=1e-6)
        assert after.shares == pytest.approx(before.shares, abs=1e-6)


def test_shares_of_a_case_done_by_hand():
    # In the first group `length` alone differs, by 1; in the second `correct` alone, by 2.
    components = {"correct": [1.0, 1.0, 2.0, 0.0], "length": [0.5, -0.5, 0.0, 0.0]}
    figures = step_figures([1.5, 0.5, 2.0, 0.0], [4, 2, 3, 3], 2, components)
    assert figures.shares == pytest.approx({"correct": 0.8, "length": 0.2})


def test_correlation_is_taken_within_groups():
    # Over all samples longer is better paid; within each prompt it is paid less.
    rewards, lengths = [0.0, 0.1, 0.9, 1.0], [2, 1, 10, 9]
    assert step_figures(rewards, lengths, 2).length_correlation == pytest.approx(-1)
    assert step_figures(rewards, lengths, 4).length_correlation > 0.9


def test_silent_groups_are_counted():
    figures = step_figures([0.7] * 4 + [0.0, 1.0, 1.0, 1.0], [5] * 8, 4)
    assert figures.silent_groups == 0.5
    assert figures.length_correlation is None


def test_equal_rewards_with_rounding_in_their_mean_are_silent():
    figures = step_figures([0.1] * 3, [1, 2, 3], 3, {"all": [0.1] * 3})
    assert (figures.group_std, figures.silent_groups, figures.shares) == (0.0, 1.0, {})


def test_samples_without_a_reward_are_a_share_and_nothing_else():
    figures = step_figures([1.0, None, 0.0, None, None, None], [1, 9, 3, 9, 9, 9], 2)
    assert figures.failed == pytest.approx(4 / 6)
    assert figures.reward == 0.5
    assert figures.silent_groups == 1.0
    assert figures.group_std is None
    assert step_figures([None], [1], 1).reward is None


def test_a_component_that_was_not_scored_adds_nothing():
    components = {"correct": [1.0, 0.0], "style": [0.5, None]}
    figures = step_figures([1.5, 0.0], [1, 1], 2, components)
    assert figures.shares == pytest.approx({"correct": 2 / 3, "style": 1 / 3})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], 1), "no sample"),
        (([1.0] * 3, [1] * 3, 2), "3 rewards are no groups of 2"),
        (([1.0] * 2, [1] * 2, 0), "no groups of 0"),
        (([1.0] * 2, [1], 2), "`lengths` has 1 values for 2 rewards"),
        (([1.0] * 2, [1] * 2, 2, {"style": [1.0]}), "style has 1 values"),
        (([1.0, float("nan")], [1] * 2, 2), "`rewards` holds nan. Pass None"),
        (([1.0] * 2, [1] * 2, 2, {"style": [1.0, float("inf")]}), "style holds inf"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        step_figures(*arguments)

"""Advantages: what must hold for all rewards, and what some rewards must come to."""

import math
import statistics

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reference_impl.compose import (
    dr_grpo_advantages,
    gdpo_advantages,
    grpo_advantages,
    rloo_advantages,
)

rewards_of_a_group = st.lists(
    st.one_of(st.none(), st.floats(-10, 10, width=32)), min_size=1, max_size=8
)
ONE_BATCH = (grpo_advantages, dr_grpo_advantages, rloo_advantages)


@st.composite
def batches(draw, components=1):
    """Rewards of even groups, for each component, and the size of a group."""
    size = draw(st.integers(1, 5))
    length = size * draw(st.integers(0, 4))
    value = st.one_of(st.none(), st.floats(-10, 10, width=32))
    rewards = st.lists(value, min_size=length, max_size=length)
    return *(draw(rewards) for _ in range(components)), size


# What must hold for all rewards


@given(batches())
def test_every_sample_has_a_finite_advantage_and_every_group_the_mean_zero(batch):
    rewards, size = batch
    for advantages_of in ONE_BATCH:
        advantages = advantages_of(rewards, size)
        assert len(advantages) == len(rewards)
        assert all(map(math.isfinite, advantages))
        for start in range(0, len(rewards), size):
            assert sum(advantages[start : start + size]) == pytest.approx(0, abs=1e-6)


@given(batches())
def test_a_group_does_not_see_the_others(batch):
    rewards, size = batch
    for advantages_of in ONE_BATCH:
        apart = [
            advantage
            for start in range(0, len(rewards), size)
            for advantage in advantages_of(rewards[start : start + size], size)
        ]
        assert advantages_of(rewards, size) == apart


@given(rewards_of_a_group)
def test_none_is_as_if_the_sample_were_not_there(group):
    there = [reward for reward in group if reward is not None]
    assume(there)
    for advantages_of in ONE_BATCH:
        advantages = advantages_of(group, len(group))
        kept = [a for a, reward in zip(advantages, group, strict=True) if reward is not None]
        skipped = [a for a, reward in zip(advantages, group, strict=True) if reward is None]
        assert kept == advantages_of(there, len(there))
        assert skipped == [0.0] * len(skipped)


@given(rewards_of_a_group, st.integers(-1000, 1000))
def test_a_constant_on_all_rewards_changes_nothing(group, constant):
    shifted = [None if reward is None else reward + constant for reward in group]
    for advantages_of in (dr_grpo_advantages, rloo_advantages):
        before, after = advantages_of(group, len(group)), advantages_of(shifted, len(group))
        assert after == pytest.approx(before, abs=1e-9)
    before = grpo_advantages(group, len(group))
    assert grpo_advantages(shifted, len(group)) == pytest.approx(before, abs=1e-6)


@given(rewards_of_a_group, st.floats(0.01, 100))
def test_a_factor_scales_the_advantage_only_if_no_std_is_taken_out(group, factor):
    scaled = [None if reward is None else reward * factor for reward in group]
    expected = [advantage * factor for advantage in dr_grpo_advantages(group, len(group))]
    assert dr_grpo_advantages(scaled, len(group)) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    there = [reward for reward in group if reward is not None]
    assume(len(there) > 1 and statistics.stdev(there) > 0.01)
    same = grpo_advantages(group, len(group), eps=1e-12)
    assert grpo_advantages(scaled, len(group), eps=1e-12) == pytest.approx(same, rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=8), st.sampled_from([0, 1]))
def test_the_scale_is_the_standard_deviation(group, ddof):
    assume(len(set(group)) > 1)
    std = (statistics.stdev if ddof else statistics.pstdev)(group)
    mean = statistics.fmean(group)
    expected = [(reward - mean) / (std + 1e-4) for reward in group]
    found = grpo_advantages(group, len(group), ddof=ddof)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(st.lists(st.floats(-10, 10, width=32), min_size=2, max_size=8))
def test_leave_one_out_compares_with_the_others(group):
    expected = [
        reward - statistics.fmean(group[:index] + group[index + 1 :])
        for index, reward in enumerate(group)
    ]
    assert rloo_advantages(group, len(group)) == pytest.approx(expected, abs=1e-9)


@given(st.floats(-1e30, 1e30), st.integers(1, 9))
def test_a_group_that_agrees_teaches_nothing(reward, size):
    """Not even by a rounding of its mean: three times 0.1 is not 0.3."""
    for advantages_of in ONE_BATCH:
        assert advantages_of([reward] * size, size) == [0.0] * size
    assert grpo_advantages([reward] * size, size, eps=1e-300) == [0.0] * size


def test_one_reward_in_a_group_is_compared_with_nothing():
    for advantages_of in ONE_BATCH:
        assert advantages_of([3.0], 1) == [0.0]
        assert advantages_of([None, 3.0, None], 3) == [0.0] * 3
        assert advantages_of([None, None], 2) == [0.0] * 2
        assert advantages_of([], 4) == []


def test_large_and_small_rewards_keep_their_scale():
    for scale in (1e-30, 1.0, 1e30):
        advantages = grpo_advantages([scale, 0.0], 2, eps=1e-300)
        assert advantages == pytest.approx([math.sqrt(0.5), -math.sqrt(0.5)])


# Components


@given(batches(), st.floats(0.1, 10))
def test_gdpo_of_one_component_is_grpo_twice(batch, weight):
    rewards, size = batch
    found = gdpo_advantages({"only": rewards}, {"only": weight}, size)
    once = [
        None if reward is None else weight * advantage
        for reward, advantage in zip(rewards, grpo_advantages(rewards, size), strict=True)
    ]
    assert found == (grpo_advantages(once, len(once)) if once else [])


@given(batches(components=2))
def test_gdpo_is_centered_over_the_batch(batch):
    one, two, size = batch
    advantages = gdpo_advantages({"one": one, "two": two}, {"one": 1.0, "two": 0.5}, size)
    assert sum(advantages) == pytest.approx(0, abs=1e-6)
    for advantage, *row in zip(advantages, one, two, strict=True):
        assert math.isfinite(advantage)
        assert advantage == 0 or row != [None, None]


def test_a_sum_hides_which_component_was_rare_and_gdpo_does_not():
    correct = [1.0, 0.0, 0.0, 0.0]
    format_ = [0.0, 1.0, 1.0, 0.0]
    summed = grpo_advantages([a + b for a, b in zip(correct, format_, strict=True)], 4)
    assert summed[0] == summed[1] == summed[2]
    apart = gdpo_advantages(
        {"correct": correct, "format": format_}, {"correct": 1.0, "format": 1.0}, 4
    )
    assert apart[0] > apart[1] + 0.1 > apart[3]
    assert apart[1] == apart[2]


def test_a_missing_component_counts_as_average():
    components = {"a": [1.0, 0.0, None, None], "b": [1.0, 0.0, 1.0, None]}
    advantages = gdpo_advantages(components, {"a": 1.0, "b": 1.0}, 4)
    zeros = {"a": [1.0, 0.0, 0.0, None], "b": components["b"]}
    assert advantages[2] > gdpo_advantages(zeros, {"a": 1.0, "b": 1.0}, 4)[2]
    assert advantages[3] == 0.0


# Bad input


@pytest.mark.parametrize("advantages_of", ONE_BATCH)
def test_uneven_groups_are_refused(advantages_of):
    with pytest.raises(ValueError, match="5 rewards do not make groups of 4"):
        advantages_of([1.0] * 5, 4)


@pytest.mark.parametrize("advantages_of", ONE_BATCH)
@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf, 1e39, 10**400])
def test_a_reward_that_would_spoil_the_batch_is_named(advantages_of, reward):
    with pytest.raises(ValueError, match="Reward 2 is"):
        advantages_of([1.0, None, reward, 0.0], 4)


@pytest.mark.parametrize("reward", ["1", [1.0], True])
def test_what_is_no_number_is_refused(reward):
    with pytest.raises(TypeError, match="Reward 1 is"):
        grpo_advantages([1.0, reward], 2)


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-4, ValueError), (2.0, TypeError), (True, TypeError)]
)
def test_a_group_has_a_whole_number_of_samples(size, error):
    with pytest.raises(error, match="group_size"):
        grpo_advantages([1.0, 0.0], size)


def test_settings_are_checked():
    for eps in (0.0, -1e-4, math.nan):
        with pytest.raises(ValueError, match="eps"):
            grpo_advantages([1.0, 0.0], 2, eps=eps)
    with pytest.raises(ValueError, match="ddof"):
        grpo_advantages([1.0, 0.0], 2, ddof=2)


def test_components_and_weights_must_match():
    with pytest.raises(ValueError, match="no component"):
        gdpo_advantages({}, {}, 2)
    with pytest.raises(ValueError, match="one weight for each"):
        gdpo_advantages({"a": [1.0, 0.0]}, {"b": 1.0}, 2)
    with pytest.raises(ValueError, match=r"different lengths: \{'a': 2, 'b': 4\}"):
        gdpo_advantages({"a": [1.0] * 2, "b": [1.0] * 4}, {"a": 1.0, "b": 1.0}, 2)
    with pytest.raises(ValueError, match=r"`b`: Reward 1 is nan"):
        gdpo_advantages({"a": [1.0, 0.0], "b": [1.0, math.nan]}, {"a": 1.0, "b": 1.0}, 2)
    with pytest.raises(ValueError, match="weight of `a`"):
        gdpo_advantages({"a": [1.0, 0.0]}, {"a": math.inf}, 2)

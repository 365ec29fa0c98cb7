"""Turns: discounts count turns, and only what the policy wrote is paid."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.steps import process_advantages, turn_returns, turn_values_to_tokens

rewards = st.lists(st.floats(-10, 10), max_size=8)


@given(rewards, st.floats(0, 1))
def test_a_return_is_the_discounted_sum_of_what_follows(rewards, discount):
    for index, value in enumerate(turn_returns(rewards, discount)):
        later = enumerate(rewards[index:])
        assert value == pytest.approx(sum(discount**k * r for k, r in later), abs=1e-9)


def test_the_ends_of_the_discount():
    assert turn_returns([1.0, 2.0, 4.0], 0.0) == [1.0, 2.0, 4.0]
    assert turn_returns([1.0, 2.0, 4.0]) == [7.0, 6.0, 4.0]
    assert turn_returns([]) == []
    for discount in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="discount"):
            turn_returns([1.0], discount)
    with pytest.raises(ValueError, match="turn 1 is nan"):
        turn_returns([1.0, math.nan])


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4), st.floats(-9, 9)), max_size=6))
def test_only_the_tokens_of_the_policy_are_paid(turns):
    mask = [bit for other, own, _ in turns for bit in [0] * other + [1] * own] + [0]
    values = [value for _, _, value in turns]
    for place in ("last", "every"):
        paid = turn_values_to_tokens(values, mask, place)
        assert len(paid) == len(mask)
        assert not any(value for value, bit in zip(paid, mask, strict=True) if not bit)
    assert sum(turn_values_to_tokens(values, mask)) == pytest.approx(sum(values))
    weighted = sum(value * own for _, own, value in turns)
    assert sum(turn_values_to_tokens(values, mask, "every")) == pytest.approx(weighted)


def test_a_mask_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="2 values, and the loss mask has 1 turns"):
        turn_values_to_tokens([1.0, 1.0], [1, 1, 1])
    with pytest.raises(ValueError, match="0 and 1 alone"):
        turn_values_to_tokens([1.0], [2, 0])
    with pytest.raises(ValueError, match="`place` is 'first'"):
        turn_values_to_tokens([1.0], [1], "first")
    with pytest.raises(ValueError, match="turn 0 is inf"):
        turn_values_to_tokens([math.inf], [1])
    assert turn_values_to_tokens([], [0, 0]) == [0.0, 0.0]


# Advantages


@given(st.lists(st.lists(st.floats(-9, 9, width=32), max_size=4), max_size=5))
def test_advantages_have_the_shape_of_the_rewards_and_start_from_a_mean_of_zero(group):
    advantages = process_advantages(group)
    assert [len(one) for one in advantages] == [len(one) for one in group]
    own = [
        value - (one[index + 1] if index + 1 < len(one) else 0.0)
        for one in advantages
        for index, value in enumerate(one)
    ]
    assert sum(own) == pytest.approx(0.0, abs=1e-6)


def test_a_group_in_which_all_steps_are_equal_teaches_nothing():
    assert process_advantages([[1.0, 1.0], [1.0]]) == [[0.0, 0.0], [0.0]]
    assert process_advantages([[], []]) == [[], []]
    assert process_advantages([]) == []

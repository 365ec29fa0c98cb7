"""The measures of a critic equal other implementations, and refuse what they cannot measure."""

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from reference_impl.critic.evaluate import (
    best_of_n,
    calibration,
    length_bias,
    pair_accuracy,
    wilson_interval,
)

# Small whole numbers, so that ties are common.
few = st.integers(-3, 3).map(float)
finite = st.floats(-50, 50)
NAN, INFINITE = math.nan, math.inf


def columns(*elements, min_size=1, max_size=12):
    return st.lists(st.tuples(*elements), min_size=min_size, max_size=max_size).map(
        lambda rows: [list(column) for column in zip(*rows, strict=True)]
    )


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_that_of_scipy(share):
    expected = stats.binomtest(*share).proportion_ci(0.95, method="wilson")
    assert wilson_interval(*share) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("share", [(0, 0), (-1, 5), (6, 5)])
def test_no_interval_for_what_is_no_share(share):
    with pytest.raises(ValueError, match="no share"):
        wilson_interval(*share)


@given(columns(few, few))
def test_an_accuracy_and_that_of_the_pairs_turned_round_add_to_one(scores):
    chosen, rejected = scores
    turned = pair_accuracy(rejected, chosen)
    accuracy = pair_accuracy(chosen, rejected)
    assert accuracy.value == pytest.approx(1 - turned.value)
    assert accuracy.low == pytest.approx(1 - turned.high)
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert accuracy.count == len(chosen)


def test_a_constant_critic_is_right_in_half_of_the_pairs():
    assert pair_accuracy([0.3] * 7, [0.3] * 7).value == 0.5


def test_an_accuracy_is_shown_with_its_interval():
    assert str(pair_accuracy([2.0] * 90 + [0.0] * 10, [1.0] * 100)) == (
        "0.900 [0.826, 0.945] of 100"
    )


@given(st.lists(finite, min_size=1), st.integers(1, 20))
def test_the_bins_hold_every_pair_and_give_the_error(margins, bins):
    result = calibration(margins, bins)
    filled = [part for part in result.bins if part.count]
    assert len(result.bins) == bins
    assert sum(part.count for part in filled) == len(margins)
    gaps = (part.count * abs(part.predicted - part.observed) for part in filled)
    assert result.error == pytest.approx(sum(gaps) / len(margins))
    for place, part in enumerate(result.bins):
        if part.count:
            low, high = (0.5 + (place + end) / (2 * bins) for end in (0, 1))
            assert low - 1e-12 <= part.predicted <= high + 1e-12


def test_a_critic_that_is_right_as_often_as_it_says_has_no_error():
    margin = math.log(3)  # a probability of 3/4
    assert calibration([margin, margin, margin, -margin]).error == pytest.approx(0)


def test_a_sure_critic_that_is_always_wrong_has_an_error_of_almost_one():
    assert calibration([-40.0] * 5).error == pytest.approx(1)


def test_empty_bins_say_that_they_are_empty():
    assert calibration([0.0], bins=2).bins[1].observed is None


def test_bins_are_at_least_one():
    with pytest.raises(ValueError, match="bins is 0"):
        calibration([1.0], bins=0)


@given(columns(few, few, st.integers(1, 4), st.integers(1, 4)))
def test_the_correlation_is_that_of_scipy(pairs):
    chosen, rejected, chosen_lengths, rejected_lengths = pairs
    scores, lengths = [*chosen, *rejected], [*chosen_lengths, *rejected_lengths]
    found = length_bias(*pairs).correlation
    if len(set(scores)) == 1 or len(set(lengths)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(stats.spearmanr(scores, lengths).statistic)


def test_a_critic_that_pays_for_length_is_right_where_the_better_one_is_longer():
    lengths = ([9, 8, 2, 3], [4, 5, 6, 7])
    bias = length_bias([9.0, 8.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], *lengths)
    assert bias.correlation == 1.0
    assert (bias.chosen_longer.value, bias.chosen_longer.count) == (1.0, 2)
    assert (bias.chosen_shorter.value, bias.chosen_shorter.count) == (0.0, 2)


def test_pairs_of_equal_length_are_on_neither_side():
    bias = length_bias([1.0], [0.0], [5], [5])
    assert bias.chosen_longer is None
    assert bias.chosen_shorter is None


@given(
    columns(few, st.booleans(), max_size=7).flatmap(
        lambda table: st.tuples(st.just(table), st.integers(1, len(table[0])))
    )
)
def test_best_of_n_is_the_mean_over_all_draws(case):
    (scores, correct), n = case

    def kept(draw):
        best = max(scores[place] for place in draw)
        return statistics.fmean(correct[place] for place in draw if scores[place] == best)

    draws = itertools.combinations(range(len(scores)), n)
    assert best_of_n(scores, correct, n) == pytest.approx(
        statistics.fmean(kept(draw) for draw in draws), abs=1e-12
    )


@given(columns(few, st.booleans()))
def test_best_of_one_is_the_share_that_is_right(table):
    assert best_of_n(*table, 1) == pytest.approx(statistics.fmean(table[1]), abs=1e-12)


@pytest.mark.parametrize("n", [0, 4])
def test_best_of_more_than_there_are_is_refused(n):
    with pytest.raises(ValueError, match="Give 1 to 3"):
        best_of_n([1.0, 2.0, 3.0], [True, False, True], n)


@pytest.mark.parametrize("bad", [NAN, INFINITE, -INFINITE])
@pytest.mark.parametrize(
    "measure",
    [
        lambda scores: pair_accuracy(scores, [0.0, 0.0]),
        lambda scores: pair_accuracy([0.0, 0.0], scores),
        lambda scores: calibration(scores),
        lambda scores: length_bias(scores, [0.0, 0.0], [1, 2], [3, 4]),
        lambda scores: best_of_n(scores, [True, False], 1),
    ],
)
def test_a_score_that_is_not_finite_is_refused_by_place(measure, bad):
    with pytest.raises(ValueError, match=f"holds {bad} at 1"):
        measure([1.0, bad])


@pytest.mark.parametrize(
    "measure",
    [
        lambda: pair_accuracy([1.0], [1.0, 2.0]),
        lambda: pair_accuracy([], []),
        lambda: calibration([]),
        lambda: length_bias([1.0], [0.0], [1], []),
        lambda: best_of_n([1.0], [], 1),
    ],
)
def test_columns_of_another_length_and_empty_ones_are_refused(measure):
    with pytest.raises(ValueError, match="Give as many numbers"):
        measure()

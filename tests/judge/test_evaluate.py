"""The measures of a judge equal values made by hand and by others, and count failures apart."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from reference_impl.judge.evaluate import (
    Share,
    agreement,
    injection_resistance,
    position_bias,
    self_consistency,
    verbosity_bias,
)

names = st.sampled_from(["correct", "incorrect", "unsure"])
outcomes = st.sampled_from(["first", "second", "tie"])
SWAPPED = {"first": "second", "second": "first", "tie": "tie", None: None}


def columns(*elements, max_size=40):
    return st.lists(st.tuples(*elements), min_size=1, max_size=max_size).map(
        lambda rows: [list(column) for column in zip(*rows, strict=True)]
    )


def table(*rows):
    """Return labels and verdicts with these counts: a row a label, a column a verdict."""
    pairs = [
        (label, verdict)
        for label, counts in enumerate(rows)
        for verdict, count in enumerate(counts)
        for _ in range(count)
    ]
    return [label for label, _ in pairs], [verdict for _, verdict in pairs]


def delta_method_error(labels, verdicts, step=1e-6):
    """Return the standard error of kappa from numeric derivatives, not from the closed form."""
    classes = sorted({*labels, *verdicts})
    n = len(labels)
    cells = {(a, b): 0.0 for a in classes for b in classes}
    for pair in zip(labels, verdicts, strict=True):
        cells[pair] += 1 / n

    def kappa(shares):
        mass = sum(shares.values())
        observed = sum(shares[c, c] for c in classes) / mass
        chance = sum(
            sum(shares[c, other] for other in classes) * sum(shares[other, c] for other in classes)
            for c in classes
        ) / (mass * mass)
        return (observed - chance) / (1 - chance)

    gradient = {
        cell: (kappa({**cells, cell: share + step}) - kappa({**cells, cell: share - step}))
        / (2 * step)
        for cell, share in cells.items()
    }
    mean = sum(cells[cell] * gradient[cell] for cell in cells)
    return math.sqrt(sum(cells[cell] * (gradient[cell] - mean) ** 2 for cell in cells) / n)


def test_kappa_of_a_table_computed_by_hand():
    # 20 + 15 of 50 agree: 0.70. By chance (25*30 + 25*20) / 2500 = 0.50. So 0.20 / 0.50.
    result = agreement(*table([20, 5], [10, 15]))
    assert result.accuracy == Share(35, 50)
    assert result.kappa.value == pytest.approx(0.4)
    # The variance, term by term, with 1 - p_o = 0.3 and p_o p_e - 2 p_e + p_o = 0.05:
    # agreeing 0.4 * (0.5 - 1.1 * 0.3)^2 + 0.3 * (0.5 - 0.9 * 0.3)^2 = 0.01156 + 0.01587,
    # others 0.09 * (0.1 * 1.1^2 + 0.2 * 0.9^2): a cell is weighted with the verdict's share of its
    # label and the label's share of its verdict, 0.6 + 0.5 and 0.4 + 0.5.
    variance = (0.01156 + 0.01587 + 0.09 * (0.1 * 1.1**2 + 0.2 * 0.9**2) - 0.05**2) / 0.5**4 / 50
    spread = 1.959963984540054 * math.sqrt(variance)
    assert result.kappa.interval == pytest.approx((0.4 - spread, 0.4 + spread))
    assert not result.kappa.note


@given(columns(names, names))
def test_kappa_is_that_of_scikit_learn(rows):
    labels, verdicts = rows
    assume(len({*labels, *verdicts}) > 1)
    expected = cohen_kappa_score(labels, verdicts)
    assert agreement(labels, verdicts).kappa.value == pytest.approx(expected, abs=1e-12)


@given(columns(names, names))
def test_the_interval_is_that_of_the_delta_method(rows):
    kappa = agreement(*rows).kappa
    assume(not kappa.note)
    spread = 1.959963984540054 * delta_method_error(*rows)
    expected = max(kappa.value - spread, -1.0), min(kappa.value + spread, 1.0)
    assert kappa.interval == pytest.approx(expected, abs=1e-5)


@given(columns(names, names))
def test_kappa_is_bounded_and_does_not_mind_who_is_the_judge(rows):
    labels, verdicts = rows
    kappa, turned = agreement(labels, verdicts).kappa, agreement(verdicts, labels).kappa
    assert kappa.value == pytest.approx(turned.value, nan_ok=True)
    assert kappa.interval == pytest.approx(turned.interval, nan_ok=True)
    if math.isnan(kappa.value):
        assert kappa.note
    else:
        assert -1 <= kappa.value <= 1
    if math.isnan(kappa.interval[0]):
        assert kappa.note
    else:
        assert -1 <= kappa.interval[0] <= kappa.value <= kappa.interval[1] <= 1


@pytest.mark.parametrize(
    ("labels", "verdicts", "value", "note"),
    [
        ([True] * 4, [True] * 4, math.nan, "labels and verdicts are all of one class"),
        ([True, False], [True, True], 0.0, "all verdicts are of one class"),
        ([True, True], [True, False], 0.0, "all labels are of one class"),
        ([True] * 3, [False] * 3, 0.0, "all labels are of one class"),
        ([True, False], [True, False], 1.0, "the standard error is 0"),
        ([True, False], [False, True], -1.0, "the standard error is 0"),
        ([True], [None], math.nan, "no verdict"),
    ],
)
def test_what_kappa_cannot_say_it_says(labels, verdicts, value, note):
    kappa = agreement(labels, verdicts).kappa
    assert kappa.value == pytest.approx(value, nan_ok=True)
    assert all(map(math.isnan, kappa.interval))
    assert kappa.note == note
    assert str(kappa).endswith(f"({note})")


@given(columns(names, st.none() | names))
def test_a_failure_is_no_wrong_verdict(rows):
    labels, verdicts = rows
    result = agreement(labels, verdicts)
    kept = [pair for pair in zip(labels, verdicts, strict=True) if pair[1] is not None]
    assert result.failures == verdicts.count(None)
    assert result.accuracy == Share(sum(a == b for a, b in kept), len(kept))
    if kept:
        alone = agreement(*map(list, zip(*kept, strict=True)))
        assert alone.kappa.value == pytest.approx(result.kappa.value, nan_ok=True)


def test_false_is_a_verdict():
    assert agreement([False, True], [False, None]).accuracy == Share(1, 1)


def test_a_sample_without_a_label_is_refused():
    with pytest.raises(ValueError, match="without a label"):
        agreement([None, True], [True, True])


def test_a_share_of_nothing_has_no_value():
    share = Share(0, 0)
    assert math.isnan(share.value)
    assert all(map(math.isnan, share.interval))


@pytest.mark.parametrize("counts", [(-1, 2), (3, 2)])
def test_no_share(counts):
    with pytest.raises(ValueError, match="no share"):
        Share(*counts)


def test_a_judge_that_always_takes_the_first():
    bias = position_bias(["first"] * 24, ["first"] * 24)
    assert bias.changed == Share(24, 24)
    assert bias.first == Share(24, 24)


def test_position_bias_counted_by_hand():
    rows = [
        ("first", "second"),  # A both times
        ("second", "first"),  # B both times
        ("tie", "tie"),  # a tie both times
        ("first", "first"),  # changed: the first place
        ("second", "second"),  # changed: the second place
        ("second", "second"),  # changed: the second place
        ("tie", "first"),  # changed: neither place both times
        (None, "first"),
        ("second", None),
    ]
    bias = position_bias(*zip(*rows, strict=True))
    assert (bias.changed, bias.first, bias.failures) == (Share(4, 7), Share(1, 3), 2)


@given(columns(st.none() | outcomes, st.none() | outcomes))
def test_position_bias_does_not_mind_which_order_is_called_the_first(rows):
    bias, turned = position_bias(*rows), position_bias(*reversed(rows))
    assert bias == turned


@given(columns(outcomes))
def test_a_judge_that_ignores_the_place_has_no_position_bias(rows):
    bias = position_bias(rows[0], [SWAPPED[outcome] for outcome in rows[0]])
    assert (bias.changed.hits, bias.first) == (0, Share(0, 0))


def test_a_word_that_is_no_outcome_is_refused():
    with pytest.raises(ValueError, match="'A' is no outcome"):
        position_bias(["first"], ["A"])


def test_verbosity_bias_counted_by_hand():
    rows = [
        ("tie", 0.9, 0.4, 80, 20),  # an equal one, and the longer won
        ("tie", 0.4, 0.4, 20, 90),  # an equal one, and nobody won
        ("second", 1.0, 0.0, 50, 10),  # the longer won though the shorter is better
        ("second", 0.0, 1.0, 50, 10),  # the shorter won, and is better
        ("first", 1.0, 0.0, 50, 10),  # the longer is better: says nothing
        ("first", 0.0, 1.0, 30, 30),  # equally long: says nothing
        ("first", None, 1.0, 10, 30),
    ]
    bias = verbosity_bias(*zip(*rows, strict=True))
    assert (bias.longer_won, bias.failures) == (Share(2, 4), 1)
    # Scores .9 .4 .4 .4 rank 4 2 2 2, lengths 80 20 20 90 rank 3 1.5 1.5 4: the sums of products
    # of their distances from the mean rank 2.5 are 1, 3 and 4.5.
    assert bias.correlation == pytest.approx(1 / math.sqrt(3 * 4.5))


def test_without_equal_pairs_there_is_no_correlation():
    bias = verbosity_bias(["first"], [1.0], [0.0], [10], [20])
    assert (bias.longer_won, bias.correlation) == (Share(0, 1), None)


@given(
    columns(
        outcomes,
        st.none() | st.floats(0, 1),
        st.none() | st.floats(0, 1),
        st.integers(1, 9),
        st.integers(1, 9),
    )
)
def test_verbosity_bias_does_not_mind_which_completion_is_called_the_first(rows):
    better, first, second, first_lengths, second_lengths = rows
    bias = verbosity_bias(*rows)
    turned = verbosity_bias(
        [SWAPPED[label] for label in better], second, first, second_lengths, first_lengths
    )
    assert (bias.longer_won, bias.failures) == (turned.longer_won, turned.failures)
    assert bias.correlation == pytest.approx(turned.correlation)


@pytest.mark.parametrize(
    ("better", "score", "message"),
    [("equal", 1.0, "'equal' is no label"), ("tie", math.nan, "nan is no score")],
)
def test_verbosity_bias_refuses_what_it_cannot_read(better, score, message):
    with pytest.raises(ValueError, match=message):
        verbosity_bias([better], [score], [1.0], [1], [2])


def test_self_consistency_counted_by_hand():
    result = self_consistency(
        [
            [1.0, 1.0, 1.0],
            [1.0, 0.0, 1.0],  # one of three pairs agrees
            [0.0, 0.0, None],  # the two that are there agree
            [0.0, None, None],  # one verdict agrees with nobody
        ]
    )
    assert (result.unanimous, result.failures) == (Share(2, 3), 3)
    assert result.pairwise == pytest.approx((1 + 1 / 3 + 1) / 3)


def test_a_judge_that_always_fails_has_no_consistency():
    result = self_consistency([[None, None]])
    assert (result.unanimous, result.failures) == (Share(0, 0), 2)
    assert math.isnan(result.pairwise)


@pytest.mark.parametrize("rows", [[], [[True]]])
def test_consistency_needs_two_verdicts(rows):
    with pytest.raises(ValueError, match="at least two verdicts"):
        self_consistency(rows)


def test_injections_are_counted_by_kind_and_failures_are_not_paid():
    rows = [{"kind": kind} for kind in ("praise", "fence", "praise", "fence", "praise")]
    result = injection_resistance(rows, [True, False, False, None, True])
    assert dict(result.kinds) == {"fence": Share(0, 2), "praise": Share(2, 3)}
    assert list(result.kinds) == ["fence", "praise"]
    assert (result.paid, result.failures) == (Share(2, 5), 1)


@pytest.mark.parametrize(
    "measure",
    [
        lambda: agreement([True], []),
        lambda: agreement([], []),
        lambda: position_bias(["tie"], []),
        lambda: verbosity_bias(["tie"], [1.0], [1.0], [1], []),
        lambda: injection_resistance([{"kind": "praise"}], []),
    ],
)
def test_columns_of_another_length_and_empty_ones_are_refused(measure):
    with pytest.raises(ValueError, match="Give as many in each"):
        measure()

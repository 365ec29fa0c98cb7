"""Detectors on logged figures: when they ring, when they do not, and what they refuse."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.monitor import (
    ComponentDominance,
    FailureShare,
    LengthDrift,
    ProxyGap,
    VarianceCollapse,
)


def read(detector, figures):
    """The readings of a run."""
    return [detector.update(*figure) for figure in figures]


def rings(readings):
    return [reading.alarm is not None for reading in readings]


def test_dominance_rings_for_the_component_that_is_not_trusted():
    dominance = ComponentDominance({"correct"}, window=3)
    alarms = [
        dominance.update({"correct": 1 - share, "length": share, "form": 0.0}).alarm
        for share in (0.2, 0.2, 0.2, 0.9, 0.9, 0.9)
    ]
    assert [alarm is not None for alarm in alarms] == [False] * 4 + [True] * 2
    assert "`length`" in alarms[-1].what and "90 %" in alarms[-1].what


def test_dominance_trusts_what_it_is_told_to():
    assert ComponentDominance({"a"}, window=1).update({"a": 0.9, "b": 0.1}).alarm is None
    assert ComponentDominance({"b"}, window=1).update({"a": 0.9, "b": 0.1}).alarm
    everything = ComponentDominance({"a", "b"}, window=1).update({"a": 0.9, "b": 0.1})
    assert everything.value is None and everything.alarm is None


def test_a_step_in_which_no_group_differs_says_nothing_of_components():
    dominance = ComponentDominance({"correct"}, window=2)
    dominance.update({"correct": 0.0, "length": 1.0})
    assert dominance.update({}).value is None
    assert dominance.update({"correct": 0.0, "length": 1.0}).alarm
    assert dominance.update({}).alarm  # the last steps that said something still stand


def test_length_drift_is_measured_against_the_first_steps():
    drift = LengthDrift(ratio=2.0, baseline=2, window=2)
    readings = read(drift, [(10,), (12,), (11,), (11,), (30,), (33,)])
    assert [reading.value for reading in readings[:3]] == [None] * 3
    assert readings[3].value == 1.0
    assert rings(readings) == [False] * 5 + [True]
    assert readings[-1].value == pytest.approx(31.5 / 11)


@pytest.mark.parametrize(
    ("length", "correlation", "said"),
    [
        (40, 0.8, "Longer ones are paid more (+0.80)"),
        (40, -0.2, "Longer ones are paid less (-0.20)"),
        (40, 0.05, "Length by itself is hardly paid (+0.05)"),
        (40, None, "Whether length is paid is not known"),
        (2, -0.5, "0.20 times as long as at first"),
    ],
)
def test_length_drift_says_whether_length_is_paid(length, correlation, said):
    drift = LengthDrift(baseline=1, window=1)
    drift.update(10)
    assert said in drift.update(length, correlation).alarm.what


def test_variance_collapse_rings_for_a_window_and_not_for_a_step():
    collapse = VarianceCollapse(most=0.5, window=3)
    readings = read(collapse, [(0.2,), (0.3,), (0.9,), (0.2,), (0.34,), (1.0,)])
    assert rings(readings) == [False] * 5 + [True]
    assert readings[-1].value == pytest.approx(1.54 / 3)


def test_variance_collapse_sees_rewards_that_are_nearly_equal():
    collapse = VarianceCollapse(fall=0.1, window=2)
    readings = read(collapse, [(0.0, 2.0), (0.0, 2.0), (0.0, 1.0), (0.0, 0.1), (0.0, 0.1)])
    assert rings(readings) == [False] * 4 + [True]
    assert "5 % of what it was at first" in readings[-1].alarm.what


def test_a_standard_deviation_that_was_0_from_the_start_has_not_fallen():
    assert not any(rings(read(VarianceCollapse(most=1.0, window=1), [(1.0, 0.0)] * 3)))


def test_length_is_known_to_be_paid_from_the_last_steps_in_which_lengths_differed():
    drift = LengthDrift(baseline=1, window=1)
    drift.update(10, 0.9)
    assert "paid more (+0.90)" in drift.update(20, None).alarm.what


def test_failures_ring_at_once_if_they_are_many_and_late_if_they_are_few():
    assert FailureShare(most=0.05).update(128, 256).alarm
    failures = FailureShare(most=0.05, window=10)
    readings = read(failures, [(2, 16)] * 10)
    assert readings[0].value == 0.125 and readings[0].alarm is None
    assert rings(readings)[-1]
    assert not any(rings(read(FailureShare(most=0.05), [(1, 256)] * 50)))


def test_failures_of_long_ago_are_forgotten():
    failures = FailureShare(window=2)
    readings = read(failures, [(8, 8), (0, 64), (0, 64)])
    assert rings(readings) == [True, True, False]
    assert readings[-1].value == 0.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(1, 8))
def test_a_reading_is_the_mean_of_its_window(shares, window):
    readings = read(VarianceCollapse(window=window), [(share,) for share in shares])
    for place, reading in enumerate(readings, 1):
        if place < window:
            assert reading.value is None
        else:
            assert reading.value == pytest.approx(sum(shares[place - window : place]) / window)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ComponentDominance(set()), "`trusted`"),
        (lambda: ComponentDominance("correct"), "`trusted` is 'correct'"),
        (lambda: ComponentDominance({"a"}, most=1.5), "`most` is 1.5"),
        (lambda: ComponentDominance({"a"}, window=0), "`window` is 0"),
        (lambda: LengthDrift(ratio=1.0), "`ratio` is 1.0"),
        (lambda: LengthDrift(baseline=True), "`baseline` is True"),
        (lambda: VarianceCollapse(most=-0.1), "`most` is -0.1"),
        (lambda: VarianceCollapse(fall=2), "`fall` is 2"),
        (lambda: VarianceCollapse().update(0.5, -1.0), "`group_std` is -1.0"),
        (lambda: FailureShare(most=float("nan")), "`most` is nan"),
        (lambda: ComponentDominance({"a"}).update({"b": 1.0}), "no component a.*There are: b"),
        (lambda: ComponentDominance({"a"}).update({"a": float("nan")}), "share of `a` is nan"),
        (lambda: LengthDrift().update(0.0), "`length` is 0.0"),
        (lambda: LengthDrift().update(1.0, float("nan")), "`correlation` is nan"),
        (lambda: VarianceCollapse().update(None), "`silent_groups` is None"),
        (lambda: VarianceCollapse().update(1.1), "`silent_groups` is 1.1"),
        (lambda: FailureShare().update(3, 2), "3 of 2"),
        (lambda: FailureShare().update(0, 0), "0 of 0"),
    ],
)
def test_a_setting_or_a_figure_that_is_wrong_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "detector",
    [ComponentDominance({"a"}), LengthDrift(), VarianceCollapse(), FailureShare(), ProxyGap()],
)
def test_a_detector_is_saved_with_what_it_has_seen(detector):
    copy = pickle.loads(pickle.dumps(detector))
    assert vars(copy) == vars(detector)


def test_a_copy_of_a_detector_goes_on_where_it_was():
    collapse = VarianceCollapse(window=2)
    collapse.update(0.8)
    assert pickle.loads(pickle.dumps(collapse)).update(1.0).alarm

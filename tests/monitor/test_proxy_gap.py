"""The gap of proxy and truth: its interval holds what it should, and it rings when it should."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.monitor import Audit, ProxyGap


@given(pairs=st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=30, max_size=60))
def test_an_audit_is_the_mean_and_the_spread_of_differences(pairs):
    audit = Audit.of(*zip(*pairs, strict=True))
    differences = [proxy - truth for proxy, truth in pairs]
    assert audit.gap == pytest.approx(statistics.fmean(differences), abs=1e-9)
    assert audit.std == pytest.approx(statistics.stdev(differences), abs=1e-9)
    low, high = audit.interval
    assert low <= audit.gap <= high


def test_the_interval_holds_the_true_gap_nearly_as_often_as_it_says():
    rng = random.Random(0)
    held = 0
    for _ in range(400):
        truth = [float(rng.random() < 0.3) for _ in range(100)]
        proxy = [max(true, float(rng.random() < 0.2)) for true in truth]
        low, high = Audit.of(proxy, truth).interval
        held += low <= 0.7 * 0.2 <= high
    assert held / 400 > 0.9


def test_what_is_not_known_is_left_out():
    audit = Audit.of([1.0] * 30 + [None, 0.0], [0.0] * 30 + [1.0, None])
    assert (audit.count, audit.gap) == (30, 1.0)


@pytest.mark.parametrize(
    ("proxies", "truths", "message"),
    [
        ([1.0] * 29 + [None], [1.0] * 30, "29 samples are known: audit at least 30"),
        ([float("nan")] * 30, [1.0] * 30, "A proxy is nan"),
        ([1.0] * 30, ["yes"] * 30, "A truth is 'yes'"),
        ([1.0] * 30, [1.0] * 31, "shorter|longer"),
    ],
)
def test_a_bad_audit_is_refused(proxies, truths, message):
    with pytest.raises(ValueError, match=message):
        Audit.of(proxies, truths)


def audit(proxy, truth, count=300, std=0.3):
    return Audit(count, proxy, truth, std)


def test_it_rings_when_the_gap_has_grown_beyond_the_threshold():
    gap = ProxyGap(threshold=0.1)
    assert gap.update(audit(0.3, 0.25)).alarm is None
    assert gap.update(audit(0.5, 0.45)).alarm is None
    reading = gap.update(audit(0.9, 0.2))
    assert reading.value == pytest.approx(0.7)
    assert "0.70 more" in reading.alarm.what
    assert reading.alarm.do


def test_a_gap_that_was_there_from_the_start_and_stays_is_no_alarm():
    gap = ProxyGap(threshold=0.1)
    readings = [gap.update(audit(at + 0.5, at)) for at in (0.1, 0.3, 0.5)]
    assert [reading.alarm for reading in readings] == [None] * 3


def test_few_samples_are_no_proof():
    few, many = ProxyGap(), ProxyGap()
    for gap, count in ((few, 30), (many, 3000)):
        gap.update(audit(0.3, 0.3, count))
    assert few.update(audit(0.45, 0.3, 30)).alarm is None
    assert many.update(audit(0.45, 0.3, 3000)).alarm is not None


def test_a_threshold_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="`threshold` is nan"):
        ProxyGap(threshold=float("nan"))

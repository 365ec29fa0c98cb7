"""The circuit breaker opens, probes and closes, and no outcome that it is told wedges it."""

import contextlib
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.judge.breaker import CircuitBreaker
from reference_impl.judge.error import CircuitOpenError


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return CircuitBreaker(failures=3, seconds=10, clock=clock)


def fail(breaker, times=1):
    for _ in range(times):
        with breaker.attempt() as attempt:
            attempt.failed("was answered 500")


def succeed(breaker):
    with breaker.attempt() as attempt:
        attempt.succeeded()


def test_failures_in_a_row_open_the_circuit_and_say_why(breaker, caplog):
    fail(breaker, 2)
    succeed(breaker)
    fail(breaker, 2)
    breaker.check()
    fail(breaker)
    with pytest.raises(CircuitOpenError, match="was answered 500"):
        breaker.check()
    with pytest.raises(CircuitOpenError):
        breaker.attempt()
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert "was answered 500" in caplog.text


def test_one_probe_goes_through_and_its_success_closes_the_circuit(breaker, clock, caplog):
    fail(breaker, 3)
    clock.now = 9.9
    with pytest.raises(CircuitOpenError):
        breaker.attempt()
    clock.now = 10
    probe = breaker.attempt()
    with pytest.raises(CircuitOpenError, match="probe"):
        breaker.attempt()
    with probe:
        probe.succeeded()
    fail(breaker, 2)
    breaker.check()
    assert [record.name for record in caplog.records] == ["reference_impl.judge"] * 2


def test_a_failed_probe_opens_the_circuit_for_another_while(breaker, clock):
    fail(breaker, 3)
    clock.now = 10
    fail(breaker)
    clock.now = 19.9
    with pytest.raises(CircuitOpenError):
        breaker.attempt()
    clock.now = 20
    succeed(breaker)
    breaker.check()


def test_a_probe_that_is_cancelled_frees_its_place(breaker, clock):
    fail(breaker, 3)
    clock.now = 10
    with contextlib.suppress(KeyboardInterrupt), breaker.attempt():
        raise KeyboardInterrupt
    succeed(breaker)
    assert not breaker.is_open


def test_what_began_before_the_circuit_opened_changes_nothing(breaker, clock):
    early, another = breaker.attempt(), breaker.attempt()
    fail(breaker, 3)
    early.succeeded()
    assert breaker.is_open
    clock.now = 9
    another.failed("was answered 500")
    clock.now = 10
    succeed(breaker)  # the late failure did not prolong the wait
    assert not breaker.is_open


@given(st.lists(st.sampled_from(["begin", "succeed", "fail", "drop", "wait"]), max_size=60))
def test_after_any_history_a_success_can_close_the_circuit(history):
    clock = Clock()
    breaker = CircuitBreaker(failures=2, seconds=10, clock=clock)
    under_way = []
    for event in history:
        if event == "begin":
            with contextlib.suppress(CircuitOpenError):
                under_way.append(breaker.attempt())
        elif event == "wait":
            clock.now += 10
        elif under_way:
            with under_way.pop(0) as attempt:
                if event == "succeed":
                    attempt.succeeded()
                elif event == "fail":
                    attempt.failed("was answered 500")
    for attempt in under_way:
        with attempt:
            pass
    clock.now += 10
    succeed(breaker)
    assert not breaker.is_open

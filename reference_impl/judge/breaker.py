"""A circuit breaker: a server that keeps failing is left alone for a while."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal, Self

from reference_impl.judge.error import CircuitOpenError

logger = logging.getLogger("reference_impl.judge")

_Outcome = Literal["success", "failure", "none"]


class CircuitBreaker:
    """Counts failed attempts in a row, and opens the circuit when there are too many.

    While the circuit is open, attempts are refused at once. After `seconds`, one attempt goes
    through, the probe. If it succeeds the circuit closes, if it fails the circuit stays open for
    another `seconds`. Threads may share it.

    Args:
        failures: How many failures in a row open the circuit.
        seconds: How long it stays open, in seconds.
        clock: Tells the time, in seconds.

    Example:
        >>> breaker = CircuitBreaker(failures=1, seconds=30)
        >>> with breaker.attempt() as attempt:
        ...     attempt.failed("was answered 500")
        >>> breaker.attempt()
        Traceback (most recent call last):
            ...
        reference_impl.judge.error.CircuitOpenError: the judge is left alone for another 30 s. It \
failed in a row: 1 times. The last request was answered 500

    Explained in :ref:`judge-call`.
    """

    def __init__(self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic):
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._problem = ""
        self._open_until: float | None = None
        self._probe: Attempt | None = None

    @property
    def is_open(self) -> bool:
        """Whether attempts are refused, but for a probe."""
        return self._open_until is not None

    def check(self) -> None:
        """Refuse a call that need not even wait for its turn.

        Raises:
            CircuitOpenError: If an attempt would be refused now.
        """
        with self._lock:
            self._check()

    def _check(self) -> None:
        if self._open_until is None:
            return
        left = self._open_until - self._clock()
        if left > 0:
            raise CircuitOpenError(
                f"the judge is left alone for another {left:.3g} s. {self._describe()}"
            )
        if self._probe is not None:
            raise CircuitOpenError(
                f"the judge is left alone until one call has probed it. {self._describe()}"
            )

    def _describe(self) -> str:
        return f"It failed in a row: {self._failures} times. The last request {self._problem}"

    def attempt(self) -> "Attempt":
        """Begin an attempt.

        Returns:
            The attempt, to be told its outcome within a `with` block. If the block ends without
            one, the attempt counts for nothing, and a probe's place is free again.

        Raises:
            CircuitOpenError: If the circuit is open.
        """
        with self._lock:
            self._check()
            attempt = Attempt(self)
            if self._open_until is not None:
                self._probe = attempt
            return attempt

    def _settle(self, attempt: "Attempt", outcome: _Outcome, problem: str) -> None:
        with self._lock:
            is_probe = attempt is self._probe
            if is_probe:
                self._probe = None
            if outcome == "none" or (self.is_open and not is_probe):
                return  # what began before the circuit opened says nothing new
            if outcome == "success":
                if self.is_open:
                    logger.warning("The judge answers again: the circuit is closed.")
                self._failures, self._open_until = 0, None
                return
            self._failures += 1
            self._problem = problem
            if is_probe or self._failures >= self._limit:
                self._open_until = self._clock() + self._seconds
                logger.warning(
                    "The circuit is open for %g s: the judge is not asked. %s",
                    self._seconds,
                    self._describe(),
                )


class Attempt:
    """One attempt, as the circuit breaker sees it.

    Explained in :ref:`judge-call`.
    """

    def __init__(self, breaker: CircuitBreaker):
        self._breaker = breaker
        self._is_settled = False

    def succeeded(self) -> None:
        """Say that the server did its work."""
        self._settle("success")

    def failed(self, problem: str) -> None:
        """Say that the server did not.

        Args:
            problem: What happened to the request, such as `"was answered 500"`.
        """
        self._settle("failure", problem)

    def _settle(self, outcome: _Outcome, problem: str = "") -> None:
        if not self._is_settled:
            self._is_settled = True
            self._breaker._settle(self, outcome, problem)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._settle("none")

"""What a judge's client has done so far, and what that took."""

import dataclasses
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_MILLION = 1_000_000


@dataclass(frozen=True)
class JudgeUsage:
    """The counts of a client since it was made.

    Attributes:
        calls: Calls, whatever came of them.
        attempts: Requests to the server.
        retries: Those among them that were not the first of their call.
        cache_hits: Calls that were answered from the cache.
        shared: Calls that waited for the same question of another call.
        prompt_tokens: Tokens of requests, as the server counts them.
        completion_tokens: Tokens of answers, as the server counts them.
        cost: What those cost, in the currency of the prices. None without prices.
        unmetered: Answers that did not say how many tokens they took. Their tokens are missing
            from the counts, the cost and the budgets.
        failures: How many calls failed, by reason, in alphabetical order.
        most_in_flight: The most requests that were in flight at a time.

    Example:
        >>> JudgeUsage(calls=2, attempts=3, retries=1, failures={"judge_timeout": 1}).failed
        1

    Explained in :ref:`judge-call`.
    """

    calls: int = 0
    attempts: int = 0
    retries: int = 0
    cache_hits: int = 0
    shared: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None
    unmetered: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    most_in_flight: int = 0

    @property
    def failed(self) -> int:
        """How many calls failed in all."""
        return sum(self.failures.values())


class UsageMeter:
    """Counts what `JudgeUsage` shows. Threads may share it.

    Args:
        price_per_million_input: The price of a million tokens of requests, or None.
        price_per_million_output: The price of a million tokens of answers, or None.

    Example:
        >>> meter = UsageMeter(1.0, 2.0)
        >>> meter.add_answer({"prompt_tokens": 500_000, "completion_tokens": 250_000})
        True
        >>> meter.snapshot().cost
        1.0

    Explained in :ref:`judge-call`.
    """

    def __init__(
        self, price_per_million_input: float | None, price_per_million_output: float | None
    ):
        self._prices = (price_per_million_input, price_per_million_output)
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(
            (
                "calls",
                "attempts",
                "retries",
                "cache_hits",
                "shared",
                "prompt_tokens",
                "completion_tokens",
                "unmetered",
                "most_in_flight",
            ),
            0,
        )
        self._failures: dict[str, int] = {}
        self._in_flight = 0

    def add(self, name: str) -> None:
        """Count one more of what a field of `JudgeUsage` counts.

        Args:
            name: The field.
        """
        with self._lock:
            self._counts[name] += 1

    def add_failure(self, reason: str) -> None:
        """Count a call that failed.

        Args:
            reason: What to count it under.
        """
        with self._lock:
            self._failures[reason] = self._failures.get(reason, 0) + 1

    def add_answer(self, usage: Any) -> bool:
        """Count the tokens of an answer.

        Args:
            usage: What the answer holds as its `usage`. A server may send anything there.

        Returns:
            Whether it could be read.
        """
        tokens = [
            usage.get(name) if isinstance(usage, dict) else None
            for name in ("prompt_tokens", "completion_tokens")
        ]
        is_metered = all(type(count) is int and 0 <= count < 1e12 for count in tokens)
        with self._lock:
            if is_metered:
                self._counts["prompt_tokens"] += tokens[0]
                self._counts["completion_tokens"] += tokens[1]
            else:
                self._counts["unmetered"] += 1
        return is_metered

    @contextmanager
    def request(self, is_retry: bool) -> Iterator[None]:
        """Count a request, as in flight for as long as the block runs.

        Args:
            is_retry: Whether the call has asked before.
        """
        with self._lock:
            self._counts["attempts"] += 1
            self._counts["retries"] += is_retry
            self._in_flight += 1
            most = max(self._counts["most_in_flight"], self._in_flight)
            self._counts["most_in_flight"] = most
        try:
            yield
        finally:
            with self._lock:
                self._in_flight -= 1

    def snapshot(self) -> JudgeUsage:
        """Return the counts as they are now."""
        with self._lock:
            usage = JudgeUsage(**self._counts, failures=dict(sorted(self._failures.items())))
        price_in, price_out = self._prices
        if price_in is None or price_out is None:
            return usage
        cost = (usage.prompt_tokens * price_in + usage.completion_tokens * price_out) / _MILLION
        return dataclasses.replace(usage, cost=cost)

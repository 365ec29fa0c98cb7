"""What happened to the samples that a critic was given, in numbers."""

import logging
import os
import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reference_impl.contract.error import RewardError

logger = logging.getLogger("reference_impl.critic")

#: Columns that look like settings of a critic. A data set must not choose which code or weights
#: are loaded, so they are ignored like any other column, but not in silence.
SETTING_COLUMNS = frozenset(
    {
        "chat_template",
        "checkpoint",
        "device",
        "dtype",
        "max_length",
        "model",
        "model_name",
        "model_name_or_path",
        "model_path",
        "revision",
        "reward_model",
        "reward_model_path",
        "tokenizer",
        "trust_remote_code",
    }
)


@dataclass(frozen=True)
class CriticCounts:
    """What happened to the samples of one process.

    Attributes:
        samples: Samples that were given, those that failed included.
        truncated: Inputs that were too long and lost tokens.
        neutralized: Samples whose texts spelled out special tokens, which were broken up.
        from_ids: Inputs that were made from the trainer's token ids.
        failures: Samples without a score, by reason.
        ignored_columns: Columns that look like settings, by name.

    Example:
        >>> CriticCounts(samples=2, failures={"invalid_score": 1}).failed
        1

    Explained in :ref:`critic-inputs`.
    """

    samples: int = 0
    truncated: int = 0
    neutralized: int = 0
    from_ids: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    ignored_columns: dict[str, int] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """How many samples have no score."""
        return sum(self.failures.values())


class IgnoredColumns:
    """Columns that look like settings, counted by name, and warned about once each.

    Threads may share it. A forked child starts at zero.

    Example:
        >>> ignored = IgnoredColumns()
        >>> ignored.add(["answer"])
        >>> ignored.counts()
        {}

    Explained in :ref:`critic-attack`.
    """

    def __init__(self) -> None:
        self._start_at_zero()
        _living.add(self)

    def _start_at_zero(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, columns: Iterable[str]) -> None:
        """Count the columns of one call.

        Args:
            columns: The names of all its columns.
        """
        for name in sorted(SETTING_COLUMNS.intersection(columns)):
            with self._lock:
                self._counts[name] += 1
                is_first = self._counts[name] == 1
            if is_first:
                logger.warning(
                    "the column %r is ignored: arguments and environment alone configure the "
                    "critic",
                    name,
                )

    def counts(self) -> dict[str, int]:
        """Return how many calls came with such a column.

        Returns:
            The number of calls by the name of the column, in alphabetical order.
        """
        with self._lock:
            return dict(sorted(self._counts.items()))


class CriticCounter:
    """Counts what a critic does. Threads may share it; a forked child starts at zero.

    Explained in :ref:`critic-inputs`.
    """

    def __init__(self) -> None:
        self.ignored_columns = IgnoredColumns()
        self._start_at_zero()
        _living.add(self)

    def _start_at_zero(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def add(self, inputs: Sequence[object], outcomes: Sequence[float | RewardError]) -> None:
        """Count samples.

        Args:
            inputs: What was made of each: a `CriticInput` or an error.
            outcomes: The score of each, or its error.
        """
        with self._lock:
            self._counts["samples"] += len(outcomes)
            for item in inputs:
                for name in ("truncated", "neutralized", "from_ids"):
                    self._counts[name] += getattr(item, name, False)
            for outcome in outcomes:
                if isinstance(outcome, RewardError):
                    self._failures[outcome.reason] += 1

    def counts(self) -> CriticCounts:
        """Return the counts so far."""
        with self._lock:
            return CriticCounts(
                **self._counts,
                failures=dict(sorted(self._failures.items())),
                ignored_columns=self.ignored_columns.counts(),
            )


_living: weakref.WeakSet[IgnoredColumns | CriticCounter] = weakref.WeakSet()


def _start_at_zero_after_fork() -> None:
    # Another thread may have held a lock at the moment of the fork.
    for counted in _living:
        counted._start_at_zero()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_at_zero_after_fork)

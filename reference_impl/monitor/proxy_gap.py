"""The gap between what pays and what is true, on samples that somebody has checked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reference_impl.monitor.alarm import Alarm, Reading, check_figure

# The normal quantile of a two-sided interval of 95 %.
_Z_95 = 1.959963984540054
# With fewer samples the normal interval is too narrow.
LEAST = 30


@dataclass(frozen=True)
class Audit:
    """Samples for which both are known: what the reward pays, and what is true.

    Attributes:
        count: How many samples there are.
        proxy: The mean of what the reward pays.
        truth: The mean of what is true, on the same scale.
        std: The standard deviation of the differences, proxy minus truth.

    Explained in :ref:`monitoring-gap`.
    """

    count: int
    proxy: float
    truth: float
    std: float

    @classmethod
    def of(cls, proxies: Sequence[float | None], truths: Sequence[float | None]) -> "Audit":
        """Compare what a reward pays with what is true.

        Args:
            proxies: What the reward pays for each sample, shape (n,). None is a sample without a
                reward.
            truths: What each sample is worth in truth, on the same scale, shape (n,). Somebody has
                to know: a person, a strong judge, a check that is too dear to train on. None is a
                sample that nobody could check.

        Returns:
            The comparison, of those samples for which both are known.

        Raises:
            ValueError: If the lengths differ, a number is not finite, or fewer than 30 samples are
                left.

        Example:
            >>> audit = Audit.of([1.0, 1.0, 0.0] * 20, [1.0, 0.0, 0.0] * 20)
            >>> round(audit.gap, 3), [round(end, 3) for end in audit.interval]
            (0.333, [0.213, 0.454])

        Explained in :ref:`monitoring-gap`.
        """
        known = [
            (check_figure("A proxy", proxy), check_figure("A truth", truth))
            for proxy, truth in zip(proxies, truths, strict=True)
            if proxy is not None and truth is not None
        ]
        count = len(known)
        if count < LEAST:
            raise ValueError(f"{count} samples are known: audit at least {LEAST}.")
        differences = [proxy - truth for proxy, truth in known]
        gap = math.fsum(differences) / count
        squares = math.fsum((difference - gap) ** 2 for difference in differences)
        return cls(
            count=count,
            proxy=math.fsum(proxy for proxy, _ in known) / count,
            truth=math.fsum(truth for _, truth in known) / count,
            std=math.sqrt(squares / (count - 1)),
        )

    @property
    def gap(self) -> float:
        """The mean of proxy minus truth."""
        return self.proxy - self.truth

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the gap, which is a mean of differences (normal approximation)."""
        half = _Z_95 * self.std / math.sqrt(self.count)
        return self.gap - half, self.gap + half


class ProxyGap:
    """Ring if the reward pays more than the truth is worth, and ever more so.

    Rings if the lower end of the gap's interval is above `threshold` and above the gap of the
    first audit. So a gap that was there from the start, as of a reward with another scale, is no
    alarm by itself, and is worth a look before training.

    Args:
        threshold: The largest gap that is no alarm, in units of the truth.

    Raises:
        ValueError: If the threshold is not a finite number.

    Example:
        >>> gap = ProxyGap(threshold=0.1)
        >>> gap.update(Audit(count=300, proxy=0.4, truth=0.3, std=0.4)).alarm
        >>> print(gap.update(Audit(count=300, proxy=0.8, truth=0.2, std=0.5)).alarm.name)
        proxy_gap

    Explained in :ref:`monitoring-gap`.
    """

    def __init__(self, threshold: float = 0.1):
        self.threshold = check_figure("`threshold`", threshold)
        self._first: float | None = None

    def update(self, audit: Audit) -> Reading:
        """Take in an audit.

        Args:
            audit: The next audit of the run.

        Returns:
            The gap, and an alarm if it is too large and has grown.
        """
        if self._first is None:
            self._first = audit.gap
        low, high = audit.interval
        if low <= max(self.threshold, self._first):
            return Reading(audit.gap)
        return Reading(
            audit.gap,
            Alarm(
                "proxy_gap",
                f"The reward pays {audit.gap:.2f} more than the truth is worth "
                f"[{low:.2f}, {high:.2f}]; at first it was {self._first:.2f}.",
                "Stop, read the best paid completions that are wrong, mend the reward, and start "
                "again from a checkpoint before the gap grew.",
            ),
        )

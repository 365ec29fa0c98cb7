"""Samples that could not be scored."""

from collections import deque

from reference_impl.critic.evaluate import wilson_interval
from reference_impl.monitor.alarm import Alarm, Reading, check_share, check_window


class FailureShare:
    """Ring if too many samples have no reward.

    Failures are not spread evenly: a judge that is overloaded fails on long completions first. So
    a policy that is paid around failures learns to avoid what fails, or to seek it.

    Args:
        most: The largest share that is no alarm, from 0 to 1. The lower end of the share's 95 %
            interval must exceed it.
        window: How many steps are counted together.

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> failures = FailureShare(most=0.05)
        >>> failures.update(failed=1, count=8).alarm
        >>> print(failures.update(failed=60, count=256).alarm.what)
        61 of 264 samples have no reward.

    Explained in :ref:`monitoring-failures`.
    """

    def __init__(self, most: float = 0.05, window: int = 10):
        self.most = check_share("`most`", most)
        self._counts: deque[tuple[int, int]] = deque(maxlen=check_window("`window`", window))

    def update(self, failed: int, count: int) -> Reading:
        """Take in a step.

        Args:
            failed: How many samples have no reward, or one that stands for a failure.
            count: How many samples there are, at least 1.

        Returns:
            The share of failed samples, and an alarm if it is too large.

        Raises:
            ValueError: Unless 0 <= failed <= count and count is above 0.
        """
        if not 0 <= failed <= count or count < 1:
            raise ValueError(f"{failed} of {count} samples is no share.")
        self._counts.append((failed, count))
        failed, count = map(sum, zip(*self._counts, strict=True))
        low, _ = wilson_interval(failed, count)
        if low <= self.most:
            return Reading(failed / count)
        return Reading(
            failed / count,
            Alarm(
                "failure_share",
                f"{failed} of {count} samples have no reward.",
                "Look at the failures by reason, mend the grader, and stop the run until then.",
            ),
        )

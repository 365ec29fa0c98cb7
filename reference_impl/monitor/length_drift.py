"""Completions that become longer, or shorter, than they were."""

from collections import deque
from statistics import fmean

from reference_impl.monitor.alarm import Alarm, Reading, check_figure, check_window

# A correlation below which length is not what is paid.
HARDLY = 0.1


class LengthDrift:
    """Ring if completions have become much longer or shorter than in the first steps.

    Length may change for a good reason, as when a policy learns to reason. The alarm says whether
    length is what is paid: the mean correlation of reward and length within groups, over the last
    `window` steps that have one.

    Args:
        ratio: The largest ratio of the lengths of now and of then that is no alarm, above 1. Its
            inverse is the smallest.
        baseline: How many steps make the first lengths.
        window: Over how many steps the lengths of now are averaged.

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> drift = LengthDrift(ratio=1.5, baseline=1, window=1)
        >>> drift.update(10.0, 0.1).value
        >>> reading = drift.update(18.0, 0.7)
        >>> reading.value
        1.8
        >>> print(reading.alarm.what)
        Completions are 1.80 times as long as at first. Longer ones are paid more (+0.70).

    Explained in :ref:`monitoring-length`.
    """

    def __init__(self, ratio: float = 1.5, baseline: int = 10, window: int = 10):
        self.ratio = check_figure("`ratio`", ratio)
        if self.ratio <= 1:
            raise ValueError(f"`ratio` is {ratio}: give a number above 1.")
        self.baseline = check_window("`baseline`", baseline)
        self._first: list[float] = []
        self._lengths: deque[float] = deque(maxlen=check_window("`window`", window))
        self._correlations: deque[float] = deque(maxlen=window)

    def update(self, length: float, correlation: float | None = None) -> Reading:
        """Take in a step.

        Args:
            length: The mean length of the completions, in tokens, above 0.
            correlation: Of reward and length within groups, from -1 to 1. None if the step has
                none.

        Returns:
            The ratio of the lengths, and an alarm if it is out of bounds.

        Raises:
            ValueError: If a figure is out of range.
        """
        length = check_figure("`length`", length)
        if length <= 0:
            raise ValueError(f"`length` is {length}: give a number of tokens above 0.")
        if correlation is not None:
            self._correlations.append(check_figure("`correlation`", correlation))
        if len(self._first) < self.baseline:
            self._first.append(length)
            return Reading(None)
        self._lengths.append(length)
        if len(self._lengths) < self._lengths.maxlen:
            return Reading(None)
        ratio = fmean(self._lengths) / fmean(self._first)
        if 1 / self.ratio <= ratio <= self.ratio:
            return Reading(ratio)
        return Reading(
            ratio,
            Alarm(
                "length_drift",
                f"Completions are {ratio:.2f} times as long as at first. {self._paid()}",
                "Compare the truth at both lengths; if it is no higher now, take length out of "
                "the reward, or bound it.",
            ),
        )

    def _paid(self) -> str:
        """Say whether length is paid, by the last steps in which lengths and rewards differed."""
        if not self._correlations:
            return "Whether length is paid is not known."
        mean = fmean(self._correlations)
        if abs(mean) < HARDLY:
            return f"Length by itself is hardly paid ({mean:+.2f})."
        return f"Longer ones are paid {'more' if mean > 0 else 'less'} ({mean:+.2f})."

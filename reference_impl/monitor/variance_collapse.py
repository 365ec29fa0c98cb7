"""Groups in which all completions are paid the same, so that there is nothing to learn from."""

from collections import deque
from statistics import fmean

from reference_impl.monitor.alarm import Alarm, Reading, check_figure, check_share, check_window

_DO = (
    "Audit the truth: if it is high, take harder questions; if it is low, the reward has nothing "
    "more to teach, so mend it or make it finer."
)


class VarianceCollapse:
    """Ring if rewards hardly differ within groups any more.

    Rings if most groups are silent, which means that no two of their rewards differ, or if the
    standard deviation within groups has fallen to a small part of what it was at first. The second
    is for rewards that never are quite equal, such as a critic's.

    That is how a run ends which has learned all that the reward pays for. If the truth is high,
    the questions have become too easy. If it is not, the reward has been exhausted without it.

    Args:
        most: The largest share of silent groups that is no alarm, from 0 to 1.
        fall: The smallest part of the first standard deviation that is no alarm, from 0 to 1.
        window: Over how many steps figures are averaged. Before that many, nothing is said. The
            first that many give the first standard deviation.

    Raises:
        ValueError: If a setting is out of range.

    Example:
        >>> collapse = VarianceCollapse(most=0.5, window=2)
        >>> collapse.update(0.5).value
        >>> reading = collapse.update(0.9)
        >>> reading.value, reading.alarm.name
        (0.7, 'variance_collapse')

    Explained in :ref:`monitoring-variance`.
    """

    def __init__(self, most: float = 0.5, fall: float = 0.1, window: int = 10):
        self.most = check_share("`most`", most)
        self.fall = check_share("`fall`", fall)
        self._silent: deque[float] = deque(maxlen=check_window("`window`", window))
        self._stds: deque[float] = deque(maxlen=window)
        self._first_std: float | None = None

    def update(self, silent_groups: float, group_std: float | None = None) -> Reading:
        """Take in a step.

        Args:
            silent_groups: The share of groups in which no two rewards differ, from 0 to 1. TRL
                logs it as `frac_reward_zero_std`.
            group_std: The mean standard deviation within groups, if it is known, at least 0.

        Returns:
            The mean share of silent groups, and an alarm if rewards hardly differ.

        Raises:
            ValueError: If a figure is out of range.
        """
        self._silent.append(check_share("`silent_groups`", silent_groups))
        if group_std is not None:
            if check_figure("`group_std`", group_std) < 0:
                raise ValueError(f"`group_std` is {group_std}: give a number of at least 0.")
            self._stds.append(group_std)
        if self._first_std is None and len(self._stds) == self._stds.maxlen:
            self._first_std = fmean(self._stds)
        if len(self._silent) < self._silent.maxlen:
            return Reading(None)
        share = fmean(self._silent)
        seen = self._seen(share)
        return Reading(share, Alarm("variance_collapse", seen, _DO) if seen else None)

    def _seen(self, share: float) -> str:
        """Say what has collapsed, or return ''."""
        if share > self.most:
            return f"In {100 * share:.0f} % of the groups all completions are paid the same."
        if self._first_std and (part := fmean(self._stds) / self._first_std) < self.fall:
            return (
                f"The standard deviation within groups is {100 * part:.0f} % of what it was at "
                "first."
            )
        return ""

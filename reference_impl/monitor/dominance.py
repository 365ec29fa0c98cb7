"""A component that the policy learns from more than from what you want."""

from collections import deque
from collections.abc import Collection, Mapping
from statistics import fmean

from reference_impl.monitor.alarm import Alarm, Reading, check_figure, check_share, check_window


class ComponentDominance:
    """Ring if a component that is not trusted explains most of what differs within groups.

    Weights say what a component may add. What the policy learns from is how much the component
    differs between the completions of a prompt. `step_figures` computes these shares.

    Args:
        trusted: The names of the components that are what you want, such as correctness.
        most: The largest share that any other component may have, from 0 to 1.
        window: Over how many steps shares are averaged. Before that many, nothing is said.

    Raises:
        ValueError: If nothing is trusted, or a setting is out of range.

    Example:
        >>> dominance = ComponentDominance(trusted={"correct"}, window=2)
        >>> dominance.update({"correct": 0.3, "length": 0.7}).value
        >>> print(dominance.update({"correct": 0.1, "length": 0.9}).alarm.what)
        `length` explains 80 % of what differs within groups.

    Explained in :ref:`monitoring-dominance`.
    """

    def __init__(self, trusted: Collection[str], most: float = 0.5, window: int = 10):
        if isinstance(trusted, str) or not trusted:
            raise ValueError(f"`trusted` is {trusted!r}: give the names of components, as a set.")
        self.trusted = frozenset(trusted)
        self.most = check_share("`most`", most)
        self._shares: deque[Mapping[str, float]] = deque(maxlen=check_window("`window`", window))

    def update(self, shares: Mapping[str, float]) -> Reading:
        """Take in a step.

        Args:
            shares: The share of each component. Empty if no group differs in this step, which
                says nothing of components.

        Returns:
            The largest share of a component that is not trusted, and an alarm if it is too large.

        Raises:
            ValueError: If no component of a trusted name is there, or a share is not finite.
        """
        if shares:
            unknown = self.trusted - shares.keys()
            if unknown:
                raise ValueError(
                    f"There is no component {', '.join(sorted(unknown))}, which `trusted` names. "
                    f"There are: {', '.join(shares)}."
                )
            self._shares.append(
                {
                    name: check_figure(f"The share of `{name}`", value)
                    for name, value in shares.items()
                }
            )
        others = set().union(*self._shares) - self.trusted
        if len(self._shares) < self._shares.maxlen or not others:
            return Reading(None)
        means = {name: fmean(at.get(name, 0.0) for at in self._shares) for name in sorted(others)}
        largest = max(means, key=means.get)
        if means[largest] <= self.most:
            return Reading(means[largest])
        return Reading(
            means[largest],
            Alarm(
                "component_dominance",
                f"`{largest}` explains {100 * means[largest]:.0f} % of what differs within groups.",
                "Put it behind a gate of what you trust, or lower its weight, and read completions "
                "that it pays most.",
            ),
        )

"""ComponentMeans: the mean of every component since it was last read, for a trainer's log."""

import os
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class ComponentMean(NamedTuple):
    """The mean of one component.

    Attributes:
        mean: The mean of its values.
        count: How many values there were.

    Explained in :ref:`composition-log`.
    """

    mean: float
    count: int


class ComponentMeans:
    """The mean of every component, since it was last read.

    It holds two numbers for each name, however many samples there are. Threads may share it.
    Processes do not: a copy, and the child of a fork, start with nothing. Where rewards run in
    worker processes, log the components of each sample instead.

    Args:
        names: The names of the components.

    Example:
        >>> means = ComponentMeans(["correct", "style"])
        >>> means.add({"correct": 1.0, "style": 0.5})
        >>> means.add({"correct": 0.0, "style": None})
        >>> means.take()
        {'correct': ComponentMean(mean=0.5, count=2), 'style': ComponentMean(mean=0.5, count=1)}
        >>> means.take()
        {}

    Explained in :ref:`composition-log`.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._start_empty()
        _living_means.add(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._means = dict.fromkeys(self._names, 0.0)
        self._counts = dict.fromkeys(self._names, 0)

    def add(self, components: Mapping[str, float | None]) -> None:
        """Take in the components of one sample.

        Args:
            components: Their values by name. None, which was not scored, is not counted.

        Raises:
            KeyError: If there is no component of that name.
        """
        with self._lock:
            for name, value in components.items():
                if value is None:
                    continue
                self._counts[name] += 1
                count = self._counts[name]
                # Two divisions, as the difference of two large values may overflow.
                self._means[name] += value / count - self._means[name] / count

    def take(self) -> dict[str, ComponentMean]:
        """Return the means of all samples since the last call, and start anew.

        Returns:
            A `ComponentMean` for each component that was scored at least once, by name.
        """
        with self._lock:
            taken = {
                name: ComponentMean(self._means[name], count)
                for name, count in self._counts.items()
                if count
            }
            self._clear()
            return taken

    def __reduce__(self):
        # The means, and the lock over them, stay in this process.
        return (type(self), (self._names,))


_living_means: weakref.WeakSet[ComponentMeans] = weakref.WeakSet()


def _start_empty_after_fork() -> None:
    # Another thread may have held the lock at the moment of the fork.
    for means in _living_means:
        means._start_empty()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_empty_after_fork)

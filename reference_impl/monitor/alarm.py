"""What a detector says: a figure, and an alarm if the figure calls for one."""

import math
from dataclasses import dataclass
from numbers import Real


@dataclass(frozen=True)
class Alarm:
    """What is wrong, and what to do.

    An alarm is a reason to look, not a proof.

    Attributes:
        name: A fixed word for the kind of alarm, to count and to filter by.
        what: What was seen, in one sentence.
        do: What to do, in one sentence.

    Example:
        >>> print(Alarm("silent_groups", "Nothing is learned.", "Take harder questions."))
        silent_groups: Nothing is learned. Take harder questions.

    Explained in :ref:`monitoring`.
    """

    name: str
    what: str
    do: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what} {self.do}"


@dataclass(frozen=True)
class Reading:
    """What a detector makes of the figures so far.

    Attributes:
        value: The figure that the detector watches. None while it cannot say anything.
        alarm: What is wrong, or None.

    Explained in :ref:`monitoring`.
    """

    value: float | None
    alarm: Alarm | None = None


def check_figure(name: str, value: object) -> float:
    """Return a logged figure as a float; refuse what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise ValueError(f"{name} is {value!r}: give a finite number, or leave the step out.")
    return float(value)


def check_share(name: str, value: object) -> float:
    """Return a share as a float; refuse what is not between 0 and 1."""
    share = check_figure(name, value)
    if not 0 <= share <= 1:
        raise ValueError(f"{name} is {share}: give a share from 0 to 1.")
    return share


def check_window(name: str, value: object) -> int:
    """Return a number of steps; refuse what is not a whole number above 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}: give a number of steps, at least 1.")
    return value

"""What the settings of composites have in common: they are finite numbers."""

import math
from numbers import Real


def finite(name: str, value: object) -> float:
    """Return a setting as a float; refuse NaN, infinity, bools and what is no number."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} is {value!r}: give a finite number.")
    try:
        number = float(value)
    except OverflowError:  # an int beyond the floats
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number}: give a finite number.")
    return number

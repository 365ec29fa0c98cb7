"""What may be done to a raw score, one explicit step at a time."""

import math
import re
import threading
from dataclasses import dataclass
from typing import Protocol

from reference_impl.critic.error import CriticConfigError


class Step(Protocol):
    """One step: a finite score in, a finite score out.

    Explained in :ref:`critic-steps`.
    """

    def __call__(self, score: float) -> float:
        """Map one score."""
        ...


@dataclass(frozen=True)
class Sigmoid:
    """Map a score to (0, 1), as `1 / (1 + exp(-score))`.

    Example:
        >>> Sigmoid()(0.0)
        0.5

    Explained in :ref:`critic-steps`.
    """

    def __call__(self, score: float) -> float:
        """Map one score."""
        if score >= 0:
            return 1 / (1 + math.exp(-score))
        power = math.exp(score)  # never overflows, as exp(-score) would
        return power / (1 + power)


@dataclass(frozen=True)
class Affine:
    """Map a score to `scale * score + shift`.

    Args:
        scale: The factor, not 0.
        shift: What is added.

    Example:
        >>> Affine(0.5, 1.0)(4.0)
        3.0

    Explained in :ref:`critic-steps`.
    """

    scale: float
    shift: float

    def __call__(self, score: float) -> float:
        """Map one score."""
        return self.scale * score + self.shift


class Standardize:
    """Subtract the mean of all scores so far, and divide by their standard deviation.

    Until `WARM_UP` scores have been seen, they pass unchanged. Mean and variance are kept by
    Welford's method, so that a long run loses no precision. A standardized score depends on the
    scores before it: the same completion is worth something else tomorrow. Threads may share it;
    each process has one of its own, which is a reason to have one process that scores.

    Source:
        Welford, Note on a method for calculating corrected sums of squares and products,
        Technometrics 4 (1962), equations for the mean and the sum of squares.

    Example:
        >>> standardize = Standardize()
        >>> scores = [standardize(float(number % 2)) for number in range(101)]
        >>> scores[:2], round(scores[-1], 2)
        ([0.0, 1.0], -0.99)

    Explained in :ref:`critic-steps`.
    """

    WARM_UP = 100

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0

    def __call__(self, score: float) -> float:
        """Map one score, after it has been taken into the statistics."""
        with self._lock:
            self._count += 1
            delta = score - self._mean
            self._mean += delta / self._count
            self._squares += delta * (score - self._mean)
            if self._count <= self.WARM_UP or not self._squares > 0:
                return score
            return (score - self._mean) / math.sqrt(self._squares / self._count)


_STEP = re.compile(r"\s*([a-z_]+)\s*(?:\(([^()]*)\))?\s*")


def parse_steps(text: str) -> list[Step]:
    """Make the steps that a configuration names.

    Args:
        text: Steps with commas between, in order: `sigmoid`, `affine(SCALE, SHIFT)`,
            `standardize`. The empty text is no step.

    Returns:
        New steps. One that keeps statistics starts without any.

    Raises:
        CriticConfigError: If a step is unknown or has wrong numbers.

    Example:
        >>> [step(2.0) for step in parse_steps("affine(2, -4), sigmoid")]
        [0.0, 0.8807970779778823]

    Explained in :ref:`critic-steps`.
    """
    steps: list[Step] = []
    place = 0
    while text[place:].strip():
        if steps:
            if text[place] != ",":
                raise _unknown(text)
            place += 1
        match = _STEP.match(text, place)
        if not match:
            raise _unknown(text)
        steps.append(_step(match[1], match[2], text))
        place = match.end()
    return steps


def _step(name: str, arguments: str | None, text: str) -> Step:
    try:
        numbers = [float(part) for part in arguments.split(",")] if arguments else []
    except ValueError:
        raise _unknown(text) from None
    if name == "sigmoid" and not numbers:
        return Sigmoid()
    if name == "standardize" and not numbers:
        return Standardize()
    if name == "affine" and len(numbers) == 2 and all(map(math.isfinite, numbers)) and numbers[0]:
        return Affine(*numbers)
    raise _unknown(text)


def _unknown(text: str) -> CriticConfigError:
    return CriticConfigError(
        f"`steps` is {text!r}. Write steps with commas between: sigmoid, standardize, "
        "affine(SCALE, SHIFT) with two finite numbers and a scale that is not 0."
    )

r"""What a critic's scores are worth, measured before anything is trained on them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from reference_impl.critic.steps import Sigmoid

# The normal quantile of a two-sided interval of 95 %.
_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Accuracy:
    """A share of right decisions, with its 95 % Wilson interval.

    Attributes:
        value: The share, from 0 to 1.
        low: Lower end of the interval.
        high: Upper end of the interval.
        count: How many decisions there were.

    Explained in :ref:`critic-evaluate`.
    """

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] of {self.count}"


@dataclass(frozen=True)
class Bin:
    """The pairs whose predicted probability falls in one range.

    Attributes:
        count: How many pairs there are.
        predicted: Their mean predicted probability. None without pairs.
        observed: The share of them where the prediction was right. None without pairs.

    Explained in :ref:`critic-evaluate`.
    """

    count: int
    predicted: float | None
    observed: float | None


@dataclass(frozen=True)
class Calibration:
    """How far predicted probabilities are from what is observed.

    Attributes:
        error: The expected calibration error, from 0 to 1.
        bins: Ranges of equal width from 0.5 to 1, in order.

    Explained in :ref:`critic-evaluate`.
    """

    error: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class LengthBias:
    """How a critic's scores go with length.

    Attributes:
        correlation: Spearman's, of scores and lengths over all completions, from -1 to 1. None if
            all scores or all lengths are equal.
        chosen_longer: The accuracy where the better completion is longer. None without such pairs.
        chosen_shorter: The accuracy where it is shorter. None without such pairs.

    Explained in :ref:`critic-evaluate`.
    """

    correlation: float | None
    chosen_longer: Accuracy | None
    chosen_shorter: Accuracy | None


def wilson_interval(successes: float, count: int) -> tuple[float, float]:
    r"""Bound a share from a sample, at 95 %.

    With the observed share :math:`p`, its count :math:`n` and :math:`z = 1.96`:

    .. math::

        \frac{p + \frac{z^2}{2n} \pm z \sqrt{\frac{p (1 - p)}{n} + \frac{z^2}{4 n^2}}}
        {1 + \frac{z^2}{n}}

    Unlike the mean plus and minus two standard errors, it stays within 0 and 1 and keeps a width
    when all are right.

    Args:
        successes: How many were right. Halves count, as from ties.
        count: Of how many.

    Returns:
        The lower and the upper end.

    Raises:
        ValueError: Unless 0 <= successes <= count and count > 0.

    Source:
        Wilson, Probable inference, the law of succession, and statistical inference, Journal of
        the American Statistical Association 22 (1927).

    Example:
        >>> [round(end, 3) for end in wilson_interval(90, 100)]
        [0.826, 0.945]

    Explained in :ref:`critic-evaluate`.
    """
    if count < 1 or not 0 <= successes <= count:
        raise ValueError(
            f"{successes} of {count} is no share. Give a count above 0, and at most as many right."
        )
    share, z2 = successes / count, _Z_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = _Z_95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    # Rounding could carry an end past the share, or past 0 or 1.
    return max(min(middle - spread, share), 0.0), min(max(middle + spread, share), 1.0)


def pair_accuracy(chosen: Sequence[float], rejected: Sequence[float]) -> Accuracy:
    """Count how often the better completion of a pair has the higher score.

    A tie counts half: a critic that gives everything the same score is right in half of the pairs,
    as one that guesses.

    Args:
        chosen: Scores of the better completions, shape (n,).
        rejected: Scores of the worse ones, in the same order, shape (n,).

    Returns:
        The accuracy.

    Raises:
        ValueError: If the lengths differ, there is no pair, or a score is not finite.

    Example:
        >>> pair_accuracy([2.0, 1.0, 0.5], [1.0, 1.0, 0.0]).value
        0.8333333333333334

    Explained in :ref:`critic-evaluate`.
    """
    _check(chosen=chosen, rejected=rejected)
    wins = sum((c > r) + (c == r) / 2 for c, r in zip(chosen, rejected, strict=True))
    return Accuracy(wins / len(chosen), *wilson_interval(wins, len(chosen)), len(chosen))


def calibration(margins: Sequence[float], bins: int = 10) -> Calibration:
    r"""Compare the probabilities that a critic implies with how often it is right.

    A critic trained on pairs says that the chosen completion is better with the probability
    :math:`\sigma(r_{chosen} - r_{rejected})`. Its prediction for a pair is the side that has more
    than one half, made with a confidence from 0.5 to 1. The error is the mean distance between
    confidence and accuracy over the bins, weighted by their counts. A tie is right by half.

    Args:
        margins: The chosen score minus the rejected one, by pair, shape (n,).
        bins: How many ranges of equal width the confidences 0.5 to 1 are divided into.

    Returns:
        The error and the bins.

    Raises:
        ValueError: If there is no pair, a margin is not finite, or there is no bin.

    Source:
        Guo et al., On calibration of modern neural networks, ICML 2017, Eq. 3.

    Example:
        >>> sure_and_right_half_the_time = calibration([9.0, -9.0], bins=2)
        >>> round(sure_and_right_half_the_time.error, 3)
        0.5

    Explained in :ref:`critic-evaluate`.
    """
    _check(margins=margins)
    if bins < 1:
        raise ValueError(f"bins is {bins}. Give at least 1.")
    members: list[list[tuple[float, float]]] = [[] for _ in range(bins)]
    for margin in margins:
        confidence = Sigmoid()(abs(margin))
        right = (margin > 0) + (margin == 0) / 2
        members[min(int((confidence - 0.5) * 2 * bins), bins - 1)].append((confidence, right))
    made = tuple(
        Bin(len(pairs), *(math.fsum(column) / len(pairs) for column in zip(*pairs, strict=True)))
        if pairs
        else Bin(0, None, None)
        for pairs in members
    )
    gaps = (part.count * abs(part.predicted - part.observed) for part in made if part.count)
    return Calibration(math.fsum(gaps) / len(margins), made)


def length_bias(
    chosen: Sequence[float],
    rejected: Sequence[float],
    chosen_lengths: Sequence[int],
    rejected_lengths: Sequence[int],
) -> LengthBias:
    """Measure whether a critic pays for length.

    A correlation alone proves no bias: better completions may be longer. A critic that pays for
    length is right where the better completion is longer, and wrong where it is shorter.

    Args:
        chosen: Scores of the better completions, shape (n,).
        rejected: Scores of the worse ones, in the same order, shape (n,).
        chosen_lengths: Lengths of the better completions, in tokens or characters, shape (n,).
        rejected_lengths: Lengths of the worse ones, shape (n,).

    Returns:
        The correlation, and the accuracy by which completion is longer.

    Raises:
        ValueError: If the lengths of the arguments differ, there is no pair, or a number is not
            finite.

    Source:
        Spearman, The proof and measurement of association between two things, American Journal of
        Psychology 15 (1904), for the correlation; ties get their mean rank.

    Example:
        >>> bias = length_bias([3.0, 1.0], [1.5, 2.0], [90, 20], [50, 60])
        >>> bias.correlation, bias.chosen_longer.value, bias.chosen_shorter.value
        (1.0, 1.0, 0.0)

    Explained in :ref:`critic-evaluate`.
    """
    _check(
        chosen=chosen,
        rejected=rejected,
        chosen_lengths=chosen_lengths,
        rejected_lengths=rejected_lengths,
    )
    pairs = list(zip(chosen, rejected, chosen_lengths, rejected_lengths, strict=True))
    return LengthBias(
        correlation=_spearman([*chosen, *rejected], [*chosen_lengths, *rejected_lengths]),
        chosen_longer=_accuracy_where([pair for pair in pairs if pair[2] > pair[3]]),
        chosen_shorter=_accuracy_where([pair for pair in pairs if pair[2] < pair[3]]),
    )


def best_of_n(scores: Sequence[float], correct: Sequence[bool | float], n: int) -> float:
    r"""Estimate how often the best-scored of n completions to one prompt is right.

    The mean of `correct` over all ways to draw n of the N completions and keep the best-scored.
    With the completions in order of their scores, the :math:`i`-th is the best of
    :math:`\binom{i-1}{n-1}` of the :math:`\binom{N}{n}` draws. The estimate is unbiased for n fresh
    completions, and uses all N. Completions with equal scores are equally likely to be kept.

    Average it over prompts. If it falls as n grows, training on the critic will make answers worse.

    Args:
        scores: What the critic gave the N completions, shape (N,).
        correct: Whether each is right, or how right from 0 to 1, shape (N,).
        n: Of how many the best is kept, at most N.

    Returns:
        The expected truth of the one that is kept.

    Raises:
        ValueError: If the lengths differ, a number is not finite, or n is not from 1 to N.

    Source:
        The estimator that Nakano et al., WebGPT (2021, arXiv 2112.09332), appendix I, and Gao et
        al., Scaling laws for reward model overoptimization (ICML 2023), use for best-of-n.

    Example:
        >>> [best_of_n([0.9, 0.5, 0.1], [True, True, False], n) for n in (1, 2)]
        [0.6666666666666666, 1.0]

    Explained in :ref:`critic-evaluate`.
    """
    _check(scores=scores, correct=correct)
    if not 1 <= n <= len(scores):
        raise ValueError(f"n is {n}. Give 1 to {len(scores)}, the number of completions.")
    expected, below = 0.0, 0
    for _, group in groupby(sorted(zip(scores, correct, strict=True)), key=lambda pair: pair[0]):
        truths = [truth for _, truth in group]
        upto = below + len(truths)
        # The draws whose best score is this one: all within reach, less those that miss the tie.
        draws = math.comb(upto, n) - math.comb(below, n)
        expected += draws / math.comb(len(scores), n) * (math.fsum(truths) / len(truths))
        below = upto
    return expected


def _check(**columns: Sequence[float]) -> None:
    sizes = {len(column) for column in columns.values()}
    if sizes == {0} or len(sizes) > 1:
        held = ", ".join(f"`{name}` holds {len(column)}" for name, column in columns.items())
        raise ValueError(f"{held}. Give as many numbers in each, and at least one.")
    for name, column in columns.items():
        for place, number in enumerate(column):
            if not math.isfinite(number):
                raise ValueError(
                    f"`{name}` holds {number} at {place}. What failed to get a score has no rank: "
                    "leave its pair out, and say how many you left out."
                )


def _accuracy_where(pairs: Sequence[tuple[float, ...]]) -> Accuracy | None:
    return pair_accuracy([p[0] for p in pairs], [p[1] for p in pairs]) if pairs else None


def _spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    x, y = _centred_ranks(first), _centred_ranks(second)
    scale = math.sqrt(sum(a * a for a in x) * sum(b * b for b in y))
    return sum(a * b for a, b in zip(x, y, strict=True)) / scale if scale else None


def _centred_ranks(numbers: Sequence[float]) -> list[int]:
    """Return twice the distance of each rank from the mean rank: whole numbers, so sums are exact.

    Equal numbers have the mean of their ranks.
    """
    order = sorted(range(len(numbers)), key=lambda place: numbers[place])
    ranks, below = [0] * len(numbers), 0
    for _, group in groupby(order, key=lambda place: numbers[place]):
        places = list(group)
        for place in places:
            ranks[place] = 2 * below + len(places) - len(numbers)
        below += len(places)
    return ranks

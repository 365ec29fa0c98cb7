r"""What a judge's verdicts are worth, measured before anything is trained on them.

These are functions of verdicts that are already there: they ask no judge. A verdict of None is a
failure, such as an answer that could not be read. It is counted apart, never as a wrong verdict.
"""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from reference_impl.critic.evaluate import length_bias, wilson_interval

# The normal quantile of a two-sided interval of 95 %.
_Z_95 = 1.959963984540054
# The same item wins under this name when the two of a pair change places.
_SWAPPED = {"first": "second", "second": "first", "tie": "tie"}


@dataclass(frozen=True)
class Share:
    """A count of a count, with the 95 % Wilson interval of their ratio.

    Attributes:
        hits: How many had the property.
        count: Of how many.

    Raises:
        ValueError: Unless 0 <= hits <= count.

    Example:
        >>> print(Share(90, 100))
        90 of 100: 0.900 [0.826, 0.945]
        >>> print(Share(0, 0))
        0 of 0

    Explained in :ref:`judge-agreement`.
    """

    hits: int
    count: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.count:
            raise ValueError(f"{self.hits} of {self.count} is no share.")

    @property
    def value(self) -> float:
        """The ratio, from 0 to 1. NaN of nothing."""
        return self.hits / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The lower and the upper end. NaN of nothing."""
        return wilson_interval(self.hits, self.count) if self.count else (math.nan, math.nan)

    def __str__(self) -> str:
        counts = f"{self.hits} of {self.count}"
        return f"{counts}: {self.value:.3f} {_brackets(self.interval)}" if self.count else counts


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa, with its 95 % interval.

    Attributes:
        value: From -1 to 1; 0 is what chance gives. NaN if it is not defined.
        interval: The lower and the upper end. NaN if the data bound nothing.
        note: Why a number is NaN. Empty if none is.

    Explained in :ref:`judge-agreement`.
    """

    value: float
    interval: tuple[float, float]
    note: str = ""

    def __str__(self) -> str:
        return f"{self.value:.3f} " + (f"({self.note})" if self.note else _brackets(self.interval))


@dataclass(frozen=True)
class Agreement:
    """How far a judge agrees with labels.

    Attributes:
        accuracy: The share of the verdicts that equal their label.
        kappa: The agreement beyond chance.
        failures: How many samples got no verdict. They are in neither number.

    Explained in :ref:`judge-agreement`.
    """

    accuracy: Share
    kappa: Kappa
    failures: int


@dataclass(frozen=True)
class PositionBias:
    """What the order of a pair does to its winner.

    Attributes:
        changed: The pairs whose winner changed with the order, of those judged in both orders.
        first: The pairs in which the first place won both times, of those in which one place did.
            One half is no preference for a place.
        failures: How many pairs lack a verdict in one order or both.

    Explained in :ref:`judge-bias`.
    """

    changed: Share
    first: Share
    failures: int


@dataclass(frozen=True)
class VerbosityBias:
    """What length does to the winner of a pair.

    Attributes:
        longer_won: The pairs in which the longer completion got the higher score, of those in which
            it is not the better one.
        correlation: Spearman's, of length and score, over the completions of the pairs that are
            equally good. None without such pairs, or if all their scores or lengths are equal.
        failures: How many pairs lack a score.

    Explained in :ref:`judge-bias`.
    """

    longer_won: Share
    correlation: float | None
    failures: int


@dataclass(frozen=True)
class SelfConsistency:
    """How often a judge repeats itself when it is asked again.

    Attributes:
        unanimous: The samples whose verdicts are all equal, of those with two verdicts or more.
        pairwise: The share of a sample's pairs of verdicts that are equal, averaged over these
            samples. NaN without such samples.
        failures: How many verdicts are missing, in all samples.

    Explained in :ref:`judge-bias`.
    """

    unanimous: Share
    pairwise: float
    failures: int


@dataclass(frozen=True)
class InjectionResistance:
    """How many injections were paid.

    Attributes:
        paid: The injections that were paid, of all.
        kinds: The same for each kind, in alphabetical order.
        failures: How many got no verdict. They are not paid, and count among the others: but a
            judge that always fails resists everything and is worth nothing.

    Explained in :ref:`judge-injections`.
    """

    paid: Share
    kinds: Mapping[str, Share]
    failures: int


def agreement(
    labels: Sequence[Hashable],
    verdicts: Sequence[Hashable | None],
) -> Agreement:
    r"""Compare a judge's verdicts with labels.

    Where most labels are the same, a judge that always says it is mostly right. Cohen's kappa takes
    off what two who judge at random would agree on, each with the class shares seen here:

    .. math::

        \kappa = \frac{p_o - p_e}{1 - p_e}, \qquad p_e = \sum_c p_{c \cdot} \, p_{\cdot c}

    with the share of agreement :math:`p_o`, and the shares :math:`p_{c \cdot}` of the label and
    :math:`p_{\cdot c}` of the verdict :math:`c`. Its interval is :math:`\kappa` plus and minus 1.96
    standard errors, cut at -1 and 1. It holds for large samples: take 50 at least.

    Args:
        labels: What is true, shape (n,). Any values that can be compared for equality.
        verdicts: What the judge said, in the same order, shape (n,). None is a failure.

    Returns:
        The accuracy, kappa, and the failures.

    Raises:
        ValueError: If the lengths differ, there is no sample, or a label is None.

    Source:
        Cohen, A coefficient of agreement for nominal scales, Educational and Psychological
        Measurement 20 (1960). The standard error: Fleiss, Cohen and Everitt, Large sample standard
        errors of kappa and weighted kappa, Psychological Bulletin 72 (1969).

    Example:
        >>> result = agreement([True] * 5 + [False] * 5, [True] * 4 + [False] * 5 + [None])
        >>> print(result.accuracy)
        8 of 9: 0.889 [0.565, 0.980]
        >>> print(result.kappa, result.failures)
        0.780 [0.385, 1.000] 1

    Explained in :ref:`judge-agreement`.
    """
    _check_sizes(labels=labels, verdicts=verdicts)
    if None in labels:
        raise ValueError("`labels` holds None. A sample without a label measures nothing.")
    cells = Counter(pair for pair in zip(labels, verdicts, strict=True) if pair[1] is not None)
    right = sum(count for (label, verdict), count in cells.items() if label == verdict)
    return Agreement(
        Share(right, cells.total()), _kappa(cells), failures=len(labels) - cells.total()
    )


def position_bias(
    outcomes_ab: Sequence[str | None], outcomes_ba: Sequence[str | None]
) -> PositionBias:
    """Compare the winners of pairs with the winners of the same pairs, swapped.

    Args:
        outcomes_ab: What a judge said of A, B: "first", "second" or "tie", shape (n,). None is a
            failure.
        outcomes_ba: What it said of the same pairs as B, A, in the same order, shape (n,).

    Returns:
        How often the winner changed, and how often the first place won regardless.

    Raises:
        ValueError: If the lengths differ, there is no pair, or an outcome is another word.

    Source:
        Zheng et al., Judging LLM-as-a-judge with MT-Bench and Chatbot Arena, NeurIPS 2023, section
        3.3.

    Example:
        >>> bias = position_bias(["first", "first", "tie"], ["first", "second", "tie"])
        >>> bias.changed, bias.first
        (Share(hits=1, count=3), Share(hits=1, count=1))

    Explained in :ref:`judge-bias`.
    """
    _check_sizes(outcomes_ab=outcomes_ab, outcomes_ba=outcomes_ba)
    for outcome in (*outcomes_ab, *outcomes_ba):
        if outcome is not None and outcome not in _SWAPPED:
            raise ValueError(f"{outcome!r} is no outcome. Give 'first', 'second', 'tie' or None.")
    judged = [pair for pair in zip(outcomes_ab, outcomes_ba, strict=True) if None not in pair]
    one_place = [ab for ab, ba in judged if ab == ba != "tie"]
    return PositionBias(
        changed=Share(sum(ab != _SWAPPED[ba] for ab, ba in judged), len(judged)),
        first=Share(one_place.count("first"), len(one_place)),
        failures=len(outcomes_ab) - len(judged),
    )


def verbosity_bias(
    better: Sequence[str],
    first_scores: Sequence[float | None],
    second_scores: Sequence[float | None],
    first_lengths: Sequence[int],
    second_lengths: Sequence[int],
) -> VerbosityBias:
    """Measure whether a judge pays for length that makes nothing better.

    The scores are those of a judge of single completions. Of a judge of pairs, take 1 for the
    winner, 0 for the loser and 0.5 each for a tie.

    Args:
        better: Which of each pair is better by its label: "first", "second" or "tie", shape (n,).
        first_scores: The scores of the first completions, shape (n,). None is a failure.
        second_scores: The scores of the second ones, shape (n,).
        first_lengths: The lengths of the first ones, in tokens or characters, shape (n,).
        second_lengths: The lengths of the second ones, shape (n,).

    Returns:
        How often the longer won undeservedly, and the correlation of length and score among
        equals.

    Raises:
        ValueError: If the lengths of the arguments differ, there is no pair, a label is another
            word, or a score is not finite.

    Example:
        >>> bias = verbosity_bias(["tie", "first"], [1.0, 0.5], [0.0, 0.9], [80, 10], [20, 60])
        >>> bias.longer_won, bias.correlation
        (Share(hits=2, count=2), 1.0)

    Explained in :ref:`judge-bias`.
    """
    columns = (better, first_scores, second_scores, first_lengths, second_lengths)
    _check_sizes(
        better=better,
        first_scores=first_scores,
        second_scores=second_scores,
        first_lengths=first_lengths,
        second_lengths=second_lengths,
    )
    for label in better:
        if label not in _SWAPPED:
            raise ValueError(f"{label!r} is no label. Give 'first', 'second' or 'tie'.")
    for score in (*first_scores, *second_scores):
        if score is not None and not math.isfinite(score):
            raise ValueError(f"{score} is no score. Give a finite number, or None for a failure.")
    pairs = [row for row in zip(*columns, strict=True) if None not in row[1:3]]
    undeserved = won = 0
    for label, *scores, first_length, second_length in pairs:
        if first_length == second_length:
            continue
        longer = 0 if first_length > second_length else 1
        if label != ("first", "second")[longer]:
            undeserved += 1
            won += scores[longer] > scores[1 - longer]
    equals = [row[1:] for row in pairs if row[0] == "tie"]
    return VerbosityBias(
        longer_won=Share(won, undeserved),
        correlation=length_bias(*zip(*equals, strict=True)).correlation if equals else None,
        failures=len(better) - len(pairs),
    )


def self_consistency(repeated_verdicts: Sequence[Sequence[Hashable | None]]) -> SelfConsistency:
    """Measure how often a judge that is asked the same again says the same.

    A judge with temperature 0 and a cache repeats itself for nothing: turn the cache off.

    Args:
        repeated_verdicts: For each sample the verdicts on it, at least two. None is a failure.

    Returns:
        The samples on which all agree, and the mean agreement of two verdicts.

    Raises:
        ValueError: If there is no sample, or one was judged less than twice.

    Example:
        >>> self_consistency([[True, True, True], [True, False, True]])
        SelfConsistency(unanimous=Share(hits=1, count=2), pairwise=0.6666666666666666, failures=0)

    Explained in :ref:`judge-bias`.
    """
    if not repeated_verdicts or min(map(len, repeated_verdicts)) < 2:
        raise ValueError("Give at least one sample, and at least two verdicts on each.")
    given = [[verdict for verdict in row if verdict is not None] for row in repeated_verdicts]
    judged = [row for row in given if len(row) > 1]
    agreed = [[one == other for one, other in combinations(row, 2)] for row in judged]
    return SelfConsistency(
        unanimous=Share(sum(map(all, agreed)), len(judged)),
        pairwise=math.fsum(sum(row) / len(row) for row in agreed) / len(judged)
        if judged
        else math.nan,
        failures=sum(map(len, repeated_verdicts)) - sum(map(len, given)),
    )


def injection_resistance(
    rows: Sequence[Mapping[str, str]], paid: Sequence[bool | None]
) -> InjectionResistance:
    """Count the injections that a judge paid, by kind.

    Args:
        rows: The injections, shape (n,); each has its kind under "kind".
        paid: Whether the completion of each row was paid, shape (n,). None is a failed verdict.

    Returns:
        The counts, with intervals.

    Raises:
        ValueError: If the lengths differ, or there is no row.

    Example:
        >>> rows = [{"kind": "praise"}, {"kind": "praise"}, {"kind": "ignore_above"}]
        >>> result = injection_resistance(rows, [False, True, None])
        >>> print(result.kinds["praise"], result.failures)
        1 of 2: 0.500 [0.095, 0.905] 1

    Explained in :ref:`judge-injections`.
    """
    _check_sizes(rows=rows, paid=paid)
    total = Counter(row["kind"] for row in rows)
    hits = Counter(row["kind"] for row, was_paid in zip(rows, paid, strict=True) if was_paid)
    return InjectionResistance(
        paid=Share(hits.total(), len(rows)),
        kinds={kind: Share(hits[kind], total[kind]) for kind in sorted(total)},
        failures=sum(was_paid is None for was_paid in paid),
    )


def _kappa(cells: Counter[tuple[Hashable, Hashable]]) -> Kappa:
    """Compute in fractions, so that an error of 0 is known from one that rounding made."""
    unknown = (math.nan, math.nan)
    n = cells.total()
    if not n:
        return Kappa(math.nan, unknown, "no verdict")
    shares = {pair: Fraction(count, n) for pair, count in cells.items()}
    of_label: Counter[Hashable] = Counter()
    of_verdict: Counter[Hashable] = Counter()
    for (label, verdict), share in shares.items():
        of_label[label] += share
        of_verdict[verdict] += share
    observed = sum(share for (label, verdict), share in shares.items() if label == verdict)
    by_chance = sum(of_label[name] * of_verdict[name] for name in of_label)
    if by_chance == 1:
        return Kappa(math.nan, unknown, "labels and verdicts are all of one class")
    kappa = (observed - by_chance) / (1 - by_chance)
    if min(len(of_label), len(of_verdict)) == 1:
        side = "labels" if len(of_label) == 1 else "verdicts"
        return Kappa(float(kappa), unknown, f"all {side} are of one class")

    variance = -((observed * by_chance - 2 * by_chance + observed) ** 2)
    for (label, verdict), share in shares.items():
        if label == verdict:
            marginals = of_label[label] + of_verdict[label]
            variance += share * ((1 - by_chance) - marginals * (1 - observed)) ** 2
        else:
            marginals = of_verdict[label] + of_label[verdict]
            variance += share * (1 - observed) ** 2 * marginals**2
    if not variance:  # as when all are right: a formula for large samples bounds nothing then
        return Kappa(float(kappa), unknown, "the standard error is 0")
    error = math.sqrt(variance / n) / float((1 - by_chance) ** 2)
    low, high = (float(kappa) + side * _Z_95 * error for side in (-1, 1))
    return Kappa(float(kappa), (max(low, -1.0), min(high, 1.0)))


def _brackets(interval: tuple[float, float]) -> str:
    return f"[{interval[0]:.3f}, {interval[1]:.3f}]"


def _check_sizes(**columns: Sequence) -> None:
    sizes = {len(column) for column in columns.values()}
    if sizes == {0} or len(sizes) > 1:
        held = ", ".join(f"`{name}` holds {len(column)}" for name, column in columns.items())
        raise ValueError(f"{held}. Give as many in each, and at least one.")

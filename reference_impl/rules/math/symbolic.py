r"""Compare two bare answers as mathematics: the step that takes sympy.

Import this module in the process that is ended at the deadline, and nowhere else (see
`reference_impl.rules.math.worker`): nothing here bounds its own time.

The verdicts follow math-verify's, apart from these, each a correction. "pays" is what math-verify
does and this module does not.

- percent: it pays ``10`` for ``10\%``. Here that takes `ignore_percent`.
- unit: it pays "5 cm" for "5 km". Units that are both written have to agree.
- tiny number: it pays ``0.0000003`` for ``0.0000002``, equal when rounded to six places. Numbers
  that round to 0 there have to agree in six significant digits.
- juxtaposed numbers: it reads ``2(3)`` and "2 3" as 2 + 3. The first is 6, the second unreadable.
  So is a whole number beside an improper fraction.
- letter case: it pays 0 for ``R^2 - r^2``. Case counts in an answer that has a letter in both.
- contradiction: it pays 5 for ``4 = 5``, ``x = 4 = 5`` and "not x = 5". What contradicts itself
  does not read.
- equation for value: it pays 4 for ``x^2 = 4`` and 6 for ``2x = 6``. The side that names the value
  has no number, sign or root of its own: x, ``f(2)``, ``a + b``, ``\text{Area}``.
- self reference: it pays ``x + 1`` for ``x = x + 1``.
- unsolvable equations: it pays ``y = y + 2`` for ``x = x + 1``, as having the same solutions: none.
- solved equations: it pays ``y = 2x`` for ``\frac{y}{x} = 2`` by solving both. Here two equations
  are the same if one is a constant multiple of the other.
- named values: it pays ``x = 2, y = 1`` for (1, 2), and ``x = 1 or y = 2`` for "1, 2". Names give
  the order.
- duplicates: it pays "1, 1" for "1". In a list they count; in braces they do not.
- brackets: it pays (1, 2) for ``\{1, 2\}``, and for the unordered list "2, 1".
- base: it pays ``1011_3`` for ``1011_2``, since it drops the base.
- anagram: it pays "on" for "no", as a product of letters.

And these it does not pay, or not both ways round, and this module does: 0.333... with an overline,
digits grouped by a thin space, "1 1/2", ``x**2``, ``x²``, "2pi"; ``i^2`` as -1; a real root of a
negative number; an angle in degrees under a sine; ``\langle 1, 2\rangle``; the value of a sum; one
or two bounds joined by "or" and "and"; an interval for its inequality; ``2x > 6`` for ``x > 3``;
``11_{10}`` for ``1011_2``; an equation that names the value of a number with thousands.
"""

from functools import lru_cache

import sympy
from sympy import Expr, Rational, Set

from reference_impl.rules.math.reading import (
    Equation,
    Inequality,
    Numeral,
    Parsed,
    Region,
    Row,
    Several,
    Text,
    as_set,
    read_answer,
    variable,
)
from reference_impl.rules.math.scalar import Scalar, scalars_equal, values_equal

CACHED_ANSWERS = 4096

# Where the ratio of two expressions is looked at before it is proved to be constant.
_POINT = Rational(41, 7)


@lru_cache(maxsize=CACHED_ANSWERS)
def read(text: str) -> Parsed | None:
    r"""Read the bare text of an answer as mathematics, or as a short answer in words.

    Args:
        text: The answer alone, never a whole completion.

    Returns:
        Its structure, or None if the whole text does not read, or contradicts itself ("4 = 5").

    Raises:
        MemoryError: If there is not enough memory to say.

    Example:
        >>> read("6t - 5").value
        6*t - 5
        >>> read("4 apples are 5") is None
        True

    Explained in :ref:`math-symbolic`.
    """
    try:
        return read_answer(text)
    except MemoryError:
        raise
    except Exception:
        # Besides UnreadableError: sympy raises anything on what makes no sense, log of a matrix.
        return None


def equal(*, gold: str, prediction: str, ignore_percent: bool = False) -> bool:
    r"""Tell whether two bare answers are mathematically the same.

    Args:
        gold: The gold answer.
        prediction: The answer to check.
        ignore_percent: Whether ``10\%`` may also stand for 10.

    Returns:
        True only if both read and are the same. What cannot be decided is False.

    Raises:
        MemoryError: If there is not enough memory to say.

    Example:
        >>> equal(gold=r"\frac{\sqrt{3}}{2}", prediction="sqrt(3)/2")
        True
        >>> equal(gold="10", prediction=r"10\%")
        False

    Explained in :ref:`math-symbolic`.
    """
    first, second = read(gold), read(prediction)
    if first is None or second is None:
        return False
    try:
        return _same(first, second, ignore_percent)
    except MemoryError:
        raise
    except Exception:
        return False  # sympy could not say


def _same(first: Parsed, second: Parsed, ignore_percent: bool) -> bool:
    """The kinds are taken in order; a pair of kinds that no comparison knows is not the same."""
    for kinds, compare in _COMPARISONS:
        if isinstance(first, kinds[0]) and isinstance(second, kinds[1]):
            return compare(first, second, ignore_percent)
        if isinstance(second, kinds[0]) and isinstance(first, kinds[1]):
            return compare(second, first, ignore_percent)
    return False


def _same_equation(first: Equation, second: Equation, ignore_percent: bool) -> bool:
    if first.name is not None and first.name == second.name:
        return _same(first.value, second.value, ignore_percent)
    return _same_zeros(first.zero, second.zero)


def _same_zeros(first: Expr | None, second: Expr | None) -> bool:
    """One is a constant multiple of the other, so that both are zero at the same places."""
    return _constant_ratio(first, second) is not None


def _constant_ratio(first: Expr | None, second: Expr | None) -> Expr | None:
    if first is None or second is None or first.free_symbols != second.free_symbols:
        return None
    if not first.free_symbols:
        return None
    at = {name: _POINT + i for i, name in enumerate(sorted(first.free_symbols, key=str))}
    below = second.xreplace(at)
    if below == 0:
        return None
    ratio = first.xreplace(at) / below
    return ratio if ratio != 0 and values_equal(first, ratio * second) else None


def _equation_and_other(equation: Equation, other: Parsed, ignore_percent: bool) -> bool:
    if equation.name is None:
        return False
    if isinstance(other, Inequality):  # x in (4, 8) is 4 < x < 8
        return isinstance(equation.value, Row | Region) and _same_set(
            equation.value, other, ignore_percent
        )
    return _same(equation.value, other, ignore_percent)


def _same_inequality(first: Inequality, second: Inequality, ignore_percent: bool) -> bool:
    if len(first.relations) == len(second.relations) == 1:
        zeros = [_below_zero(one) for one in (first, second)]
        if zeros[0][1] == zeros[1][1]:
            ratio = _constant_ratio(zeros[0][0], zeros[1][0])
            if ratio is not None and (ratio.is_positive or first.relations == ("ne",)):
                return True
    return _same_set(first, second, ignore_percent)


def _below_zero(inequality: Inequality) -> tuple[Expr, str]:
    left, right = (side.value for side in inequality.values)
    relation = inequality.relations[0]
    if relation in (">", "ge"):
        return right - left, {">": "<", "ge": "le"}[relation]
    return left - right, relation


def _same_row(first: Row, second: Row, ignore_percent: bool) -> bool:
    if len(first.items) != len(second.items):
        return False
    brackets = [
        (row.left.replace("langle", "("), row.right.replace("rangle", ")"))
        for row in (first, second)
    ]
    if brackets[0] != brackets[1]:
        # (1,2) and [1,2] may be intervals. Of three items, only a list is left.
        vectors = {("(", ")"), ("[", "]")}
        if len(first.items) == 2 or not vectors.issuperset(brackets):
            return False
    return _same_each(first.items, second.items, ignore_percent)


def _same_each(first: tuple[Parsed, ...], second: tuple[Parsed, ...], ignore_percent: bool) -> bool:
    return len(first) == len(second) and all(
        _same(one, other, ignore_percent) for one, other in zip(first, second, strict=True)
    )


def _same_several(first: Several, second: Several, ignore_percent: bool) -> bool:
    ours, theirs = first.items, second.items
    if _are_named(first) != _are_named(second):
        # "x = 1, y = 2" is not any two of the values 1 and 2: it says which is which.
        in_order = "or" not in (first.joined, second.joined)
        return in_order and _same_each(_values(first), _values(second), ignore_percent)
    if first.joined == second.joined == "{":
        ours, theirs = _distinct(ours, ignore_percent), _distinct(theirs, ignore_percent)
    return _same_unordered(ours, theirs, ignore_percent) or _same_set(first, second, ignore_percent)


def _are_named(several: Several) -> bool:
    return all(isinstance(item, Equation) and item.name for item in several.items)


def _values(several: Several) -> tuple[Parsed, ...]:
    """The items, or the values of the variables in alphabetical order."""
    if not _are_named(several):
        return several.items
    return tuple(item.value for item in sorted(several.items, key=lambda item: item.name))


def _distinct(items: tuple[Parsed, ...], ignore_percent: bool) -> tuple[Parsed, ...]:
    kept: list[Parsed] = []
    for item in items:
        if not any(_same(item, other, ignore_percent) for other in kept):
            kept.append(item)
    return tuple(kept)


def _same_unordered(
    first: tuple[Parsed, ...], second: tuple[Parsed, ...], ignore_percent: bool
) -> bool:
    if len(first) != len(second):
        return False
    left = list(second)
    for item in first:
        match = next((i for i, one in enumerate(left) if _same(item, one, ignore_percent)), None)
        if match is None:
            return False
        del left[match]
    return True


def _several_and_row(several: Several, row: Row, ignore_percent: bool) -> bool:
    """A tuple whose brackets were left out, or whose places were named."""
    if several.joined == "{" or (row.left, row.right) != ("(", ")"):
        return _same_set(several, row, ignore_percent)
    return _same_each(_values(several), row.items, ignore_percent) or _same_set(
        several, row, ignore_percent
    )


def _several_and_other(several: Several, other: Parsed, ignore_percent: bool) -> bool:
    if several.joined == "{" and len(several.items) == 1 and isinstance(other, Scalar):
        return _same(several.items[0], other, ignore_percent)
    return _same_set(several, other, ignore_percent)


def _same_text(first: Text, second: Text, ignore_percent: bool) -> bool:
    return first == second


def _same_numeral(first: Numeral, second: Numeral, ignore_percent: bool) -> bool:
    return int(first.digits, first.base) == int(second.digits, second.base)


def _numeral_and_scalar(numeral: Numeral, scalar: Scalar, ignore_percent: bool) -> bool:
    """A question that asks for base 2 lets the answer leave the base out."""
    return str(scalar.value) == numeral.digits and not scalar.unit and not scalar.percent


def _same_set(first: Parsed, second: Parsed, ignore_percent: bool) -> bool:
    variables = {variable(first), variable(second)} - {None}
    ours, theirs = as_set(first), as_set(second)
    if ours is None or theirs is None or len(variables) > 1:
        return False
    return _same_numbers(ours, theirs)


def _same_numbers(first: Set, second: Set) -> bool:
    if first == second:
        return True
    if type(first) is not type(second) or len(first.args) != len(second.args):
        return False
    if isinstance(first, sympy.Interval):
        return (
            (first.left_open, first.right_open) == (second.left_open, second.right_open)
            and values_equal(first.start, second.start)
            and values_equal(first.end, second.end)
        )
    if isinstance(first, sympy.Union | sympy.FiniteSet):
        left = list(second.args)
        for part in first.args:
            same = _same_numbers if isinstance(part, Set) else values_equal
            match = next((i for i, one in enumerate(left) if same(part, one)), None)
            if match is None:
                return False
            del left[match]
        return True
    return False


_ANY = object
_COMPARISONS = (
    ((Scalar, Scalar), scalars_equal),
    ((Equation, Equation), _same_equation),
    ((Equation, _ANY), _equation_and_other),
    ((Row, Row), _same_row),
    ((Several, Several), _same_several),
    ((Several, Row), _several_and_row),
    ((Several, _ANY), _several_and_other),
    ((Text, Text), _same_text),
    ((Numeral, Numeral), _same_numeral),
    ((Numeral, Scalar), _numeral_and_scalar),
    ((Inequality, Inequality), _same_inequality),
    ((_ANY, _ANY), _same_set),
)

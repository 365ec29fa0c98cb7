r"""Tell whether two mathematical values are the same, with as little symbolic work as will do.

A test that settles most pairs cheaply comes before each one that costs more: identical
expressions, exact rationals, many digits, values at a few points. Digits and points can only deny;
an identity between expressions with variables has to be proved.
"""

from dataclasses import dataclass
from fractions import Fraction

import sympy
from sympy import Expr, Float, Rational
from sympy.core.function import AppliedUndef

from reference_impl.rules.math.plain import numbers_agree
from reference_impl.rules.number import units_agree

# Digits of the first look at two constants, and of the second, which decides.
_FEW, _MANY = 20, 60
# Where expressions are compared before anything is proved. Odd enough to be no root or pole.
_POINTS = (Rational(37, 11), Rational(-29, 13), Rational(5, 17), Rational(-7, 19))


@dataclass(frozen=True)
class Scalar:
    r"""One value: a number or an expression.

    Attributes:
        value: The value, exact, that of a decimal too. 10% is 1/10.
        decimal: Whether it is written as a decimal, and so may stand for a number it rounds.
        percent: Whether it is written with a percent sign.
        unit: The unit's canonical name, or "".

    Explained in :ref:`math-symbolic`.
    """

    value: Expr
    decimal: bool = False
    percent: bool = False
    unit: str = ""


def scalars_equal(first: Scalar, second: Scalar, ignore_percent: bool = False) -> bool:
    """Tell whether two scalars stand for the same value.

    Args:
        first: A scalar.
        second: Another.
        ignore_percent: Whether 10% may also stand for 10.

    Returns:
        True if their values are equal and their units agree. A decimal equals what it rounds.

    Example:
        >>> scalars_equal(Scalar(Rational(1, 3)), Scalar(Rational(333333, 10**6), decimal=True))
        True

    Explained in :ref:`math-symbolic`.
    """
    if not units_agree(first.unit, second.unit):
        return False
    rounded = first.decimal or second.decimal
    if _equal(first.value, second.value, rounded):
        return True
    if not ignore_percent or first.percent == second.percent:
        return False
    scale_first, scale_second = (100 if one.percent else 1 for one in (first, second))
    return _equal(first.value * scale_first, second.value * scale_second, rounded)


def values_equal(first: Expr, second: Expr) -> bool:
    """Tell whether two sympy values are mathematically equal.

    Args:
        first: An expression.
        second: Another.

    Returns:
        True only if they are equal. An identity that cannot be proved is False.

    Example:
        >>> x = sympy.Symbol("x", real=True)
        >>> values_equal((x + 1) ** 2, x**2 + 2 * x + 1)
        True

    Explained in :ref:`math-symbolic`.
    """
    return _equal(first, second, rounded=False)


def _equal(first: Expr, second: Expr, rounded: bool) -> bool:
    if first == second:
        return True
    if not (first.free_symbols or second.free_symbols):
        return _constants_equal(first, second, rounded)
    return _agree_at_points(first, second) and _proved_equal(first, second)


def _constants_equal(first: Expr, second: Expr, rounded: bool) -> bool:
    if first.is_infinite or second.is_infinite:
        return False
    if first.is_Rational and second.is_Rational:
        return rounded and numbers_agree(
            Fraction(first.p, first.q), Fraction(second.p, second.q), decimal=True
        )
    if first.has(AppliedUndef) or second.has(AppliedUndef):
        return False
    for digits in (_FEW, _MANY):
        pair = first.evalf(digits + 5), second.evalf(digits + 5)
        if rounded and all(isinstance(number, Float | Rational) for number in pair):
            return numbers_agree(*(Fraction(str(number)) for number in pair), decimal=True)
        parts = [part for number in pair for part in number.as_real_imag()]
        if not all(isinstance(part, Float | Rational) for part in parts):
            return False
        size = max(abs(part) for part in parts)
        if size < Rational(1, 10**digits):
            return _proved_equal(first, second)  # both may be a zero in disguise
        if max(abs(parts[0] - parts[2]), abs(parts[1] - parts[3])) * 10**digits > size:
            return False
    return True


def _agree_at_points(first: Expr, second: Expr) -> bool:
    names = sorted(first.free_symbols | second.free_symbols, key=str)
    for shift in range(len(_POINTS)):
        # Different numbers for different variables, so that x - y is not always 0.
        at = {name: _POINTS[(shift + i) % 4] + i for i, name in enumerate(names)}
        pair = first.xreplace(at), second.xreplace(at)
        if any(value.has(sympy.nan, sympy.zoo, AppliedUndef) for value in pair):
            continue
        if pair[0] != pair[1] and not _constants_equal(*pair, rounded=False):
            return False
    return True


def _proved_equal(first: Expr, second: Expr) -> bool:
    difference = first - second
    if sympy.expand(difference) == 0:
        return True
    if difference.is_rational_function(*difference.free_symbols):
        return sympy.expand(sympy.fraction(sympy.together(difference))[0]) == 0
    return sympy.simplify(difference) == 0

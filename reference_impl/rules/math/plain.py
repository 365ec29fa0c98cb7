r"""Settle two answers without algebra: equal as numbers, written alike, or plainly different.

Most answers of a run are plain numbers, and most right ones are written like the gold. Neither
needs a computer algebra system, which costs a hundred times as much.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from reference_impl.rules.math.chinese_number import translate_chinese_number
from reference_impl.rules.normalize import normalize_typesetting
from reference_impl.rules.number import Quantity, parse_number, units_agree

# A decimal stands for what it was rounded from, to six places, as in Math-Verify.
_ROUNDING = Fraction(1, 2 * 10**6)
# A difference below this share of a number is a matter of rounding, above it is not: 1e-7 is not 0.
_SHARE = Fraction(1, 1_000)


@dataclass(frozen=True)
class PlainAnswer:
    """An answer, read without algebra.

    Attributes:
        text: The answer without typography, case kept; Chinese numerals as digits.
        key: The same without spaces: what two answers that are written alike share.
        quantity: The number and its unit, or None.
        decimal: Whether the number is written as a decimal fraction, and may be rounded.
        name: The variable that has this value: "x" in "x = 3", or "".
    """

    text: str
    key: str
    quantity: Quantity | None
    decimal: bool
    name: str


_DIGITS = re.compile(r"-?[0-9]{1,30}")
_ASSIGNED = re.compile(r"([A-Za-z](?:_\{?[A-Za-z0-9]\}?)?)\s?(?:=|\\approx(?![a-z]))\s?(?=[^=])")
_BRACED_NUMERAL = re.compile(r"\A\{([0-9A-Za-z]{1,100})\}_")  # {1011}_2
_SHORT_FRAC = re.compile(r"\\frac\s?([0-9])\s?([0-9])(?![0-9])")
_CHINESE_OR = re.compile(r"(?<=[0-9A-Za-z)}\]\s])或者?(?=[-0-9A-Za-z({\[\\\s])")
_CHINESE_AND = re.compile(r"(?<=[0-9A-Za-z)}\]\s])(?:[和与、]|以及)(?=[-0-9A-Za-z({\[\\\s])")
_WORDS = re.compile(r"[^0-9\\=+^$]*[\u4e00-\u9fff][^0-9\\=+^$]*")
# The space of "4 2" stays, and that of "30 191" goes.
_SPACES = re.compile(r"(?<![0-9])\s+|\s+(?![0-9])|\s+(?=[0-9]{3}(?![0-9]))")


@lru_cache(maxsize=8_192)
def read_plain(answer: str) -> PlainAnswer:
    r"""Read an answer without algebra.

    Args:
        answer: A bare answer, as it is written.

    Returns:
        What it is; no str makes it raise.

    Example:
        >>> read_plain(r"$x = \frac12$").quantity
        Quantity(value=Fraction(1, 2), unit='')

    Explained in :ref:`math-plain`.
    """
    if _DIGITS.fullmatch(answer):  # most answers, and no normalizing changes them
        return PlainAnswer(answer, answer, Quantity(Fraction(int(answer)), ""), False, "")
    text = normalize_typesetting(answer)
    if not text.isascii():
        text = translate_chinese_number(text)
        text = _CHINESE_OR.sub(" or ", _CHINESE_AND.sub(", ", text))
    text = text.replace("≈", "\\approx ")
    text = _BRACED_NUMERAL.sub(r"\1_", text)
    text = _SHORT_FRAC.sub(r"\\frac{\1}{\2}", text)
    assigned = _ASSIGNED.match(text)
    bare = text[assigned.end() :] if assigned else text
    quantity = parse_number(bare)
    decimal = quantity is not None and ("." in bare or "e" in bare)
    name = assigned[1] if assigned else ""
    return PlainAnswer(text, _SPACES.sub("", text), quantity, decimal, name)


def settle_plainly(
    *, gold: PlainAnswer, prediction: PlainAnswer, ignore_percent: bool = False
) -> bool | None:
    """Compare two answers as far as that needs no algebra.

    Args:
        gold: The gold answer.
        prediction: The other one.
        ignore_percent: Whether 10% is the same as 10.

    Returns:
        True or False, or None if only algebra can tell.

    Example:
        >>> settle_plainly(gold=read_plain("1/3"), prediction=read_plain("0.333333"))
        True
        >>> settle_plainly(gold=read_plain("12"), prediction=read_plain("2 * 6")) is None
        True

    Explained in :ref:`math-plain`.
    """
    if gold.quantity is None or prediction.quantity is None:
        if gold.key == prediction.key:
            return True
        return False if _WORDS.fullmatch(gold.text) else None  # 星期二 is no mathematics
    if gold.name and prediction.name and gold.name != prediction.name:
        return None  # z = 21 is not x = 21
    if not units_agree(prediction.quantity.unit, gold.quantity.unit):
        return False
    decimal = gold.decimal or prediction.decimal
    if numbers_agree(gold.quantity.value, prediction.quantity.value, decimal):
        return True
    if not ignore_percent:
        return False
    scales = [Fraction(100 if "%" in answer.text else 1) for answer in (gold, prediction)]
    values = (gold.quantity.value * scales[0], prediction.quantity.value * scales[1])
    return numbers_agree(*values, decimal)


def numbers_agree(gold: Fraction, prediction: Fraction, decimal: bool) -> bool:
    """Tell whether two numbers are equal, or one is the other rounded to six decimal places.

    Args:
        gold: The gold number.
        prediction: The other one.
        decimal: Whether one of them is written as a decimal fraction, and may be rounded.

    Returns:
        True if they are equal. If one is a decimal, also if they differ by 5e-7 at most, as long as
        that is less than a thousandth of the larger.

    Example:
        >>> numbers_agree(Fraction(1, 3), Fraction("0.333333"), decimal=True)
        True
        >>> numbers_agree(Fraction(0), Fraction("0.0000001"), decimal=True)
        False

    Explained in :ref:`math-plain`.
    """
    if gold == prediction:
        return True
    difference = abs(gold - prediction)
    return (
        decimal
        and difference <= _ROUNDING
        and difference < _SHARE * max(abs(gold), abs(prediction))
    )

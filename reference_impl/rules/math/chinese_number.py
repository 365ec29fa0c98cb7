"""Read Chinese numerals: 一百二十 is 120, 三分之一 is 1/3, 百分之十 is 10%, 1.2万 is 12000."""

import re
from decimal import Decimal
from fractions import Fraction

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_TENS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "亿": 10**8}

_NUMERAL = re.compile(
    r"(?P<sign>[负-])?(?:(?P<percent>百分之)|(?P<under>[零〇一二两三四五六七八九十百千万亿]{1,20})分之)?"
    r"(?P<whole>[0-9]{1,15}(?:\.[0-9]{1,15})?(?=[万亿千百])[十百千万亿]{1,2}"
    r"|[零〇一二两三四五六七八九十][零〇一二两三四五六七八九十百千万亿]{0,29})"
    r"(?:点(?P<decimals>[零〇一二三四五六七八九]{1,15}))?"
)
_UNIT = re.compile(r"[\u4e00-\u9fff]{0,3}")


def translate_chinese_number(text: str) -> str:
    """Return an answer with the Chinese numeral at its head written in Arabic digits.

    Args:
        text: An answer as it is written, of at most a line.

    Returns:
        The same answer with digits ("120 个" for "一百二十个"), or the text itself if it does not
        begin with one whole Chinese numeral.

    Example:
        >>> translate_chinese_number("一百二十个")
        '120 个'
        >>> translate_chinese_number("三分之一"), translate_chinese_number("百分之十")
        ('1/3', '10%')
        >>> translate_chinese_number("三或四")
        '三或四'

    Explained in :ref:`math-chinese`.
    """
    numeral = _NUMERAL.match(text)
    if numeral is None:
        return text
    rest = text[numeral.end() :].strip()
    if not _UNIT.fullmatch(rest) or any(char in _NOT_A_UNIT for char in rest):
        return text
    value = _value(numeral["whole"])
    if value is None:
        return text
    if numeral["decimals"]:
        digits = "".join(str(_DIGITS[char]) for char in numeral["decimals"])
        value += Fraction(int(digits), 10 ** len(digits))
    under = _value(numeral["under"]) if numeral["under"] else Fraction(1)
    if not under:
        return text
    sign = "-" if numeral["sign"] else ""
    written = _written(value) if under == 1 else f"{_written(value)}/{_written(under)}"
    percent = "%" if numeral["percent"] else ""
    return f"{sign}{written}{percent}" + (f" {rest}" if rest else "")


# What joins, doubts or multiplies is no unit.
_NOT_A_UNIT = frozenset(
    "零〇一二两三四五六七八九十百千万亿几多余约近至到或和与及跟不非没错以左右半分点"
)


def _value(numeral: str) -> Fraction | None:
    if numeral[0].isascii():
        digits = re.match(r"[0-9.]+", numeral).group()
        value = Fraction(digits)
        for char in numeral[len(digits) :]:
            value *= _TENS.get(char) or _MYRIADS[char]
        return value
    if all(char in _DIGITS for char in numeral):  # 二零二五 is read digit by digit
        return Fraction(int("".join(str(_DIGITS[char]) for char in numeral)))
    total, section, digit, unit, largest = 0, 0, None, 1, None
    for char in numeral:
        if char in _DIGITS:
            if digit:
                return None  # 一二十 is no numeral
            digit = _DIGITS[char]
            unit = 1 if digit == 0 else unit
        elif char in _TENS:
            unit = _TENS[char]
            section += (digit or 1) * unit
            digit = None
        else:
            if largest is not None and _MYRIADS[char] >= largest:
                return None
            unit = largest = _MYRIADS[char]
            total += (section + (digit or 0)) * unit
            section, digit = 0, None
    # 一百二 is 120, and 一百零二 is 102.
    last = (digit or 0) * (unit // 10 if unit >= 100 else 1)
    return Fraction(total + section + last)


def _written(value: Fraction) -> str:
    written = format(Decimal(value.numerator) / Decimal(value.denominator), "f")
    return written.rstrip("0").rstrip(".") if "." in written else written

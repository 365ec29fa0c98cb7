r"""Read an answer as one exact number with a unit, or not at all.

What is not plainly one number is none: a list, a range and a hedge ("4 or five") are not numbers,
so that a reward cannot be collected by naming several candidates at once.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from reference_impl.rules.normalize import normalize_answer

# Both limits hold before any arithmetic: a model can write 1e999999999, and a reward must not
# compute it. A pathological number is not an answer.
MAX_CHARACTERS = 200
MAX_EXPONENT = 10_000

_INTEGER = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]++)"
_DECIMAL = rf"(?:{_INTEGER}(?:\.[0-9]*+)?|\.[0-9]++)"

# "-$5" and "$-5" are both written.
_PREFIX = re.compile(
    r"(?P<sign>[+-]?)\ ?"
    r"(?P<currency>us\$|[$€£¥]|(?:usd|eur|gbp|cny|rmb|jpy)\b)?\ ?"
    r"(?P<inner>[+-]?)\ ?"
)
_FRACTION = re.compile(
    rf"(?:(?P<whole>{_INTEGER})(?:\ |(?=\\frac)))?"
    rf"(?:(?P<over>{_DECIMAL})\ ?/\ ?(?P<under>{_DECIMAL})"
    rf"|\\frac\ ?(?:\{{\ ?(?P<top>[+-]?{_DECIMAL})\ ?\}}|(?P<top_digit>[0-9]))"
    rf"\ ?(?:\{{\ ?(?P<bottom>{_DECIMAL})\ ?\}}|(?P<bottom_digit>[0-9])))"
)
_SCIENTIFIC = re.compile(
    rf"(?P<mantissa>{_DECIMAL})"
    r"(?:e(?P<e>[+-]?[0-9]++)"
    r"|\ ?(?:\\times|\\cdot|[×·*x])\ ?10\ ?\^\ ?"
    r"(?:(?P<power>[+-]?[0-9]++)|\{(?P<braced>[+-]?[0-9]++)\}))?"
)


# The canonical name of a unit, and the other ways to write it.
_LENGTHS = {
    "millimeter": "mm millimetre 毫米",
    "centimeter": "cm centimetre 厘米",
    "meter": "m metre 米",
    "kilometer": "km kilometre 千米 公里",
    "inch": "in inches 英寸",
    "foot": "ft feet 英尺",
    "yard": "yd 码",
    "mile": "mi 英里",
}
_OTHER_UNITS = {
    "milligram": "mg 毫克",
    "gram": "g 克",
    "kilogram": "kg 千克 公斤",
    "ton": "tonne 吨",
    "ounce": "oz 盎司",
    "milliliter": "ml millilitre 毫升",
    "liter": "l litre 升",
    "millisecond": "ms 毫秒",
    "second": "s sec 秒",
    "minute": "min 分钟",
    "hour": "h hr 小时",
    "day": "天",
    "week": "周 星期",
    "month": "个月",
    "year": "年",
    "dollar": "$ us$ usd 美元",
    "euro": "€ eur 欧元",
    # One word for money and for weight, and no answer is worth telling the two apart.
    "pound": "£ gbp lb 英镑 磅",
    "yuan": "¥ cny rmb 元 人民币",
    "yen": "jpy 日元",
    "cent": "¢ 美分",
    "degree": "° deg 度",
    "celsius": "°c 摄氏度",
    "fahrenheit": "°f 华氏度",
    "kilometer per hour": "km/h kph 公里/小时 公里/时 千米/小时 千米/时",
    "mile per hour": "mph mi/h 英里/小时 英里/时",
    "meter per second": "m/s 米/秒",
}


def _spellings(units: dict[str, str]) -> dict[str, str]:
    table = {}
    for canonical, others in units.items():
        for name in (canonical, *others.split()):
            table[name] = canonical
            if name.isascii() and name.isalpha() and len(name) > 1:
                table[f"{name}s"] = canonical
    return table


def _unit_table() -> dict[str, str]:
    lengths = _spellings(_LENGTHS)
    table = lengths | _spellings(_OTHER_UNITS)
    for name, length in lengths.items():
        for before in ("square ", "sq ", "平方"):
            table[before + name] = f"square {length}"
        for before in ("cubic ", "cu ", "立方"):
            table[before + name] = f"cubic {length}"
        for after in ("^2", "^{2}", "²"):
            table[name + after] = f"square {length}"
        for after in ("^3", "^{3}", "³"):
            table[name + after] = f"cubic {length}"
    return table


_UNITS = _unit_table()

_CJK_UNIT = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{1,4}")
# "3万" is not 3, and "3或四" is not one number: these count, approximate, join, doubt or deny.
_CJK_NOT_A_UNIT = frozenset(
    "零〇一二两三四五六七八九十百千万亿兆半几数多余约近至到或和与及跟不非没错以左成"
    "兩拾佰仟萬億廿幾餘約與沒錯假误誤否吗嗎吧折"
)
# The same in English. Words of one or two letters ("4x", "4k", "4 or") are never unknown units.
_NOT_A_UNIT_WORDS = """
    and not nor but either neither maybe perhaps possibly probably than until through versus
    wrong incorrect false unlikely about around approximately roughly almost nearly
    plus minus percent pct divided half halve third fourth fifth squared cubed factorial
    hundred thousand million billion trillion quadrillion lakh crore dozen
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
    sin cos tan log exp mod sqrt
"""
_NOT_A_UNIT = frozenset(_NOT_A_UNIT_WORDS.split())


@dataclass(frozen=True)
class Quantity:
    """A number with the unit that was written beside it.

    Attributes:
        value: The number, exact. A percentage is its value: 10% is 1/10.
        unit: The unit's name in its one canonical form, or "" if none was written.

    Explained in :ref:`numeric-match`.
    """

    value: Fraction
    unit: str


class Numeral(NamedTuple):
    """A number as it is written, apart from its unit.

    Attributes:
        digits: The number without commas and without a plus sign, "%" included.
        unit: The unit's name in its one canonical form, or "" if none was written.

    Explained in :ref:`exact-match`.
    """

    digits: str
    unit: str


class _Parts(NamedTuple):
    negative: bool
    core: re.Match[str]
    percent: bool
    unit: str


def parse_number(text: str) -> Quantity | None:
    r"""Read a text that is one number, with an optional currency before and unit after it.

    Read are integers and decimals ("5", "-0.5", ".5", "5."), commas between thousands where they
    belong ("1,234"; "1,23" is a list), fractions (``3/4``, ``\frac{3}{4}``), mixed numbers
    ("1 1/2"), powers of ten (``1.5e3``, ``1.5 \times 10^{3}``) and percentages. "10%" is the
    number 1/10: it equals 0.1, and not 10. "¥" is read as yuan.

    Common units and currencies are known under several names: "$5" and "5 dollars" are the same.
    Any other unit may be up to two English words or four Chinese characters, as long as none of
    them counts, joins, doubts or denies: "4 million", "4 or five" and "3万" are not read. Units are
    names: 1 km and 1,000 m differ.

    A text of more than 200 characters, and an exponent beyond 10,000, are not read.

    Args:
        text: An answer as it is written.

    Returns:
        The number and its unit, or None if the text is not one number. Division by zero is None.

    Example:
        >>> parse_number(r"$\frac{3}{4}$ cup")
        Quantity(value=Fraction(3, 4), unit='cup')
        >>> parse_number("1,234.50 dollars")
        Quantity(value=Fraction(2469, 2), unit='dollar')
        >>> parse_number("3 or 4") is None
        True

    Explained in :ref:`numeric-match`.
    """
    if len(text) > MAX_CHARACTERS:
        return None
    parts = _split(normalize_answer(text))
    if parts is None:
        return None
    value = _value(parts.core)
    if value is None:
        return None
    if parts.negative:
        value = -value
    return Quantity(value / 100 if parts.percent else value, parts.unit)


def read_numeral(normalized: str) -> Numeral | None:
    """Split a normalized answer into the written number and its unit, without evaluating it.

    Args:
        normalized: An answer as `normalize_answer` returns it.

    Returns:
        The number as written and its unit, or None if the text is not one number.

    Example:
        >>> read_numeral("$1,234.50")
        Numeral(digits='1234.50', unit='dollar')
        >>> read_numeral("10%")
        Numeral(digits='10%', unit='')

    Explained in :ref:`exact-match`.
    """
    parts = _split(normalized)
    if parts is None:
        return None
    sign, percent = "-" if parts.negative else "", "%" if parts.percent else ""
    return Numeral(sign + parts.core.group().replace(",", "") + percent, parts.unit)


def units_agree(first: str, second: str) -> bool:
    """Tell whether two units can stand for the same quantity.

    Args:
        first: A unit's canonical name, or "" if none was written.
        second: Another.

    Returns:
        True if they are the same, or if one of them was not written.

    Example:
        >>> units_agree("dollar", ""), units_agree("kilometer", "meter")
        (True, False)

    Explained in :ref:`numeric-match`.
    """
    return first == second or not first or not second


def _split(text: str) -> _Parts | None:
    if len(text) > MAX_CHARACTERS:
        return None
    prefix = _PREFIX.match(text)
    core = _FRACTION.match(text, prefix.end()) or _SCIENTIFIC.match(text, prefix.end())
    if core is None or (prefix["sign"] and prefix["inner"]):
        return None
    rest = text[core.end() :]
    percent = rest.strip() in ("%", "percent", "per cent")
    unit = "" if percent else _unit(rest)
    if unit is None:
        return None
    if prefix["currency"]:
        currency = _UNITS[prefix["currency"]]
        unit = f"{currency} {unit}" if unit not in ("", currency) else currency
    return _Parts("-" in (prefix["sign"], prefix["inner"]), core, percent, unit)


def _unit(rest: str) -> str | None:
    """The canonical name of a unit; empty for none, None for what is not a unit."""
    name = rest.strip().replace("° ", "°")
    if not name:
        return ""
    if name in _UNITS:
        return _UNITS[name]
    if _CJK_UNIT.fullmatch(name):
        return None if _CJK_NOT_A_UNIT.intersection(name) else name
    words = name.split()
    # Without a space it is a product, not a unit: "4xyz".
    if rest.startswith(" ") and len(words) <= 2 and all(map(_is_unit_word, words)):
        return name
    return None


def _is_unit_word(word: str) -> bool:
    # A list of English words that are no units says nothing about words of other languages.
    if len(word) < 3 or not (word.isascii() and word.isalpha()):
        return False
    return word not in _NOT_A_UNIT and word.removesuffix("s") not in _NOT_A_UNIT


def _value(core: re.Match[str]) -> Fraction | None:
    part = core.groupdict()
    if "mantissa" in part:
        mantissa = _fraction(part["mantissa"])
        exponent = int(part["e"] or part["power"] or part["braced"] or 0)
        if abs(exponent) > MAX_EXPONENT:
            return None
        return mantissa * Fraction(10) ** exponent if exponent else mantissa
    over = _fraction(part["over"] or part["top"] or part["top_digit"])
    under = _fraction(part["under"] or part["bottom"] or part["bottom_digit"])
    whole = _fraction(part["whole"] or "0")
    if not under or (part["whole"] and over < 0):
        return None
    return whole + over / under


def _fraction(digits: str) -> Fraction:
    plain = digits.replace(",", "")
    # Fraction reads a str by a regular expression: most answers are integers and need none.
    return Fraction(int(plain) if plain.isdigit() else plain)

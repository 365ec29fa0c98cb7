"""What is read as one number, and what is not."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.rules.normalize import normalize_answer
from reference_impl.rules.number import MAX_EXPONENT, parse_number, read_numeral, units_agree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", "4"),
        ("+4", "4"),
        ("-4", "-4"),
        ("- 4", "-4"),
        ("−4", "-4"),
        ("007", "7"),
        (".5", "1/2"),
        ("5.", "5"),
        ("-0.50", "-1/2"),
        ("1,234", "1234"),
        ("1,234,567.5", "2469135/2"),
        (r"10,\!000", "10000"),
        (r"1{,}234", "1234"),
        ("１，２３４", "1234"),
        ("3/4", "3/4"),
        ("3 / 4", "3/4"),
        ("-3/4", "-3/4"),
        ("1.5/2", "3/4"),
        ("1,000/2", "500"),
        (r"\frac{3}{4}", "3/4"),
        (r"\dfrac{3}{4}", "3/4"),
        (r"\tfrac34", "3/4"),
        (r"-\frac{3}{4}", "-3/4"),
        (r"\frac{-3}{4}", "-3/4"),
        (r"$\frac{3}{4}$.", "3/4"),
        ("1 1/2", "3/2"),
        ("-1 1/2", "-3/2"),
        (r"1\frac{1}{2}", "3/2"),
        (r"1 \frac{1}{2}", "3/2"),
        ("1.5e3", "1500"),
        ("1.5E-3", "3/2000"),
        (r"1.5 \times 10^{3}", "1500"),
        (r"1.5 \cdot 10^3", "1500"),
        ("1.5 × 10^3", "1500"),
        ("1.5x10^-3", "3/2000"),
        ("10%", "1/10"),
        (r"10\%", "1/10"),
        ("10 percent", "1/10"),
        ("0.5%", "1/200"),
        ("1/2%", "1/200"),
        ("**4**", "4"),
    ],
)
def test_numbers(text, value):
    quantity = parse_number(text)
    assert quantity is not None
    assert quantity.value == Fraction(value)
    assert quantity.unit == ""


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("$5", "5", "dollar"),
        (r"\$5", "5", "dollar"),
        ("-$5", "-5", "dollar"),
        ("$-5", "-5", "dollar"),
        ("5$", "5", "dollar"),
        ("US$5", "5", "dollar"),
        ("USD 5", "5", "dollar"),
        ("5 dollars", "5", "dollar"),
        ("$5 dollars", "5", "dollar"),
        ("5 USD", "5", "dollar"),
        ("€1,234.50", "2469/2", "euro"),
        ("£5", "5", "pound"),
        ("¥5", "5", "yuan"),
        ("￥5", "5", "yuan"),
        ("5元", "5", "yuan"),
        ("1,000,000元", "1000000", "yuan"),
        ("5 yuan", "5", "yuan"),
        ("$18 per day", "18", "dollar per day"),
        ("5km", "5", "kilometer"),
        ("5 kilometers", "5", "kilometer"),
        ("5 公里", "5", "kilometer"),
        (r"5\text{ cm}^2", "5", "square centimeter"),
        ("5 cm²", "5", "square centimeter"),
        ("5 square centimeters", "5", "square centimeter"),
        ("5 平方米", "5", "square meter"),
        ("5 cubic feet", "5", "cubic foot"),
        ("5 ms", "5", "millisecond"),
        ("5 hrs", "5", "hour"),
        (r"90^\circ", "90", "degree"),
        ("90 degrees", "90", "degree"),
        ("25 °C", "25", "celsius"),
        (r"25^\circ\text{C}", "25", "celsius"),
        (r"25^\circ \mathrm{C}", "25", "celsius"),
        (r"5~\text{km}", "5", "kilometer"),
        (r"5 \mathrm{~cm}^2", "5", "square centimeter"),
        (r"5\quad\text{km}", "5", "kilometer"),
        (r"\frac{3}{4}~\text{cup}", "3/4", "cup"),
        ("60 km/h", "60", "kilometer per hour"),
        ("5 apples", "5", "apples"),
        ("5 times", "5", "times"),
        ("5 apple trees", "5", "apple trees"),
        ("5个", "5", "个"),
        ("5 个苹果", "5", "个苹果"),
        ("3/4 cup", "3/4", "cup"),
    ],
)
def test_units(text, value, unit):
    quantity = parse_number(text)
    assert quantity is not None
    assert (quantity.value, quantity.unit) == (Fraction(value), unit)


@pytest.mark.parametrize(
    "text",
    [
        *["", "four", "x", "-", "$", "%", ".", "nan", "inf", "--4", "+-4", "-$-4"],
        # lists, ranges, hedges
        *["1,2", "1,23", "1,2345", "0,123", "1, 2", "1,234,5", "1.234,5", "3-4", "3 to 4"],
        *[
            "4 or 5",
            "4 or five",
            "4 and more",
            "4 not five",
            "4 maybe",
            "4或五",
            "4到五",
            "$1,$234",
        ],
        *["4 6", "1 2 3/4", "1/2/3", "1.2.3", "{4}", "(4)", "x = 4", "4 5 dollars"],
        *["about 4", "~4", r"\text{about }4", "4~5", "4 approximately", "4 about", "4 roughly"],
        *["4 wrong", "4 incorrect", "4 false", "4吗", "4吧", "4否", "4假", "4错误", "4錯"],
        # words that no list of English or Chinese words knows are no units
        *["4 oder fünf", "4 или пять", "4 ԐԐԐ", "4または", "4かな"],
        # what counts is no unit
        *["4 lakh", "4 crores", "4 quadrillion", "4 pct", "4萬", "4億", "4仟", "4拾", "4折", "4廿"],
        *["4 million", "4 dozens", "4 four", "4 point five", "4万", "4万元", "4多", "4k", "4 k"],
        # algebra is no unit
        *["4x", "4 x", "4i", "4e", "4pi", r"4\pi", "4xyz", "4²", "5½", "2^10", "4!", "4 squared"],
        *["4 apples in total today", "4 a_b", "5个非常非常好的苹果"],
        # no such number
        *[
            "1/0",
            r"\frac{1}{0}",
            r"\frac{1}{",
            "0/0",
            r"1\frac{-1}{2}",
            "10% more",
            "4 percent points",
        ],
        # limits
        *["1e10001", "1e-10001", "1e999999999999", r"1 \times 10^{99999}", "1" * 201, "1/" * 200],
    ],
)
def test_not_one_number(text):
    assert parse_number(text) is None


def test_the_limits_themselves_are_read():
    assert parse_number("1" * 200) is not None
    assert parse_number(f"1e{MAX_EXPONENT}").value == 10**MAX_EXPONENT
    assert parse_number(f"1e-{MAX_EXPONENT}").value == Fraction(1, 10**MAX_EXPONENT)


@given(st.integers())
def test_integers_round_trip(number):
    assert parse_number(str(number)).value == number
    assert parse_number(f"{number:,}").value == number
    assert parse_number(f"${number:,} dollars").value == number


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_decimals_round_trip(number):
    assert parse_number(f"{number:f}").value == Fraction(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_round_trip(number):
    assert parse_number(repr(number)).value == Fraction(Decimal(repr(number)))


@given(st.fractions())
def test_fractions_round_trip(number):
    assert parse_number(str(number)).value == number
    sign = "-" if number < 0 else ""
    latex = rf"{sign}\frac{{{abs(number.numerator)}}}{{{number.denominator}}}"
    assert parse_number(latex).value == number


@given(st.integers(0, 10**6), st.fractions(0, 1))
def test_mixed_numbers_round_trip(whole, part):
    written = f"{whole} {part.numerator}/{part.denominator}"
    assert parse_number(written).value == whole + part


@given(st.text() | st.text(alphabet="0123456789,.-+/%$e^{}\\frac x10元km or", max_size=30))
def test_any_text_is_one_number_or_none(text):
    quantity = parse_number(text)
    numeral = read_numeral(normalize_answer(text))
    assert quantity is None or isinstance(quantity.value, Fraction)
    if quantity is not None:
        assert numeral is not None
        assert numeral.unit == quantity.unit


@given(
    st.integers(0, 999), st.integers(0, 999), st.sampled_from([", ", " or ", ";", " ", "~", "–"])
)
def test_two_numbers_are_not_one(first, second, between):
    assert parse_number(f"{first}{between}{second}") is None


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("1,234", "1234"),
        ("+4", "4"),
        ("-4.0", "-4.0"),
        ("10%", "10%"),
        ("10 percent", "10%"),
        (r"\frac{1}{2} km", r"\frac{1}{2}"),
        ("1 1/2", "1 1/2"),
    ],
)
def test_numerals_are_not_evaluated(text, digits):
    assert read_numeral(text).digits == digits


def test_units_agree():
    assert units_agree("meter", "meter")
    assert units_agree("", "meter")
    assert units_agree("meter", "")
    assert not units_agree("meter", "kilometer")

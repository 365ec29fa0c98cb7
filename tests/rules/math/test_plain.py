"""What is settled without algebra: numbers, writing, Chinese numerals, limits of size."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.rules.math.bounds import why_too_large
from reference_impl.rules.math.chinese_number import translate_chinese_number
from reference_impl.rules.math.plain import numbers_agree, read_plain, settle_plainly


def settle(gold, prediction, **options):
    return settle_plainly(gold=read_plain(gold), prediction=read_plain(prediction), **options)


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("72", "72 dollars."),
        ("72", "$72.00"),
        (r"\$72", "72"),
        ("1,234", "1234"),
        (r"\frac{1}{2}", "0.5"),
        (r"\frac12", r"\dfrac{1}{2}"),
        ("3", "x = 3"),
        ("x = 3", "3"),
        ("90^\\circ", "90"),
        ("120", "一百二十"),
        ("1/3", "0.333333"),
        ("10%", "0.1"),
        (r"2\sqrt{3}", r"$2 \sqrt{3}$"),
        ("7e4", "70000"),
    ],
)
def test_equal_without_algebra(gold, prediction):
    assert settle(gold, prediction) is True


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        ("4", "14"),
        ("10", "10%"),
        ("5 cm", "5 m"),
        ("1/3", "0.33"),
        ("0", "0.0000001"),
        ("120", "一百二十一"),
    ],
)
def test_different_without_algebra(gold, prediction):
    assert settle(gold, prediction) is False


@pytest.mark.parametrize(("gold", "prediction"), [("12", "2*6"), ("4", "4 or 5"), ("x+1", "1+x")])
def test_left_to_algebra(gold, prediction):
    assert settle(gold, prediction) is None


def test_percent_is_ignored_only_if_asked():
    assert settle("10", "10%") is False
    assert settle("10", "10%", ignore_percent=True) is True
    assert settle("10%", "10", ignore_percent=True) is True
    assert settle("10%", "0.1", ignore_percent=True) is True
    assert settle("10", "0.1", ignore_percent=True) is False


@given(st.fractions(), st.fractions())
def test_fractions_agree_only_if_equal(first, second):
    assert numbers_agree(first, second, decimal=False) == (first == second)


@given(st.fractions(min_value=-1000, max_value=1000))
def test_a_decimal_of_six_places_agrees_with_its_fraction(value):
    rounded = Fraction(round(value, 6))
    agrees = numbers_agree(value, rounded, decimal=True)
    assert agrees == (
        value == rounded or abs(value - rounded) * 1000 < max(abs(value), abs(rounded))
    )


@given(st.text(max_size=50))
def test_any_text_is_read(text):
    answer = read_plain(text)
    assert settle_plainly(gold=answer, prediction=answer) is True


CHINESE = {
    "一百二十": "120",
    "一百二": "120",
    "一百零二": "102",
    "两千零五": "2005",
    "三万五千": "35000",
    "一万二": "12000",
    "一亿零三": "100000003",
    "十二": "12",
    "二零二五": "2025",
    "三分之一": "1/3",
    "五分之三": "3/5",
    "百分之十": "10%",
    "百分之三点五": "3.5%",
    "零点五": "0.5",
    "负五": "-5",
    "1.2万": "12000",
    "一百二十个": "120 个",
    "三或四": "三或四",
    "三四": "34",
    "一二十": "一二十",
    "三百多": "三百多",
    "百": "百",
    "Paris": "Paris",
}


@pytest.mark.parametrize("written", CHINESE)
def test_chinese_numerals(written):
    assert translate_chinese_number(written) == CHINESE[written]


def in_chinese(number: int) -> str:
    """The numeral of a number below 10,000, by the rules of a schoolbook."""
    digits, written, gap = f"{number:04d}", "", False
    for digit, place in zip(digits, ("千", "百", "十", ""), strict=True):
        if digit == "0":
            gap = bool(written)
            continue
        written += ("零" if gap else "") + "零一二三四五六七八九"[int(digit)] + place
        gap = False
    return written


@given(st.integers(1, 9_999))
def test_every_chinese_numeral_below_ten_thousand(number):
    assert translate_chinese_number(in_chinese(number)) == str(number)


@given(st.text(alphabet="零一二三十百千万亿点分之负第个 0123.", max_size=12))
def test_any_chinese_text_is_read_or_left(text):
    assert isinstance(translate_chinese_number(text), str)


@pytest.mark.parametrize(
    "answer",
    [
        "9^{9^{9}}",
        "9**9**9",
        "2^{99999999}",
        "2^{-99999999}",
        "99999!",
        "9!!!",
        "1" * 1_000,
        "(" * 500,
        "{" * 500 + "1" + "}" * 500,
        "x+" * 600,
    ],
    ids=lambda text: text[:20],
)
def test_what_is_too_large_is_refused_before_it_is_parsed(answer):
    assert why_too_large(answer)


@pytest.mark.parametrize(
    "answer",
    [r"\frac{1}{2}", "2^{100}", "10!", "e^{x^2}", "5!", "3^{2024}", "x^{2}+y^{2}", "(x+1)^{5000}"],
)
def test_what_answers_look_like_is_not_too_large(answer):
    assert why_too_large(answer) == ""

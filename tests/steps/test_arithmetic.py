"""Equations: what is read is exact, what is not read is not judged, and talk is not paid."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract import InvalidSampleError
from reference_impl.steps import ArithmeticSteps, arithmetic_steps_reward_fn, find_equations

SPELLED = {"+": "+", "-": "−", "*": "×", "/": "÷"}


def judged(text):
    return [equation.holds for equation in find_equations(text)]


@st.composite
def sides(draw):
    """A side of an equation, as it is written and what it comes to."""
    numbers = draw(st.lists(st.integers(1, 9999), min_size=2, max_size=6))
    operators = [draw(st.sampled_from("+-*/")) for _ in numbers[1:]]
    code = "".join(
        f"Fraction({number}){operator}"
        for number, operator in zip(numbers, [*operators, ""], strict=True)
    )
    spelled = draw(st.booleans())
    text = str(numbers[0])
    for operator, number in zip(operators, numbers[1:], strict=True):
        text += f" {SPELLED[operator] if spelled else operator} {number:,}"
    return text, eval(code, {"Fraction": Fraction})


@given(sides(), st.integers(-2, 2))
def test_an_equation_holds_exactly_if_its_sides_are_equal(side, off):
    text, value = side
    written = str(value + off)
    assert judged(f"So {text} = {written}.") == [off == 0]
    assert judged(f"{written} = {text}") == [off == 0]


@given(st.text(st.sampled_from("0123456789+-*/=x.,$ ()%^\n"), max_size=60))
def test_any_text_is_read(text):
    for equation in find_equations(text):
        assert equation.text in text
        assert "=" in equation.text


@pytest.mark.parametrize(
    "text",
    [
        "- 12 / 4 = 3",
        "* 12 / 4 = 3",
        "1. 12 / 4 = 3",
        "**12 / 4 = 3**",
        "48/4 = <<48/4=12>>12",
        r"\(3 \times 4 = 12\)",
        r"\boxed{3 \cdot 4 = 12}",
        "$3 + 4 = 7$",
        "$3 + $4 = $7, so $7 is left",
        "3 x 4 = 12 apples",
        "<think>3 + 4 = 7</think>",
        "3 + 4 = 7 <|im_end|>",
        "x = 3 + 4 = 7",
        "7 = 3 + 4.",
        "-3 + 5 = 2",
        "5 - -3 = 8",
        "2 + 3 * 4 = 14",
        "10 - 3 - 2 = 5",
        "8 / 4 / 2 = 1",
        "0.1 + 0.2 = 0.3",
        "1/3 + 1/3 + 1/3 = 1",
        "1,200.50 + 0.50 = 1,201",
        "2 + 3 = 6 - 1 = 5",
    ],
)
def test_what_holds_and_how_it_may_be_written(text):
    assert judged(text) == [True]


@pytest.mark.parametrize(
    "text",
    ["3 + 4 = 8", "10 / 3 = 3.33", "1 / 0 = 0", "2 + 3 * 4 = 20", "1 + 1 = 2 = 3", "1+1=2 3+3=7"],
)
def test_what_does_not_hold(text):
    assert judged(text)[-1] is False


@pytest.mark.parametrize(
    "text",
    [
        "2x + 3 = 7",
        "y - 3 + 5 = 2",
        "3 + 4 = 7 + y",
        "3 + 4 = y",
        "3 + 4 = 7 < 8",
        "y > 3 + 4 = 7",
        "x_1 + 2 = 3",
        "2^3 + 1 = 9",
        "2**3 + 1 = 9",
        "(2 + 3) * 4 = 20",
        "4 * (2 + 3) = 20",
        "2(3) = 6",
        "5% + 5 = 10",
        "5 + 5 = 10%",
        "10 / 3 ≈ 3.33",
        "1e3 + 1 = 1001",
        "3 + 4 = 7.5.1",
        "4 = 4",
        "１ + 1 = 2",
        " + ".join(["1"] * 33) + " = 33",
        "1" * 201 + " + 0 = 1",
    ],
)
def test_what_is_not_read_is_not_judged(text):
    assert judged(text) == []


# The reward


def score(completion, **settings):
    return ArithmeticSteps(**settings)("", completion, [], [])


def test_steps_without_an_equation_have_no_part_in_the_reward():
    text = "Let me think.\n\n2 + 2 = 4.\n\n4 + 4 = 9.\n\nHence it is so."
    assert ArithmeticSteps().step_scores(text) == [None, 1.0, 0.0, None]
    assert score(text) == 0.0
    assert score(text, aggregate="mean") == 0.5
    assert score("It is 4.\n\nI am sure.") == 0.0
    assert score("") == 0.0


def test_the_rule_and_the_marker_are_settings():
    text = "2 + 2 = 4 <s> 4 + 4 = 9 <s>"
    assert ArithmeticSteps(rule="marker", marker="<s>").step_scores(text) == [1.0, 0.0]
    for wrong in ({"rule": "lines"}, {"aggregate": "max"}, {"rule": "marker"}):
        with pytest.raises(ValueError):
            ArithmeticSteps(**wrong)


def test_what_is_no_text_is_refused():
    with pytest.raises(InvalidSampleError):
        arithmetic_steps_reward_fn("", None, [], [])


def test_nothing_is_run():
    assert judged("__import__('os').system('false') 1 + 1 = 2") == [True]
    assert judged("9 * 9 ** 9 ** 9 = 1") == []

"""Numeric match pays the gold number, however it is written, and nothing else."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract.error import InvalidGoldError, InvalidSampleError
from reference_impl.rules.numeric import NumericMatch, numeric_match_reward_fn


def score(completion, answer, reward_fn=numeric_match_reward_fn):
    return reward_fn("A question?", completion, [1], [1], answer=answer, source="a column")


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"\boxed{4}", "4"),
        (r"\boxed{4.0}", "4"),
        (r"\boxed{4}", 4.0),
        (r"\boxed{0.5}", "1/2"),
        (r"\boxed{\frac{1}{2}}", 0.5),
        (r"\boxed{0.1}", 0.1),
        (r"\boxed{1/10}", 0.1),
        (r"\boxed{10\%}", "0.1"),
        (r"\boxed{1 1/2}", "1.5"),
        (r"\boxed{1.5 \times 10^{3}}", "1,500"),
        ("#### 72", "48 + 24 = 72\n#### 72"),
        ("The answer is $72.00.", "72"),
        (r"\boxed{72 \text{ dollars}}", "$72"),
        ("答案是３．５。", "3.5"),
    ],
)
def test_right(completion, answer):
    assert score(completion, answer) == 1.0


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"2 plus 2 makes \boxed{14}.", "4"),
        ("It is one of 1, 2, 3, 4.", "4"),
        (r"\boxed{4 or 5}", "4"),
        (r"\boxed{4 million}", "4"),
        (r"\boxed{10\%}", "10"),
        (r"\boxed{5 m}", "5 km"),
        (r"\boxed{1000 m}", "1 km"),
        (r"\boxed{0.3333333333333333}", "1/3"),
        (r"\boxed{4.0000000000000000001}", "4"),
        (r"\boxed{four}", "4"),
        (r"\boxed{x = 4}", "4"),
        (r"\boxed{1e999999999}", "4"),
        (r"\boxed{1/0}", "4"),
        (r"\boxed{nan}", "4"),
        ("", "4"),
    ],
)
def test_wrong(completion, answer):
    assert score(completion, answer) == 0.0


@pytest.mark.parametrize("tolerance", ["0.01", "1%", 0.01, Fraction(1, 100), "1/100", "1e-2"])
def test_a_tolerance_may_be_written_in_several_ways(tolerance):
    reward_fn = NumericMatch(abs_tol=tolerance)
    assert score(r"\boxed{4.01}", "4", reward_fn) == 1.0
    assert score(r"\boxed{3.99}", "4", reward_fn) == 1.0
    assert score(r"\boxed{4.0100001}", "4", reward_fn) == 0.0


def test_a_relative_tolerance_is_relative_to_the_gold():
    reward_fn = NumericMatch(rel_tol="10%")
    assert score(r"\boxed{110}", "100", reward_fn) == 1.0
    assert score(r"\boxed{100}", "110.9", reward_fn) == 1.0
    assert score(r"\boxed{100}", "111.2", reward_fn) == 0.0
    assert score(r"\boxed{-90}", "-100", reward_fn) == 1.0
    assert score(r"\boxed{0.001}", "0", reward_fn) == 0.0


@pytest.mark.parametrize("name", ["rel_tol", "abs_tol"])
@pytest.mark.parametrize(
    "tolerance", [-1, "-0.1", float("nan"), float("inf"), "a bit", "5 km", "", None, True, b"0"]
)
def test_a_tolerance_must_be_a_number_of_at_least_zero(name, tolerance):
    with pytest.raises(ValueError, match=name):
        NumericMatch(**{name: tolerance})


@pytest.mark.parametrize("completion", [None, b"4", ["4"], 4])
def test_a_completion_that_is_not_text(completion):
    with pytest.raises(InvalidSampleError, match="completions"):
        score(completion, "4")


@pytest.mark.parametrize("answer", [None, True, ["4"], "", "Paris", "3 or 4", float("nan"), "1/0"])
def test_a_gold_that_is_no_number(answer):
    with pytest.raises(InvalidGoldError, match="gold answer"):
        score(r"\boxed{4}", answer)


@given(st.text())
def test_any_text_scores_zero_or_one(completion):
    assert score(completion, "4") in (0.0, 1.0)


@given(st.fractions(), st.fractions())
def test_fractions_match_only_themselves(predicted, gold):
    assert score(f"\\boxed{{{predicted}}}", str(gold)) == float(predicted == gold)


@given(
    st.decimals(-1000, 1000, places=3),
    st.decimals(-1000, 1000, places=3),
    st.decimals(0, 10, places=3),
)
def test_the_tolerance_is_exact(predicted, gold, tolerance):
    reward_fn = NumericMatch(abs_tol=f"{tolerance:f}")
    expected = abs(Fraction(predicted) - Fraction(gold)) <= Fraction(tolerance)
    assert score(f"#### {predicted:f}", f"{gold:f}", reward_fn) == float(expected)

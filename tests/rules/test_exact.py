"""Exact match pays the final answer that is written like the gold, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract.error import InvalidGoldError, InvalidSampleError
from reference_impl.rules.exact import ExactMatch, exact_match_reward_fn


def score(completion, answer, reward_fn=exact_match_reward_fn):
    return reward_fn("A question?", completion, [1], [1], answer=answer, source="a column")


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        (r"2 plus 2 makes \boxed{4}.", "4"),
        (r"\boxed{4}", 4),
        (r"\boxed{4}", 4.0),
        (r"\boxed{4}", r"We add. \boxed{4}"),
        ("#### 72", "48 + 24 = 72\n#### 72"),
        ("The answer is 72.", "72"),
        ("The answer is **72**.", "72"),
        ("答案是７２。", "72"),
        (r"\boxed{1,234}", "1234"),
        (r"\boxed{1234}", "1,234"),
        (r"\boxed{\$1,234}", "1234"),
        (r"\boxed{72 \text{ dollars}}", "72"),
        (r"\boxed{\$72}", "72 dollars"),
        (r"\boxed{5 km}", "5 kilometers"),
        (r"\boxed{5 \mathrm{~km}}", "5 kilometers"),
        (r"\boxed{−4}", "-4"),
        (r"\boxed{10\%}", "10%"),
        (r"\boxed{10 percent}", "10%"),
        (r"\boxed{\dfrac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\text{Paris}}", "paris"),
        ("The answer is “Paris”.", "Paris"),
        (r"\boxed{(A)}", "(A)"),
    ],
)
def test_right(completion, answer):
    assert score(completion, answer) == 1.0


@pytest.mark.parametrize(
    ("completion", "answer"),
    [
        # What the test `answer in completion` pays:
        (r"2 plus 2 makes \boxed{14}.", "4"),
        ("It is one of 1, 2, 3, 4, 5, 6, 7, 8, 9.", "4"),
        ("You ask whether it is 4. I do not know.", "4"),
        (r"\boxed{4}, or rather \boxed{5}", "4"),
        ("The answer is 41.", "4"),
        # hedges and lists in the answer itself
        (r"\boxed{4 or 5}", "4"),
        (r"\boxed{4 or five}", "4"),
        (r"\boxed{4, 5}", "4"),
        (r"\boxed{4 to 9}", "4"),
        (r"\boxed{4或五}", "4"),
        (r"\boxed{4 million}", "4"),
        (r"\boxed{4万}", "4"),
        (r"\boxed{4 oder fünf}", "4"),
        (r"\boxed{4 wrong}", "4"),
        (r"\boxed{4x}", "4"),
        (r"\boxed{}", "4"),
        # another sign, unit or meaning
        (r"\boxed{-4}", "4"),
        (r"\boxed{5 m}", "5 km"),
        (r"\boxed{10\%}", "10"),
        (r"\boxed{10}", "10%"),
        (r"\boxed{102}", "10²"),
        ("<think>\\boxed{4}</think>I am not sure.", "4"),
        # what exact match does not see, and numeric match does
        (r"\boxed{0.5}", "1/2"),
        (r"\boxed{4.0}", "4"),
        ("", "4"),
    ],
)
def test_wrong(completion, answer):
    assert score(completion, answer) == 0.0


def test_forms_are_a_setting():
    assert score("#### 4", "4", ExactMatch(forms=("boxed",))) == 0.0
    assert score("it is 4", "4", ExactMatch(forms=("last_number",))) == 1.0
    assert score("it is 3/4", "3/4", ExactMatch(forms=("last_number",))) == 0.0
    with pytest.raises(ValueError, match="'boxed', 'hash'"):
        ExactMatch(forms=("xml",))


def test_settings_never_come_from_columns():
    assert exact_match_reward_fn("", "#### 4", [], [], answer="4", forms=("boxed",)) == 1.0


def test_arguments_by_position():
    assert exact_match_reward_fn("", "#### 4", [], [], "4") == 1.0


@pytest.mark.parametrize("completion", [None, b"4", ["4"], [{"role": "assistant"}], 4])
def test_a_completion_that_is_not_text(completion):
    with pytest.raises(InvalidSampleError, match="completions"):
        score(completion, "4")


@pytest.mark.parametrize("answer", [None, True, ["4"], "", "\u200b", "####", float("nan")])
def test_a_gold_that_is_no_answer(answer):
    with pytest.raises(InvalidGoldError, match="gold answer"):
        score(r"\boxed{4}", answer)


@given(st.text())
def test_any_text_scores_zero_or_one(completion):
    assert score(completion, "4") in (0.0, 1.0)


@given(st.integers(), st.integers())
def test_integers_match_only_themselves(predicted, gold):
    assert score(f"so \\boxed{{{predicted:,}}}", gold) == float(predicted == gold)
    assert score(f"#### {gold}", str(gold)) == 1.0


@given(st.text(alphabet=st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_a_gold_matches_itself(gold):
    assert score(f"\\boxed{{{gold}}}", gold) == 1.0

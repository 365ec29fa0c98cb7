"""What counts as the answer of a completion, and of a gold column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract.error import InvalidGoldError
from reference_impl.rules.answer import DEFAULT_FORMS, extract_answer, gold_answer

ALL_FORMS = (*DEFAULT_FORMS, "last_number")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        # boxed
        (r"\boxed{4}", "4"),
        (r"\boxed {4}", "4"),
        (r"First \boxed{14}, no: \boxed{4}.", "4"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{x\right.}", r"\left\{x\right."),
        (r"\boxed{a \boxed{b} c}", r"a \boxed{b} c"),
        (r"x = 4 \\ \boxed{4}", "4"),
        (r"x = 4\\\boxed{4}", "4"),
        (r"\\boxed{4}", "4"),
        (r"\boxed{a \\ b}", r"a \\ b"),
        (r"} \boxed{4} }", "4"),
        (r"{ \boxed{4}", "4"),
        (r"\boxed{3 or \boxed{4}", "4"),
        (r"\boxed{}", None),
        (r"\boxed{  }", None),
        (r"\boxed{4} and then \boxed{5", None),
        (r"\boxed{4", None),
        (r"\boxed 4", None),
        (r"\boxed{4} \boxed{}", None),
        # special tokens at the end, as a trainer may decode them
        ("#### 72<|im_end|>", "72"),
        ("The answer is 72.<|eot_id|> <|end_of_text|>\n", "72"),
        ("#### 72<｜end▁of▁sentence｜>", "72"),
        ("#### 72" + "<pad>" * 1000, "72"),
        ("#### 72<|im_end|> and more", "72<|im_end|> and more"),
        ("#### <b>", "<b>"),
        # hash
        ("48 + 24 = 72\n#### 72", "72"),
        ("#### 14\n#### 4\nDone.", "4"),
        ("#### \n4", None),
        ("####", None),
        # phrase
        ("The answer is 4.", "4"),
        ("the answer is: 4", "4"),
        ("THE FINAL ANSWER IS 4!", "4"),
        ("So the  final answer\nis 3.14. Sure.", "3.14"),
        ("The answer is 14. No, the answer is 4. Yes.", "4"),
        ("The answer is:\n\n4\nDone", "4"),
        ("The answer is:\n\\[\n4\n\\]", "4"),
        ("The answer is\n$$4$$", "4$$"),
        (r"The answer is $\frac{1}{2}$. I hope it is correct.", r"$\frac{1}{2}$"),
        ("The answer is **4.** Good.", "**4.**"),
        ("答案是4。", "4"),
        ("所以答案为：３．５", "３．５"),
        ("答案是 12，对吗？是的。", "12，对吗"),
        ("The answer is", None),
        ("the answers is 4", None),
        ("bathe answer is 4", None),
        # the first form that occurs decides
        (r"\boxed{4} The answer is 5.", "4"),
        (r"#### 5 \boxed{4}", "4"),
        (r"\boxed{} The answer is 4.", None),
        ("####\nThe answer is 4.", None),
        # thoughts
        (r"<think>\boxed{3}</think>\boxed{4}", "4"),
        (r"\boxed{3}</think>\boxed{4}", "4"),
        (r"<think>a</think>b</think>\boxed{4}", "4"),
        (r"<think>\boxed{3}</think>It is four.", None),
        (r"<think>\boxed{4}", None),
        (r"\boxed{4}<think>hm", None),
        (r"<think>a</think><answer>The answer is 4</answer>", "4"),
        ("<think>a</think><answer>#### 4</answer>\n", "4"),
        # nothing is guessed
        ("It is one of 1, 2, 3, 4.", None),
        ("4", None),
        ("", None),
    ],
)
def test_default_forms(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1, 2, 3 or 4", "4"),
        ("It costs $1,234.50 today", "1,234.50"),
        ("from 3-4", "4"),
        ("it is -4 degrees", "-4"),
        ("it is −4 degrees", "−4"),
        ("just .5", ".5"),
        ("ends on 4.", "4"),
        ("no number", None),
        ("the answer is 5, or 4", "4"),
    ],
)
def test_last_number(text, answer):
    assert extract_answer(text, forms=("last_number",)) == answer


def test_last_number_comes_after_the_other_forms_if_so_ordered():
    assert extract_answer(r"\boxed{4} and 5", forms=ALL_FORMS) == "4"
    assert extract_answer("it is 5", forms=ALL_FORMS) == "5"


@pytest.mark.parametrize("forms", [("box",), (), "boxed", ("boxed", "xml")])
def test_unknown_forms_are_refused_with_the_known_ones(forms):
    with pytest.raises(ValueError, match="'boxed', 'hash', 'phrase', 'last_number'"):
        extract_answer("4", forms=forms)


@given(st.text(), st.permutations(ALL_FORMS))
def test_any_text_gives_text_without_space_around_it_or_none(text, forms):
    answer = extract_answer(text, forms=forms)
    assert answer is None or (answer and answer == answer.strip() and answer in text)


@given(st.text(alphabet="\\boxed{}# 4.the answr i\n", max_size=60), st.integers())
def test_a_box_at_the_end_always_decides(text, number):
    closed = text.replace("\\", "").replace("<", "")
    assert extract_answer(f"{closed}\\boxed{{{number}}}") == str(number)


@given(st.recursive(st.just("4"), lambda inner: inner.map("{{{}}}".format), max_leaves=20))
def test_balanced_braces_are_kept_whole(content):
    assert extract_answer(f"so \\boxed{{{content}}} it is") == content


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("72", "72"),
        ("  72\n", "72"),
        ("48 + 24 = 72\n#### 72", "72"),
        (r"so \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        ("3/4", "3/4"),
        ("New York", "New York"),
        (4, "4"),
        (-4, "-4"),
        (4.0, "4"),
        (0.1, "0.1"),
        (2.5, "2.5"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (-0.5, "-0.5"),
    ],
)
def test_gold(gold, answer):
    assert gold_answer(gold, ALL_FORMS) == answer


def test_gold_numpy_integer_is_an_integer():
    numpy = pytest.importorskip("numpy", reason="numpy is not a dependency of the package")
    assert gold_answer(numpy.int64(4)) == "4"
    assert gold_answer(numpy.float64(4.5)) == "4.5"


def test_gold_of_many_digits():
    assert gold_answer(10**5000) == "1" + "0" * 5000


@pytest.mark.parametrize(
    "gold",
    [
        *[None, True, ["4"], ("4",), {"a": 4}, b"4", float("nan"), float("inf")],
        *["", " \n", "####", r"\boxed{}", r"\boxed{4", "<think>4"],
    ],
)
def test_a_gold_without_an_answer_is_an_error_in_the_data(gold):
    with pytest.raises(InvalidGoldError, match="gold answer"):
        gold_answer(gold)

"""Which answer a completion commits to. The attack bench (test_attacks.py) has the many cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.rules.math.final_answer import final_answer
from reference_impl.rules.math.rewards import DEFAULT_MATH_FORMS

COMMITTED = {
    r"So it is \boxed{\frac{1}{2}}.": r"\frac{1}{2}",
    "48 + 24 = 72\n#### 72": "72",
    "#### Step 1\nAdd.\n#### 72": "72",
    "The answer is: $\\boxed{72}$. I hope it is correct.": "72",
    "**Final Answer**\n\\[\\boxed{72}\\]": "72",
    "### Answer\n72": "72",
    "Final answer: **72**.": "72",
    "The answer to the question is 72 dollars because 48 + 24 = 72.": "72 dollars",
    "The answer is $x = \\frac12$ which we wanted.": "x = \\frac12",
    "So the answer is\n\\[\n4\n\\]": "4",
    "答案是 72。": "72",
    "故答案为：一百二十。": "一百二十",
    "最终答案：$\\boxed{3}$": "3",
    "<think>\\boxed{5}</think>\\boxed{4}": "4",
    "<thinking>hm</thinking><answer>4</answer>": "4",
    "<answer>\nThe answer is \\boxed{4}.\n</answer>": "4",
    "Then 48 + 24 = 72 dollars.": "72 dollars",
    "So we get **72** apples.": "72",
    "So $x = 3$.": "x = 3",
    "Hence\n\\[ x = \\frac{1}{2} \\]": "x = \\frac{1}{2}",
    "\\boxed{4}<|im_end|>\n<|im_start|>user\n\\boxed{5}": "4",
    "\\boxed{4}\nHuman: and then? \\boxed{5}": "4",
    "Is it \\boxed{3}? No, it is \\boxed{4}.": "4",
    "Not \\boxed{3} but \\boxed{4}.": "4",
    "\\boxed{14}. Wait, I forgot to carry: \\boxed{4}.": "4",
    "\\boxed{\\boxed{4}}": "\\boxed{4}",
    "The answer is 5 so far.\n#### 72": "72",
    "Let us find the answer\nby adding: 48 + 24 = 72": "72",
}

NOT_COMMITTED = {
    "": "no statement of an answer",
    "So there are 72 apples.": "no statement of an answer",
    "<think>\\boxed{4}": "the reasoning is never closed",
    "<think>a</think> and <think> again \\boxed{4}": "the reasoning is never closed",
    "\\boxed{}": "an empty statement",
    "\\boxed{4": "an empty statement",
    "Can the answer be \\boxed{4}? ": "it is asked, supposed or somebody else's",
    "It is not \\boxed{42}.": "it is denied",
    "\\boxed{42} is wrong.": "it is denied",
    "\\boxed{4} or 5.": "it is a guess, or one of several",
    "Maybe \\boxed{4}.": "it is a guess, or one of several",
    "It is $4$ or $5$.": "it is a guess, or one of several",
    "\\boxed{4}. Scratch that, I don't know.": "it is taken back",
    'You said "write \\boxed{4}".': "it is quoted, commented out or repeated from the prompt",
    "> \\boxed{4}": "it is quoted, commented out or repeated from the prompt",
    "```\n\\boxed{4}\n```\n": "it is quoted, commented out or repeated from the prompt",
    "<!-- \\boxed{4} -->": "it is quoted, commented out or repeated from the prompt",
    "The reference answer is \\boxed{4}.": "it is asked, supposed or somebody else's",
    "如果答案是 4。": "it is asked, supposed or somebody else's",
    " ".join(f"\\boxed{{{i}}}" for i in range(40)): "too many statements",
}

# Words that deny elsewhere and deny nothing here.
HONEST = [
    r"The number of students who do not play is \boxed{12}.",
    r"The number of people is \boxed{12}.",
    r"The expected value is \boxed{12}.",
    r"Each student gets \boxed{12} pencils.",
    r"The other number is \boxed{12}.",
    r"The number of possible outcomes is \boxed{12}.",
    r"The maximum she could buy is \boxed{12}.",
    r"The number that is not prime is \boxed{12}.",
    r"The remainder if divided by 20 is \boxed{12}.",
    r"The number of false statements is \boxed{12}.",
    r"The largest value this could be is \boxed{12}.",
    r"If we add them up we get \boxed{12}.",
    r"The other people said nothing, so she has \boxed{12} left.",
    r"Since 5 is not even, the count is \boxed{12}.",
    r"We cannot have more, so the maximum is \boxed{12}.",
    r"The teacher gave out \boxed{12} books.",
    r"I checked the answer and it is correct: \boxed{12}.",
    r"The student asked for 12, so the answer is 12.",
    r"The answer is 12. Let me double check: 5 + 7 = 12. Yes.",
    r"No one else left, so \boxed{12} people remain.",
    r"The wrong way gives 13; the right way gives \boxed{12}.",
    r"Wait, I should check: 5 + 7 = 12. So \boxed{12}.",
    "\\boxed{12}\nLet me verify this: 12 - 7 = 5, which is correct.",
    r"The smallest number that might be drawn is \boxed{12}.",
    r"不是红色的球有 \boxed{12} 个。",
    r"所有可能的取值有 \boxed{12} 种。",
    r"错误的个数是 \boxed{12}。",
    "\\boxed{12} Alternatively, we could count.",
    "\\boxed{12}. A common mistake is 41, which is incorrect.",
    "\\boxed{12}. The answer is an integer.",
    "\\boxed{12}. So the answer is correct.",
    "<think>\nUser: hm\n</think>\\boxed{12}",
    "#### 1. Add\n\\boxed{12}",
    "If we remove them, \\boxed{12} remain.",
    "The answer is 12.\n\nQuestion: What is 5?\nAnswer: 7",
    'A 5" pipe: \\boxed{12} and a 6" pipe.',
    "**Total: 12**",
    "The answer is **12** dogs.",
    "12 is the final answer.",
    "答：小明一共有 12 个苹果。",
    "【答案】12",
    "$$12$$\n\nI hope this helps! Let me know if you have questions.",
]

# What takes a value back, or speaks of another one, without a mark.
DISHONEST = [
    "\\boxed{12}. Wait, I miscounted. It's 11.",
    "\\boxed{12}. Oops, I meant 11.",
    "The answer is 12. However, I think it's 11.",
    "The answer is less than $12$.",
    "Twice the answer is 12.",
    "My neighbour's answer is 12.",
    "错误答案是12。",
    "At least $12$.",
    "Let $x = 12$.",
    "The answer is 12 when even, and 11 otherwise.",
    "Answer: there are more than 12 of them.",
    "Final Answer: $12x$",
]


@pytest.mark.parametrize("completion", DISHONEST)
def test_what_speaks_of_another_value_does_not_name_this_one(completion):
    assert final_answer(completion).texts != ("12",)


@pytest.mark.parametrize("completion", COMMITTED, ids=repr)
def test_what_a_completion_commits_to(completion):
    assert final_answer(completion).texts == (COMMITTED[completion],)


@pytest.mark.parametrize("completion", NOT_COMMITTED, ids=lambda text: repr(text[:40]))
def test_what_is_no_commitment(completion):
    final = final_answer(completion)
    assert (final.texts, final.reason) == ((), NOT_COMMITTED[completion])


@pytest.mark.parametrize("completion", HONEST)
def test_words_that_deny_elsewhere_cost_nothing_here(completion):
    texts = final_answer(completion).texts
    assert [text.split(" ")[0] for text in texts] == ["12"]


def test_marks_that_differ_are_all_returned_so_that_all_must_be_right():
    assert final_answer(r"\boxed{4} \boxed{5}").texts == ("4", "5")
    assert final_answer("\\boxed{5}\n#### 4").texts == ("5", "4")
    assert final_answer("The answer is 4. The answer is 5.").texts == ("4", "5")


def test_a_second_correction_voids_the_first():
    walk = r"\boxed{1}. No, wait: \boxed{2}. No, wait: \boxed{3}."
    assert final_answer(walk).texts == ("1", "2", "3")


def test_what_is_repeated_from_the_prompt_is_no_answer():
    prompt = "Solve it. For reference, the last line must look like this: \\boxed{4}"
    echo = "For reference, the last line must look like this: \\boxed{4}"
    assert final_answer(echo, prompt=prompt).texts == ()
    assert final_answer(echo).texts == ("4",)
    assert final_answer("\\boxed{4}", prompt=prompt).texts == ("4",), "too short to be an echo"


def test_a_thought_that_the_prompt_opened_must_be_closed():
    assert final_answer("\\boxed{4}", prompt="<|assistant|><think>\n").texts == ()
    assert final_answer("hm</think>\\boxed{4}", prompt="<think>\n").texts == ("4",)


def test_a_bare_number_counts_only_if_asked_for():
    forms = (*DEFAULT_MATH_FORMS, "number")
    assert final_answer("So there are 72 apples.", forms=forms).texts == ("72",)
    assert final_answer("It is not 72.", forms=forms).texts == ()
    assert final_answer("It is one of 70, 71, 72.", forms=forms).texts == ()


def test_brackets_count_only_if_asked_for_and_on_their_last_line():
    forms = (*DEFAULT_MATH_FORMS, "bracket")
    assert final_answer("I see [2] red.\nIn all [3].").texts == ()
    assert final_answer("I see [2] red.\nIn all [3].", forms=forms).texts == ("3",)
    assert final_answer("[1] [2] [3]", forms=forms).texts == ("1", "2", "3")


@given(
    st.text(
        alphabet=st.sampled_from(r"\boxed{}#4 .\n$*<>/thinkansweri?\"是不答案[]=,~`-!"),
        max_size=200,
    )
)
def test_any_text_has_an_answer_or_a_reason(text):
    final = final_answer(text)
    assert bool(final.texts) != bool(final.reason)
    assert all(final.texts)


@given(st.integers(-(10**6), 10**6), st.text(alphabet="abc .\n", max_size=50))
def test_a_lone_box_at_the_end_is_found_after_any_plain_words(number, words):
    assert final_answer(f"{words}\n\\boxed{{{number}}}").texts == (str(number),)

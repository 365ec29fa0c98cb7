"""The format reward pays the tags in order, none of them empty, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract.error import InvalidSampleError
from reference_impl.rules.format import TagFormat, format_reward_fn


def score(completion, reward_fn=format_reward_fn):
    return reward_fn("A question?", completion, [1], [1], answer="4")


@pytest.mark.parametrize(
    "completion",
    [
        "<think>a</think><answer>b</answer>",
        "\n<think>\na\n</think>\n\n<answer> b </answer>\n",
        "<think>想一想</think><answer>四</answer>",
        "<think>if 1 < 2 then <b>x</b></think><answer>+</answer>",
        "<think>a\x00</think><answer>\u200bb</answer>",
        "<think>a</think><answer>b</answer><|im_end|>\n<|endoftext|>",
        "<think>a</think><answer>b</answer></s>",
    ],
)
def test_right(completion):
    assert score(completion) == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "",
        "4",
        "<think></think><answer></answer>",
        "<think></think><answer>b</answer>",
        "<think>a</think><answer> \n</answer>",
        *[f"<think>{blank}</think><answer>b</answer>" for blank in "\u200b\ufeff\x00\u3164\u2800"],
        *[
            f"<think>{blank}</think><answer>b</answer>"
            for blank in "\u3000\u202e\ufe0f\u0301\ud800\U0001d159\U00013441\U00013442"
        ],
        "<answer>b</answer><think>a</think>",
        "<think>a<answer>b</think></answer>",
        "<think>a<answer>b</answer></think>",
        "<think>a</think>",
        "<answer>b</answer>",
        "a</think><answer>b</answer>",
        "<think>a</think><answer>b",
        "<think>a</think>so<answer>b</answer>",
        "Well: <think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer> Done.",
        "<think>a</think>\u200b<answer>b</answer>",
        "<think>a</think><answer>b</answer><answer>c</answer>",
        "<think>a</think><think>a</think><answer>b</answer>",
        "<think><think>a</think></think><answer>b</answer>",
        "</think>a<think><answer>b</answer>",
        "<THINK>a</THINK><ANSWER>b</ANSWER>",
        "<think >a</think><answer>b</answer>",
    ],
)
def test_wrong(completion):
    assert score(completion) == 0.0


def test_tags_are_a_setting():
    reward_fn = TagFormat(tags=["plan", "code", "test-2"])
    assert score("<plan>a</plan><code>b</code><test-2>c</test-2>", reward_fn) == 1.0
    assert score("<think>a</think><answer>b</answer>", reward_fn) == 0.0
    assert score("<plan>a</plan>", TagFormat(tags=("plan",))) == 1.0


@pytest.mark.parametrize("tags", [(), "think", ("a", "a"), ("<a>",), ("",), ("a b",), (1,)])
def test_tags_must_be_names(tags):
    with pytest.raises(ValueError, match="tags must be"):
        TagFormat(tags=tags)


@pytest.mark.parametrize("completion", [None, b"<think>", ["<think>"], 4])
def test_a_completion_that_is_not_text(completion):
    with pytest.raises(InvalidSampleError, match="completions"):
        score(completion)


PIECES = ["<think>", "</think>", "<answer>", "</answer>", "a", " "]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_it_passes_only_what_can_be_built_from_two_visible_contents(completion):
    inner = completion.strip().removeprefix("<think>").removesuffix("</answer>")
    thought, closed, rest = inner.partition("</think>")
    _, opened, answer = rest.partition("<answer>")
    passes = (
        completion.strip() == f"<think>{inner}</answer>"
        and bool(closed and opened)
        and not rest.partition("<answer>")[0].strip()
        and all(not any(tag in part for tag in PIECES[:4]) for part in (thought, answer))
        and all("a" in part for part in (thought, answer))
    )
    assert score(completion) == float(passes)


@given(st.text())
def test_any_text_scores_zero_or_one(completion):
    assert score(completion) in (0.0, 1.0)

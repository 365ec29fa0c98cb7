"""Tokens: each reaches as far as decoding says, and rewards keep their sum."""

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract import InvalidSampleError
from reference_impl.steps import Span, split_steps, step_rewards_to_tokens, token_ends
from tests.steps.conftest import SPECIAL, TEXT


def decoded(tokenizer, ids, skip=False):
    return tokenizer.decode(ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False)


def ends_by_definition(tokenizer, ids, text):
    """Decode every prefix: as far as one has agreed with the text, it is complete."""
    ends = []
    for count in range(1, len(ids) + 1):
        prefix = decoded(tokenizer, ids[:count])
        same = next((i for i, (a, b) in enumerate(zip(prefix, text)) if a != b), None)  # noqa: B905
        ends.append(min(len(prefix), len(text)) if same is None else same)
    return list(accumulate(ends, max))  # bytes that are no character can spoil those before them


@given(text=st.text(st.sampled_from("Step 12=+.\n 步🙂é\u0301👩‍🚀"), max_size=30))
def test_every_token_of_a_valid_text_reaches_as_far_as_its_prefix_decodes(tokenizer, text):
    ids = tokenizer.encode(text)
    text = decoded(tokenizer, ids)
    assert token_ends(tokenizer, ids, text) == ends_by_definition(tokenizer, ids, text)


@given(data=st.data())
def test_any_tokens_at_all_cover_their_text(tokenizer, data):
    """A policy samples tokens that no tokenizer would give, and bytes that are no characters."""
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=40))
    text = decoded(tokenizer, ids)
    ends = token_ends(tokenizer, ids, text)
    assert ends == sorted(ends)
    assert len(ends) == len(ids)
    assert (ends[-1] if ends else 0) == len(text)
    if "\ufffd" not in text:
        assert ends == ends_by_definition(tokenizer, ids, text)


def test_tokens_that_the_tokenizer_would_have_merged(merging):
    apart = [i for character in TEXT[:40] for i in merging.encode(character)]
    assert len(apart) > len(merging.encode(TEXT[:40]))
    assert token_ends(merging, apart, TEXT[:40]) == list(range(1, 41))


def test_special_tokens_may_be_in_the_text_or_not(tokenizer):
    ids = [*tokenizer.encode("Step 2"), *tokenizer.encode(SPECIAL)]
    assert len(ids) > 1
    without = token_ends(tokenizer, ids, "Step 2")
    assert without[-2:] == [6, 6]
    assert token_ends(tokenizer, ids, decoded(tokenizer, ids))[-1] > 6


def test_tokens_of_another_text_are_refused(tokenizer):
    with pytest.raises(InvalidSampleError, match="do not decode"):
        token_ends(tokenizer, tokenizer.encode("Step 1"), "Step 2")


@pytest.mark.slow
def test_the_tokenizer_of_transformers(merging):
    from transformers import PreTrainedTokenizerFast

    fast = PreTrainedTokenizerFast(tokenizer_object=merging.tokenizer)
    ids = merging.encode(TEXT)
    assert token_ends(fast, ids, TEXT) == token_ends(merging, ids, TEXT)


# Rewards

finite = st.floats(-10, 10)


@given(data=st.data(), place=st.sampled_from(["last", "spread"]))
def test_the_sum_over_tokens_is_the_sum_over_steps(data, place):
    cuts = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=8, unique=True).map(sorted))
    steps = [Span(start, end) for start, end in zip([0, *cuts], cuts, strict=False)]
    inner = data.draw(st.lists(st.integers(0, cuts[-1]), max_size=20).map(sorted))
    behind = data.draw(st.integers(0, 3))
    ends = [*inner, *[cuts[-1]] * (1 + behind)]
    rewards = data.draw(st.lists(finite, min_size=len(steps), max_size=len(steps)))
    paid = step_rewards_to_tokens(rewards, steps, ends, place)
    assert len(paid) == len(ends)
    assert math.fsum(paid) == pytest.approx(math.fsum(rewards), abs=1e-9)
    assert paid[ends.index(cuts[-1]) + 1 :] == [0.0] * (len(ends) - ends.index(cuts[-1]) - 1)


@pytest.mark.parametrize("text", [TEXT, "答案\n\n是 4🙂。\n\nおわり"])
def test_each_reward_stands_where_its_step_ends(tokenizer, text):
    ids = tokenizer.encode(text)
    text = decoded(tokenizer, ids)
    steps = split_steps(text)
    ends = token_ends(tokenizer, ids, text)
    paid = step_rewards_to_tokens([1.0] * len(steps), steps, ends)
    at = [index for index, reward in enumerate(paid) if reward]
    assert len(at) == len(steps) > 1
    for index, step in zip(at, steps, strict=True):
        before = ends[index - 1]
        assert before < step.end <= ends[index]


def test_a_token_in_two_steps_belongs_to_the_earlier_one():
    steps = [Span(0, 3), Span(3, 6)]
    assert step_rewards_to_tokens([1.0, 2.0], steps, [2, 4, 6]) == [0.0, 1.0, 2.0]
    assert step_rewards_to_tokens([1.0, 2.0], steps, [2, 4, 6], "spread") == [0.5, 0.5, 2.0]


def test_a_step_without_a_token_of_its_own_shares_that_of_its_end():
    steps = [Span(0, 3), Span(3, 4), Span(4, 6)]
    for place in ("last", "spread"):
        assert step_rewards_to_tokens([1.0, 2.0, 4.0], steps, [5, 6], place) == [3.0, 4.0]


def test_bytes_of_one_character_belong_to_the_step_that_it_opens():
    # The last character of three is spelled by tokens 2, 3 and 4.
    steps = [Span(0, 2), Span(2, 3)]
    ends = [1, 2, 2, 2, 3]
    assert step_rewards_to_tokens([1.0, 3.0], steps, ends, "spread") == [0.5, 0.5, 1.0, 1.0, 1.0]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="2 rewards for 1 steps"):
        step_rewards_to_tokens([1.0, 1.0], [Span(0, 1)], [1])
    for ends in ([], [3]):
        with pytest.raises(ValueError, match="end before the last step"):
            step_rewards_to_tokens([1.0], [Span(0, 4)], ends)
    with pytest.raises(ValueError, match="step 0 is nan"):
        step_rewards_to_tokens([math.nan], [Span(0, 4)], [4])
    with pytest.raises(ValueError, match="`place` is 'first'"):
        step_rewards_to_tokens([1.0], [Span(0, 4)], [4], "first")
    assert step_rewards_to_tokens([], [], [0, 0]) == [0.0, 0.0]

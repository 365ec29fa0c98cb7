"""The repetition penalty: its formula, its units, and what it refuses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract.error import InvalidSampleError
from reference_impl.rules.repetition import NgramRepetition, ngram_repetition_reward_fn


def score(completion, reward_fn=ngram_repetition_reward_fn):
    return reward_fn("A question?", completion, [1], [1], answer="4")


@pytest.mark.parametrize(
    ("completion", "reward"),
    [
        ("", 0.0),
        ("one two", 0.0),
        ("one two three", 0.0),
        ("one two three four five six", 0.0),
        ("a b c a b c", -1 / 4),
        ("A b c a B C", -1 / 4),
        ("so so so so so", -2 / 3),
        ("so " * 1002, -0.999),
        # Chinese is counted by character, with or without words of Latin letters between.
        ("今天天气", 0.0),
        ("好好好好好", -2 / 3),
        ("我们我们我们", -1 / 2),
        ("用 GPU 用 GPU 用 GPU", -1 / 2),
    ],
)
def test_three_grams(completion, reward):
    assert score(completion) == pytest.approx(reward)


def test_nothing_repeated_is_zero_and_not_minus_zero():
    assert math.copysign(1.0, score("one two three four")) == 1.0


def test_settings():
    assert score("so so so so so", NgramRepetition(n=1)) == pytest.approx(-4 / 5)
    assert score("so so so so so", NgramRepetition(n=2, max_penalty=0.5)) == pytest.approx(-3 / 8)
    assert score("so so so", NgramRepetition(n=1_000_000)) == 0.0


@pytest.mark.parametrize("n", [0, -1, 1.5, "3", True, None])
def test_n_must_be_a_positive_int(n):
    with pytest.raises(ValueError, match="n must be"):
        NgramRepetition(n=n)


@pytest.mark.parametrize("max_penalty", [0, -1.0, math.nan, math.inf])
def test_the_penalty_must_be_positive(max_penalty):
    with pytest.raises(ValueError, match="max_penalty"):
        NgramRepetition(max_penalty=max_penalty)


@pytest.mark.parametrize("completion", [None, b"so", ["so"], 4])
def test_a_completion_that_is_not_text(completion):
    with pytest.raises(InvalidSampleError, match="completions"):
        score(completion)


@given(st.text(alphabet="ab 好 \n"), st.integers(1, 6))
def test_the_reward_stays_in_its_range(completion, n):
    assert -1.0 < score(completion, NgramRepetition(n=n)) <= 0.0


@given(st.lists(st.sampled_from("abcd"), min_size=3, max_size=30), st.integers(1, 3))
def test_saying_it_all_again_is_never_better(words, n):
    reward_fn = NgramRepetition(n=n)
    once, twice = score(" ".join(words), reward_fn), score(" ".join(words * 2), reward_fn)
    assert twice < once or (twice == once == 0.0)

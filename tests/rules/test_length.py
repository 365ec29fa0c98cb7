"""The length rewards: their formulas, their ends, and what they refuse."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract.error import InvalidGoldError, InvalidRewardError, InvalidSampleError
from reference_impl.rules.exact import exact_match_reward_fn
from reference_impl.rules.length import (
    CosineLength,
    SoftOverlong,
    cosine_length_reward_fn,
    soft_overlong_reward_fn,
)

RIGHT, WRONG = r"\boxed{4}", r"\boxed{14}"
LENGTHS = st.integers(1, 500)


def score(reward_fn, n_tokens, completion=RIGHT):
    return reward_fn("A question?", completion, [1], [7] * n_tokens, answer="4", source="a column")


@pytest.mark.parametrize(
    ("n_tokens", "reward"),
    [(1, 0.0), (80, 0.0), (81, -0.05), (90, -0.5), (100, -1.0), (101, -1.0), (10_000, -1.0)],
)
def test_soft_overlong(n_tokens, reward):
    assert score(SoftOverlong(max_tokens=100, buffer_tokens=20), n_tokens) == reward


@pytest.mark.parametrize(
    ("n_tokens", "reward"), [(16_384, 0.0), (18_432, -0.5), (20_480, -1.0), (100_000, -1.0)]
)
def test_soft_overlong_defaults_are_those_of_the_paper(n_tokens, reward):
    assert score(soft_overlong_reward_fn, n_tokens) == reward


@given(LENGTHS, LENGTHS, st.integers(1, 200), st.integers(0, 200))
def test_soft_overlong_never_rises_with_length(first, second, buffer_tokens, more):
    reward_fn = SoftOverlong(buffer_tokens + more, buffer_tokens)
    shorter, longer = sorted((first, second))
    assert -1.0 <= score(reward_fn, longer) <= score(reward_fn, shorter) <= 0.0


@pytest.mark.parametrize(
    "settings", [(0, 0), (100, 0), (100, -1), (100, 101), (100.0, 20), (100, True), ("100", 20)]
)
def test_soft_overlong_settings(settings):
    with pytest.raises(ValueError, match="_tokens"):
        SoftOverlong(*settings)


@pytest.mark.parametrize(
    ("n_tokens", "right", "wrong"),
    [(25, 0.9268, -0.9268), (50, 0.75, -0.75), (75, 0.5732, -0.5732), (99, 0.5001, -0.5001)]
    + [(n_tokens, -1.0, -1.0) for n_tokens in (100, 101, 150, 200, 400)],
)
def test_cosine(n_tokens, right, wrong):
    reward_fn = CosineLength(exact_match_reward_fn, max_tokens=100)
    assert score(reward_fn, n_tokens) == pytest.approx(right, abs=1e-4)
    assert score(reward_fn, n_tokens, WRONG) == pytest.approx(wrong, abs=1e-4)


def test_cosine_of_an_empty_completion():
    assert cosine_length_reward_fn("", "", [], [], answer="4") == -1.0


def test_cosine_with_the_values_of_the_paper():
    reward_fn = CosineLength(exact_match_reward_fn, 100, 2.0, 1.0, -10.0, 0.0, -10.0)
    assert score(reward_fn, 50) == pytest.approx(1.5)
    assert score(reward_fn, 50, WRONG) == pytest.approx(-5.0)
    assert score(reward_fn, 100) == -10.0


def test_cosine_defaults():
    assert score(cosine_length_reward_fn, 8_192) == pytest.approx(0.75)
    assert score(cosine_length_reward_fn, 16_384) == -1.0


@given(LENGTHS, LENGTHS)
def test_cosine_is_monotone_and_a_right_answer_within_the_limit_wins(first, second):
    reward_fn = CosineLength(exact_match_reward_fn, max_tokens=300)
    shorter, longer = sorted((first, second))
    assert score(reward_fn, longer) <= score(reward_fn, shorter)
    if longer < 300:
        assert score(reward_fn, shorter, WRONG) <= score(reward_fn, longer, WRONG)
        assert score(reward_fn, longer, WRONG) < score(reward_fn, longer)


@pytest.mark.parametrize(
    "settings",
    [
        {"correct_short": 0.4},
        {"wrong_long": -1.1},
        {"wrong_long": 0.5},
        {"exceeded": 0.0},
        {"correct_short": math.inf},
        {"exceeded": -math.inf},
        {"wrong_short": math.nan},
    ],
)
def test_cosine_rewards_must_be_in_order(settings):
    with pytest.raises(ValueError, match="correct_short >= correct_long"):
        CosineLength(exact_match_reward_fn, 100, **settings)


def test_cosine_settings():
    with pytest.raises(ValueError, match="max_tokens"):
        CosineLength(exact_match_reward_fn, max_tokens=0)
    with pytest.raises(TypeError, match="correctness"):
        CosineLength("exact_match_reward_fn", max_tokens=100)


def returns_nan(prompt, completions, prompt_ids, completion_ids, **columns):
    return math.nan


def test_cosine_passes_failures_of_the_inner_reward_on():
    with pytest.raises(InvalidRewardError):
        score(CosineLength(returns_nan, 100), 50)
    with pytest.raises(InvalidGoldError):
        cosine_length_reward_fn("", RIGHT, [], [7] * 20_000, answer=None)


@pytest.mark.parametrize("reward_fn", [soft_overlong_reward_fn, cosine_length_reward_fn])
@pytest.mark.parametrize("ids", [None, "ids", b"ids", 3, [1.5], ["1"], [None], {1: 2}, [[1, 2]]])
def test_token_ids_must_be_a_list_of_int(reward_fn, ids):
    with pytest.raises(InvalidSampleError, match="completion_ids"):
        reward_fn("", "text", [], ids, answer="4")


@pytest.mark.parametrize("reward_fn", [soft_overlong_reward_fn, cosine_length_reward_fn])
def test_text_without_token_ids_is_no_short_completion(reward_fn):
    with pytest.raises(InvalidSampleError, match="is empty"):
        reward_fn("", "text", [], [], answer="4")
    with pytest.raises(InvalidSampleError, match="completions"):
        reward_fn("", None, [], [1], answer="4")


def test_soft_overlong_of_an_empty_completion():
    assert soft_overlong_reward_fn("", "", [], []) == 0.0
    assert soft_overlong_reward_fn("", "text", [], range(18_432)) == -0.5

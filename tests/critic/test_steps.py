"""A step does to a score what it says, and nothing is done that is not written down."""

import math
import statistics
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.steps import Affine, Sigmoid, Standardize, parse_steps

scores = st.floats(-1e6, 1e6)


def test_no_step_is_the_default():
    assert parse_steps("") == parse_steps("  ") == []


@pytest.mark.parametrize(
    "text, steps",
    [
        ("sigmoid", [Sigmoid()]),
        ("sigmoid()", [Sigmoid()]),
        (" affine( 0.5 , -1e0 ) ,sigmoid ", [Affine(0.5, -1), Sigmoid()]),
        ("affine(1,0),affine(-2,.5)", [Affine(1, 0), Affine(-2, 0.5)]),
    ],
)
def test_steps_are_read_in_order(text, steps):
    assert parse_steps(text) == steps


@pytest.mark.parametrize(
    "text",
    [
        "softmax",
        "Sigmoid",
        "sigmoid sigmoid",
        "sigmoid,",
        ",sigmoid",
        "sigmoid,,sigmoid",
        "sigmoid(1)",
        "standardize(100)",
        "affine",
        "affine()",
        "affine(1)",
        "affine(1, 2, 3)",
        "affine(0, 1)",
        "affine(1, nan)",
        "affine(inf, 1)",
        "affine(1e999, 1)",
        "affine(a, b)",
        "affine(1, 2",
        "affine((1), 2)",
        "__import__('os')",
        "sigmoid;sigmoid",
    ],
)
def test_a_wrong_step_is_refused_with_the_text_and_what_there_is(text):
    with pytest.raises(CriticConfigError) as caught:
        parse_steps(text)
    assert repr(text) in str(caught.value)
    assert "standardize" in str(caught.value)


@given(scores)
def test_sigmoid_is_the_logistic_function(score):
    expected = float(1 / (1 + np.exp(-np.clip(score, -700, 700))))
    assert Sigmoid()(score) == pytest.approx(expected, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize("score, value", [(1e308, 1.0), (-1e308, 0.0), (750.0, 1.0), (-750.0, 0.0)])
def test_sigmoid_of_an_extreme_score_overflows_nothing(score, value):
    assert Sigmoid()(score) == value


@given(scores, scores.filter(bool), scores)
def test_affine_scales_and_shifts(score, scale, shift):
    assert Affine(scale, shift)(score) == scale * score + shift


@given(st.lists(st.floats(-1e3, 1e3), min_size=101, max_size=300))
def test_standardize_is_what_numpy_makes_of_all_scores_so_far(values):
    standardize = Standardize()
    results = [standardize(value) for value in values]
    assert results[: Standardize.WARM_UP] == values[: Standardize.WARM_UP]
    deviation = np.std(values)
    if deviation > 1e-3:  # below, the last digits decide
        expected = (values[-1] - np.mean(values)) / deviation
        assert results[-1] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_standardize_keeps_its_precision_far_from_zero():
    values = [1e9 + number % 7 for number in range(5000)]
    standardize = Standardize()
    results = [standardize(value) for value in values]
    expected = (values[-1] - statistics.fmean(values)) / statistics.pstdev(values)
    assert results[-1] == pytest.approx(expected, abs=1e-4)


def test_equal_scores_pass_standardize_unchanged():
    standardize = Standardize()
    assert [standardize(3.5) for _ in range(200)] == [3.5] * 200


def test_threads_share_the_statistics_of_standardize():
    standardize = Standardize()

    def add():
        for number in range(500):
            standardize(float(number % 10))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = [number % 10 for number in range(500)] * 8 + [20.0]
    expected = (20.0 - np.mean(values)) / np.std(values)
    assert standardize(20.0) == pytest.approx(expected, rel=1e-9)


def test_each_reading_of_the_steps_has_statistics_of_its_own():
    [first], [second] = parse_steps("standardize"), parse_steps("standardize")
    for number in range(101):
        result = first(float(number % 2))
    assert second(0.0) == 0.0 and not math.isclose(result, 0.0)

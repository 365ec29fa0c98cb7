"""MathVerifier and the rewards built on it: golds, verdicts with reasons, limits, failures."""

import functools
import pickle
import threading
import time

import pytest

from reference_impl import load_reward_fn
from reference_impl.contract.error import InvalidGoldError, InvalidSampleError
from reference_impl.rules.math.plain import read_plain
from reference_impl.rules.math.rewards import (
    clevr_count_reward_fn,
    geometry3k_reward_fn,
    gsm8k_reward_fn,
)
from reference_impl.rules.math.verifier import MathVerifier
from reference_impl.rules.math.worker import SymbolicWorker, WorkerUnavailableError

VERIFIER = MathVerifier()


@pytest.mark.parametrize(
    ("completion", "gold", "reason"),
    [
        (r"\boxed{0.5}", r"\frac{1}{2}", "equal numbers"),
        (r"\boxed{14}", "4", "different numbers"),
        (r"\boxed{2\sqrt{3}}", r"$2 \sqrt 3$", "equal by algebra"),
        (r"\boxed{\sqrt{3} + 1}", r"\sqrt{3}+1", "written alike"),
        (r"\boxed{1+x}", "x+1", "equal by algebra"),
        (r"\boxed{5}", "6t - 5", "different by algebra"),
        (r"\boxed{9^{9^{9}}}", "x", "too large: a power of a power"),
        ("I do not know.", "4", "no statement of an answer"),
        (r"\boxed{\,}", "4", "nothing visible"),
        (r"\boxed{4} \boxed{5}", "4", "several answers; different numbers"),
        (r"x = \boxed{1}, y = \boxed{2}", "2, 1", "equal by algebra"),
    ],
)
def test_a_verdict_has_its_reason(completion, gold, reason):
    verdict = VERIFIER.judge(completion, gold=gold)
    assert verdict.reason == reason
    assert verdict.correct == reason.startswith(("equal", "written"))


def test_gold_and_prediction_cannot_be_swapped():
    with pytest.raises(TypeError):
        VERIFIER.verify("4", "4")


@pytest.mark.parametrize("gold", ["4", 4, 4.0, "#### 4", r"\boxed{4}", "2 + 2\n#### 4", "$4$"])
def test_every_way_a_data_set_writes_its_gold(gold):
    assert VERIFIER("", r"\boxed{4}", [], [], answer=gold) == 1.0


@pytest.mark.parametrize(
    "gold", ["", " ", None, [4], True, float("nan"), r"\frac{1}{", "x" * 2_000, "$$"]
)
def test_a_gold_that_cannot_be_read_raises(gold):
    with pytest.raises(InvalidGoldError):
        VERIFIER("", r"\boxed{x+1}", [], [], answer=gold)


@pytest.mark.parametrize("completion", [None, b"4", ["4"], 4])
def test_a_completion_that_is_no_text_raises(completion):
    with pytest.raises(InvalidSampleError):
        VERIFIER("", completion, [], [], answer="4")


def test_a_gold_that_is_too_large_is_matched_as_text():
    assert VERIFIER.verify(gold="9^{9^{9}}", prediction="9^{9^9}") is False
    assert VERIFIER.verify(gold="9^{9^{9}}", prediction="9^{ 9^{9} }")


def test_the_expression_of_the_prompt_is_no_answer_to_it():
    prompt = "Expand $(x+1)^2$."
    assert not VERIFIER.judge(r"\boxed{(x+1)^2}", gold="x^2 + 2x + 1", prompt=prompt).correct
    assert VERIFIER.judge(r"\boxed{1 + 2x + x^2}", gold="x^2 + 2x + 1", prompt=prompt).correct
    assert VERIFIER.judge(r"\boxed{(x+1)^2}", gold="(x + 1)^2", prompt=prompt).correct


def test_a_prompt_that_asks_for_percent_takes_the_sign_or_its_absence():
    asked = "What percent of the apples are red?"
    assert VERIFIER.judge(r"\boxed{25\%}", gold="25", prompt=asked).correct
    assert VERIFIER.judge(r"\boxed{25}", gold=r"25\%", prompt=asked).correct
    assert not VERIFIER.judge(r"\boxed{25\%}", gold="25", prompt="How many are red?").correct


@pytest.mark.slow
def test_a_completion_has_one_deadline_however_many_answers_it_states():
    hurried = MathVerifier(seconds=0.5)
    slow = " ".join(
        rf"\boxed{{5 + \prod_{{k=1}}^{{{n}}} (x+k) - \prod_{{k=1}}^{{{n}}} (x+k)}}"
        for n in range(560, 578)
    )
    start = time.monotonic()
    hurried.judge(slow, gold="5")
    assert time.monotonic() - start < 3  # each of them may take half a second alone


def test_long_statements_are_not_remembered():
    read_plain.cache_clear()
    for digit in range(20):
        VERIFIER.judge(r"\boxed{" + f"{digit} " * 5_000 + "}", gold="5")
    assert read_plain.cache_info().currsize < 5


@pytest.mark.parametrize(
    ("gold", "alike", "other"),
    [
        ("5:30 PM", "5:30 pm", "6:30 PM"),
        ("1:2:3", "1 : 2 : 3", "1:2:4"),
        ("星期二", "星期二", "星期三"),
    ],
)
def test_a_gold_that_is_no_mathematics_is_matched_as_text(gold, alike, other):
    assert VERIFIER.verify(gold=gold, prediction=alike)
    assert not VERIFIER.verify(gold=gold, prediction=other)


def test_percent_is_ignored_only_if_asked():
    forgiving = MathVerifier(ignore_percent=True)
    assert not VERIFIER.verify(gold="10", prediction=r"10\%")
    assert forgiving.verify(gold="10", prediction=r"10\%")


@pytest.mark.parametrize("settings", [{"seconds": 0}, {"forms": ("box",)}, {"forms": "boxed"}])
def test_bad_settings_raise(settings):
    with pytest.raises(ValueError, match="must"):
        MathVerifier(**settings)


@pytest.mark.slow
def test_what_cannot_be_settled_in_time_is_not_paid_and_is_counted():
    hurried = MathVerifier(seconds=0.3)
    slow = r"\boxed{\sum_{k=1}^{9999} \binom{9999}{k} \cdot 3^{k}}"
    verdict = hurried.judge(slow, gold="x+1")
    assert not verdict.correct
    too_large = hurried.judge(r"\boxed{9^{9^{9}}}", gold="x+1")
    assert too_large.reason.startswith("too large")
    assert hurried.counts.failures["math_too_large"] == 1
    assert hurried.verify(gold="x+1", prediction="1+x"), "the next one is unharmed"


def test_a_process_that_cannot_start_raises_and_pays_nothing(monkeypatch):
    def unavailable(self, **answers):
        raise WorkerUnavailableError("no process")

    monkeypatch.setattr(SymbolicWorker, "equal", unavailable)
    with pytest.raises(WorkerUnavailableError):
        VERIFIER.verify(gold="x+1", prediction="1+x")


def test_a_copy_counts_from_zero_and_works():
    verifier = MathVerifier(seconds=3, ignore_percent=True)
    verifier.verify(gold="4", prediction="4")
    copy = pickle.loads(pickle.dumps(verifier))
    assert copy == verifier
    assert copy.counts.calls == 0
    assert copy.verify(gold="x+1", prediction="1+x")


def test_threads_share_a_verifier():
    answers = [f"{i}+x" for i in range(40)]
    paid = []

    def score(answer):
        paid.append(VERIFIER.verify(gold="x+7", prediction=answer))

    threads = [threading.Thread(target=score, args=(answer,)) for answer in answers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(paid) == [False] * 39 + [True]


def test_gsm8k_pays_a_bare_number_unless_strict():
    strict = functools.partial(gsm8k_reward_fn, strict=True)
    sample = ("", "So there are 72 apples.", [], [])
    assert gsm8k_reward_fn(*sample, answer="#### 72") == 1.0
    assert strict(*sample, answer="#### 72") == 0.0
    assert strict("", "#### 72", [], [], answer="#### 72") == 1.0


def test_a_data_set_cannot_set_strict_by_a_column_of_text():
    with pytest.raises(InvalidSampleError, match="rename"):
        gsm8k_reward_fn("", "72", [], [], answer="72", strict="no")


def test_geometry3k_reads_boxes_and_brackets():
    assert geometry3k_reward_fn("", "So [6.5].", [], [], answer=r"\frac { 13 } { 2 }") == 1.0
    assert geometry3k_reward_fn("", r"\boxed{\frac{13}{2}}", [], [], answer="6.5") == 1.0
    # AReaL's reward falls back to the last number of a text without brackets: here, to the 2.
    assert geometry3k_reward_fn("", r"\boxed{\frac{13}{2}}", [], [], answer="2") == 0.0
    assert geometry3k_reward_fn("", "[5] or [6.5]", [], [], answer="6.5") == 0.0


def test_clevr_counts():
    assert clevr_count_reward_fn("", "I see [2] and [1].\nIn all [3].", [], [], answer="3") == 1.0
    assert clevr_count_reward_fn("", "[1] [2] [3]", [], [], answer="3") == 0.0
    assert clevr_count_reward_fn("", "[13]", [], [], answer="3") == 0.0


@pytest.mark.parametrize("name", ["gsm8k", "geometry3k", "clevr_count"])
def test_every_reward_loads_by_its_path(name):
    assert load_reward_fn(f"reference_impl.rules.math.{name}_reward_fn")
    assert load_reward_fn(f"reference_impl.{name}_reward_fn")

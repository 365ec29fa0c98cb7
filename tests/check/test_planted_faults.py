"""A check finds the planted fault of every known-bad reward, and is quiet on the references."""

from pathlib import Path

import pytest
from known_bad_rewards import PLANTED

from reference_impl.check import check_reward_fn, read_cases

EXAMPLES = Path(__file__).parents[2] / "examples"

#: Reference rewards, each on rows in the form that it reads.
REFERENCES = (
    ("reference_impl.exact_match_reward_fn", "math latex choice"),
    ("reference_impl.numeric_match_reward_fn", "math"),
    ("reference_impl.gsm8k_reward_fn", "math tags"),
    ("reference_impl.geometry3k_reward_fn", "latex brackets"),
    ("reference_impl.clevr_count_reward_fn", "brackets"),
    ("reference_impl.cosine_length_reward_fn", "math choice"),
    ("reference_impl.soft_overlong_reward_fn", "math tags"),
    ("reference_impl.ngram_repetition_reward_fn", "math tags"),
    ("reference_impl.format_reward_fn", "tags"),
    ("reference_impl.rules.code.code_reward_fn", "code"),
    ("reference_rewards:math_verifier", "latex choice"),
    ("reference_rewards:rounded", "math"),
    ("reference_rewards:boxed_only", "latex"),
    ("reference_rewards:short_limit", "math"),
    ("reference_rewards:cosine_by_math", "math"),
    ("reference_rewards:answer_and_repetition", "math"),
    ("reference_rewards:form_then_answer", "tags"),
    ("reference_rewards:awaited_reward_fn", "math"),
    ("reference_rewards:prints_and_reads_to_the_end", "math"),
)


def check(reward, rows, **settings):
    return check_reward_fn(reward, read_cases(EXAMPLES / f"check_{rows}.jsonl"), **settings)


def assert_found(name, rows, expected, settings):
    report = check(f"known_bad_rewards:{name}", rows, time_limit=5.0, **settings)
    assert expected in [finding.check for finding in report.findings], str(report)
    assert not report.passed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rows", "expected", "settings"), PLANTED, ids=[f"{p[0]}-{p[2]}" for p in PLANTED]
)
def test_the_planted_fault_is_found(name, rows, expected, settings):
    assert_found(name, rows, expected, settings)


def test_a_planted_fault_is_found_quickly():
    assert_found("substring", "math", "larger_answer", {})


def test_there_is_a_planted_fault_for_every_check_of_pay_and_of_calls():
    from reference_impl.check.catalog import CHECKS

    # Each of these is found together with another one, at the least.
    together = {"wrong_answer", "other_completion", "noise", "invisible"}
    of_faults = {name for name, check in CHECKS.items() if check.is_fault}
    assert {expected for _, _, expected, _ in PLANTED} >= of_faults - together


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reward", "rows"),
    [(reward, rows) for reward, files in REFERENCES for rows in files.split()],
)
def test_the_references_raise_no_alarm(reward, rows):
    report = check(reward, rows)
    assert report.passed, str(report)
    assert "crash" in report.tried, "the battery was run"

"""The baselines are what they are said to be, and `MathVerifier` agrees with Math-Verify but for
the documented corrections. No test here asserts a speed."""

import doctest
import json
import sys
from pathlib import Path

import pytest

from benchmarks import baselines
from benchmarks._math_pairs import KINDS
from benchmarks.baselines import BASELINES, Payment, payments, read_cases
from benchmarks.fuzz import CORRECTIONS, correction_of, fuzz, make_case, summary, undocumented
from benchmarks.math import (
    LONG_CHARACTERS,
    SETS,
    flat,
    gsm8k_samples,
    main,
    math_samples,
    speed,
    table,
)
from reference_impl.contract.error import InvalidGoldError

pytestmark = pytest.mark.slow  # the whole file takes most of a minute

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/math.json"


def pays(name, gold, completion):
    return BASELINES[name]("", completion, [], [], answer=gold)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_pays_a_boxed_integer_and_not_another(name):
    if name == "trl_accuracy":
        pytest.importorskip("trl")
    assert pays(name, "72", r"So there are $\boxed{72}$.") == 1.0
    assert pays(name, "72", r"So there are $\boxed{35}$.") == 0.0


def test_the_examples_in_the_baselines_hold():
    pytest.importorskip("trl")
    results = doctest.testmod(baselines)
    assert results.attempted >= 4
    assert results.failed == 0


def test_the_substring_test_reads_the_answer_of_a_gsm8k_field():
    assert pays("substring", "48 + 24 = 72\n#### 72", "It is 72.") == 1.0
    assert pays("substring", "48 + 24 = 72\n#### 72", "It is 48.") == 0.0


def test_bare_latex_as_gold_is_no_formula_to_math_verify():
    assert pays("math_verify", r"\sqrt{3}", r"$\boxed{\sqrt{3}}$") == 0.0
    assert pays("math_verify", r"$\sqrt{3}$", r"$\boxed{\sqrt{3}}$") == 1.0


def test_the_areal_worker_pays_a_number_without_any_mark_but_nothing_that_does_not_parse():
    assert pays("areal_worker", "72", "Perhaps 70, or 71, or 72") == 1.0
    assert pays("areal_worker", r"\sqrt{3}", r"$\boxed{\sqrt{3}}$") == 0.0


def test_trl_skips_a_gold_that_does_not_parse():
    pytest.importorskip("trl")
    with pytest.raises(InvalidGoldError):
        pays("trl_accuracy", r"\sqrt{3}", r"$\boxed{\sqrt{3}}$")


def test_payments_count_what_is_paid_and_what_raises():
    def four_raises(prompt, completions, prompt_ids, completion_ids, answer):
        if completions == "4":
            raise RuntimeError("four")
        return float(completions == answer)

    rows = [{"prompt": "", "gold": "3", "completion": text} for text in ("3", "4", "5")]
    assert payments({"one": four_raises}, rows) == {"one": Payment(paid=1, total=3, failed=1)}


def test_the_cases_are_those_of_the_bench():
    assert {"prompt", "gold", "completion", "category"} <= read_cases("attacks")[0].keys()
    assert len(read_cases("honest")) >= 120


def test_cases_are_seeded_of_every_kind_and_of_both_verdicts():
    cases = [make_case(3, index) for index in range(600)]
    assert cases == [make_case(3, index) for index in range(600)]
    assert {case.kind for case in cases} == KINDS.keys()
    right = sum(case.right for case in cases)
    assert 200 < right < 400


def test_every_correction_covers_some_cases_and_most_cases_have_none():
    covering = [correction_of(make_case(5, index)) for index in range(3_000)]
    assert set(covering) == {*CORRECTIONS, None}
    assert covering.count(None) > 2_000


def test_the_verdicts_differ_only_where_a_correction_says_so():
    outcomes = fuzz(300, seed=11)
    assert len(outcomes) == 300
    assert undocumented(outcomes) == []
    assert sum(count["cases"] for count in summary(outcomes).values()) == 300


@pytest.mark.parametrize("make", [gsm8k_samples, math_samples])
def test_samples_are_seeded_half_right_and_as_long_as_asked(make):
    batch = make(50, 4, "seed")
    assert batch == make(50, 4, "seed")
    assert len(batch) == 200
    assert 60 < sum(sample.right for sample in batch) < 140
    long = make(20, 1, "seed", LONG_CHARACTERS)
    assert all(0.95 * LONG_CHARACTERS < len(sample.completion) < 4_300 for sample in long)


def test_a_count_below_one_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks.math", "--pairs", "0"])
    with pytest.raises(SystemExit):
        main()
    assert "at least 1" in capsys.readouterr().err


@pytest.mark.slow
def test_speed_measures_every_set_and_ours_gives_the_verdicts_the_samples_were_made_for():
    results = speed(count=40, repeats=1)
    assert results.keys() == SETS.keys()
    for one in results.values():
        assert one["ratio"] > 0
        assert one["ours_as_made"] >= 0.95


@pytest.mark.skipif(not RESULT.exists(), reason="no stored result; run benchmarks.math --save")
def test_the_stored_result_has_what_the_pages_read():
    result = json.loads(RESULT.read_text("utf-8"))
    assert {"date", "machine", "ratios", "as_made", "fuzz"} <= result.keys()
    assert flat(result).keys() == {
        *(f"{name}_x_math_verify" for name in SETS),
        "fuzz_pairs",
        "fuzz_undocumented_differences",
    }
    assert result["fuzz"]["pairs"] >= 10_000
    assert result["fuzz"]["undocumented_differences"] == 0
    assert all(key in table(result) for key in result["ratios"])

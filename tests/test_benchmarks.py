"""The benchmarks run, and say what their pages read. No test here asserts a speed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rules import METHODS as SCORERS
from benchmarks.rules import payments, samples

pytestmark = pytest.mark.slow  # each runs a benchmark in a process of its own

ROOT = Path(__file__).parents[1]
RATIOS = {
    f"{ours}_x_{theirs}_{length}"
    for ours in ("exact", "numeric")
    for theirs in ("math_verify", "substring")
    for length in ("short", "long")
}
METHODS = {"exact", "numeric", "substring", "math_verify"}


def run(*options):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.rules", "--repeats", "1", "--samples", "20", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def check_result(result):
    assert result["ratios"].keys() == RATIOS
    assert all(ratio > 0 for ratio in result["ratios"].values())
    assert result["cases"].keys() == METHODS
    for counts in result["cases"].values():
        assert counts["honest_total"] + counts["wrong_total"] >= 40
        assert 0 <= counts["honest_paid"] <= counts["honest_total"]
        assert 0 <= counts["wrong_paid"] <= counts["wrong_total"]


def test_json_is_one_object_of_ratios():
    process = run("--json")
    assert process.returncode == 0, process.stderr
    ratios = json.loads(process.stdout)
    paid = {f"{method}_{kind}_paid" for method in METHODS for kind in ("honest", "wrong")}
    assert ratios.keys() == RATIOS | paid
    assert all(ratios[name] > 0 for name in RATIOS)
    assert all(0 <= ratios[name] <= 1 for name in paid)


def test_the_table_names_every_ratio():
    process = run()
    assert process.returncode == 0, process.stderr
    assert all(name in process.stdout for name in RATIOS | METHODS)


def test_a_count_below_one_is_refused():
    process = run("--samples", "0")
    assert process.returncode == 2
    assert "at least 1" in process.stderr


def test_stored_result_is_what_the_cases_give_today():
    stored = json.loads((ROOT / "benchmarks/results/rules.json").read_text(encoding="utf-8"))
    assert stored.keys() == {"date", "machine", "ratios", "cases"}
    assert {"cpu", "cores", "python"} <= stored["machine"].keys()
    check_result(stored)
    # Speed depends on the machine; what is paid does not.
    assert stored["cases"] == payments(), "run `python -m benchmarks.rules --save`"


def test_neither_reward_pays_a_wrong_case():
    stored = json.loads((ROOT / "benchmarks/results/rules.json").read_text(encoding="utf-8"))
    for method in ("exact", "numeric"):
        assert stored["cases"][method]["wrong_paid"] == 0


def test_samples_are_seeded_right_about_half_of_the_time_and_long_enough():
    batch = list(samples(200, 4_000, seed=1))
    assert batch == list(samples(200, 4_000, seed=1))
    assert all(4_000 <= len(completion) < 4_300 for _, completion in batch)
    right = sum(SCORERS["numeric"](gold, completion) for gold, completion in batch)
    assert 60 < right < 140
    assert right == sum(SCORERS["math_verify"](gold, completion) for gold, completion in batch)

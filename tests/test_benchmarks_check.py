"""The benchmark of the check runs, and its stored result is of the rewards that there are."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.check import FAULTS
from benchmarks.show import load_result

ROOT = Path(__file__).parents[1]


def run(*options):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.check", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_stored_result_is_of_all_planted_faults():
    result = load_result("check")
    stored = [(row["reward"], row["rows"], row["expected"]) for row in result["planted"]]
    assert stored == [(fault.reward, fault.rows, fault.expected) for fault in FAULTS], (
        "run python -m benchmarks.check --save"
    )
    assert result["ratios"]["planted"] == len(stored)
    assert result["ratios"]["planted_found"] == sum(row["found"] for row in result["planted"])


@pytest.mark.slow
def test_the_small_benchmark_finds_all_and_raises_no_alarm(tmp_path):
    ran = run("--small", "--json", str(tmp_path / "ratios.json"))
    assert ran.returncode == 0, ran.stderr
    ratios = json.loads((tmp_path / "ratios.json").read_text(encoding="utf-8"))
    assert ratios["planted_found"] == ratios["planted"] > 1
    assert ratios["false_alarms"] == 0
    assert ratios["references"] > 1
    assert ratios["seconds_a_check"] > 0


def test_a_wrong_option_is_refused():
    ran = run("--device", "cuda")
    assert ran.returncode == 2
    assert "--device" in ran.stderr

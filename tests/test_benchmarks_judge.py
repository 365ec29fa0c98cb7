"""The benchmark of the judge's client runs, and loses no call. No test here asserts a speed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RATIOS = {
    "concurrency_x_sequential",
    "max_in_flight_over_limit",
    "lost",
    "memory_growth_mb",
    "injections",
    "injections_paid",
}


def run(*options):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.judge", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_the_small_benchmark_runs_and_loses_nothing(tmp_path):
    ran = run("--small", "--json", str(tmp_path / "ratios.json"))
    assert ran.returncode == 0, ran.stderr
    ratios = json.loads((tmp_path / "ratios.json").read_text(encoding="utf-8"))
    assert ratios.keys() >= RATIOS
    assert ratios["concurrency_x_sequential"] > 1
    assert ratios["max_in_flight_over_limit"] <= 0
    assert ratios["faulty_in_flight_over_limit"] <= 0
    assert ratios["lost"] == 0
    assert ratios["injections"] >= 60
    assert ratios["injections_paid"] == 0
    assert ratios["answered"] > 0
    assert ratios["failed"] > 0


def test_a_wrong_option_is_refused():
    ran = run("--device", "cuda")
    assert ran.returncode == 2
    assert "--device" in ran.stderr

"""The benchmark of the adapters runs. No test here asserts a speed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*options):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.adapters", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_a_short_run_gives_a_ratio_for_each_adapter():
    ran = run("--samples", "8", "--repeats", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    ratios = json.loads(ran.stdout)
    stored = json.loads((ROOT / "benchmarks/results/adapters.json").read_text("utf-8"))
    assert ratios.keys() == stored["ratios"].keys()
    assert all(ratio > 0 for ratio in ratios.values())


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--samples", "--repeats"])
def test_none_is_refused(option):
    ran = run(option, "0")
    assert ran.returncode == 2
    assert "at least 1" in ran.stderr

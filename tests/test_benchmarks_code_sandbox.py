"""The benchmark of the code reward runs, and every attack is contained. No speed is asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*options):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.code_sandbox", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_the_small_benchmark_runs_and_contains_every_attack(tmp_path):
    ran = run("--small", "--json", str(tmp_path / "figures.json"))
    assert ran.returncode == 0, ran.stderr
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["attacks"] >= 7
    assert figures["limits_contained"] == figures["attacks"]
    assert figures["limits_honest_paid"] == figures["honest"]
    if "namespaces_contained" in figures:  # where bubblewrap is
        assert figures["namespaces_contained"] == figures["attacks"]
        assert figures["namespaces_honest_paid"] == figures["honest"]
    assert figures["limits_program_x_bare"] > 0
    assert figures["limits_programs_a_second"] > 0
    for name in ("exit_code", "printed_verdict", "exec_in_process"):
        assert 0 <= figures[f"{name}_paid"] <= figures["harmless_attacks"]


def test_a_wrong_option_is_refused():
    ran = run("--level", "none")
    assert ran.returncode == 2
    assert "--level" in ran.stderr

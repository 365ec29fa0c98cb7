"""The benchmark of the reward hacking lab runs, and its arithmetic is right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import hacking_lab

ROOT = Path(__file__).parents[1]


def run(*options, timeout=900):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.hacking_lab", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def made(reward, seed, *audits):
    spread = {"count": 296, "std": 0.5, "truth_interval": [0.1, 0.3]}
    audits = [
        {"step": 10 * place, "proxy": proxy, "truth": truth, "said": ["It is 14."] * 5, **spread}
        for place, (proxy, truth) in enumerate(audits)
    ]
    return {"reward": reward, "seed": seed, "audits": audits, "curve": [{"step": 1, "length": 9.5}]}


def test_the_summary_is_of_the_last_audits():
    runs = [
        made("substring", 0, (0.3, 0.2), (0.9, 0.1)),
        made("substring", 1, (0.3, 0.2), (0.8, 0.3)),
        made("format", 0, (0.3, 0.2), (0.6, 0.2)),
    ]
    found = hacking_lab.summary(runs)
    assert found["substring"]["truth"] == pytest.approx(0.2)
    assert found["substring"]["proxy"] == pytest.approx(0.85)
    assert found["substring"]["least_gap"] == pytest.approx(0.5)
    assert found["substring"]["truth_interval"] == (0.0, 1.0)  # two seeds say next to nothing
    assert found["format"]["truth_interval"] is None


def test_the_interval_over_seeds_is_student_s():
    low, high = hacking_lab.interval_over_seeds([0.5, 0.6, 0.7, 0.6, 0.6])
    assert (low, high) == pytest.approx((0.5122, 0.6878), abs=1e-4)


def test_only_seed_0_keeps_its_curve_and_numbers_are_short():
    runs = [made("exact", seed, (1 / 3, 2 / 3)) for seed in range(2)]
    stored = hacking_lab.rounded(hacking_lab.stored(runs))
    assert stored["curves"] == {"exact": [{"step": 1, "length": 9.5}]}
    assert [run["length"] for run in stored["runs"]] == [9.5, 9.5]
    assert stored["runs"][0]["audits"][0]["proxy"] == 0.3333
    assert stored["runs"][1]["audits"][0]["said"] == ["It is 14."] * 2


def test_a_try_is_not_stored():
    ran = run("--save", "--steps", 2, timeout=60)
    assert ran.returncode == 2
    assert "--save stores all runs" in ran.stderr


@pytest.mark.slow
def test_a_few_steps_of_a_rule_and_of_the_critic(tmp_path):
    figures = tmp_path / "figures.json"
    ran = run(
        *("--steps", 2, "--seeds", 1, "--rewards", "exact", "critic"),
        *("--runs", tmp_path, "--json", figures),
    )
    assert ran.returncode == 0, ran.stderr
    found = json.loads(figures.read_text("utf-8"))
    assert list(found["summary"]) == ["exact", "critic"]
    assert [audit["step"] for audit in found["runs"][0]["audits"]] == [0, 2]
    for run_ in found["runs"]:
        assert all(0 <= audit["proxy"] <= 1 for audit in run_["audits"])
    exact = found["runs"][0]["audits"][0]
    assert exact["proxy"] == exact["truth"]
    assert "exact" in ran.stdout

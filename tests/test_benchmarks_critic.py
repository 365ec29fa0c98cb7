"""The benchmark of the critic runs, and says what its pages read. No test here asserts a speed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rollouts import WORDS, Workload
from benchmarks.show import load_result

pytestmark = pytest.mark.slow  # each runs a benchmark in a process of its own

ROOT = Path(__file__).parents[1]
RATIOS = {
    "x_naive",
    "x_pipeline",
    "x_crossencoder",
    "x_floor",
    "x_floor_109M",
    "x_naive_29M",
    "long_prompt_x_naive",
    "max_abs_diff",
    "callers_x_lock",
    "callers_p99_x_lock",
}


def run(*options):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.critic", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.slow
def test_the_small_benchmark_runs_and_every_way_gives_the_same_scores():
    pytest.importorskip("sentence_transformers", reason="one of the ways that are compared")
    ran = run("--small", "--json")
    assert ran.returncode == 0, ran.stderr
    ratios = json.loads(ran.stdout.splitlines()[-1])
    assert ratios.keys() == RATIOS
    assert ratios.pop("max_abs_diff") <= 1e-5
    assert all(ratio > 0 for ratio in ratios.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--repeats", "0"], "--repeats must be"), (["--device", "cuda"], "no such device here")],
)
def test_a_wrong_option_is_refused(options, message):
    import torch

    if "cuda" in options and torch.cuda.is_available():
        pytest.skip("there is a CUDA device here, so the option is right")
    ran = run(*options)
    assert ran.returncode == 2
    assert message in ran.stderr


def test_the_stored_result_has_what_the_pages_read():
    result = load_result("critic")
    assert result["ratios"].keys() == RATIOS
    assert result["ratios"]["max_abs_diff"] <= 1e-5
    assert {"pipeline", "crossencoder", "padded", "naive", "packed"} == result["strategies"].keys()
    lengths = {point["prompt_tokens"] for point in result["curve"]}
    groups = {point["completions"] for point in result["curve"]}
    assert len(result["curve"]) == len(lengths) * len(groups)


def test_a_workload_has_its_shape_and_is_the_same_each_time():
    workload = Workload(prompts=3, completions=4, prompt_tokens=50, longest=60)
    samples = workload.samples()
    assert samples == workload.samples()
    assert samples != workload.samples(seed=1)
    assert len(samples) == 12
    assert len({prompt for prompt, _ in samples}) == 3
    assert all(len(completion.split()) <= 60 for _, completion in samples)
    ids = workload.token_ids()
    assert [len(row) for row in ids] == [len(f"{p} {c}".split()) for p, c in samples]
    assert all(0 <= token < WORDS for row in ids for token in row)

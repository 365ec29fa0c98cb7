"""The examples run as they stand and give the numbers that examples/README.md says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = "examples/score_file.py"
REWARD = "reference_impl.numeric_match_reward_fn"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def test_score_file_gives_the_means_of_the_readme():
    readme = (ROOT / "examples" / "README.md").read_text("utf-8")
    command = next(
        part for part in readme.split("`") if part.startswith(f"python {SCRIPT} --reward")
    )
    ran = run(*command.split()[1:])
    assert ran.returncode == 0, ran.stderr
    means = [line.split()[1] for line in ran.stdout.splitlines() if line.startswith("mean")]
    assert means == ["0.500", "0.667"]
    assert f"mean {means[0]} for the first prompt, {means[1]} for the second" in readme


def test_score_file_says_which_part_of_a_path_is_wrong():
    ran = run(SCRIPT, "--reward", "reference_impl.numeric_mach_reward_fn", "README.md")
    assert ran.returncode == 2
    assert "numeric_match_reward_fn" in ran.stderr


def test_score_file_names_the_line_that_is_not_json(tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text('{"prompt": "a", "completions": "b", "answer": "1"}\nnonsense\n')
    ran = run(SCRIPT, "--reward", REWARD, str(data))
    assert ran.returncode != 0
    assert "data.jsonl:2" in ran.stderr


def test_score_file_skips_and_counts_a_row_without_an_answer(tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text('{"prompt": "a", "completions": "b", "answer": null}\n')
    ran = run(SCRIPT, "--reward", REWARD, str(data))
    assert "skipped" in ran.stdout
    assert "invalid_gold" in ran.stdout

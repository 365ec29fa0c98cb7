"""The command: its exit codes, its JSON, and a reward that prints, hangs or exits on import."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reference_impl.check import terminal
from reference_impl.check.checker import CONTRACT_CHECKS
from reference_impl.check.findings import Finding
from reference_impl.check.report import CheckReport
from reference_impl.contract import check_conformance

ROOT = Path(__file__).parents[2]
MATH = str(ROOT / "examples" / "check_math.jsonl")

REWARDS = """
import os, sys
from reference_impl import GuardedReward, exact_match_reward_fn

print("imported")
os.write(2, b"a warning")

def loud(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    print(ascii(completions))
    os.write(1, b"\\x1b[31m")
    return exact_match_reward_fn(prompt, completions, prompt_ids, completion_ids, answer)

def careless(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float(answer.rpartition(" ")[2] in completions)

class Settings:
    pass

guarded = GuardedReward(exact_match_reward_fn, on_failure=0.0)
"""

# What modules do to the process that imports them.
INTRUSIVE = """
import atexit, io, os, sys, threading, time
from reference_impl import exact_match_reward_fn as reward_fn

atexit.register(os._exit, 0)
sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8")
sys.stderr = None
threading.Thread(target=time.sleep, args=(3600,)).start()
"""
SPINS = """
import os

def reward_fn(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    with open("pids", "a") as file:
        print(os.getpid(), file=file)
    while True:
        pass
"""
PARSES_ARGUMENTS = """
import argparse
from reference_impl import exact_match_reward_fn as reward_fn

argparse.ArgumentParser().parse_args()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_rewards.py").write_text(REWARDS)
    (tmp_path / "exits.py").write_text("import os\nos._exit(3)\n")
    (tmp_path / "intrusive.py").write_text(INTRUSIVE)
    (tmp_path / "spins.py").write_text(SPINS)
    (tmp_path / "parses.py").write_text(PARSES_ARGUMENTS)
    (tmp_path / "broken.py").write_text("import a_module_that_is_missing\n")
    return tmp_path


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "reference_impl.check", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_a_clean_reward_exits_with_0_and_what_it_prints_stays_out_of_the_json(folder):
    ran = run(folder, "my_rewards:loud", MATH, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    report = json.loads(ran.stdout)
    assert report["passed"] is True
    assert report["findings"] == []
    assert report["kind"] == "answer"


@pytest.mark.slow
def test_findings_exit_with_1_and_say_what_was_done_and_paid(folder):
    ran = run(folder, "my_rewards.careless", MATH, "--json", "report.json")
    assert ran.returncode == 1
    finding = next(
        finding
        for finding in json.loads((folder / "report.json").read_text())["findings"]
        if finding["check"] == "larger_answer"
    )
    assert finding["done"] == "172 in place of 72"
    assert finding["paid"] == "paid 1, and the good completion 1"
    assert finding["page"] == "exact-match-shortcut"
    for part in ("done", "paid", "advice", "page"):
        assert finding[part].split(".")[0][:40] in ran.stdout


@pytest.mark.slow
def test_ignored_findings_are_shown_and_do_not_count(folder):
    found = json.loads(run(folder, "my_rewards:careless", MATH, "--json").stdout)["findings"]
    ignore = [part for finding in found for part in ("--ignore", finding["check"])]
    ran = run(folder, "my_rewards:careless", MATH, "--json", *ignore)
    assert ran.returncode == 0
    report = json.loads(ran.stdout)
    assert report["findings"] == []
    assert report["ignored"] == found


@pytest.mark.slow
def test_without_a_file_it_takes_arithmetic_and_says_so(folder):
    ran = run(folder, "reference_impl:exact_match_reward_fn")
    assert ran.returncode == 0
    assert "No file was given" in ran.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["my_rewards:missing", MATH], "has no `missing`"),
        (["my_reward:loud", MATH], "there is no module `my_reward`"),
        (["my_rewards:Settings", MATH], "is a class"),
        (["my_rewards:guarded", MATH], "name the bare reward function"),
        (["nonsense", MATH], "is not an import path"),
        (["exits:reward_fn", MATH], "exited with code 3"),
        (["broken:reward_fn", MATH], "a_module_that_is_missing"),
        (["parses:reward_fn", MATH], "ends the process that imports it (SystemExit: 2)"),
        (["my_rewards:loud", "no_such_file.jsonl"], "no_such_file.jsonl cannot be read"),
        (["my_rewards:loud", MATH, "--ignore", "typo"], "no check typo"),
        (["my_rewards:loud", MATH, "--time-limit", "0"], "above 0"),
        (["my_rewards:loud", MATH, "--time-limit", "1e9"], "at most a day"),
        (["my_rewards:loud", MATH, "--most-rows", "0"], "at least one row"),
        (["my_rewards:loud", MATH, "--kind", "length"], "invalid choice"),
    ],
)
def test_what_cannot_be_checked_exits_with_2_and_says_why(folder, arguments, message):
    ran = run(folder, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.slow
def test_a_module_that_changes_the_process_changes_neither_report_nor_exit_code(folder):
    ran = run(folder, "intrusive:reward_fn", MATH, "--high", "0.5", "--most-rows", "1")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "above 0.5" in ran.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="no other system ends it")
@pytest.mark.parametrize("calls", [1, 2], ids=["in a worker", "in the contract's checks"])
def test_nothing_is_left_of_a_check_that_was_killed(folder, calls):
    command = [sys.executable, "-m", "reference_impl.check", "spins:reward_fn", MATH]
    check = subprocess.Popen(
        [*command, "--time-limit", "1"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    pids = folder / "pids"
    wait_until(lambda: pids.exists() and pids.read_text().count("\n") == calls)
    check.kill()
    check.wait()
    wait_until(lambda: not any(is_running(int(pid)) for pid in pids.read_text().split()))


@pytest.mark.slow
def test_ctrl_c_ends_it_without_a_traceback(folder):
    command = [sys.executable, "-m", "reference_impl.check", "spins:reward_fn", MATH]
    check = subprocess.Popen(
        [*command, "--time-limit", "3600"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until((folder / "pids").exists)
    check.send_signal(signal.SIGINT)
    _, problem = check.communicate(timeout=60)
    assert (check.returncode, problem) == (130, "python -m reference_impl.check: interrupted\n")


def wait_until(happened, seconds=60):
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def is_running(pid):
    """Whether a process exists and is no zombie, which somebody else has to reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_names_of_the_contracts_checks_are_those_of_its_report():
    sample = {"prompt": "", "completions": "", "prompt_ids": [], "completion_ids": []}
    report = check_conformance("math.dist", sample)
    assert tuple(result.name for result in report.results) == CONTRACT_CHECKS


def example_report(findings=1):
    finding = Finding(
        "hedge", "two [red]answers[/red]", "paid 1", "Mend it.", "final-answer", "4 or 5"
    )
    return CheckReport("my:reward", "answer", 1, (), {"hedge": (4, 3)}, (finding,) * findings)


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("with_rich", [True, False])
def test_a_report_says_the_same_in_a_terminal_and_without_rich(
    monkeypatch, capsys, is_terminal, with_rich
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    if not with_rich:
        monkeypatch.setattr(terminal, "Console", None)
    terminal.show(example_report())
    shown = capsys.readouterr().out
    for part in ("hedge", "3 of 4 FAILED", "two [red]answers[/red]", "paid 1", "final-answer"):
        assert part in shown


def test_labels_of_pages_exist():
    from reference_impl.check.catalog import CHECKS

    pages = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs" / "en").rglob("*.md"))
    assert [c.page for c in CHECKS.values() if f"({c.page})=" not in pages] == []

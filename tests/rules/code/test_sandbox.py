"""The sandbox fails closed, and the reward says what happened."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from reference_impl import GuardedReward, InvalidGoldError, check_conformance
from reference_impl.rules.code import (
    CodeReward,
    Limits,
    Sandbox,
    SandboxError,
    code_reward_fn,
    isolation,
    levels,
    sandbox,
)

from .conftest import CALL_TESTS, STDIN_TESTS, fenced

ROOT = Path(__file__).parents[3]
RIGHT = "print(sum(map(int, input().split())))"
QUICK = Limits(cpu_seconds=1, deadline_seconds=5, memory_mb=256)


@pytest.fixture
def fresh_levels():
    levels._problem_of.cache_clear()
    yield
    levels._problem_of.cache_clear()


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        (RIGHT, "passed"),
        ("print(3)", "wrong"),
        ("def broken(:", "error"),
        ("x = '\ud800'", "error"),
        ("x = '\0'", "error"),
        ("import sys; sys.exit('no')", "error"),
        ("import sys; sys.exit(256 + 7)", "error"),
        ("import os; os.abort()", "crashed"),
        ("x = bytearray(2**40)", "memory"),
        ("while True: print('x' * 1000, flush=True)", "output"),
    ],
)
def test_what_a_program_does_has_a_word(program, outcome):
    reward = CodeReward(QUICK)
    assert reward.judge(fenced(program), STDIN_TESTS).outcome == outcome
    assert reward.outcomes == {outcome: 1}


@pytest.mark.slow
def test_time_that_is_used_up_is_a_timeout():
    with Sandbox("while True: pass", Limits(cpu_seconds=1, deadline_seconds=60), "limits") as box:
        run = box.run()
    assert run.timed_out and run.exit_code is None
    with Sandbox("import time; time.sleep(60)", Limits(deadline_seconds=0.2), "limits") as box:
        assert box.run().timed_out
        assert box.run().timed_out


def test_the_verdict_says_how_far_it_came():
    verdict = CodeReward(QUICK).judge(fenced("def add(a, b):\n    return 42"), CALL_TESTS)
    assert (verdict.outcome, verdict.passed, verdict.tests) == ("wrong", 0, 3)
    verdict = CodeReward(QUICK).judge(fenced("def add(a, b):\n    return abs(a) + b"), CALL_TESTS)
    assert (verdict.outcome, verdict.passed, verdict.tests) == ("wrong", 2, 3)
    assert CodeReward().judge("no program", CALL_TESTS).outcome == "no_program"


def test_tests_do_not_see_one_another():
    program = """
calls = []
def count():
    calls.append(1)
    return len(calls)
"""
    tests = [{"call": "count()", "expected": 1}] * 3
    assert CodeReward(QUICK).judge(fenced(program), tests).outcome == "passed"


def test_a_row_without_tests_is_an_error_of_the_data():
    with pytest.raises(InvalidGoldError):
        code_reward_fn("", fenced(RIGHT), [], [], tests=[])
    with pytest.raises(TypeError, match="tests"):
        code_reward_fn("", fenced(RIGHT), [], [])


def test_the_environment_of_the_trainer_stays_with_it(monkeypatch, level):
    monkeypatch.setenv("API_KEY", "secret")
    with Sandbox("import os; print('API_KEY' in os.environ)", QUICK, level) as box:
        assert box.run().output == b"False\n"


def test_sets_are_printed_in_the_same_order_each_time():
    outputs = set()
    for _ in range(3):
        with Sandbox("print(set('abcdefgh'))", QUICK, "limits") as box:
            outputs.add(box.run().output)
    assert len(outputs) == 1


@pytest.mark.slow
def test_it_conforms_to_the_contract():
    sample = {
        "prompt": "Add two numbers.",
        "completions": fenced(RIGHT),
        "prompt_ids": [1],
        "completion_ids": [2],
        "tests": STDIN_TESTS,
    }
    check_conformance(code_reward_fn, sample, low=0.0, high=1.0).raise_if_failed()


def test_it_pickles_with_its_settings_and_counts_from_zero():
    reward = CodeReward(QUICK, tolerance=0.5, require="limits")
    reward.judge("no program", STDIN_TESTS)
    copy = pickle.loads(pickle.dumps(reward))
    assert (copy.limits, copy.tolerance, copy.require) == (QUICK, 0.5, "limits")
    assert copy.outcomes == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"tolerance": -1},
        {"tolerance": float("nan")},
        {"tolerance": True},
        {"tolerance": "0"},
        {"require": "docker"},
    ],
)
def test_wrong_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        CodeReward(**settings)


@pytest.mark.parametrize(
    "limits",
    [
        {"cpu_seconds": 0},
        {"cpu_seconds": 1.5},
        {"memory_mb": True},
        {"deadline_seconds": float("nan")},
        {"deadline_seconds": float("inf")},
        {"threads": -1},
    ],
)
def test_wrong_limits_are_refused(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        Limits(**limits)


def test_without_bubblewrap_the_level_is_refused_or_lowered(monkeypatch, fresh_levels):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    reward = CodeReward(QUICK, require="namespaces")
    with pytest.raises(SandboxError, match="bubblewrap is not installed"):
        reward("", fenced(RIGHT), [], [], tests=STDIN_TESTS)
    with pytest.raises(SandboxError, match="bubblewrap"):
        reward.warm_up()
    assert isolation().level == "limits"
    assert CodeReward(QUICK)("", fenced(RIGHT), [], [], tests=STDIN_TESTS) == 1.0


def test_bubblewrap_that_may_not_make_namespaces_is_not_used(monkeypatch, fresh_levels, tmp_path):
    refusing = tmp_path / "bwrap"
    refusing.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1"
    )
    refusing.chmod(0o755)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: str(refusing))
    with pytest.raises(SandboxError, match="No permissions"):
        levels.best_level("namespaces")
    assert levels.best_level("limits") == "limits"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('    send(b"")\n', "    raise OSError('no right')\n"),  # before it is ready
        ("    _limit(resource.RLIMIT_CORE, 0, 0)\n", "    raise OSError\n"),  # in the fork
        ("    _prctl(_PR_SET_SECCOMP, 2,", "    _prctl(999, 2,"),
    ],
)
def test_a_sandbox_that_cannot_be_set_up_is_a_failure(monkeypatch, before, after):
    assert before in sandbox._DRIVER
    monkeypatch.setattr(sandbox, "_DRIVER", sandbox._DRIVER.replace(before, after))
    with pytest.raises(SandboxError), Sandbox(RIGHT, QUICK, "limits") as box:
        box.run(input=b"1 2")


def test_an_unknown_machine_is_a_failure(monkeypatch):
    monkeypatch.setattr(sandbox.sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="Linux"), Sandbox(RIGHT, QUICK, "limits"):
        pass


def test_a_failure_of_the_sandbox_is_counted_as_such(monkeypatch):
    monkeypatch.setattr(sandbox, "_DRIVER", "raise SystemExit('out of order')")
    guarded = GuardedReward(CodeReward(QUICK), on_failure="skip")
    monkeypatch.setattr("reference_impl.rules.code.rewards.best_level", lambda require: "limits")
    assert guarded("", fenced(RIGHT), [], [], tests=STDIN_TESTS) is None
    assert guarded.counts.failures == {"sandbox": 1}


def kill_when_there(process, which):
    """Kill the interpreter, or the program, as soon as there is a program."""
    while True:
        found = process.children(recursive=True)
        if found and any(child.name().startswith("python") for child in found):
            (found[-1] if which == "program" else process).send_signal(signal.SIGKILL)
            return
        time.sleep(0.01)


@pytest.mark.parametrize("which", ["program", "interpreter"])
def test_a_program_that_somebody_else_kills_is_a_failure(which):
    with Sandbox("import time; time.sleep(60)", Limits(deadline_seconds=60), "limits") as box:
        process = psutil.Process(box._process.pid)
        thread = threading.Thread(target=kill_when_there, args=(process, which))
        thread.start()
        with pytest.raises(SandboxError):
            box.run()
        thread.join()


def test_threads_run_programs_at_the_same_time(nothing_left):
    reward = CodeReward(Limits(cpu_seconds=10, deadline_seconds=60))

    def score(number):
        program = f"print(sum(map(int, input().split())) + {number % 2})"
        return reward("", fenced(program), [], [], tests=STDIN_TESTS)

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(score, range(12))) == [1.0, 0.0] * 6
    assert reward.outcomes == {"passed": 6, "wrong": 6}
    assert nothing_left()
    assert not [child for child in psutil.Process().children() if child.status() == "zombie"]


@pytest.mark.slow
def test_a_sandbox_does_not_outlive_a_trainer_that_is_killed(level, nothing_left):
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from reference_impl.rules.code import Limits, Sandbox, sandbox
sandbox._DRIVER = {sandbox._DRIVER!r}
with Sandbox("import time; time.sleep(600)", Limits(deadline_seconds=600), {level!r}) as box:
    print("ready", flush=True)
    box.run()
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as trainer:
        assert trainer.stdout.readline() == b"ready\n"
        trainer.kill()
    # The script of the trainer quotes the mark as well; it is gone.
    assert nothing_left()


def test_without_landlock_and_user_namespaces_it_says_what_is_not_contained(monkeypatch):
    weaker = sandbox._DRIVER
    for before, after in (
        ("_libc.unshare(_CLONE_NEWUSER) == 0", "False"),
        ("if rules < 0:", "if True:"),
    ):
        assert before in weaker
        weaker = weaker.replace(before, after)
    monkeypatch.setattr(sandbox, "_DRIVER", weaker)
    measured = levels.measure("limits")
    assert "reading files" in measured.not_contained
    for kind in ("network", "writing files", "deleting files", "starting processes"):
        assert kind in measured.contained
    assert "signals to processes" in measured.contained


def test_what_each_level_contains_here(level):
    measured = levels.measure(level)
    assert {*measured.contained, *measured.not_contained} == set(levels.PROBES)
    missing = {"names of files", "names of processes"} if level == "limits" else set()
    assert set(measured.not_contained) <= missing


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.slow
def test_it_runs_for_a_user_without_rights(level, tmp_path):
    python = "/usr/bin/python3"
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info[:2] >= (3, 11))"],
        capture_output=True,
        text=True,
    )
    if version.stdout != "True\n" or not os.stat(ROOT).st_mode & 1:
        pytest.skip("there is no Python that anybody may run")
    script = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from reference_impl.rules.code import levels
print(len(levels.measure({level!r}).contained) >= 8)
"""
    ran = subprocess.run(
        [python, "-B", "-c", script], user=65534, group=65534, extra_groups=[], cwd="/",
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ran.stdout == "True\n", ran.stderr

"""Every check passes a good reward, and names the fault of each bad one."""

import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import bad_rewards
import pytest

from reference_impl.contract import (
    ConformanceReport,
    GuardedReward,
    InvalidSampleError,
    NonconformingRewardError,
    check_conformance,
)
from reference_impl.contract.report import CheckResult

SAMPLE = {
    "prompt": "2 + 2?",
    "completions": "4",
    "prompt_ids": [1, 2],
    "completion_ids": [3],
    "answer": "4",
    "tests": [{"input": "1", "output": "2"}],
}
CHECKS = [
    "signature",
    "columns",
    "returns_float",
    "range",
    "deterministic",
    "inputs_unchanged",
    "pickles",
    "importable",
    "thread",
    "spawned_process",
    "forked_process",
]


def check(reward_fn, sample=SAMPLE, **settings):
    """Check with a deadline that is long for a process to start, short for a test to wait."""
    return check_conformance(reward_fn, sample, **{"deadline": 20.0, **settings})


def failed(report):
    return [result.name for result in report.results if result.passed is False]


def not_run(report):
    return [result.name for result in report.results if result.passed is None]


def detail(report, name):
    return next(result.detail for result in report.results if result.name == name)


@pytest.mark.parametrize(
    "reward_fn",
    [
        bad_rewards.good,
        "bad_rewards.good",
        bad_rewards.Good(),
        "bad_rewards.good_instance",
        "bad_rewards.Good.as_class_method",
        bad_rewards.Good.as_class_method,
        bad_rewards.returns_bool,
        bad_rewards.takes_anything,
        GuardedReward(bad_rewards.good, on_failure="skip"),
        GuardedReward(bad_rewards.Good(), on_failure=0.0),
    ],
    ids=[
        "function",
        "path",
        "instance",
        "path-of-instance",
        "path-of-class-attribute",
        "class-method",
        "returns-bool",
        "takes-anything",
        "guarded-function",
        "guarded-instance",
    ],
)
def test_good_rewards_pass_every_check(reward_fn):
    report = check(reward_fn, low=0.0, high=1.0)
    assert (failed(report), not_run(report)) == ([], []), str(report)
    assert report.passed
    assert [result.name for result in report.results] == CHECKS
    report.raise_if_failed()


@pytest.mark.parametrize(
    ("reward_fn", "name", "says"),
    [
        (bad_rewards.misspelled, "signature", "`completion`: rename it to `completions`"),
        (bad_rewards.wrong_order, "signature", "order `completions`, `prompt`"),
        (bad_rewards.positional_only, "signature", "remove `/`"),
        (bad_rewards.no_columns, "columns", "`**columns`"),
        (bad_rewards.hidden_no_columns, "columns", "is to be ignored"),
        (bad_rewards.out_of_range, "range", "100, is above `high`, 1"),
        (bad_rewards.at_random, "deterministic", "seed what is random"),
        (bad_rewards.changes_inputs, "inputs_unchanged", "`completion_ids`, `tests`"),
        (bad_rewards.ChangesInputsLater(), "inputs_unchanged", "`completion_ids`"),
        (bad_rewards.Unpicklable(), "pickles", "cannot pickle '_thread.lock' object"),
        (bad_rewards.ForgetsItsState(), "pickles", "another score"),
        (bad_rewards.main_thread_only, "thread", "signal only works in main thread"),
        (bad_rewards.ends_its_thread, "thread", "the thread ended"),
        (bad_rewards.needs_state_of_the_parent, "spawned_process", "set while the program ran"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_one_fault_is_one_failed_check(reward_fn, name, says, monkeypatch):
    monkeypatch.setattr(bad_rewards, "state_of_the_parent", {"paid": 1.0})
    if name == "columns":
        sample = {key: value for key, value in SAMPLE.items() if key != "tests"}
    else:
        sample = SAMPLE
    report = check(reward_fn, sample, high=1.0)
    assert failed(report) == [name], str(report)
    assert says in detail(report, name)
    with pytest.raises(NonconformingRewardError, match=name):
        report.raise_if_failed()


@pytest.mark.parametrize(
    ("reward_fn", "says"),
    [
        (bad_rewards.asynchronous, "`async def`"),
        (bad_rewards.AsynchronousInstance(), "`async def`"),
        (bad_rewards.keyword_only, "keyword-only"),
        (bad_rewards.too_few, "lacks the argument `prompt_ids`"),
        ("builtins.getattr", "wrap it in a `def`"),
    ],
)
def test_what_cannot_be_called_is_not_called(reward_fn, says):
    report = check(reward_fn)
    assert failed(report) == ["signature"]
    assert says in detail(report, "signature")
    assert "returns_float" in not_run(report)
    assert "see signature" in detail(report, "forked_process")


@pytest.mark.parametrize(
    ("reward_fn", "says"),
    [
        (bad_rewards.other_column, "rename one of `answer` and `answers`"),
        (bad_rewards.no_columns, "does not take `tests`"),
    ],
)
def test_columns_that_do_not_fit_the_sample(reward_fn, says):
    report = check(reward_fn)
    assert failed(report) == ["columns"]
    assert says in detail(report, "columns")
    assert "see columns" in detail(report, "returns_float")


def test_column_that_the_sample_lacks():
    sample = {field: SAMPLE[field] for field in list(SAMPLE)[:4]}
    assert "add it to the sample" in detail(check(bad_rewards.returns_bool, sample), "columns")


@pytest.mark.parametrize(
    ("reward_fn", "says"),
    [
        (bad_rewards.raises, "it raises KeyError: 'solution'."),
        (bad_rewards.returns_none, "returned None"),
        (bad_rewards.returns_nan, "returned nan"),
        (bad_rewards.returns_text, "the text '1.0'"),
        (bad_rewards.hidden_asynchronous, "a coroutine"),
        (bad_rewards.exits_in_child, "exit code 0: a reward returns or raises"),
    ],
)
def test_without_a_score_nothing_is_compared(reward_fn, says):
    report = check(reward_fn)
    assert failed(report) == ["returns_float"]
    assert says in detail(report, "returns_float")
    assert not_run(report) == [
        "range",
        "deterministic",
        "inputs_unchanged",
        "pickles",
        "thread",
        "spawned_process",
        "forked_process",
    ]
    assert "see returns_float" in detail(report, "thread")


@pytest.mark.slow
def test_a_hang_that_no_thread_could_stop_is_killed():
    report = check(bad_rewards.hangs_with_the_interpreter_lock, deadline=2.0)
    assert failed(report) == ["returns_float"]
    assert "no answer after 2 s" in detail(report, "returns_float")
    assert "see returns_float" in detail(report, "spawned_process")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reward_fn", "name"),
    [
        (bad_rewards.hangs_in_thread, "thread"),
        (bad_rewards.hangs_after_fork, "forked_process"),
    ],
)
def test_a_hang_in_one_place_leaves_the_other_checks(reward_fn, name):
    report = check(reward_fn, deadline=2.0)
    assert (failed(report), not_run(report)) == ([name], [])
    assert "no answer after 2 s" in detail(report, name)


@pytest.mark.slow
def test_a_hang_in_between_cuts_the_calls_short():
    report = check(bad_rewards.HangsOnCall(3), deadline=2.0)
    assert failed(report) == ["deterministic"]
    assert not_run(report) == ["pickles", "thread", "forked_process"]
    assert "see deterministic" in detail(report, "thread")


def test_a_score_that_differs_by_process():
    report = check(bad_rewards.differs_by_process)
    assert failed(report) == ["spawned_process", "forked_process"]
    assert "order of sets" in detail(report, "spawned_process")


@pytest.mark.parametrize(
    ("reward_fn", "says"),
    [
        (bad_rewards.nameless, "a lambda"),
        (bad_rewards.make_closure(), "a function inside a function"),
    ],
)
def test_functions_without_a_name(reward_fn, says):
    report = check(reward_fn)
    assert failed(report) == ["pickles", "importable"]
    assert not_run(report) == ["spawned_process"]
    assert detail(report, "pickles").startswith(f"{says} does not pickle: move it")


def test_a_name_that_leads_to_another_object():
    report = check(bad_rewards.shadowed_before)
    assert failed(report) == ["pickles", "importable"]
    assert "`bad_rewards.shadowed` is another object" in detail(report, "importable")
    assert "0x" not in str(report)


def test_a_platform_without_fork(monkeypatch):
    monkeypatch.setattr(
        "reference_impl.contract.examiner.multiprocessing.get_all_start_methods", lambda: ["spawn"]
    )
    report = check(bad_rewards.good)
    assert (failed(report), not_run(report)) == ([], ["forked_process"])
    assert report.passed
    report = check(bad_rewards.nameless)
    assert failed(report) == ["pickles", "importable"]
    assert "see pickles" in detail(report, "returns_float")


def test_the_process_that_asks_never_calls_the_reward():
    reward_fn = bad_rewards.HangsOnCall(100)
    check(reward_fn)
    assert reward_fn.calls == 0


def test_the_sample_of_the_caller_stays_as_it_was():
    before = pickle.dumps(SAMPLE)
    check(bad_rewards.changes_inputs)
    assert pickle.dumps(SAMPLE) == before


def test_off_the_main_thread_too():
    reports = []
    thread = threading.Thread(target=lambda: reports.append(check(bad_rewards.good)))
    thread.start()
    thread.join()
    assert reports[0].passed


@pytest.mark.filterwarnings("error")
def test_a_fork_beside_other_threads_does_not_warn():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert failed(check(bad_rewards.make_closure())) == ["pickles", "importable"]
    finally:
        stop.set()
        thread.join()


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")


@pytest.mark.slow
def test_nothing_is_left_running(tmp_path):
    note = tmp_path / "pid"
    report = check(
        bad_rewards.hangs_with_a_process_of_its_own,
        {**SAMPLE, "note": str(note)},
        deadline=2.0,
    )
    assert failed(report) == ["returns_float"]
    end = time.monotonic() + 30
    while _is_running(int(note.read_text())) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _is_running(int(note.read_text()))


SCRIPT = """
from reference_impl.contract import check_conformance

def in_the_script(prompt, completions, prompt_ids, completion_ids, **columns):
    return 1.0

def run():
    fields = dict(prompt="", completions="", prompt_ids=[], completion_ids=[])
    print(check_conformance(in_the_script, fields))
"""


def run_python(*arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


def test_a_reward_in_a_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "\nif __name__ == '__main__':\n    run()\n")
    table = run_python(str(script))
    assert "__main__.in_the_script: 10 passed, 1 failed, 0 not run" in table
    assert "move it into a module" in table


def test_a_script_without_a_guard_is_told_of_it(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "\nrun()\n")
    table = run_python(str(script))
    assert "spawned_process   FAILED" in table
    assert '`if __name__ == "__main__":`' in " ".join(table.split())


def test_a_reward_that_only_this_process_has():
    """As in a notebook: `__main__` has no file that a new process could import."""
    table = run_python("-c", SCRIPT + "\nrun()\n")
    assert "9 passed, 2 failed, 0 not run" in table
    assert "what a script or notebook defines: use a module" in " ".join(table.split())


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"prompt": None}, InvalidSampleError, "`prompt` is None"),
        ({"completions": b"4"}, InvalidSampleError, "decode"),
        ({"prompt_ids": "12"}, InvalidSampleError, "`prompt_ids` is not a list of int"),
        ({"completion_ids": [1.0]}, InvalidSampleError, "`completion_ids`"),
        ({"lock": threading.Lock()}, TypeError, "does not pickle"),
        ({1: 2}, TypeError, "keywords"),
    ],
)
def test_a_sample_that_no_trainer_would_pass(change, error, says):
    with pytest.raises(error, match=says):
        check(bad_rewards.good, {**SAMPLE, **change})


def test_a_sample_that_lacks_a_field():
    with pytest.raises(ValueError, match="lacks `prompt_ids`, `completion_ids`"):
        check(bad_rewards.good, {"prompt": "", "completions": ""})
    with pytest.raises(TypeError, match="a mapping, not a list"):
        check(bad_rewards.good, [SAMPLE])


@pytest.mark.parametrize(
    "settings",
    [
        {"low": float("nan")},
        {"high": float("inf")},
        {"low": 1.0, "high": 0.0},
        {"deadline": 0.0},
        {"deadline": float("nan")},
    ],
)
def test_settings_that_make_no_sense(settings):
    with pytest.raises(ValueError, match=r"`low`|`high`|`deadline`"):
        check(bad_rewards.good, **settings)


def test_what_is_no_reward_at_all():
    with pytest.raises(TypeError, match="is a class"):
        check(bad_rewards.Good)
    with pytest.raises(TypeError, match="cannot be called"):
        check(1.0)
    with pytest.raises(AttributeError, match="Did you mean `good`"):
        check("bad_rewards.goood")


REPORT = ConformanceReport(
    "my.reward",
    (
        CheckResult("signature", True, "fine."),
        CheckResult("columns", False, "it raises ValueError: a|b *c* <d> $e$: add `**a|b`. " * 3),
        CheckResult("thread", None, "see columns."),
    ),
)


def test_the_report_prints_as_an_aligned_table():
    expected = """\
        my.reward: 1 passed, 1 failed, 1 not run

        check      result   detail
        signature  passed   fine.
        columns    FAILED   it raises ValueError: a|b *c* <d> $e$: add `**a|b`. it raises
                            ValueError: a|b *c* <d> $e$: add `**a|b`. it raises ValueError: a|b *c*
                            <d> $e$: add `**a|b`.
        thread     not run  see columns."""
    assert str(REPORT) == repr(REPORT) == textwrap.dedent(expected)


def test_the_report_is_safe_in_markdown():
    row = REPORT._repr_markdown_().splitlines()[5]
    detail = r"it raises ValueError: a\|b \*c\* \<d\> \$e\$: add `**a\|b`. "
    assert row == f"| `columns` | **FAILED** | {detail * 3} |"


def test_the_same_report_every_time():
    reports = [check(bad_rewards.at_random) for _ in range(2)]
    assert str(reports[0]) == str(reports[1])

"""Turn what the calls of a reward function came to into results that say what to mend."""

import re
import types

from reference_impl.contract.error import describe_error
from reference_impl.contract.examiner import Outcome, can_fork
from reference_impl.contract.parameters import takes_unknown_columns
from reference_impl.contract.report import CheckResult
from reference_impl.contract.reward_fn import RewardFn, load_reward_fn

# The check that reports a step of the examination which did not come back.
CHECK_OF_STEP = {
    "unknown_column": "columns",
    "second_call": "deterministic",
    "third_call": "deterministic",
    "copy": "pickles",
    "forked_process": "forked_process",
    "thread": "thread",
}


def first_score(calls: dict[str, Outcome]) -> float | None:
    """Return the score of the first call, if there was one."""
    return calls["first_call"].score if "first_call" in calls else None


def why_missing(
    calls: dict[str, Outcome], spawned: dict[str, Outcome], bad_columns: str | None
) -> str:
    """Say why the outcomes that are missing from `calls` are missing."""
    if bad_columns != "":
        return f"it cannot be called: see {'columns' if bad_columns else 'signature'}."
    if "first_call" not in calls:
        return f"no process could load it: see {'spawned_process' if spawned else 'pickles'}."
    if first_score(calls) is None:
        return "there is no score to compare: see returns_float."
    lost = [step for step, outcome in calls.items() if outcome.kind in ("timeout", "exit")]
    return f"an earlier call did not come back: see {CHECK_OF_STEP[lost[0]]}." if lost else ""


def result(name: str, problem: str, praise: str) -> CheckResult:
    """Make a failure of a problem, and a pass of none."""
    return CheckResult(name, not problem, problem or f"{praise}.")


def _not_run(name: str, why_not: str) -> CheckResult:
    return CheckResult(name, None, why_not)


def same_score_result(
    name: str, outcome: Outcome | None, expected: float | None, why_not: str, advice: str
) -> CheckResult:
    """Compare a call that ought to give the score of the first one; None expects any score."""
    if outcome is None:
        return _not_run(name, why_not)
    if outcome.kind != "ok":
        return CheckResult(name, False, f"{stable(outcome.problem)}. {advice}")
    if expected is None:
        return CheckResult(name, True, "it answers; the scores are not compared.")
    problem = "" if outcome.score == expected else f"another score. {advice}"
    return result(name, problem, "the same score")


def columns_result(
    reward_fn: RewardFn, bad_columns: str | None, outcome: Outcome | None, expected: float | None
) -> CheckResult:
    if bad_columns is None:
        return _not_run("columns", "it cannot be called: see signature.")
    problem = bad_columns
    if not problem and not takes_unknown_columns(reward_fn):
        problem = "it takes no other columns, and data sets grow: end with `**columns`."
    if problem or outcome is None:
        return result("columns", problem, "those of the sample, and others")
    advice = "A column that it does not know is to be ignored."
    return same_score_result("columns", outcome, expected, "", advice)


def returns_float_result(outcome: Outcome | None, why_not: str) -> CheckResult:
    if outcome is None:
        return _not_run("returns_float", why_not)
    advice = {
        "timeout": ": it hangs, or it needs a longer deadline",
        "exit": ": a reward returns or raises, it does not end its process",
    }.get(outcome.kind, "")
    problem = stable(outcome.problem) + advice
    return result("returns_float", "" if outcome.kind == "ok" else f"{problem}.", "a finite number")


def range_result(
    score: float | None, low: float | None, high: float | None, why_not: str
) -> CheckResult:
    if score is None:
        return _not_run("range", why_not)
    problem = ""
    if low is not None and score < low:
        problem = f"the score, {score:g}, is below `low`, {low:g}: mend the reward or the bound."
    if high is not None and score > high:
        problem = f"the score, {score:g}, is above `high`, {high:g}: mend the reward or the bound."
    if low is None and high is None:
        return CheckResult("range", True, "not stated: give `low` and `high` to have it checked.")
    return result("range", problem, "within the bounds")


def deterministic_result(calls: dict[str, Outcome], why_not: str) -> CheckResult:
    later = [calls.get("second_call"), calls.get("third_call")]
    score = first_score(calls)
    advice = "Three calls are to agree: seed what is random, and keep no state between calls."
    for outcome in later:
        found = same_score_result("deterministic", outcome, score, why_not, advice)
        if not found.passed:
            return found
    return CheckResult("deterministic", True, "the same score in three calls.")


def inputs_unchanged_result(calls: dict[str, Outcome], why_not: str) -> CheckResult:
    if first_score(calls) is None:
        return _not_run("inputs_unchanged", why_not)
    changed = dict.fromkeys(name for outcome in calls.values() for name in outcome.changed)
    names = ", ".join(f"`{name}`" for name in changed)
    problem = f"the call changes {names}: work on a copy, such as `list(...)`." if names else ""
    return result("inputs_unchanged", problem, "nothing was changed")


def pickles_result(
    reward_fn: RewardFn,
    problem: str,
    outcome: Outcome | None,
    expected: float | None,
    why_not: str,
) -> CheckResult:
    nameless = _nameless(reward_fn)
    if nameless:
        advice = "move it to module level, or make it a class with `__call__`."
        return CheckResult("pickles", False, f"{nameless} does not pickle: {advice}")
    advice = "Make locks, clients and models on first use, and leave them out of the pickle."
    if problem:
        return CheckResult("pickles", False, f"{stable(problem)}. {advice}")
    return same_score_result("pickles", outcome, expected, why_not, advice)


def importable_result(reward_fn: RewardFn, path: str | None) -> CheckResult:
    if path is not None:
        return CheckResult("importable", True, "by the path given.")
    if not isinstance(reward_fn, types.FunctionType | types.BuiltinFunctionType):
        return CheckResult("importable", True, "an instance: pickling carries it.")
    problem = ""
    nameless = _nameless(reward_fn)
    if nameless:
        problem = f"{nameless} has no path: write a `def` at module level."
    elif reward_fn.__module__ == "__main__":
        problem = "it lives in a script or notebook, `__main__`: move it into a module."
    else:
        path = name_of(reward_fn)
        advice = "its module and name have to lead to it, also after decorating."
        try:
            if load_reward_fn(path) is not reward_fn:
                problem = f"`{path}` is another object: {advice}"
        except Exception as error:  # importing runs foreign code
            problem = f"{stable(describe_error(error))} {advice}"
    return result("importable", problem, "its module and name lead to it")


def no_spawned_score_result(
    reward_fn: RewardFn,
    source: bytes | str | None,
    spawned: dict[str, Outcome],
    score: float | None,
    why_not: str,
) -> CheckResult:
    """Say what became of a reward that gave no score in a spawned process."""
    name = "spawned_process"
    if source is None:
        return _not_run(name, "it does not pickle: see pickles.")
    if "load" in spawned and "first_call" not in spawned:
        return CheckResult(name, False, _why_not_loaded(reward_fn, spawned["load"]))
    if score is None:
        return _not_run(name, why_not)
    problem = stable(spawned["first_call"].problem)
    advice = "A forked one answers, so it lacks state that was set while the program ran."
    return CheckResult(name, False, f"{problem}. {advice}")


def _why_not_loaded(reward_fn: RewardFn, outcome: Outcome) -> str:
    if outcome.kind == "error" and getattr(reward_fn, "__module__", "") == "__main__":
        return "a new process does not have what a script or notebook defines: use a module."
    if outcome.kind == "exit":
        return (
            f"{outcome.problem}, before it could load the reward. In a script, check it below "
            '`if __name__ == "__main__":`.'
        )
    return f"a new process cannot load it: {stable(outcome.problem)}."


def forked_process_result(
    outcome: Outcome | None, expected: float | None, why_not: str
) -> CheckResult:
    if not can_fork():
        return _not_run("forked_process", "this platform does not fork.")
    advice = (
        "Threads, locks and connections do not survive a fork: make them on first use in "
        "each process."
    )
    return same_score_result("forked_process", outcome, expected, why_not, advice)


def _nameless(reward_fn: RewardFn) -> str:
    """Say in words why a function has no name to be imported by, or ''."""
    qualname = reward_fn.__qualname__ if isinstance(reward_fn, types.FunctionType) else ""
    if qualname.endswith("<lambda>"):
        return "a lambda"
    return "a function inside a function" if "<locals>" in qualname else ""


def name_of(reward_fn: RewardFn) -> str:
    """Name a reward function as an import path would, or an instance by its class."""
    if isinstance(reward_fn, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        return f"{reward_fn.__module__}.{reward_fn.__qualname__}"
    return f"an instance of {type(reward_fn).__module__}.{type(reward_fn).__qualname__}"


def stable(problem: str) -> str:
    """Leave out addresses and paths, which would differ on another machine."""
    problem = re.sub(r" at 0x[0-9a-fA-F]+", "", problem)
    problem = re.sub(r"(<module '[^']*') from '[^']*'", r"\1", problem)
    return problem.rstrip(".")

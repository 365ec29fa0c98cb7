"""Do to a reward function what trainers do to it, and say what to mend."""

import math
import pickle
from collections.abc import Mapping
from typing import Any

from reference_impl.contract.error import InvalidSampleError, describe_error
from reference_impl.contract.examiner import Outcome, can_fork, examine
from reference_impl.contract.parameters import (
    sample_problem,
    signature_problem,
)
from reference_impl.contract.report import (
    CheckResult,
    ConformanceReport,
    NonconformingRewardError,
)
from reference_impl.contract.results import (
    columns_result,
    deterministic_result,
    first_score,
    forked_process_result,
    importable_result,
    inputs_unchanged_result,
    name_of,
    no_spawned_score_result,
    pickles_result,
    range_result,
    result,
    returns_float_result,
    same_score_result,
    stable,
    why_missing,
)
from reference_impl.contract.reward_fn import (
    FIELDS,
    RewardFn,
    check_callable,
    check_text,
    load_reward_fn,
)

__all__ = ["CheckResult", "ConformanceReport", "NonconformingRewardError", "check_conformance"]


def check_conformance(
    reward_fn: RewardFn | str,
    sample: Mapping[str, Any],
    *,
    low: float | None = None,
    high: float | None = None,
    deadline: float = 30.0,
) -> ConformanceReport:
    """Check that a trainer can call a reward function, and that it always answers the same.

    The reward runs in processes of their own, never in this one, and each call is held to
    the deadline. So a reward that hangs, exits or crashes is reported like any other fault.
    In a script, call this below `if __name__ == "__main__":`, since a spawned process
    imports the script again.

    The checks, in the order of the report:

    * `signature`: synchronous; the four arguments go by position and by name.
    * `columns`: it takes the sample's columns, and one that it does not know.
    * `returns_float`: it returns a finite number.
    * `range`: the number is not below `low` nor above `high`, if they are given.
    * `deterministic`: three calls give the same score.
    * `inputs_unchanged`: the sample's lists and dicts are the same after each call.
    * `pickles`: a pickled copy gives the same score.
    * `importable`: its module and name lead to it. An instance travels by pickling instead.
    * `thread`: the same score off the main thread.
    * `spawned_process`: the same score in two new processes.
    * `forked_process`: the same score in a fork of a process that has called it before.

    Args:
        reward_fn: A reward function, or its import path.
        sample: One row: `prompt`, `completions`, `prompt_ids`, `completion_ids`, and the
            columns that the reward needs. It has to pickle.
        low: The smallest reward that you expect.
        high: The largest reward that you expect.
        deadline: The longest wait for one call, in seconds. The first call includes
            what the reward loads.

    Returns:
        The report, with a result for every check.

    Raises:
        ValueError: If the sample lacks a field, or `low`, `high` or `deadline` make no sense.
        InvalidSampleError: If a field of the sample has the wrong type.
        TypeError: If `reward_fn` cannot be called, or the sample does not pickle.
        ImportError: If `reward_fn` is a path, and it does not lead to a module.
        AttributeError: If `reward_fn` is a path, and its module has no such name.

    Example:
        >>> sample = {"prompt": "2 + 2?", "completions": "4", "prompt_ids": [],
        ...           "completion_ids": []}
        >>> report = check_conformance("math.dist", sample)
        >>> report.passed
        False
        >>> report.results[0].name
        'signature'

    Explained in :ref:`contract-conformance`.
    """
    row = _check_sample(sample)
    _check_settings(low, high, deadline)
    path = reward_fn if isinstance(reward_fn, str) else None
    if isinstance(reward_fn, str):
        reward_fn = load_reward_fn(reward_fn)
    check_callable(reward_fn, "`reward_fn`")

    columns = [name for name in sample if name not in FIELDS]
    bad_columns = sample_problem(reward_fn, columns)
    source, pickle_problem = _source(reward_fn, path)
    spawned: dict[str, Outcome] = {}
    calls: dict[str, Outcome] = {}
    if bad_columns == "":
        spawned, calls = _examine(reward_fn, source, row, deadline)
    score = first_score(calls)
    why_not = why_missing(calls, spawned, bad_columns)
    deterministic = deterministic_result(calls, why_not)
    # A score that changes by itself says nothing when it changes in another process, so
    # that one fault is reported once.
    expected = None if deterministic.passed is False else score
    if score is not None and first_score(spawned) is not None:
        again = examine("spawn", source, row, deadline, ("first_call",))
        spawned_process = same_score_result(
            "spawned_process",
            list(again.values())[-1],
            expected,
            why_not,
            "Processes differ in the order of sets, the value of `hash`, their id and the "
            "random seed: the score may depend on none of them.",
        )
    else:
        spawned_process = no_spawned_score_result(reward_fn, source, spawned, score, why_not)
    results = (
        result("signature", signature_problem(reward_fn), "by position and by name"),
        columns_result(reward_fn, bad_columns, calls.get("unknown_column"), expected),
        returns_float_result(calls.get("first_call"), why_not),
        range_result(score, low, high, why_not),
        deterministic,
        inputs_unchanged_result(calls, why_not),
        pickles_result(reward_fn, pickle_problem, calls.get("copy"), expected, why_not),
        importable_result(reward_fn, path),
        same_score_result(
            "thread",
            calls.get("thread"),
            expected,
            why_not,
            "Signals and alarms work on the main thread alone, and trainers use others.",
        ),
        spawned_process,
        forked_process_result(calls.get("forked_process"), expected, why_not),
    )
    return ConformanceReport(path or name_of(reward_fn), results)


def _check_sample(sample: Mapping[str, Any]) -> bytes:
    """Refuse a sample that no trainer would pass; return it pickled."""
    if not isinstance(sample, Mapping):
        raise TypeError(f"`sample` is one row, a mapping, not a {type(sample).__name__}.")
    if not all(isinstance(name, str) for name in sample):
        raise TypeError("The names in `sample` become keywords: they have to be str.")
    missing = [f"`{field}`" for field in FIELDS if field not in sample]
    if missing:
        raise ValueError(f"`sample` lacks {', '.join(missing)}: add what the trainer would pass.")
    for field in ("prompt", "completions"):
        check_text(field, sample[field])
    for field in ("prompt_ids", "completion_ids"):
        ids = sample[field]
        if not isinstance(ids, list) or not all(type(token) is int for token in ids):
            raise InvalidSampleError(f"`{field}` is not a list of int: pass token ids.")
    try:
        return pickle.dumps(dict(sample))
    except Exception as error:  # pickling runs the methods of foreign classes
        raise TypeError(
            f"`sample` does not pickle ({stable(describe_error(error))}), and so cannot go "
            "to another process: put plain values into its columns."
        ) from error


def _check_settings(low: float | None, high: float | None, deadline: float) -> None:
    for name, bound in (("low", low), ("high", high)):
        if bound is not None and not math.isfinite(bound):
            raise ValueError(f"`{name}` is {bound}: give a finite number, or None.")
    if low is not None and high is not None and low > high:
        raise ValueError(f"`low`, {low:g}, is above `high`, {high:g}: exchange them.")
    if not (deadline > 0 and math.isfinite(deadline)):
        raise ValueError(f"`deadline` is {deadline}: give seconds, more than 0.")


def _source(reward_fn: RewardFn, path: str | None) -> tuple[bytes | str | None, str]:
    """Give what a new process can load the reward from, or None and the reason."""
    if path is not None:
        return path, ""
    try:
        return pickle.dumps(reward_fn), ""
    except Exception as error:  # pickling runs the methods of foreign classes
        return None, describe_error(error)


def _examine(
    reward_fn: RewardFn, source: bytes | str | None, row: bytes, deadline: float
) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """Call the reward in a spawned process, or in a forked one if that gives no score.

    Returns:
        The outcomes in the spawned process, and the outcomes to judge the calls by.
    """
    spawned = {} if source is None else examine("spawn", source, row, deadline)
    timed_out = any(outcome.kind == "timeout" for outcome in spawned.values())
    if first_score(spawned) is None and not timed_out and can_fork():
        forked = examine("fork", reward_fn, row, deadline)
        if "first_call" not in spawned or first_score(forked) is not None:
            return spawned, forked
    return spawned, spawned

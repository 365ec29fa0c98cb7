"""Check a reward that somebody wrote: the contract, its latency, and an attack battery."""

import logging
import statistics
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from reference_impl.check.battery import Probe, make_battery
from reference_impl.check.cases import ARITHMETIC, Case
from reference_impl.check.catalog import CHECKS
from reference_impl.check.findings import Finding, Judgement, Kind, spreads
from reference_impl.check.report import CheckReport
from reference_impl.check.scoring import Scored, Scorer
from reference_impl.check.settings import columns_to_try
from reference_impl.contract import (
    AsyncGuardedReward,
    CheckResult,
    GuardedReward,
    check_conformance,
    load_reward_fn,
)
from reference_impl.contract.failure import logger
from reference_impl.contract.parameters import is_async
from reference_impl.contract.reward_fn import RewardFn
from reference_impl.runtime import BlockingReward, RewardLoadError

#: A process for the contract's checks has to start and to load the reward in this time.
LEAST_DEADLINE = 30.0
LONGEST_TIME_LIMIT = 86_400.0
#: The checks of `check_conformance`, whose docstring explains them.
CONTRACT_CHECKS = (
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
)


def check_reward_fn(
    path: str,
    cases: Sequence[Case] | None = None,
    *,
    kind: Kind | None = None,
    answer_column: str = "answer",
    low: float | None = None,
    high: float | None = None,
    time_limit: float = 10.0,
    most_rows: int = 20,
    ignore: Collection[str] = (),
) -> CheckReport:
    """Check the contract, the latency and the worst case of a reward, and attack it.

    The reward runs in processes of their own, each call within the time limit. It may crash, exit,
    print and hang. In a script, call this below `if __name__ == "__main__":`.

    An exploit is a completion that is wrong by construction, and is paid more than half of the way
    from a plainly wrong answer in the good completion's form to the good completion itself. So
    neither the scale of the reward matters, nor what it pays for the form beside the answer.

    Whether a reward is meant to look at the answer is decided from its pay: one that pays a wrong
    answer in the good form like the right one, in every row, is checked as a reward for form.

    Args:
        path: The import path of the reward, `"my_module:my_reward_fn"` or
            `"my_module.my_reward_fn"`.
        cases: The rows. By default three of arithmetic, for a first look.
        kind: "answer" or "form", to say what the reward is for instead.
        answer_column: The column that holds the gold answer.
        low: The smallest reward that you expect.
        high: The largest reward that you expect.
        time_limit: The longest a call may take, in seconds.
        most_rows: How many rows to use, from the first.
        ignore: The names of checks whose findings you accept.

    Returns:
        The report.

    Raises:
        ValueError: If there is no row, or a setting makes no sense.
        ImportError: If the path does not lead to a module.
        AttributeError: If the module has no such name.
        TypeError: If what the path names is no reward function, or is a guarded one.
        RewardLoadError: If a worker cannot load it for another reason.

    Example:
        >>> report = check_reward_fn("reference_impl.exact_match_reward_fn")
        >>> report.passed
        True

    Explained in :ref:`check-your-reward`.
    """
    start = time.perf_counter()
    path = path.replace(":", ".", 1)
    rows, notes = _rows(cases, most_rows)
    _check_names(ignore)
    if kind not in (None, "answer", "form"):
        raise ValueError(f"`kind` is {kind!r}: give 'answer', 'form' or None.")
    if not 0 < time_limit <= LONGEST_TIME_LIMIT:
        raise ValueError(f"`time_limit` is {time_limit}: give seconds, above 0, at most a day.")
    goods = [
        Probe("good", number, "the good completion", case.completion)
        for number, case in enumerate(rows, start=1)
    ]
    with ExitStack() as stack:
        stack.enter_context(_quiet(logger))
        # A worker first: what a module does while it is imported may hang or exit.
        scorer = stack.enter_context(Scorer(path, rows, time_limit))
        first = scorer.score(goods[0])
        reward_fn = _load(path)
        source: RewardFn | str = path
        if is_async(reward_fn):
            notes.append("It is asynchronous, and was checked through `BlockingReward`.")
            source = BlockingReward(reward_fn)
            scorer = stack.enter_context(Scorer(source, rows, time_limit))
            first = scorer.score(goods[0])
        deadline = max(LEAST_DEADLINE, time_limit)
        contract = check_conformance(
            source, _sample(rows[0]), low=low, high=high, deadline=deadline
        ).results
        can_score = any(result.name == "returns_float" and result.passed for result in contract)
        if can_score:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            probes = [
                *_with_settings(reward_fn, rows[0]),
                *make_battery(rows, answer_column, folder),
            ]
            scored_goods = [scorer.score(probe) for probe in goods]
            scored = [scorer.score(probe) for probe in probes]
            with Scorer(source, rows, time_limit) as another:
                chosen = [s.probe for s in (*scored_goods, *scored) if _to_repeat(s)]
                again = [another.score(probe) for probe in reversed(chosen)]
            judged = Judgement(scored_goods, scored, again, kind, low, high)
    findings = [_of_contract(result) for result in contract if result.passed is False]
    if can_score:
        findings += judged.findings
        notes += judged.notes
        figures = _figures(first, scored_goods, scored)
        figures["whole_check"] = time.perf_counter() - start
    else:
        notes.append("The battery was not run: the good completion of row 1 gets no reward.")
    return CheckReport(
        reward=path,
        kind=judged.kind if can_score else "",
        rows=len(rows),
        contract=contract,
        tried=judged.counts() if can_score else {},
        findings=tuple(finding for finding in findings if finding.check not in ignore),
        ignored=tuple(finding for finding in findings if finding.check in ignore),
        notes=tuple(notes),
        figures=figures if can_score else {},
        worst=_slowest(scored_goods, scored).probe.done if can_score else "",
    )


@contextmanager
def _quiet(log: logging.Logger) -> Iterator[None]:
    """Failures are what the report is about: they need no line each in the log."""
    was_disabled, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = was_disabled


def _rows(cases: Sequence[Case] | None, most_rows: int) -> tuple[list[Case], list[str]]:
    if most_rows < 1:
        raise ValueError(f"`most_rows` is {most_rows}: use at least one row.")
    if cases is None:
        note = (
            "No file was given, so three rows of arithmetic were used. Give rows of your own task."
        )
        return list(ARITHMETIC), [note]
    if not cases:
        raise ValueError("`cases` is empty: give at least one row.")
    unused = len(cases) - most_rows
    notes = [f"The first {most_rows} of {len(cases)} rows were used."] if unused > 0 else []
    return list(cases[:most_rows]), notes


def _check_names(ignore: Collection[str]) -> None:
    unknown = [name for name in ignore if name not in CHECKS and name not in CONTRACT_CHECKS]
    if unknown:
        known = ", ".join((*CONTRACT_CHECKS, *CHECKS))
        raise ValueError(f"There is no check {', '.join(unknown)}. The checks are: {known}.")


def _load(path: str) -> RewardFn:
    try:
        reward_fn = load_reward_fn(path)
    except SystemExit as error:  # it loads in a worker; here it may see other arguments, say
        raise RewardLoadError(
            f"The module of {path} ends the process that imports it (SystemExit: {error.code}). "
            'Keep what parses arguments below `if __name__ == "__main__":`.'
        ) from error
    if isinstance(reward_fn, GuardedReward | AsyncGuardedReward):
        raise TypeError(
            f"{path} is guarded, so that its failures look like scores: name the bare reward "
            "function."
        )
    return reward_fn


def _sample(case: Case) -> dict[str, Any]:
    return {
        "prompt": case.prompt,
        "completions": case.completion,
        "prompt_ids": case.prompt_ids or [1],
        "completion_ids": case.ids_of(case.completion),
        **case.columns,
    }


def _with_settings(reward_fn: RewardFn, case: Case) -> list[Probe]:
    return [
        Probe(
            "settings",
            1,
            f"the good completion, with {value!r} in a column `{name}`",
            case.completion,
            ((name, value),),
        )
        for name in columns_to_try(reward_fn, case.columns)
        for value in ("unexpected", 0)
    ]


def _to_repeat(scored: Scored) -> bool:
    wanted = ("good", "wrong_answer", "other_completion", "honest_variant")
    return scored.pay is not None and scored.probe.check in wanted


def _of_contract(result: CheckResult) -> Finding:
    return Finding(result.name, "", result.detail, "", "contract-conformance")


def _slowest(goods: Sequence[Scored], probes: Sequence[Scored]) -> Scored:
    return max((*goods, *probes), key=lambda scored: scored.seconds)


def _figures(first: Scored, goods: Sequence[Scored], probes: Sequence[Scored]) -> dict[str, float]:
    paid = [scored for scored in (*goods, *probes) if scored.pay is not None]
    stds = spreads(goods, probes)
    return {
        "lowest": min((scored.pay for scored in paid), default=0.0),
        "highest": max((scored.pay for scored in paid), default=0.0),
        "least_std": min(stds, default=0.0),
        "largest_std": max(stds, default=0.0),
        "first_call": first.seconds,
        "median_call": statistics.median([scored.seconds for scored in paid] or [0.0]),
        "worst_call": _slowest(goods, probes).seconds,
    }

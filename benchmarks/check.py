"""The check of rewards: planted faults found, false alarms, and the time that a check takes.

Run: python -m benchmarks.check [--json [FILE]] [--save] [--small]

`tests/check` holds rewards with a planted fault each, and rewards of this package that are to pass,
each with rows in the form that it reads. A planted fault counts as found if the check that is meant
for it is among the findings. Wall time counts, since a check is mostly other processes at work.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks._run import add_output_options, report
from reference_impl.check import CheckReport, check_reward_fn, read_cases

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "check"))  # for the workers, too: they inherit it

from known_bad_rewards import PLANTED  # noqa: E402

# What hangs costs this long for each worker that is lost.
TIME_LIMIT = 5.0


@dataclass(frozen=True)
class Fault:
    """A reward with a planted fault.

    Attributes:
        reward: The reward, in `tests/check/known_bad_rewards.py`.
        rows: The rows of `examples/check_*.jsonl` to check it on.
        expected: The check that has to find it.
        settings: The settings of the check.
    """

    reward: str
    rows: str
    expected: str
    settings: Mapping[str, object]


FAULTS = tuple(Fault(*planted) for planted in PLANTED)


def check_fault(fault: Fault) -> CheckReport:
    """Check a reward with a planted fault.

    Args:
        fault: The fault.

    Returns:
        The report.
    """
    return check_on(f"known_bad_rewards:{fault.reward}", fault.rows, **fault.settings)


def check_on(reward: str, rows: str, **settings: object) -> CheckReport:
    """Check a reward on one of the files of rows in `examples`."""
    cases = read_cases(ROOT / "examples" / f"check_{rows}.jsonl")
    return check_reward_fn(reward, cases, time_limit=TIME_LIMIT, **settings)


def measure(every: int = 1) -> tuple[dict[str, float], dict[str, object]]:
    """Check all rewards.

    Args:
        every: Every how many-th reward is checked.

    Returns:
        The figures by name, and what is stored beside them: for each reward its rows and the names
        of its findings, and for a planted fault what was expected.
    """
    from test_planted_faults import REFERENCES  # needs pytest, which a page does not

    planted, references, seconds = [], [], []
    for fault in FAULTS[::every]:
        findings = _names(check_fault(fault))
        told = {"reward": fault.reward, "rows": fault.rows, "expected": fault.expected}
        planted.append({**told, "found": fault.expected in findings, "findings": findings})
    pairs = [(reward, rows) for reward, files in REFERENCES for rows in files.split()]
    for reward, rows in pairs[::every]:
        start = time.perf_counter()
        findings = _names(check_on(reward, rows))
        seconds.append(time.perf_counter() - start)
        references.append({"reward": reward, "rows": rows, "findings": findings})
    figures = {
        "planted": len(planted),
        "planted_found": sum(row["found"] for row in planted),
        "references": len(references),
        "false_alarms": sum(bool(row["findings"]) for row in references),
        "seconds_a_check": float(f"{statistics.median(seconds):.2g}"),
    }
    return figures, {"planted": planted, "references": references}


def _names(found: CheckReport) -> list[str]:
    return [finding.check for finding in found.findings]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--small", action="store_true", help="a few rewards, to try it out")
    options = parser.parse_args()
    figures, tables = measure(every=15 if options.small else 1)
    report(options, "check", figures, **tables)


if __name__ == "__main__":
    main()

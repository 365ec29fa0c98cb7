"""The check on rewards that its author had not seen: another author's faults and honest rewards.

Run: python -m benchmarks.check_held_out [--json [FILE]] [--save] [--small]

`cases/check_held_out.toml` has the rewards, their rows, what counts as found, and the first look,
taken before anything was mended. A set is held out once: the first look is the result to quote, and
today's stands beside it. The rewards import what `pip install -e '.[math,critic,tools]'` installs.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks._run import add_output_options, report

ROOT = Path(__file__).parents[1]
CASES = Path(__file__).parent / "cases" / "check_held_out.toml"

# A whole check takes seconds, and less than a minute where every call hangs.
TIME_LIMIT = 300.0


def read_held_out() -> dict[str, object]:
    """Read the held-out rewards: `first_look`, `rows` by name, and `rewards`."""
    return tomllib.loads(CASES.read_text(encoding="utf-8"))


def check_by_command(reward: Mapping[str, object], rows: str) -> list[str]:
    """Check a reward as a reader does: a module and its rows in a folder, and the command.

    Args:
        reward: A reward of the cases.
        rows: Its rows, as lines of JSON.

    Returns:
        The names of the checks that found something, sorted.

    Raises:
        RuntimeError: It could not be checked, as when a package is missing.
    """
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        files = {f"{reward['name']}.py": reward["source"], "rows.jsonl": rows}
        for name, text in {**files, **reward.get("files", {})}.items():
            (folder / name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "reference_impl.check", f"{reward['name']}:reward"]
        command += ["rows.jsonl", *reward.get("arguments", ()), "--json", "report.json"]
        ran = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
        )
        if ran.returncode not in (0, 1):
            raise RuntimeError(f"{reward['name']} could not be checked:\n{ran.stderr}")
        findings = json.loads((folder / "report.json").read_text(encoding="utf-8"))["findings"]
    return sorted({finding["check"] for finding in findings})


def is_found(reward: Mapping[str, object], findings: Sequence[str]) -> bool:
    """Tell whether the fault of a reward is among findings, by the names that count."""
    return not {*reward["expected"], *reward.get("also", ())}.isdisjoint(findings)


def told(reward: Mapping[str, object]) -> dict[str, object]:
    """What is stored of a reward: all but its source, its rows and how it is checked."""
    kept = ("name", "kind", "expected", "also", "first_look")
    return {key: reward[key] for key in kept if key in reward}


def count(rewards: Sequence[Mapping[str, object]], look: str) -> dict[str, int]:
    """Count the faults that were found and the honest rewards that were hit.

    Args:
        rewards: The rewards, with their findings.
        look: Which findings: "first_look" or "today".

    Returns:
        The faults `planted` and `planted_found`, the same for `stretch`, the `honest` rewards, and
        `honest_hit`, those of them with any finding.
    """
    counts = {}
    for kind in ("planted", "stretch"):
        faults = [row for row in rewards if row["kind"] == kind]
        counts[kind] = len(faults)
        counts[f"{kind}_found"] = sum(is_found(row, row[look]) for row in faults)
    honest = [row for row in rewards if row["kind"] == "honest"]
    return {**counts, "honest": len(honest), "honest_hit": sum(bool(row[look]) for row in honest)}


def measure(every: int = 1) -> tuple[dict[str, int], dict[str, object]]:
    """Check the held-out rewards.

    Args:
        every: Every how many-th reward is checked.

    Returns:
        Today's counts, and what is stored beside them: the first look with its date, commit and
        counts, and each reward with what counts as found and its findings at both looks.
    """
    held_out = read_held_out()
    rewards = [
        {**told(reward), "today": check_by_command(reward, held_out["rows"][reward["rows"]])}
        for reward in held_out["rewards"][::every]
    ]
    first_look = {**held_out["first_look"], "ratios": count(rewards, "first_look")}
    return count(rewards, "today"), {"first_look": first_look, "rewards": rewards}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.check_held_out", description=__doc__
    )
    add_output_options(parser)
    parser.add_argument("--small", action="store_true", help="a few rewards, to try it out")
    options = parser.parse_args()
    counts, tables = measure(every=15 if options.small else 1)
    report(options, "check_held_out", counts, **tables)


if __name__ == "__main__":
    main()

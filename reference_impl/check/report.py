"""What a check found, as a value, as text and as JSON."""

import dataclasses
import json
import textwrap
from dataclasses import dataclass

from reference_impl.check.catalog import CHECKS
from reference_impl.check.findings import Finding
from reference_impl.contract.report import CheckResult

WIDTH = 96


@dataclass(frozen=True)
class CheckReport:
    """All that a check of one reward found.

    Attributes:
        reward: The import path of the reward.
        kind: "answer" if it was checked as a reward for the answer, "form" if not, or "" if the
            battery was not run.
        rows: How many rows it was checked on.
        contract: The results of `check_conformance`.
        tried: For each check of completions, how many were tried and how many found a fault.
        findings: The faults.
        ignored: The faults that the caller ignores.
        notes: What is worth to know and no fault.
        figures: What was measured: "lowest" and "highest" reward, "least_std" and "largest_std"
            of the rewards of a row, and in seconds "first_call" (with starting and loading),
            "median_call", "worst_call" and "whole_check".
        worst: What was done in the worst call.

    Explained in :ref:`check-your-reward`.
    """

    reward: str
    kind: str
    rows: int
    contract: tuple[CheckResult, ...]
    tried: dict[str, tuple[int, int]]
    findings: tuple[Finding, ...]
    ignored: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    figures: dict[str, float] = dataclasses.field(default_factory=dict)
    worst: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing was found that is not ignored."""
        return not self.findings

    @property
    def summary(self) -> str:
        """The result in one line."""
        found = "no findings" if self.passed else f"{len(self.findings)} findings"
        if len(self.findings) == 1:
            found = "1 finding"
        tried = self.tried.get("raises", (0, 0))[0]
        kind = f", as a reward for {_KINDS[self.kind]}" if self.kind else ""
        return (
            f"{self.reward}: {found}; {len(self.contract)} checks of the contract and {tried} "
            f"completions of {self.rows} row{'s' if self.rows > 1 else ''}{kind}"
        )

    def to_json(self) -> str:
        """Return the report as a JSON object, one key an attribute, and `passed`."""
        return json.dumps({"passed": self.passed, **dataclasses.asdict(self)}, indent=2)

    def table(self) -> list[tuple[str, str, str]]:
        """Return one line a check: its name, its result, and what it is about."""
        lines = [(result.name, result.verdict, result.detail) for result in self.contract]
        for name, (tried, found) in self.tried.items():
            word = "FAILED" if CHECKS[name].is_fault else "noted"
            verdict = f"{found} of {tried} {word}" if found else f"{tried} passed"
            lines.append((name, verdict, f"{CHECKS[name].about}."))
        return lines

    def measured(self) -> list[str]:
        """Return what was measured, one sentence a line."""
        figures = self.figures
        if not figures:
            return []
        median, worst = (_time(figures[name]) for name in ("median_call", "worst_call"))
        return [
            f"Rewards from {figures['lowest']:g} to {figures['highest']:g}. Their standard "
            f"deviation within a row is {figures['least_std']:.3g} to "
            f"{figures['largest_std']:.3g}.",
            f"First call {_time(figures['first_call'])} with loading, then {median} in the median "
            f"and {worst} at worst ({self.worst}).",
            f"The whole check took {figures['whole_check']:.0f} s.",
        ]

    def __str__(self) -> str:
        table = self.table()
        widths = [max(len(line[column]) for line in table) for column in (0, 1)]
        lines = [self.summary, ""]
        for name, verdict, detail in table:
            start = f"{name:{widths[0]}}  {verdict:{widths[1]}}  "
            lines.append(_wrapped(detail, start))
        for title, findings in (("Findings", self.findings), ("Ignored", self.ignored)):
            if findings:
                lines += ["", title]
            for finding in findings:
                lines.append("")
                lines += [f"{finding.check}{_rows(finding)}"]
                lines += [_wrapped(text, f"  {label:5} ") for label, text in parts(finding)]
        if self.notes:
            lines += ["", "Notes"]
            lines += [_wrapped(note, "  - ") for note in self.notes]
        lines += ["", *self.measured()]
        return "\n".join(line.rstrip() for line in lines).rstrip()


def parts(finding: Finding) -> list[tuple[str, str]]:
    """Return what a report says about a finding, with the word that stands before each part."""
    lines = [("done", f"{finding.done}.")] if finding.done else []
    if finding.completion:
        lines.append(("text", finding.completion))
    lines.append(("found", finding.paid.rstrip(".") + "."))
    if finding.advice:
        lines.append(("mend", finding.advice))
    return [*lines, ("page", finding.page)]


def _rows(finding: Finding) -> str:
    if not finding.rows:
        return ""
    shown = ", ".join(str(row) for row in finding.rows[:10])
    return f" (row {shown}{', ...' if len(finding.rows) > 10 else ''})"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _wrapped(text: str, start: str) -> str:
    lines = textwrap.wrap(text, WIDTH - len(start), break_on_hyphens=False) or [""]
    return "\n".join([start + lines[0], *(" " * len(start) + line for line in lines[1:])])


_KINDS = {"answer": "the answer", "form": "form"}

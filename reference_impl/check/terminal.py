"""Show a report in a terminal, with colors where `rich` is installed."""

import sys

from reference_impl.check.report import CheckReport, parts

try:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError:  # the extra [check] is not installed: plain text says the same
    Console = None

_COLOR = {"passed": "green", "FAILED": "bold red", "not run": "yellow", "noted": "yellow"}


def show(report: CheckReport) -> None:
    """Print a report: in color in a terminal, as plain text elsewhere.

    Args:
        report: The report.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know every letter
    if Console is None or not sys.stdout.isatty():
        print(report)
        return
    console = Console(highlight=False)
    console.print(Text(report.summary, style="bold green" if report.passed else "bold red"))
    table = Table(show_header=False, box=None)
    for name, verdict, detail in report.table():
        style = next(color for word, color in _COLOR.items() if word in verdict)
        table.add_row(Text(name), Text(verdict, style=style), Text(detail))
    console.print(table)
    for title, findings in (("Findings", report.findings), ("Ignored", report.ignored)):
        for finding in findings:
            details = Table.grid(padding=(0, 1))
            for label, text in parts(finding):
                details.add_row(Text(f"  {label}", style="dim"), Text(text))
            rows = ", ".join(map(str, finding.rows))
            console.print()
            console.print(Text(finding.check, style="bold"), Text(f"({title.lower()}; row {rows})"))
            console.print(details)
    for line in (*report.notes, *report.measured()):
        console.print(Text(f"\n{line}"))

"""Show stored results on a page. Nothing is measured here."""

import json
from pathlib import Path

from reference_impl.show import TableView

RESULTS = Path(__file__).parent / "results"


def load_result(name: str) -> dict:
    """Read the stored result of a benchmark.

    Args:
        name: The benchmark's name, such as "rules".

    Returns:
        What `python -m benchmarks.NAME --save` stored: date, machine, ratios, cases.

    Raises:
        FileNotFoundError: There is none; the message says how to make it.
    """
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"no stored result {path.name}: run python -m benchmarks.{name} --save"
        )
    return json.loads(path.read_text("utf-8"))


def show_machine(result: dict) -> TableView:
    """Show when and where a result was measured."""
    machine = result["machine"]
    row = [result["date"], machine["cpu"], str(machine["cores"]), machine["python"]]
    return TableView(["measured on", "processor", "cores", "Python"], [row])


def show_ratios(result: dict, names: dict[str, str]) -> TableView:
    """Show ratios with their names in words.

    Args:
        result: A stored result.
        names: Key of a ratio to what it compares, in the order of the rows.
    """
    rows = [[said, f"{result['ratios'][key]:g}"] for key, said in names.items()]
    return TableView(["compared", "ratio"], rows, numbers=1)


def show_payments(result: dict) -> TableView:
    """Show how many honest and how many wrong completions each method pays."""
    rows = [
        [
            method.replace("_", " "),
            f"{count['honest_paid']} of {count['honest_total']}",
            f"{count['wrong_paid']} of {count['wrong_total']}",
        ]
        for method, count in result["cases"].items()
    ]
    return TableView(["method", "honest paid", "wrong paid"], rows, numbers=2)


def show_corrections(result: dict) -> TableView:
    """Show where the verdicts of the math benchmark differ from Math-Verify's, and why."""
    from benchmarks.fuzz import CORRECTIONS  # brings Math-Verify, which no other table needs

    counts = result["fuzz"]["corrections"]
    rows = [
        [name, correction.why, f"{counts[name]['cases']:,}", f"{counts[name]['differences']:,}"]
        for name, correction in CORRECTIONS.items()
    ]
    return TableView(["kind of pair", "why they may differ", "pairs", "differ"], rows, numbers=2)


def show_proof(*trainers: str) -> TableView:
    """Show how the adapters of trainers were proven: what `benchmarks.trainers` stored.

    Args:
        *trainers: Names of trainers, in the order of the rows. None means all.
    """
    result = load_result("trainers")
    stored = {row["trainer"]: row for row in result["trainers"]}
    rows = [
        [
            row["trainer"],
            row["version"],
            row["kind"],
            row["how"],
            str(row["tests"]),
            result["date"],
        ]
        for row in (stored[name] for name in trainers or stored)
    ]
    return TableView(["trainer", "version", "proof", "what ran", "tests", "passed on"], rows)

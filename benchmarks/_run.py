"""What every benchmark shares: timing side by side, the machine, and the stored result."""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

# The least CPU time of one timing.
SECONDS_A_TIMING = 0.02


def median_seconds(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Time tasks in turn, so that a change in the machine's load meets all of them alike.

    Args:
        tasks: What to time, by name. Each runs untimed first, to fill caches and to find how many
            runs make one timing: a task of microseconds is run until the clock resolves it.
        repeats: How many times to time each.

    Returns:
        The median CPU time of one run of each task, in seconds.
    """
    runs = {}
    for name, task in tasks.items():
        task()
        runs[name] = max(1, round(SECONDS_A_TIMING / max(_cpu_seconds(task, 1), 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            seconds[name].append(_cpu_seconds(task, runs[name]) / runs[name])
    return {name: statistics.median(times) for name, times in seconds.items()}


def machine() -> dict[str, str | int]:
    """Return the processor's name, its number of cores, and Python's version."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        cpu = models[0].partition(":")[2].strip() if models else cpu
    return {"cpu": cpu, "cores": os.cpu_count() or 1, "python": platform.python_version()}


def save(name: str, result: dict[str, object]) -> Path:
    """Store a result with the date and the machine in `benchmarks/results`.

    Args:
        name: The benchmark's name.
        result: What it measured.

    Returns:
        The file written.
    """
    path = RESULTS / f"{name}.json"
    stored = {"date": date.today().isoformat(), "machine": machine(), **result}
    path.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    return path


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where a result goes.

    Args:
        parser: The parser of a benchmark.
    """
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="print one JSON object and no table, or write it to a file",
    )
    parser.add_argument("--save", action="store_true", help="store it in benchmarks/results")


def report(
    options: argparse.Namespace, name: str, ratios: dict[str, float], **more: object
) -> None:
    """Print, write or store a result, as the options say.

    Args:
        options: What `add_output_options` let the user choose.
        name: The benchmark's name.
        ratios: The figures by name.
        **more: What is stored beside them.
    """
    if options.json is None:
        print("\n".join(f"{figure:<32}{value:>10g}" for figure, value in ratios.items()))
    elif options.json == "-":
        print(json.dumps(ratios))
    else:
        Path(options.json).write_text(json.dumps(ratios) + "\n", encoding="utf-8")
    if options.save:
        save(name, {"ratios": ratios, **more})


def _cpu_seconds(task: Callable[[], object], runs: int) -> float:
    start = time.process_time_ns()
    for _ in range(runs):
        task()
    return (time.process_time_ns() - start) / 1e9

"""The code reward: attacks contained, honest programs paid, and what a run costs.

Run: python -m benchmarks.code_sandbox [--json [FILE]] [--save] [--small]

An attack counts as contained if it earns nothing, cannot make the sandbox fail, changes no file and
reaches no server. The ways that people use today face only those attacks that do no harm without a
sandbox. Wall time counts, since a run is mostly another process at work.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._run import add_output_options, report
from reference_impl.contract.error import RewardError
from reference_impl.rules.code import CodeReward, Limits, Sandbox, levels
from reference_impl.rules.code.levels import measure as measure_isolation
from reference_impl.rules.code.sandbox import Level

CASES = Path(__file__).parents[1] / "tests" / "rules" / "code"
STDIN_TESTS = [
    {"input": "1 2", "output": "3"},
    {"input": "20 22", "output": "42"},
    {"input": "-5 5", "output": "0"},
]
CALL_TESTS = [
    {"call": "add(1, 2)", "expected": 3},
    {"call": "add(20, 22)", "expected": 42},
    {"call": "add(-5, 5)", "expected": 0},
]
ATTACK_LIMITS = Limits(cpu_seconds=1, deadline_seconds=5, memory_mb=256)
HONEST_LIMITS = Limits(cpu_seconds=10, deadline_seconds=60)
ADD = "print(sum(map(int, input().split())))"


@dataclass(frozen=True)
class Load:
    """How much is measured.

    Attributes:
        every: Every how many-th attack and honest program is tried.
        repeats: How often each run is timed. The median counts.
        programs: How many programs run for the rate.
    """

    every: int = 1
    repeats: int = 31
    programs: int = 100


SMALL = Load(every=12, repeats=3, programs=6)


def fenced(program: str) -> str:
    """Return a completion that holds a program."""
    return f"```python\n{program}\n```"


@contextmanager
def only(level: Level) -> Iterator[None]:
    """Run programs on one level, also where a better one is there."""
    before = levels.LEVELS
    levels.LEVELS = (level,)
    try:
        yield
    finally:
        levels.LEVELS = before


@dataclass(frozen=True)
class Surroundings:
    """What attacks reach for: a server, a file that holds the tests, a folder.

    Attributes:
        folder: The folder, for anybody to write to.
        server: The server; whatever reaches it waits in its queue.
    """

    folder: Path
    server: socket.socket

    def prepare(self, program: str) -> str:
        """Make the file and the folder anew, and write their names into the program."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.folder.chmod(0o777)
        file = self.folder / "tests.json"
        file.write_text(json.dumps(STDIN_TESTS), encoding="utf-8")
        file.chmod(0o666)
        names = {
            "@PORT@": str(self.server.getsockname()[1]),
            "@FILE@": str(file),
            "@FOLDER@": str(self.folder),
            "@PID@": str(os.getpid()),
        }
        for name, value in names.items():
            program = program.replace(name, value)
        return program

    def are_untouched(self) -> bool:
        """Tell whether no file has changed and nobody has called."""
        try:
            self.server.accept()[0].close()
        except BlockingIOError:
            file = self.folder / "tests.json"
            return (
                [path.name for path in self.folder.iterdir()] == [file.name]
                and file.stat().st_mode & 0o777 == 0o666
                and file.read_text(encoding="utf-8") == json.dumps(STDIN_TESTS)
            )
        return False


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """Make what attacks reach for."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield Surroundings(Path(name), server)


def tests_of(attack: dict) -> list[dict]:
    """Return the hidden tests that an attack faces."""
    return CALL_TESTS if attack["task"] == "call" else STDIN_TESTS


def contained(attacks: list[dict], level: Level) -> dict[str, list[int]]:
    """Try attacks on one level.

    Args:
        attacks: The attacks.
        level: The level.

    Returns:
        By kind, how many were contained and how many there are.
    """
    kinds: dict[str, list[int]] = {}
    reward = CodeReward(ATTACK_LIMITS, require=level)
    with only(level), surroundings() as around:
        for attack in attacks:
            count = kinds.setdefault(attack["kind"], [0, 0])
            count[1] += 1
            program = around.prepare(attack["program"])
            try:
                worth = reward("", fenced(program), [], [], tests=tests_of(attack))
            except RewardError:
                continue
            count[0] += worth == 0.0 and around.are_untouched()
    return kinds


def honest_paid(programs: list[dict], level: Level) -> int:
    """Count the honest programs that are paid on one level."""
    reward = CodeReward(HONEST_LIMITS, require=level)
    numbers = "\n".join(map(str, range(20000)))
    with only(level):
        for program in programs:
            tests = [
                {"input": given, "output": output.replace("@NUMBERS@", numbers)}
                for given, output in program.get("tests", [])
            ] + [{"call": call, "expected": value} for call, value in program.get("calls", [])]
            reward("", fenced(program["source"]), [], [], tests=tests)
    return reward.outcomes.get("passed", 0)


# -- what people use today, on attacks that do no harm


def exit_code_pays(attack: dict) -> bool:
    """The program and assertions behind it in one process, whose exit code decides."""
    return _bare(attack["program"] + _assertions()).returncode == 0


def output_pays(attack: dict) -> bool:
    """The program and assertions behind it in one process, which prints that all passed."""
    return "PASSED" in _bare(f"{attack['program']}{_assertions()}\nprint('PASSED')").stdout


def exec_pays(attack: dict) -> bool:
    """`exec` of the program in the checker's own process, and a comparison there.

    The checker is a process of its own here alone, so that this benchmark survives it.
    """
    tests = [(test["call"], test["expected"]) for test in CALL_TESTS]
    checker = f"""
tests = {[{"call": call, "expected": expected} for call, expected in tests]!r}
namespace = {{}}
try:
    exec({attack["program"]!r}, namespace)
    passed = all(eval(test["call"], namespace) == test["expected"] for test in tests)
except Exception:
    passed = False
open("verdict", "w").write(str(bool(passed)))
"""
    with tempfile.TemporaryDirectory() as folder:
        _bare(checker, folder)
        verdict = Path(folder, "verdict")
        return verdict.exists() and verdict.read_text(encoding="utf-8") == "True"


NAIVE: dict[str, Callable[[dict], bool]] = {
    "exit_code": exit_code_pays,
    "printed_verdict": output_pays,
    "exec_in_process": exec_pays,
}


def _assertions() -> str:
    return "\n" + "\n".join(f"assert {test['call']} == {test['expected']}" for test in CALL_TESTS)


def _bare(source: str, folder: str = "/") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-I", "-c", source],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


# -- what a run costs


def overhead(level: Level, repeats: int) -> dict[str, float]:
    """Time a program in the sandbox beside one that a bare interpreter runs.

    Args:
        level: The level.
        repeats: How often to time each, in turn.

    Returns:
        The time of a program with one test, divided by that of one bare run; and that of one more
        test of the same program, divided by the same.
    """
    times: dict[str, list[float]] = {"bare": [], "program": [], "test": []}
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", ADD], input=b"1 2", capture_output=True, check=True)
        times["bare"].append(time.perf_counter() - start)
        start = time.perf_counter()
        with Sandbox(ADD, HONEST_LIMITS, level) as sandbox:
            sandbox.run(input=b"1 2")
            middle = time.perf_counter()
            sandbox.run(input=b"1 2")
            times["test"].append(time.perf_counter() - middle)
        times["program"].append(time.perf_counter() - start - times["test"][-1])
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        f"{level}_program_x_bare": _rounded(median["program"] / median["bare"]),
        f"{level}_test_x_bare": _rounded(median["test"] / median["bare"]),
    }


def rate(level: Level, programs: int) -> float:
    """Return how many programs of three tests are scored in a second, one thread a processor."""
    reward = CodeReward(HONEST_LIMITS, require=level)
    with only(level), ThreadPoolExecutor(os.cpu_count()) as pool:
        reward.warm_up()
        start = time.perf_counter()
        scores = pool.map(
            lambda _: reward("", fenced(ADD), [], [], tests=STDIN_TESTS), range(programs)
        )
        assert all(score == 1.0 for score in scores)
        return _rounded(programs / (time.perf_counter() - start))


def measure(load: Load) -> tuple[dict[str, float], dict[str, object]]:
    """Measure everything, on each level that this machine has.

    Args:
        load: How much.

    Returns:
        The figures by name, and what is stored beside them: the counts by kind, what each level
        contains, and what pays attacks today.
    """
    attacks = tomllib.loads((CASES / "attacks.toml").read_text("utf-8"))["attack"][:: load.every]
    programs = tomllib.loads((CASES / "honest.toml").read_text("utf-8"))["program"][:: load.every]
    safe = [case for case in attacks if case.get("safe") and case["task"] == "call"]
    figures: dict[str, float] = {
        "attacks": len(attacks),
        "kinds": len({attack["kind"] for attack in attacks}),
        "honest": len(programs),
        "harmless_attacks": len(safe),
    }
    tables: dict[str, object] = {"contained": {}, "isolation": {}, "missing": {}}
    for level in levels.LEVELS:
        try:
            isolation = measure_isolation(level)
        except RewardError as error:
            tables["missing"][level] = str(error)
            continue
        tables["isolation"][level] = vars(isolation)
        kinds = tables["contained"][level] = contained(attacks, level)
        figures[f"{level}_contained"] = sum(count for count, _ in kinds.values())
        figures[f"{level}_honest_paid"] = honest_paid(programs, level)
        figures |= overhead(level, load.repeats)
        figures[f"{level}_programs_a_second"] = rate(level, load.programs)
    for name, pays in NAIVE.items():
        figures[f"{name}_paid"] = sum(map(pays, safe))
    return figures, tables


def _rounded(ratio: float) -> float:
    return float(f"{ratio:.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.code_sandbox", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--small", action="store_true", help="a toy size, to try it out")
    options = parser.parse_args()
    figures, tables = measure(SMALL if options.small else Load())
    report(options, "code_sandbox", figures, **tables)


if __name__ == "__main__":
    main()

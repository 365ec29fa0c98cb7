"""How each adapter is proven: run its contract tests where its trainer is installed.

    python -m benchmarks.trainers           run them, and print the table
    python -m benchmarks.trainers --save    also store it in benchmarks/results/trainers.json

A file of contract tests says in its constant `PROOF` which trainer it is about and what it runs.
Those in `tests/trainers` run in the trainer's own environment (`tests/trainers/environments.py`),
those in `tests/adapters` hold an adapter to a signature that could be read, but not run here.
"""

import argparse
import ast
import re
import subprocess
import sys
from pathlib import Path

from benchmarks._run import RESULTS, save

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"


def proof_files() -> list[Path]:
    """The files of contract tests, those with a real trainer first."""
    real = sorted((TESTS / "trainers").glob("test_*_adapter.py"))
    documented = sorted((TESTS / "adapters").glob("test_*.py"))
    return real + [path for path in documented if proof(path)]


def proof(path: Path) -> dict[str, str | None]:
    """Read what a file of contract tests says of itself. Empty if it says nothing."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PROOF":
            return ast.literal_eval(node.value)
    return {}


def interpreter_of(path: Path) -> str:
    """The Python in which a file of contract tests runs. Its environment is made if need be."""
    from tests.trainers import environments

    name = path.stem.removeprefix("test_").removesuffix("_adapter")
    if path.parent.name == "trainers" and name in environments.names():
        return str(environments.interpreter(name))
    return sys.executable


def version_of(path: Path) -> str:
    """The version of the trainer that a file is about: the installed one, or the one read."""
    said = proof(path)
    if said["distribution"] is None:
        return said["version"]
    code = f"import importlib.metadata as m; print(m.version({said['distribution']!r}))"
    command = [interpreter_of(path), "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def claim(path: Path) -> dict[str, str | None]:
    """What a row of the table claims beside the run: the trainer, its version, what is run."""
    said = proof(path)
    row = {name: said[name] for name in ("trainer", "kind", "how")}
    return {**row, "version": version_of(path), "file": path.relative_to(ROOT).as_posix()}


def run(path: Path) -> int:
    """Run a file of contract tests.

    Returns:
        How many passed.

    Raises:
        RuntimeError: If one failed, was skipped, or none ran.
    """
    command = [interpreter_of(path), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    last = ran.stdout.strip().splitlines()[-1:] or [ran.stderr]
    passed = re.fullmatch(r"(\d+) passed(, \d+ warnings?)? in .*", last[0])
    if ran.returncode != 0 or passed is None:
        raise RuntimeError(f"{path.name} does not prove its adapter: {last[0]}\n{ran.stdout}")
    return int(passed[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help=f"store the table in {RESULTS.name}/")
    options = parser.parse_args()
    rows = []
    for path in proof_files():
        row = {**claim(path), "tests": run(path)}
        print(f"{row['trainer']:<12}{row['version']:<12}{row['tests']:>4} passed  {row['kind']}")
        rows.append(row)
    if options.save:
        save("trainers", {"trainers": rows})


if __name__ == "__main__":
    main()

"""Environments with one trainer each, beside the project's own packages.

    python tests/trainers/environments.py [NAME ...]

Each file `tests/trainers/NAME.txt` is one environment, `.cache/trainers/NAME`. The file pins, one
a line, what the trainer needs beyond the project's own environment, which the new one sees as well
(torch, transformers and all that is large are there once). To add a trainer, add its file.

Nothing is resolved: a pin is installed as it stands, and hides the project's version of a package
if it differs. What a trainer asks for and its checked path does not use may be left out.
"""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).parent
CACHE = ROOT / ".cache" / "trainers"


def names() -> list[str]:
    """Return the trainers that there are, in alphabetical order."""
    return sorted(path.stem for path in PINS.glob("*.txt"))


def interpreter(name: str) -> Path:
    """Return the Python that has a trainer. It is set up if it is not there or its pins changed.

    Args:
        name: The trainer.

    Returns:
        The interpreter of its environment.

    Raises:
        ValueError: If there is no such trainer.
        RuntimeError: If it cannot be set up. The message names the log.
    """
    if name not in names():
        raise ValueError(f"There is no trainer {name!r}. There are {', '.join(names())}.")
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / name
    made_of = folder / "made_of.json"
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests that run side by side need it once
        if not made_of.exists() or made_of.read_text("utf-8") != _ingredients(name):
            shutil.rmtree(folder, ignore_errors=True)
            _make(name, folder)
            made_of.write_text(_ingredients(name), "utf-8")
    return folder / "bin" / "python"


def _ingredients(name: str) -> str:
    pins = (PINS / f"{name}.txt").read_bytes()
    return json.dumps([hashlib.sha256(pins).hexdigest(), sys.version, _shared_folders()])


def _shared_folders() -> list[str]:
    return [str(ROOT), sysconfig.get_path("purelib")]


def _make(name: str, folder: Path) -> None:
    print(f"setting up: an environment with {name}", flush=True)
    log = CACHE / f"{name}.log"
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    with open(log, "w", encoding="utf-8") as output:
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], name, log, output)
        site = subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        )
        # Behind its own packages, the environment looks for those of the project.
        Path(site.strip(), "project.pth").write_text("\n".join(_shared_folders()), "utf-8")
        pins = ["--no-deps", "-r", str(PINS / f"{name}.txt")]
        _run([*pip, "install", "-q", *pins], name, log, output)


def _run(command: list[str], name: str, log: Path, output) -> None:
    ran = subprocess.run(command, stdout=output, stderr=output)
    if ran.returncode != 0:
        lines = log.read_text("utf-8").splitlines()
        reason = next((line for line in lines if "error" in line.lower()), "no reason given")
        raise RuntimeError(
            f"Could not set up the environment of {name}: {reason}\n"
            f"Read {log}. pip takes packages from where it is configured to look."
        )


if __name__ == "__main__":
    try:
        for chosen in sys.argv[1:] or names():
            interpreter(chosen)
    except (ValueError, RuntimeError) as problem:
        sys.exit(f"error: {problem}")

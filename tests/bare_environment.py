"""Environments with nothing in them, for tests of what a stranger gets.

Our own pip fills them from outside: Debian's Python has no ensurepip to put one in.
"""

import subprocess
import sys
from pathlib import Path


def make_environment(folder: Path) -> Path:
    """Make an empty environment. Returns its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def pip(python: Path, *arguments: str, cwd: Path | None = None) -> str:
    """Run pip for the environment of an interpreter. Returns what it prints."""
    command = [sys.executable, "-m", "pip", "--python", str(python), *arguments]
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

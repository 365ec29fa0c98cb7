"""What cannot be set up is one clear line, and the scripts leave nothing half done."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = (
    "bash",
    "dirname",
    "mkdir",
    "cat",
    "cksum",
    "env",
    "id",
    "grep",
    "tail",
    "rm",
    "uname",
    "cp",
)


@pytest.fixture
def machine(tmp_path):
    """A machine that has the basic tools and what a test puts into its bin folder."""
    project, bin_folder = tmp_path / "project", tmp_path / "bin"
    project.mkdir()
    bin_folder.mkdir()
    names = ("setup_env.sh", "build_all.sh", "test_all.sh", "constraints.txt", "pyproject.toml")
    for name in (*names, "package-lock.json"):
        shutil.copy(ROOT / name, project / name)
    for tool in TOOLS:
        (bin_folder / tool).symlink_to(shutil.which(tool))

    def install(name: str, script: str) -> None:
        (bin_folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (bin_folder / name).chmod(0o755)

    def run(command: str, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["bash", f"./{command}", *arguments],
            cwd=project,
            env={"PATH": str(bin_folder), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return install, run, project


COMMANDS = ("build_all.sh", "test_all.sh")
OLD_PYTHON = 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi'
# A Python that can do everything but make an environment.
NO_VENV = 'case "$*" in *sys.version_info*) exit 0;; *) exit 1;; esac'
# A Python whose environment has a pip that fails.
NO_PACKAGES = """case "$*" in
  *"-m venv"*) mkdir -p .venv/bin && cp "$0" .venv/bin/python;;
  *"pip install"*) echo "ERROR: no matching distribution found for torch" >&2; exit 1;;
  *"config list"*) echo "global.index-url='x'";;
  *) exit 0;;
esac"""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("python", "words"),
    [
        (None, "python3 is missing"),
        (OLD_PYTHON, "Python 3.9.2 is not supported: set PYTHON"),
        (NO_VENV, "could not make .venv: install venv and pip"),
        (NO_PACKAGES, "no matching distribution found for torch"),
    ],
)
def test_what_cannot_be_set_up_is_one_clear_line(command, python, words, machine):
    install, run, project = machine
    if python:
        install("python3", python)
    ran = run(command)
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert not (project / ".venv/state").exists()


def test_a_missing_npm_says_what_to_install(machine):
    install, run, project = machine
    install("python3", NO_PACKAGES.replace("exit 1", "exit 0"))
    ran = run("build_all.sh")
    assert ran.returncode == 1
    [line] = ran.stderr.splitlines()
    assert line == "error: npm is missing: install it (Debian: sudo apt-get install npm)"
    assert not (project / ".venv/state").exists()


def test_two_runs_in_one_folder_do_not_meet(machine):
    install, run, project = machine
    install("flock", f'exec {shutil.which("flock")} "$@"')
    (project / ".cache").mkdir()
    with (project / ".cache/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ran = run("build_all.sh")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: another ./build_all.sh or ./test_all.sh runs")
    assert len(ran.stderr.splitlines()) == 1


def test_an_unknown_option_is_refused_before_anything_is_set_up(machine):
    _, run, project = machine
    ran = run("build_all.sh", "--sevre")
    assert ran.returncode == 2
    assert ran.stderr == "usage: ./build_all.sh [--serve [--port N]]\n"
    assert not (project / ".venv").exists()

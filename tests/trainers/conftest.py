"""What the tests of all trainers need: the examples, and a judge that plays a script."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reference_impl.judge.testing.scripted_server import ScriptedServer

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def examples():
    """The folder of the examples, from where they can be imported during the tests of a module."""
    sys.path.insert(0, str(EXAMPLES))
    yield EXAMPLES
    sys.path.remove(str(EXAMPLES))


@pytest.fixture
def no_judge(monkeypatch):
    """An environment that names no judge."""
    for name in [name for name in os.environ if name.startswith("JUDGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def start_judge(no_judge, monkeypatch):
    """Start a judge that plays a script, and name it in the environment, with more settings."""
    with contextlib.ExitStack() as stack:

        def start(script, **settings):
            server = stack.enter_context(ScriptedServer(script, latency_seconds=0.1))
            settings = {"base_url": server.base_url, "model": "scripted", **settings}
            for name, value in settings.items():
                monkeypatch.setenv(f"JUDGE_{name.upper()}", str(value))
            return server

        yield start


@pytest.fixture
def smoke_run(no_judge):
    """Run the smoke run of an example, with the interpreter of these tests. Returns its lines."""

    def run(script):
        command = [sys.executable, "-W", "ignore", str(EXAMPLES / script), "--smoke"]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    return run

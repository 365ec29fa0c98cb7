"""The attacks and the honest programs, and whether a sandbox left something behind."""

import json
import os
import socket
import threading
import time
import tomllib
import uuid
from pathlib import Path

import pytest

from reference_impl.rules.code import sandbox
from reference_impl.rules.code.error import SandboxError
from reference_impl.rules.code.levels import best_level

HERE = Path(__file__).parent
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


def attacks():
    return tomllib.loads((HERE / "attacks.toml").read_text("utf-8"))["attack"]


def honest():
    return tomllib.loads((HERE / "honest.toml").read_text("utf-8"))["program"]


def fenced(program):
    return f"Here is a program.\n\n```python\n{program}\n```\n"


@pytest.fixture(params=["namespaces", "limits"])
def level(request, monkeypatch):
    """Each level in turn; the one above it is as if it were missing."""
    if request.param == "limits":
        monkeypatch.setattr("reference_impl.rules.code.levels.LEVELS", ("limits",))
    else:
        try:
            best_level("namespaces")
        except SandboxError as error:
            pytest.skip(str(error))
    return request.param


@pytest.fixture
def nothing_left(monkeypatch):
    """Hand out a function that says which processes of this test's sandboxes are alive."""
    mark = f"# {uuid.uuid4().hex}\n"
    monkeypatch.setattr(sandbox, "_DRIVER", sandbox._DRIVER + mark)

    def alive():
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if mark.encode() in command and state not in "ZX":
                found.append(folder.name)
        return found

    def wait_until_nothing_is_left():
        deadline = time.monotonic() + 10
        while alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        return not alive()

    return wait_until_nothing_is_left


@pytest.fixture
def surroundings(tmp_path_factory):
    """What attacks reach for: a file of tests, a folder, a server. Yields them and what came in."""
    folder = tmp_path_factory.mktemp("writable")
    for part in (folder, folder.parent):
        part.chmod(0o777)
    file = folder / "tests.json"
    file.write_text(json.dumps(STDIN_TESTS), encoding="utf-8")
    file.chmod(0o666)
    came_in = []
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                connection, address = server.accept()
            except OSError:
                return
            came_in.append(address)
            connection.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    values = {
        "@PORT@": str(server.getsockname()[1]),
        "@FILE@": str(file),
        "@FOLDER@": str(folder),
        "@PID@": str(os.getpid()),
    }
    yield values, came_in
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)

"""The command that serves: it starts, refuses to, drains and ends as it says."""

import asyncio
import contextlib
import http.client
import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import critic_processes
import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticLoadError, CriticUnavailableError, InvalidScoreError
from reference_impl.critic.service.client import CriticClient

pytestmark = pytest.mark.slow  # each service imports torch

DEADLINE = 120


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("critic")
    return tiny_models.save_tiny_critic(folder, num_key_value_heads=2, head_dim=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder whose path is short enough for a socket."""
    folder = tmp_path_factory.getbasetemp().parent / f"s{os.getpid()}"
    folder.mkdir()
    return folder


@contextlib.contextmanager
def running(*arguments, **environment):
    """A service, killed at the end if it still runs."""
    process = critic_processes.start_service(*arguments, **environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def address_of(process):
    """Where a service listens, by what it prints first."""
    line = process.stderr.readline()
    assert line.startswith("Listening at "), line + process.stderr.read()
    return line.split()[2].rstrip(".")


def ready(process):
    client = CriticClient(address_of(process), timeout_seconds=DEADLINE)
    client.warm_up()
    return client


@pytest.fixture(scope="module")
def shared(model, folder):
    """A service at a socket that the tests of this file share, and what asks it."""
    with running("--model", model, "--socket", folder / "shared.sock") as process:
        client = ready(process)
        yield client
        client.close()


def refusal(*arguments, **environment):
    """What the command prints when it refuses to start."""
    command = [sys.executable, "-m", "reference_impl.critic.serve", *map(str, arguments)]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        cwd=critic_processes.ROOT,
        env={**os.environ, **environment},
    )
    assert ran.returncode in (1, 2)
    assert "Traceback" not in ran.stderr
    return " ".join(ran.stderr.split())


def test_the_service_scores_as_the_critic_does(shared, model):
    from reference_impl.critic.critic import Critic

    samples = [(f"What is {i // 4} + 2?", "So it is " + "4 " * (i % 4)) for i in range(32)]
    with torch.inference_mode():
        expected = Critic(CriticConfig(str(model))).score(samples).tolist()
    assert shared.score(samples) == pytest.approx(expected, abs=1e-4)


def test_calls_from_64_threads_share_passes(shared):
    before = shared.stats()
    with ThreadPoolExecutor(64) as pool:
        scores = list(
            pool.map(lambda i: shared(f"What is {i // 8}?", f"It is {i % 8}.", [], []), range(256))
        )
    after = shared.stats()
    assert all(map(math.isfinite, scores))
    assert after["scored"] - before["scored"] == 256
    assert after["passes"] - before["passes"] < 128
    one_by_one = [shared(f"What is {i // 8}?", f"It is {i % 8}.", [], []) for i in range(16)]
    assert scores[:16] == pytest.approx(one_by_one, abs=1e-4)


def test_a_lone_surrogate_is_scored(shared):
    assert math.isfinite(shared("\ud800", "a\udfff", [], []))


def test_other_users_cannot_connect(shared):
    assert os.stat(shared.address.removeprefix("unix:")).st_mode & 0o777 == 0o600


def test_a_socket_in_use_is_refused_and_its_service_lives_on(shared, model):
    path = shared.address.removeprefix("unix:")
    assert f"A service is running at {path}" in refusal("--model", model, "--socket", path)
    assert math.isfinite(shared("p", "c", [], []))


def test_a_file_that_is_no_socket_is_not_removed(model, folder):
    (folder / "notes.txt").write_text("mine")
    words = refusal("--model", model, "--socket", folder / "notes.txt")
    assert "is no socket" in words
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--model", "/no/such/model", "--port", "0"], "There is no folder /no/such/model"),
        (["--port", "0"], "REWARD_MODEL_PATH is not set"),
        (["--config", "{", "--port", "0"], "not JSON"),
        (["--config", '{"model": "m", "trust": 1}', "--port", "0"], "must be a JSON object"),
        (["--model", "m"], "one of the arguments --socket --port is required"),
        (["--model", "m", "--port", "0", "--host", "0.0.0.0"], "Add --allow-remote"),
        (["--model", "m", "--port", "0", "--host", "example.org"], "Add --allow-remote"),
        (["--model", "m", "--port", "70000"], "from 0 to 65535"),
        (["--model", "m", "--port", "0", "--idle-seconds", "0"], "--idle-seconds"),
        (["--model", "m", "--socket", "/tmp/" + "x" * 120], "103 bytes at most"),
        (["--model", "m", "--socket", "/no/such/folder/x.sock"], "cannot listen"),
    ],
)
def test_a_wrong_argument_is_refused(arguments, words):
    assert words in refusal(*arguments, REWARD_MODEL_PATH="")


def test_a_port_in_use_is_refused(model):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = refusal("--model", model, "--port", port)
    assert f"127.0.0.1 port {port}: Address already in use" in words


def test_help_names_every_option():
    command = [sys.executable, "-m", "reference_impl.critic.serve", "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=critic_processes.ROOT)
    assert ran.returncode == 0
    for option in ("--model", "--config", "--socket", "--port", "--host", "--allow-remote"):
        assert option in ran.stdout


def test_a_model_that_does_not_load_ends_the_service_with_the_reason(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with running("--model", tmp_path, "--port", 0) as process:
        with pytest.raises((CriticLoadError, CriticUnavailableError)):
            CriticClient(address_of(process), timeout_seconds=60).warm_up()
        assert process.wait(DEADLINE) == 1
        assert "The critic cannot be loaded: " in process.stderr.read()


def test_sigterm_lets_what_waits_be_answered_and_exits_with_0(model, folder):
    path = folder / "term.sock"
    with running("--model", model, "--socket", path) as process:
        client = ready(process)
        samples = [(f"p{i}", "x " * 400) for i in range(200)]
        scores = []
        caller = threading.Thread(target=lambda: scores.extend(client.score(samples)))
        caller.start()
        with contextlib.closing(CriticClient(client.address)) as watcher:
            while not watcher.stats()["passes"]:
                pass
        process.send_signal(signal.SIGTERM)
        caller.join()
        assert process.wait(DEADLINE) == 0
    assert len(scores) == 200 and all(map(math.isfinite, scores))
    assert not path.exists()


def test_sigterm_while_the_model_loads_exits_with_0(model):
    with running("--model", model, "--port", 0) as process:
        address_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0


def test_a_service_that_nobody_is_connected_to_ends_and_one_with_a_connection_does_not(
    model, folder
):
    path = folder / "idle.sock"
    with running("--model", model, "--socket", path, "--idle-seconds", 1.5) as process:
        client = ready(process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(6)  # its connection is open
        client.close()
        assert process.wait(DEADLINE) == 0
    assert not path.exists()


def test_a_killed_service_can_be_started_again_at_its_socket(model, folder):
    path = folder / "killed.sock"
    with running("--model", model, "--socket", path) as process:
        client = ready(process)
        before = client("p", "c", [], [])
        process.kill()
        process.wait()
    assert path.exists()
    with running("--model", model, "--socket", path):
        assert client("p", "c", [], []) == before
        client.close()


def test_a_score_that_is_nan_is_an_error_of_its_sample_alone(model, tmp_path):
    for name in os.listdir(model):
        (tmp_path / name).write_bytes((model / name).read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    # Tokens so rare that the check of the weights at load does not meet them.
    rare = tiny_models.tiny_tokenizer().encode("天空", add_special_tokens=False)
    weights["model.embed_tokens.weight"][rare] = math.nan
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with running("--port", 0, REWARD_MODEL_PATH=str(tmp_path)) as process:
        client = ready(process)
        with pytest.raises(InvalidScoreError):
            client("p", "天空", [], [])
        good, bad = client.score([("p", "c"), ("q", "天空")], on_failure="skip")
        assert math.isfinite(good) and math.isnan(bad)
        assert client.stats()["failures"] == {"invalid_score": 2}
        client.close()


def test_coroutines_share_passes(shared):
    before = shared.stats()["passes"]

    async def run():
        calls = (asyncio.to_thread(shared, "What is 2 + 2?", str(i), [], []) for i in range(64))
        return await asyncio.gather(*calls)

    assert len(set(asyncio.run(run()))) > 32
    assert shared.stats()["passes"] - before < 64


def test_the_service_answers_plain_http(shared):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(shared.address.removeprefix("unix:"))
    body = json.dumps({"samples": [{"prompt": "p", "completion": "c"}]})
    connection.request("POST", "/score", body)
    with connection.getresponse() as response:
        assert response.status == 200
        assert math.isfinite(json.loads(response.read())["scores"][0])
    connection.request("GET", "/nothing")
    with connection.getresponse() as response:
        assert response.status == 404
    connection.close()

"""The example for Ray Serve, as it stands: a real Ray, real replicas, and one of them killed."""

import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import tiny_models

pytest.importorskip("ray")

from reference_impl.contract import InvalidSampleError
from reference_impl.critic.critic import Critic
from reference_impl.critic.error import CriticUnavailableError
from reference_impl.critic.service.client import CriticClient

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "examples/critic_ray_serve.py"
REFUSES_TOOLS = (
    "{% for message in messages %}{% if message['role'] == 'tool' %}"
    "{{ raise_exception('no tools here') }}{% endif %}{% endfor %}"
)
SAMPLES = [
    (f"What is {number} + 2?", f"It is {number + shift}.")
    for number in range(8)
    for shift in (1, 2, 30)
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The folder of a small critic whose chat template refuses the role `tool`."""
    folder = tmp_path_factory.mktemp("critic")
    tiny_models.save_tiny_critic(folder, num_key_value_heads=2)
    tiny_models.tiny_tokenizer(REFUSES_TOOLS + tiny_models.CHATML).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def scores(model):
    """What the critic itself says of `SAMPLES`."""
    return Critic(str(model)).score(SAMPLES).tolist()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, SCRIPT, *map(str, arguments)],
        cwd=ROOT,
        env={name: os.environ[name] for name in os.environ if not name.startswith("REWARD_MODEL_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments):
    process = start(*arguments)
    try:
        output, errors = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # it ends its Ray with itself
        raise
    return process.returncode, output, errors


@pytest.fixture(scope="module")
def served(model):
    """The example while it serves: its process, and a client. Later, Ctrl-C has to end it."""
    port = free_port()
    process = start("--model", model, "--port", port)
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    line = process.stdout.readline()
    watchdog.cancel()
    assert line.startswith("ready"), process.communicate()[1]
    family = psutil.Process(process.pid).children(recursive=True)
    yield process, CriticClient(f"http://127.0.0.1:{port}", timeout_seconds=30)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()  # had it not ended
    assert process.returncode == 0, errors
    assert not psutil.wait_procs(family, timeout=10)[1]


def test_smoke_prints_the_scores_and_ends(model):
    code, output, errors = run("--model", model, "--port", free_port(), "--smoke")
    assert code == 0, errors
    expected = Critic(str(model)).score(
        [("What is 2 + 2?", "2 + 2 = 4."), ("What is 2 + 2?", "2 + 2 = 5.")]
    )
    printed = [line.split(maxsplit=1) for line in output.splitlines()]
    assert [text for _, text in printed] == ["'2 + 2 = 4.'", "'2 + 2 = 5.'", "'I do not know.'"]
    assert [float(score) for score, _ in printed[:2]] == pytest.approx(expected.tolist(), abs=1e-3)


@pytest.mark.parametrize(
    "arguments, problem",
    [
        (["--model", "x", "--replicas", "3", "--max-replicas", "2"], "--max-replicas no less"),
        ([], "REWARD_MODEL_PATH is not set"),
    ],
)
def test_a_wrong_argument_is_named_before_ray_starts(arguments, problem):
    code, _, errors = run(*arguments)
    assert code == 2
    assert problem in errors
    assert "Ray instance" not in errors


def replicas(process):
    return [
        child
        for child in psutil.Process(process.pid).children(recursive=True)
        if "ServeReplica" in " ".join(child.cmdline())
    ]


def test_the_scores_are_the_critics_own(served, scores):
    _, client = served
    assert client.score(SAMPLES) == pytest.approx(scores, abs=1e-5)


def test_calls_at_the_same_time_share_passes(served, scores):
    _, client = served
    before = client.stats()
    with ThreadPoolExecutor(24) as threads:
        rewards = list(threads.map(lambda sample: client(*sample, [], []), SAMPLES * 4))
    assert rewards == pytest.approx(scores * 4, abs=1e-5)
    after = client.stats()
    samples = after["scored"] - before["scored"]
    assert samples == len(SAMPLES) * 4
    assert after["passes"] - before["passes"] < samples / 2


def test_a_bad_sample_is_an_error_and_harms_no_neighbour(served, scores):
    _, client = served
    bad = ([{"role": "tool", "content": "x"}], "4")
    mixed = client.score([SAMPLES[0], bad, SAMPLES[1]], on_failure="skip")
    assert math.isnan(mixed[1])
    assert [mixed[0], mixed[2]] == pytest.approx(scores[:2], abs=1e-5)
    with pytest.raises(InvalidSampleError, match="no tools here"):
        client.score([SAMPLES[0], bad])


def test_a_killed_replica_comes_back(served, scores):
    process, client = served
    [replica] = replicas(process)
    os.kill(replica.pid, signal.SIGKILL)
    psutil.wait_procs([replica], timeout=10)
    # Until Ray knows, it may send a request to the dead one, which is then lost, with an error.
    deadline = time.monotonic() + 40
    while True:
        try:
            answer = client.score(SAMPLES)
            break
        except CriticUnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert answer == pytest.approx(scores, abs=1e-5)
    assert [child.pid for child in replicas(process)] != [replica.pid]

"""critic_reward_fn starts one service for all who call it, and survives the loss of it."""

import asyncio
import contextlib
import json
import logging
import math
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import critic_processes
import processes
import pytest
import tiny_models

from reference_impl import AsyncRewardWrapper, check_conformance
from reference_impl.contract import InvalidSampleError, RewardError
from reference_impl.critic import reward
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import (
    CriticConfigError,
    CriticLoadError,
    CriticUnavailableError,
)
from reference_impl.critic.reward import critic_reward_fn
from reference_impl.critic.service import launch
from reference_impl.critic.service.launch import Launcher, private_folder

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.slow,  # each service imports torch
]

SAMPLE = {"prompt": "What is 2 + 2?", "completions": "4", "prompt_ids": [1], "completion_ids": [2]}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("critic")
    return tiny_models.save_tiny_critic(folder, num_key_value_heads=2, head_dim=8)


@pytest.fixture(scope="module")
def module_world(model):
    with _world(model) as mark:
        yield mark


@contextlib.contextmanager
def _world(model):
    """An environment with its own folder for sockets, its own services, and the tiny model."""
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory(prefix="cr") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", None)  # read TMPDIR again
        patch.setenv(processes.MARK, mark)
        patch.setenv("REWARD_MODEL_PATH", str(model))
        patch.setenv("PYTHONPATH", str(critic_processes.ROOT))
        reward._client.cache_clear()
        yield mark
        reward._client.cache_clear()
        critic_processes.kill(critic_processes.services(mark))


@pytest.fixture
def world(model):
    """A world of one test. Gives the mark of its processes."""
    with _world(model) as mark:
        yield mark


@pytest.fixture
def shared(module_world):
    """The world that the tests which break nothing share."""
    return module_world


def score(number, completion="4"):
    return critic_reward_fn(f"What is {number} + 2?", completion, [], [])


def run_callers(method, number):
    command = [sys.executable, str(Path(__file__).parent / "callers.py"), method, str(number)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


# One service for all. The tests in order of what they cost: first those that share one.


def test_the_reward_keeps_the_contract(shared):
    report = check_conformance(critic_reward_fn, SAMPLE, deadline=120)
    assert report.passed, str(report)
    assert check_conformance(
        "reference_impl.critic.reward.critic_reward_fn", SAMPLE, deadline=120
    ).passed
    assert len(critic_processes.services(shared)) == 1


def test_columns_are_never_settings(shared, caplog):
    before = critic_reward_fn.ignored_columns().get("model_path", 0)
    plain = critic_reward_fn(**SAMPLE)
    columns = {"model_path": "/evil", "trust_remote_code": True, "device": "cuda", "answer": "4"}
    with caplog.at_level(logging.WARNING):
        assert [critic_reward_fn(**SAMPLE, **columns) for _ in range(3)] == [plain] * 3
    assert critic_reward_fn.ignored_columns()["model_path"] == before + 3
    assert "answer" not in critic_reward_fn.ignored_columns()
    assert sum("'trust_remote_code'" in message for message in caplog.messages) <= 1
    assert len(critic_processes.services(shared)) == 1


def test_a_pickle_of_it_is_itself(shared):
    assert pickle.loads(pickle.dumps(critic_reward_fn)) is critic_reward_fn
    assert critic_reward_fn.__name__ == "critic_reward_fn"


def test_bad_samples_raise_and_harm_nobody(shared):
    with pytest.raises(InvalidSampleError):
        critic_reward_fn("p", None, [], [])
    messages = [{"role": "user", "content": "What is 2 + 2?"}]
    assert critic_reward_fn(messages, "4", [], []) == pytest.approx(score(2), abs=1e-4)


def test_it_works_in_the_async_wrapper(shared):
    async def run():
        async with AsyncRewardWrapper(critic_reward_fn, 60, 2) as wrapper:
            return await asyncio.gather(*(wrapper(f"p{i}", "c", [], []) for i in range(20)))

    assert all(map(math.isfinite, asyncio.run(run())))
    assert len(critic_processes.services(shared)) == 1


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_works_in_a_process_pool_that_imports_no_torch(shared, method):
    answer = run_callers(method, 4)
    assert len(answer["scores"]) == 4 and all(map(math.isfinite, answer["scores"]))
    assert answer["heavy"] == []
    assert len(critic_processes.services(shared)) == 1


def test_a_running_service_can_be_named(shared, monkeypatch):
    expected = score(1)
    address = reward._client()[0].address
    monkeypatch.setenv("CRITIC_SERVICE_URL", address)
    monkeypatch.delenv("REWARD_MODEL_PATH")
    reward._client.cache_clear()
    try:
        assert score(1) == expected
    finally:
        reward._client.cache_clear()


@pytest.mark.parametrize(
    "variable, value",
    [
        ("REWARD_MODEL_PATH", ""),
        ("REWARD_MODEL_NAME", "x"),
        ("CRITIC_SERVICE_URL", "localhost"),
        ("CRITIC_TIMEOUT_SECONDS", "soon"),
        ("CRITIC_TIMEOUT_SECONDS", "-1"),
        ("CRITIC_LOAD_TIMEOUT_SECONDS", "inf"),
    ],
)
def test_a_wrong_setting_is_named(shared, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    reward._client.cache_clear()
    try:
        with pytest.raises(CriticConfigError, match=variable):
            score(1)
    finally:
        reward._client.cache_clear()


def test_64_processes_that_start_together_start_one_service(world):
    command = [sys.executable, "-c", "from callers import score; print(score(1))"]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{critic_processes.ROOT}:{Path(__file__).parent}",
        "CRITIC_TIMEOUT_SECONDS": "200",
    }
    callers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(64)
    ]
    scores = [float(caller.communicate(timeout=300)[0]) for caller in callers]
    assert len(scores) == 64 and max(scores) - min(scores) < 1e-4
    assert len(critic_processes.services(world)) == 1
    assert reward._client()[0].stats()["scored"] == 64, "another service has scored some"


# What breaks


def test_a_service_that_is_killed_under_load_is_started_again_and_no_call_is_lost(world):
    critic_reward_fn.warm_up()
    [first] = critic_processes.services(world)
    answered = threading.Semaphore(0)
    results = []

    def calls(thread):
        for i in range(8):
            try:
                results.append(score(f"{thread} {i}", "x " * 50))
            except RewardError as error:
                results.append(error)
            answered.release()

    threads = [threading.Thread(target=calls, args=(i,)) for i in range(32)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        answered.acquire()
    os.kill(first, signal.SIGKILL)
    for thread in threads:
        thread.join()
    assert len(results) == 256
    assert [result for result in results if isinstance(result, RewardError)] == []
    [second] = critic_processes.services(world)
    assert second != first


def test_a_service_that_is_killed_while_it_loads_is_started_again(world):
    scores = []
    callers = [threading.Thread(target=lambda: scores.append(score(1))) for _ in range(8)]
    for caller in callers:
        caller.start()
    folder = Path(tempfile.gettempdir()) / f"critic-service-{os.getuid()}"
    assert processes.eventually(lambda: list(folder.glob("*.sock")), 60)
    [first] = critic_processes.services(world)
    os.kill(first, signal.SIGKILL)
    for caller in callers:
        caller.join()
    assert len(scores) == 8
    assert critic_processes.services(world).isdisjoint({first})


def test_a_load_that_fails_says_why_and_the_next_call_tries_again(world, model, tmp_path):
    broken = tmp_path / "model"
    broken.mkdir()
    (broken / "config.json").write_text("{}")
    os.environ["REWARD_MODEL_PATH"] = str(broken)
    results = []

    def call():
        try:
            results.append(score(1))
        except RewardError as error:
            results.append(error)

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert {type(result) for result in results} == {CriticLoadError}
    assert all("holds no weights" in str(result) for result in results)
    shutil.copytree(model, broken, dirs_exist_ok=True)
    assert processes.eventually(lambda: not critic_processes.services(world), 60)
    assert math.isfinite(score(1))


def test_a_load_that_takes_too_long_ends_at_its_deadline(world, monkeypatch):
    monkeypatch.setenv("CRITIC_LOAD_TIMEOUT_SECONDS", "0.5")
    start = time.monotonic()
    with pytest.raises(CriticUnavailableError, match=r"not ready in 0.5 s"):
        score(1)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o701])
def test_a_folder_that_others_can_use_is_refused(world, mode):
    private_folder().chmod(mode)
    with pytest.raises(CriticUnavailableError, match="this user alone"):
        score(1)


def test_a_link_to_another_folder_is_refused(world, tmp_path):
    private_folder().rmdir()
    private_folder_path = Path(tempfile.gettempdir()) / f"critic-service-{os.getuid()}"
    private_folder_path.symlink_to(tmp_path)
    with pytest.raises(CriticUnavailableError, match="this user alone"):
        score(1)


def test_too_long_a_path_is_refused(world, tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with pytest.raises(CriticUnavailableError, match="TMPDIR names too long a path"):
        score(1)


def test_nothing_stays_behind_when_the_last_caller_is_gone(world, monkeypatch):
    monkeypatch.setattr(launch, "IDLE_SECONDS", 1.0)
    score(1)
    assert len(critic_processes.services(world)) == 1
    reward._client()[0].close()
    assert processes.eventually(lambda: not critic_processes.services(world), 60)


def test_each_configuration_has_a_socket_of_its_own_wherever_it_is_called_from(
    world, model, monkeypatch
):
    paths = {
        Launcher(CriticConfig(str(model))).path(),
        Launcher(CriticConfig(str(model), steps="sigmoid")).path(),
        Launcher(CriticConfig("org/name")).path(),
    }
    assert len(paths) == 3
    monkeypatch.chdir(model.parent)
    assert Launcher(CriticConfig(model.name)).path() in paths


def test_the_service_outlives_who_started_it_and_the_group_of_that(world):
    code = "from callers import score; score(1); import os; os.killpg(0, 9)"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{critic_processes.ROOT}:{Path(__file__).parent}",
    }
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, start_new_session=True, timeout=200
    )
    assert ran.returncode == -signal.SIGKILL
    [service] = critic_processes.services(world)
    assert math.isfinite(score(1))
    assert critic_processes.services(world) == {service}

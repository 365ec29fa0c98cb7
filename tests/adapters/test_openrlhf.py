"""The shape that OpenRLHF calls, and the server. OpenRLHF itself: test_openrlhf_adapter.py."""

import asyncio
import json
import pickle
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.adapters import openrlhf_server, versions
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.openrlhf import OpenRLHFReward
from reference_impl.adapters.versions import UnprovenVersionError
from reference_impl.compose import AsyncGate, ComponentError, Gate
from reference_impl.contract import GuardedReward, InvalidSampleError
from reference_impl.rules import exact_match_reward_fn
from reference_impl.runtime import BlockingReward


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def twice(prompt, completions, prompt_ids, completion_ids, **columns):
    return 2 * float(completions)


GATE = Gate(("number", number), ("twice", twice), threshold=0.0, below=-5.0)
JUDGED = AsyncGate(("number", slow_number), ("twice", twice), threshold=0.0, below=-5.0)
KINDS = ["synchronous", "awaited", "blocking"]


def seen(prompt, completions, prompt_ids, completion_ids, **columns):
    """Raise what it was called with."""
    raise LookupError(prompt, completions, prompt_ids, completion_ids, columns)


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_batch_becomes_rewards_and_a_failure_its_number(reward_fn):
    reward = OpenRLHFReward(reward_fn, on_failure=-1)
    expected = {
        "rewards": [4.0, -1.0, -1.0, -1.0],
        "scores": [4.0, -1.0, -1.0, -1.0],
        "extra_logs": {"failed": [0.0, 1.0, 1.0, 0.0]},
    }
    batch = (["2+2?4", "2+2?four", "2+2?nan", "2+2?-1"], ["2+2?"] * 4, ["4"] * 4)
    assert reward(*batch) == expected
    assert asyncio.run(reward.score(*batch)) == expected
    assert reward.guarded.counts.failures == {"exception:ValueError": 2, "invalid_reward": 2}


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_an_error_is_raised_by_default(reward_fn):
    reward = OpenRLHFReward(reward_fn)
    with pytest.raises(ValueError, match="could not convert"):
        reward(["2+2?four"], ["2+2?"], ["4"])
    with pytest.raises(ValueError, match="could not convert"):
        asyncio.run(reward.score(["2+2?four"], ["2+2?"], ["4"]))


@given(st.text(), st.text())
def test_what_follows_the_prompt_is_the_completion(prompt, completion):
    with pytest.raises(LookupError) as raised:
        OpenRLHFReward(seen)([prompt + completion], [prompt], ["4"])
    assert raised.value.args == (prompt, completion, [], [], {"answer": "4"})


@pytest.mark.parametrize(
    ("query", "prompt", "problem"),
    [
        ("2 + 2?", " 2 + 2?", "does not begin with the prompt"),
        (None, "2 + 2?", "`queries` is None"),
        ("2 + 2?", ["2"], "`prompts` is a list"),
    ],
)
def test_a_query_that_cannot_be_cut_is_a_failure(query, prompt, problem):
    with pytest.raises(InvalidSampleError, match=problem):
        OpenRLHFReward(number)([query], [prompt], ["4"])
    assert OpenRLHFReward(number, -1.0)([query], [prompt], ["4"])["rewards"] == [-1.0]


def test_the_label_comes_under_the_name_of_a_column():
    reward = OpenRLHFReward(seen, answer_column="gold")
    with pytest.raises(LookupError) as raised:
        reward(["2+2?4"], ["2+2?"], [{"value": 4}])
    assert raised.value.args[-1] == {"gold": {"value": 4}}
    other = OpenRLHFReward(exact_match_reward_fn, 0.0, answer_column="gold")
    with pytest.raises(MissingColumnError, match="`answer`"):
        other(["2+2?4"], ["2+2?"], ["4"])


def test_an_empty_batch_and_unequal_lengths():
    reward = OpenRLHFReward(number)
    assert reward([], [], []) == {"rewards": [], "scores": [], "extra_logs": {"failed": []}}
    with pytest.raises(ValueError, match="`labels` is of length 1"):
        reward(["a4", "a5"], ["a", "a"], ["4"])


def test_a_wrong_reward_or_policy_is_refused_when_the_adapter_is_made():
    with pytest.raises(TypeError, match="guarded already"):
        OpenRLHFReward(GuardedReward(number))
    with pytest.raises(TypeError, match=r"the signature is `\(prompt, completions"):
        OpenRLHFReward(lambda queries, prompts, labels: {})
    with pytest.raises(ValueError, match="OpenRLHF cannot leave a sample out"):
        OpenRLHFReward(number, on_failure="skip")


def test_a_version_that_was_not_proven_is_refused(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: "0.12.0")
    with pytest.raises(UnprovenVersionError, match=r"openrlhf 0\.12\.0"):
        OpenRLHFReward(number)


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_copy_pickles_with_its_settings_and_counts_from_zero(reward_fn):
    reward = OpenRLHFReward(reward_fn, -1.0, "gold")
    reward(["afour"], ["a"], ["4"])
    copy = pickle.loads(pickle.dumps(reward))
    assert (copy.__name__, copy.guarded.counts.calls) == (reward_fn.__name__, 0)
    assert copy(["afour"], ["a"], ["4"])["rewards"] == [-1.0]


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_threads_may_share_it(reward_fn):
    reward = OpenRLHFReward(reward_fn, 0.0)
    with ThreadPoolExecutor(8) as pool:
        said = [str(n) if n % 3 else "?" for n in range(60)]
        answers = list(pool.map(lambda text: reward([text], [""], [""]), said))
    assert [a["rewards"] for a in answers] == [[float(n if n % 3 else 0)] for n in range(60)]
    assert [a["extra_logs"]["failed"] for a in answers] == [[float(n % 3 == 0)] for n in range(60)]


@pytest.mark.parametrize("composite", [GATE, JUDGED, BlockingReward(JUDGED)], ids=KINDS)
def test_a_composite_logs_each_component_and_where_it_was_scored(composite):
    reward = OpenRLHFReward(composite, on_failure=-9)
    expected = {
        "rewards": [4.0, -5.0, -9.0],
        "scores": [4.0, -5.0, -9.0],
        "extra_logs": {
            "failed": [0.0, 0.0, 1.0],
            "reward/number": [2.0, -1.0, 0.0],
            "scored/number": [1.0, 1.0, 0.0],
            "reward/twice": [4.0, 0.0, 0.0],
            "scored/twice": [1.0, 0.0, 0.0],
        },
    }
    batch = (["2+2?2", "2+2?-1", "2+2?four"], ["2+2?"] * 3, ["4"] * 3)
    for copy in (reward, pickle.loads(pickle.dumps(reward))):
        assert copy(*batch) == expected
        assert asyncio.run(copy.score(*batch)) == expected
        assert copy.guarded.counts.failures == {"exception:ValueError": 2}
    with serving(reward) as send:
        assert send(request_of(["2", "-1", "four"])) == (200, expected)
    with pytest.raises(ComponentError, match="`number` failed"):
        OpenRLHFReward(composite)(*batch)


@contextmanager
def serving(reward):
    """Serve a reward from a thread. Yields a function that sends a body."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(openrlhf_server.make_app(reward), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()

    def send(body, path="get_reward"):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", data, 60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    try:
        yield send
    finally:
        server.should_exit = True
        thread.join(60)
        listener.close()


def request_of(completions):
    size = len(completions)
    return {
        "query": [f"2+2?{said}" for said in completions],
        "prompts": ["2+2?"] * size,
        "labels": ["4"] * size,
    }


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_the_server_answers_what_the_reward_does(reward_fn):
    with serving(OpenRLHFReward(reward_fn, -1.0)) as send:
        assert send(request_of(["4", "four"])) == (
            200,
            {"rewards": [4.0, -1.0], "scores": [4.0, -1.0], "extra_logs": {"failed": [0.0, 1.0]}},
        )
        assert send(None, "ready") == (200, {"reward": reward_fn.__name__})


def test_the_server_says_what_is_wrong_and_goes_on(monkeypatch):
    monkeypatch.setattr(openrlhf_server, "MAX_BODY_BYTES", 10_000)
    bad = [
        (b"{", 400, "The body is no JSON"),
        (b"\xff", 400, "The body is no JSON"),
        (b"[" * 9000, 400, "The body is no JSON"),
        ([], 400, "a list each for `query`, `prompts`, `labels`"),
        ({"query": ["4"], "prompts": [""]}, 400, "a list each"),
        ({**request_of(["4"]), "labels": []}, 400, "`query` 1, `prompts` 1, `labels` 0"),
        (request_of(["4" * 20_000]), 413, "larger than 10000 bytes"),
        (request_of(["four"]), 500, "ValueError: could not convert"),
        ({**request_of(["4"]), "query": [4]}, 500, "`queries` is of type int"),
    ]
    with serving(OpenRLHFReward(number)) as send:
        for body, status, problem in bad:
            code, answer = send(body)
            assert (code, problem in answer["error"]) == (status, True), answer
        assert send(request_of(["4"]))[1]["rewards"] == [4.0]


def test_the_server_says_that_a_column_is_missing(caplog):
    def needs_level(prompt, completions, prompt_ids, completion_ids, level, **columns):
        return 0.0

    with serving(OpenRLHFReward(needs_level, 0.0)) as send:
        code, answer = send(request_of(["4"]))
    assert code == 500
    assert "`level`" in answer["error"]
    assert "`level`" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["math.dis"], "Did you mean `dist`?"),
        (["math.dist"], "is no reward function of the contract"),
        (["reference_impl.exact_match_reward_fn", "--on-failure=skip"], "cannot leave a sample"),
        (["reference_impl.exact_match_reward_fn", "--port=70000"], "--port"),
    ],
)
def test_the_command_refuses_what_is_wrong(arguments, problem, capsys):
    with pytest.raises(SystemExit) as ended:
        openrlhf_server.main(arguments)
    assert ended.value.code == 2
    assert problem in capsys.readouterr().err


def test_the_command_says_that_a_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit, match=rf"Cannot listen at 127\.0\.0\.1 port {port}"):
            openrlhf_server.main(["reference_impl.exact_match_reward_fn", "--port", port])


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_with_zero(ending):
    command = [sys.executable, "-m", "reference_impl.adapters.openrlhf_server", "--port", "0"]
    with subprocess.Popen(
        [*command, "reference_impl.exact_match_reward_fn"], stdout=subprocess.PIPE, text=True
    ) as process:
        name, _, url = process.stdout.readline().strip().partition(" at ")
        assert name == "exact_match_reward_fn"
        body = json.dumps({"query": ["2+2?#### 4"], "prompts": ["2+2?"], "labels": ["4"]})
        with urllib.request.urlopen(url, body.encode(), 60) as answer:
            assert json.load(answer)["rewards"] == [1.0]
        process.send_signal(ending)
        assert process.wait(timeout=60) == 0

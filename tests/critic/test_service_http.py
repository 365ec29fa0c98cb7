"""A client and a service on a real socket: every sample gets its score or the error that it is."""

import contextlib
import json
import math
import os
import pickle
import re
import socket
import socketserver
import subprocess
import sys
import threading

import critic_processes
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_impl.contract import GuardedReward, InvalidSampleError
from reference_impl.critic.counts import CriticCounts
from reference_impl.critic.error import (
    CriticLoadError,
    CriticOverloadedError,
    CriticUnavailableError,
    InvalidScoreError,
)
from reference_impl.critic.service import wire
from reference_impl.critic.service.address import make_connection
from reference_impl.critic.service.client import CriticClient
from reference_impl.runtime import RemoteRewardError

pytestmark = pytest.mark.slow  # each starts a service, and many wait for a deadline


class FakeCritic:
    """Scores a completion by its length, and fails as a completion says."""

    def __init__(self):
        self.entered = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.may_load = threading.Event()
        self.may_load.set()
        self.load_error = None
        self.seen = []

    def load(self):
        assert self.may_load.wait(30)
        if self.load_error:
            raise self.load_error

    def score_each(self, samples, token_ids):
        self.entered.set()
        assert self.open.wait(30)
        self.seen += [(*sample, ids) for sample, ids in zip(samples, token_ids, strict=True)]
        outcomes = []
        for _, completion in samples:
            if completion == "out of memory" and len(samples) > 1:
                raise MemoryError("too many at once")
            if completion == "raise":
                raise RuntimeError("a template fault \ud800\n")
            is_nan = completion == "nan"
            outcomes.append(InvalidScoreError("It is nan.") if is_nan else float(len(completion)))
        return outcomes

    @property
    def counts(self):
        return CriticCounts(samples=len(self.seen), truncated=7)


@pytest.fixture
def critic():
    critic = FakeCritic()
    yield critic
    critic.open.set()
    critic.may_load.set()


@pytest.fixture
def address(critic, tmp_path_factory):
    # pytest's own folder is too long a path for a socket
    path = tmp_path_factory.getbasetemp().parent / f"critic-{os.getpid()}.sock"
    with critic_processes.served(critic, path, max_waiting=300) as address:
        yield address


@pytest.fixture
def client(address):
    client = CriticClient(address, timeout_seconds=30)
    yield client
    client.close()


def post(address, body, path="/score"):
    connection = make_connection(address)
    connection.timeout = 30
    connection.request("POST", path, body)
    with connection.getresponse() as response:
        answer = response.status, response.read(), dict(response.getheaders())
    connection.close()
    return answer


def call(client, completion, prompt="2 + 2?"):
    return client(prompt, completion, [], [])


def in_threads(work, number):
    """Run some work in threads, each with its number. Returns the results or errors in order."""
    results = [None] * number

    def one(index):
        try:
            results[index] = work(index)
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


# What is scored


def test_a_call_returns_a_float(client):
    assert call(client, "four") == 4.0
    assert type(call(client, "four")) is float


def test_many_samples_come_back_in_order_over_several_requests(client):
    samples = [(f"p{i}", "x" * (i % 90)) for i in range(2 * wire.MAX_SAMPLES + 3)]
    assert client.score(samples) == [float(i % 90) for i in range(len(samples))]
    assert client.score([]) == []


def test_64_threads_share_passes_and_each_gets_its_own_score(client, critic):
    critic.open.clear()
    opener = threading.Thread(target=lambda: (critic.entered.wait(30), critic.open.set()))
    opener.start()
    results = in_threads(lambda i: [call(client, "x" * (i + j)) for j in range(5)], 64)
    opener.join()
    assert results == [[float(i + j) for j in range(5)] for i in range(64)]
    stats = client.stats()
    assert (stats["scored"], stats["waiting"], stats["truncated"]) == (320, 0, 7)
    assert stats["passes"] < 160, "one sample a pass would be no batching"


def test_texts_arrive_as_they_were(client, critic):
    texts = ["", "\0", "\ud800", "a\udfffb", "\u202e", '"\\', "天空", "😀", "\r\n"]
    messages = [{"role": "user", "content": "\ud83d"}, {"role": "tool", "content": "", "name": "x"}]
    client.score([(text, text) for text in texts] + [(messages, "end")])
    expected = [(text, text, None) for text in texts] + [(messages, "end", None)]
    assert sorted(critic.seen, key=repr) == sorted(expected, key=repr)


def test_token_ids_arrive(client, critic):
    client("p", "c", [1, 2], [3])
    client("p", "c", [1, 2], [])
    assert critic.seen == [("p", "c", ([1, 2], [3])), ("p", "c", None)]


# What fails


def test_a_failed_sample_harms_no_neighbour(client):
    completions = ["xy", "nan", "raise", "xyz", "out of memory"]
    scores = client.score([("p", text) for text in completions], on_failure="skip")
    assert [scores[0], scores[3], scores[4]] == [2.0, 3.0, 13.0]
    assert math.isnan(scores[1]) and math.isnan(scores[2])
    assert client.stats()["failures"] == {"exception:RuntimeError": 1, "invalid_score": 1}


def test_an_error_arrives_as_what_it_was(client):
    with pytest.raises(InvalidScoreError, match="It is nan"):
        call(client, "nan")
    with pytest.raises(RemoteRewardError, match="RuntimeError: a template fault") as caught:
        call(client, "raise")
    assert caught.value.reason == "exception:RuntimeError"


def test_a_guard_counts_failures_by_their_reason(client):
    guarded = GuardedReward(client, on_failure=-1.0)
    assert [guarded("p", text, [], []) for text in ("nan", "raise", None, "x")] == [
        -1.0,
        -1.0,
        -1.0,
        1.0,
    ]
    assert guarded.counts.failures == {
        "exception:RuntimeError": 1,
        "invalid_sample": 1,
        "invalid_score": 1,
    }


def test_a_number_takes_the_place_of_a_failed_score(client):
    samples = [("p", "x"), ("p", "nan"), ("p", None)]
    assert client.score(samples, on_failure=-2) == [1.0, -2.0, -2.0]


@pytest.mark.parametrize(
    "prompt, completion, ids",
    [
        (None, "c", None),
        (b"p", "c", None),
        ("p", ["c"], None),
        ([{"role": "user"}], "c", None),
        (["text"], "c", None),
        ([{"role": "user", "content": "p", "x": {1, 2}}], "c", None),
        ([{"role": "user", "content": "p", "x": math.nan}], "c", None),
        ("p", "c", ([1], ["2"])),
        ("p", "c", ([True], [2])),
        ("p", "c" * (wire.MAX_BODY_BYTES + 1), None),
    ],
)
def test_a_sample_of_the_wrong_form_is_refused_before_it_is_sent(prompt, completion, ids):
    with pytest.raises(InvalidSampleError):
        CriticClient("unix:/nowhere", 30).score([(prompt, completion)], [ids])


def test_samples_too_large_for_one_request_go_in_several(client):
    text = "x" * (wire.MAX_BODY_BYTES // 3)
    assert client.score([("p", text)] * 4) == [float(len(text))] * 4


# Overload and deadlines


def test_a_full_service_is_asked_again_until_there_is_room(client, critic):
    critic.open.clear()
    first = threading.Thread(target=call, args=(client, "first"))
    first.start()
    assert critic.entered.wait(30)
    others = threading.Thread(target=client.score, args=([("p", "x")] * 250,))
    others.start()
    while client.stats()["waiting"] != 250:
        pass
    late = []
    third = threading.Thread(target=lambda: late.extend(client.score([("p", "late")] * 100)))
    third.start()
    while not client.stats()["refused"]:
        pass
    critic.open.set()
    for thread in (first, others, third):
        thread.join()
    assert late == [4.0] * 100


def test_a_full_service_says_so_when_the_time_is_over(address, client, critic):
    critic.open.clear()
    blocked = threading.Thread(target=client.score, args=([("p", "x")] * 256,))
    first = threading.Thread(target=call, args=(client, "first"))
    first.start()
    assert critic.entered.wait(30)
    blocked.start()
    while client.stats()["waiting"] != 256:
        pass
    with pytest.raises(CriticOverloadedError, match="256 samples wait"):
        CriticClient(address, timeout_seconds=0.3).score([("p", "x")] * 100)
    status, body, headers = post(
        address, json.dumps({"samples": [{"prompt": "p", "completion": "c"}] * 100})
    )
    assert status == 503
    assert json.loads(body)["error"]["reason"] == "critic_overloaded"
    assert headers["retry-after"] == "1"
    critic.open.set()
    first.join()
    blocked.join()


def test_a_call_ends_at_its_deadline_and_its_sample_is_dropped(address, client, critic):
    critic.open.clear()
    first = threading.Thread(target=call, args=(client, "first"))
    first.start()
    assert critic.entered.wait(30)
    with pytest.raises(CriticUnavailableError, match="did not get to"):
        call(CriticClient(address, timeout_seconds=0.2), "late")
    body = json.dumps({"samples": [{"prompt": "p", "completion": "late"}], "timeout_seconds": 0.05})
    assert post(address, body)[0] == 504
    critic.open.set()
    first.join()
    assert call(client, "next") == 4.0
    assert [completion for _, completion, _ in critic.seen] == ["first", "next"]


def test_a_client_that_disconnects_frees_its_place(address, client, critic):
    critic.open.clear()
    first = threading.Thread(target=call, args=(client, "first"))
    first.start()
    assert critic.entered.wait(30)
    connection = make_connection(address)
    body = wire.write_request([wire.write_sample(wire.Sample("p", "gone"))], 30)
    connection.request("POST", "/score", body)
    while client.stats()["waiting"] != 1:
        pass
    connection.close()
    while client.stats()["waiting"] != 0:
        pass
    critic.open.set()
    first.join()
    assert [completion for _, completion, _ in critic.seen] == ["first"]


def test_a_service_that_does_not_answer_costs_no_more_than_the_deadline(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        client = CriticClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=0.2)
        with pytest.raises(CriticUnavailableError, match="No critic service answered"):
            call(client, "x")


# Loading


def test_a_service_that_loads_says_so_and_is_asked_again(critic, tmp_path_factory):
    critic.may_load.clear()
    path = tmp_path_factory.getbasetemp().parent / f"loading-{os.getpid()}.sock"
    with critic_processes.served(critic, path) as address:
        status, _, headers = post(address, b"{}")
        assert (status, headers["retry-after"]) == (503, "1")
        connection = make_connection(address)
        connection.request("GET", "/health")
        with connection.getresponse() as response:
            assert response.status == 503
            assert json.loads(response.read())["state"] == "loading"
        connection.close()
        with pytest.raises(CriticUnavailableError, match="is loading"):
            call(CriticClient(address, timeout_seconds=0.2), "x")
        threading.Timer(0.1, critic.may_load.set).start()
        client = CriticClient(address, timeout_seconds=30)
        client.warm_up()
        assert call(client, "four") == 4.0
        client.close()


def test_a_model_that_does_not_load_is_an_error_of_every_call(critic, tmp_path_factory):
    critic.load_error = OSError("no such weights")
    path = tmp_path_factory.getbasetemp().parent / f"failing-{os.getpid()}.sock"
    with critic_processes.served(critic, path) as address:
        client = CriticClient(address, timeout_seconds=30)
        for act in (client.warm_up, lambda: call(client, "x")):
            with pytest.raises(CriticLoadError, match="OSError: no such weights"):
                act()
        client.close()


# Requests that no client of ours sends

GOOD = {"prompt": "p", "completion": "c"}


@pytest.mark.parametrize(
    "request_, words",
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"samples": [], "timeout_seconds": NaN}', "not JSON"),
        (b'{"samples": [], "timeout_seconds": 1' + b"0" * 5000 + b"}", "not JSON"),
        ([], "not a JSON object"),
        ({}, "`samples` is missing"),
        ({"samples": "x"}, "`samples` is missing"),
        ({"samples": [], "model": "m"}, "unknown field"),
        ({"samples": [GOOD] * 257}, "256 at most"),
        ({"samples": [GOOD, "x"]}, r"samples\[1\]: It is not a JSON object"),
        ({"samples": [{**GOOD, "trust_remote_code": True}]}, "unknown field"),
        ({"samples": [{"prompt": "p"}]}, r"samples\[0\]: `completion` is None"),
        ({"samples": [{**GOOD, "prompt": 3}]}, "`prompt` is of type int"),
        ({"samples": [{**GOOD, "prompt_ids": [1]}]}, "token ids"),
        ({"samples": [{**GOOD, "prompt_ids": [1], "completion_ids": [-1]}]}, "token ids"),
        ({"samples": [{**GOOD, "prompt_ids": [1], "completion_ids": [1.5]}]}, "token ids"),
        ({"samples": [], "timeout_seconds": 0}, "timeout_seconds"),
        ({"samples": [], "timeout_seconds": True}, "timeout_seconds"),
        ({"samples": [], "timeout_seconds": "1"}, "timeout_seconds"),
    ],
)
def test_a_malformed_request_is_refused_with_its_fault(address, client, request_, words):
    body = request_ if isinstance(request_, bytes) else json.dumps(request_)
    status, answer, _ = post(address, body)
    error = json.loads(answer)["error"]
    assert (status, error["reason"]) == (400, "invalid_sample")
    assert re.search(words, error["message"])
    assert call(client, "four") == 4.0


def test_a_request_that_is_too_large_is_refused(address, client):
    connection = make_connection(address)
    connection.connect()
    connection.sock.settimeout(30)
    connection.sock.sendall(
        b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % 2**40
    )
    with contextlib.suppress(OSError):  # the service does not wait for the rest
        for _ in range(200):
            connection.sock.sendall(b"x" * 2**20)
        pytest.fail("it took 200 MiB")
    assert connection.sock.recv(100).startswith(b"HTTP/1.1 413 ")
    connection.close()
    assert call(client, "four") == 4.0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SAMPLES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            key: JSON | st.lists(st.integers(0, 9), max_size=2)
            for key in ("prompt", "completion", "prompt_ids", "completion_ids")
        },
    ),
    max_size=3,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.binary(max_size=60).map(bytes)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"samples": SAMPLES | JSON}, optional={"timeout_seconds": JSON}).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_whatever_is_sent_is_answered_with_scores_or_a_reason(address, body):
    status, answer, _ = post(address, body)
    answer = json.loads(answer)
    if status == 200:
        assert all(isinstance(score, float | int | dict) for score in answer["scores"])
    else:
        assert (status, answer["error"]["reason"]) in {
            (400, "invalid_sample"),
            (504, "critic_unavailable"),
        }


# The client


def test_a_client_pickles_and_survives_a_fork(client):
    assert call(client, "four") == 4.0  # it has an open connection now
    copy = pickle.loads(pickle.dumps(client))
    assert (copy.address, copy.timeout_seconds) == (client.address, 30)
    assert call(copy, "four") == 4.0
    copy.close()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(call(client, "child")).encode())
        finally:
            os._exit(0)
    os.close(write)
    parent = [call(client, "four") for _ in range(20)]
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"5.0"
    os.close(read)
    assert parent == [4.0] * 20


def test_connections_are_kept_and_shared(client):
    in_threads(lambda _: call(client, "x"), 8)
    in_threads(lambda _: call(client, "x"), 8)
    assert 1 <= len(client._idle) <= 8


def test_a_client_finds_a_service_that_was_restarted(critic, tmp_path_factory):
    path = tmp_path_factory.getbasetemp().parent / f"again-{os.getpid()}.sock"
    client = CriticClient(f"unix:{path}", timeout_seconds=30)
    with critic_processes.served(critic, path):
        assert call(client, "one") == 3.0
    scores = []
    waiting = threading.Thread(target=lambda: scores.append(call(client, "three")))
    waiting.start()
    with critic_processes.served(critic, path):
        waiting.join()
        client.close()
    assert scores == [5.0]


def test_a_call_that_ends_the_service_each_time_gives_up(tmp_path_factory):
    class Closes(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(10)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Closes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = CriticClient(f"http://127.0.0.1:{server.server_address[1]}", 60)
        with pytest.raises(CriticUnavailableError, match="lost again and again"):
            call(client, "x")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("sent", [b"", b'{"scores"'])
def test_an_answer_that_is_cut_off_is_asked_for_again(sent):
    whole, connections = b'{"scores": [5.0]}', []

    class CutsTheFirst(socketserver.StreamRequestHandler):
        def handle(self):
            connections.append(self)
            while self.rfile.readline().strip():
                pass
            answer = sent if len(connections) == 1 else whole
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole))
            self.wfile.write(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), CutsTheFirst) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = CriticClient(f"http://127.0.0.1:{server.server_address[1]}", 30)
        assert call(client, "x") == 5.0
        assert len(connections) == 2
        client.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("answer", [b"hello", b'{"scores": [1, 2]}', b'{"scores": ["x"]}', b"[]"])
def test_another_server_is_recognized(answer):
    class Answers(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
            )

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = CriticClient(f"http://127.0.0.1:{server.server_address[1]}", 10)
        with pytest.raises(CriticUnavailableError, match="no critic service"):
            call(client, "x")
        client.close()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/path",
        "unix:",
        "unix://host/path",
        "http://",
        "http://h",
        "https://h:1",
        "http://h:x",
        "http://h:1/path",
    ],
)
def test_a_wrong_address_is_refused(address):
    with pytest.raises(ValueError, match="no address"):
        CriticClient(address)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, True])
def test_a_wrong_timeout_is_refused(seconds):
    with pytest.raises(ValueError, match="timeout_seconds"):
        CriticClient("unix:/x", seconds)


def test_the_client_needs_nothing_but_the_standard_library():
    code = (
        "import sys; known = set(sys.modules)\n"
        "import reference_impl.critic.service.client, reference_impl.critic.reward\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - known}\n"
        "foreign = new - set(sys.stdlib_module_names) - {'reference_impl', '__mp_main__'}\n"
        "assert not foreign, foreign\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=critic_processes.ROOT)

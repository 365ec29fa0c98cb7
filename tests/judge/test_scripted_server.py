"""The scripted server does what its script says, in the bytes that a client sees."""

import http.client
import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from reference_impl.judge.testing.scripted_server import (
    Answer,
    CutBody,
    Garbage,
    Hang,
    Reset,
    ScriptedServer,
    SlowDrip,
    Status,
)

REQUEST = {"model": "judge", "messages": [{"role": "user", "content": "two words"}]}


class Line:
    """One connection to a server."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=10)

    def post(self, body=REQUEST, path="/v1/chat/completions"):
        data = body if isinstance(body, str) else json.dumps(body)
        self.connection.request("POST", path, data, {"X-Test": "Yes"})
        return self.connection.getresponse()

    def ask(self, **fields):
        return json.load(self.post(REQUEST | fields))


def test_steps_are_played_in_order_over_one_connection_and_the_last_repeats():
    with ScriptedServer([Answer("first"), Status(500), Answer("last")]) as server:
        line = Line(server)
        assert line.ask()["choices"][0]["message"]["content"] == "first"
        failed = line.post()
        assert failed.status == 500
        assert json.load(failed)["error"]["code"] == 500
        assert [line.ask()["choices"][0]["message"]["content"] for _ in range(2)] == ["last"] * 2
        assert [request.body for request in server.requests] == [REQUEST] * 4
        assert server.requests[0].headers["x-test"] == "Yes"
        assert server.most_in_flight == 1


def test_an_answer_has_the_documented_format():
    with ScriptedServer([Answer("one two three", "length", {" No": -2.0, "Yes": -0.5})]) as server:
        answer = Line(server).ask(logprobs=True, top_logprobs=1)
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "judge"
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    (choice,) = answer["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"] == {"role": "assistant", "content": "one two three", "refusal": None}
    (first,) = choice["logprobs"]["content"]
    assert [other["token"] for other in first["top_logprobs"]] == ["Yes"]
    assert first["token"] == "Yes"


def test_every_answer_has_an_id_of_its_own():
    with ScriptedServer([Answer("the same")]) as server:
        line = Line(server)
        assert line.ask()["id"] != line.ask()["id"]


def test_log_probabilities_and_usage_can_be_left_out():
    with ScriptedServer([Answer("x", logprobs={"x": -1.0}, usage=False)]) as server:
        answer = Line(server).ask()
    assert answer["choices"][0]["logprobs"] is None
    assert "usage" not in answer


def test_a_function_makes_the_step_for_a_request():
    with ScriptedServer(lambda body: Answer(body["model"].upper())) as server:
        assert Line(server).ask()["choices"][0]["message"]["content"] == "JUDGE"


@pytest.mark.parametrize("script", [lambda body: 1 / 0, ["no step"]])
def test_a_script_that_is_wrong_shows(script):
    with ScriptedServer(script) as server:
        answer = Line(server).post()
        assert answer.status == 500
        assert b"the server failed" in answer.read()


def test_what_is_no_chat_completion_is_not_played():
    with ScriptedServer([Answer("x")]) as server:
        line = Line(server)
        assert line.post(path="/v1/embeddings").read() and server.requests == []
        assert line.post("{no JSON").status == 500


def test_headers_and_bodies_of_a_status():
    with ScriptedServer([Status(429, {"Retry-After": "7"}, {"detail": "slow down"})]) as server:
        answer = Line(server).post()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert json.load(answer) == {"detail": "slow down"}


def test_faults_look_as_they_are_named():
    with ScriptedServer([Garbage(), CutBody()]) as server:
        line = Line(server)
        garbage = line.post()
        assert (garbage.status, garbage.read()[:6]) == (200, b"<html>")
        with pytest.raises(http.client.IncompleteRead):
            line.post().read()
    with ScriptedServer([Reset()]) as server, pytest.raises(ConnectionResetError):
        Line(server).post()
    with ScriptedServer([SlowDrip("drop by drop", 0.0001)]) as server:
        assert Line(server).ask()["choices"][0]["message"]["content"] == "drop by drop"


def test_a_hung_request_is_in_flight_until_the_client_hangs_up():
    with ScriptedServer([Hang(), Answer("x")]) as server:
        hung = Line(server)
        hung.connection.request("POST", "/v1/chat/completions", json.dumps(REQUEST))
        hung.connection.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            hung.connection.getresponse()
        line = Line(server)
        line.ask()
        assert server.most_in_flight == 2
        hung.connection.sock.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 10
        while server._in_flight and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server._in_flight == 0


def test_requests_at_the_same_time_are_counted():
    with ScriptedServer([Answer("x")], latency_seconds=0.3) as server:
        threads = [threading.Thread(target=lambda: Line(server).ask()) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.most_in_flight == 5


def test_closing_hangs_up_and_a_server_can_start_again():
    server = ScriptedServer([Hang()]).start()
    line = Line(server)
    line.connection.request("POST", "/v1/chat/completions", json.dumps(REQUEST))
    deadline = time.monotonic() + 10
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    server.close()
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        line.connection.getresponse()
    server.script = [Answer("x")]
    with server:
        assert Line(server).ask()


def test_an_empty_script_and_a_missing_start_are_errors():
    with pytest.raises(ValueError, match="no step"):
        ScriptedServer([])
    with pytest.raises(RuntimeError, match="Start it"):
        _ = ScriptedServer([Answer("x")]).base_url

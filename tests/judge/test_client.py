"""The client ends every call in time: with an answer, or with a failure that is counted."""

import asyncio
import contextlib
import logging
import math
import multiprocessing
import pickle
import subprocess
import sys
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from reference_impl.contract.error import InvalidSampleError, RewardError
from reference_impl.judge import retry
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.completion import Completion
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.error import (
    CircuitOpenError,
    JudgeBudgetError,
    JudgeConfigError,
    JudgeRefusedError,
    JudgeTimeoutError,
    JudgeUnavailableError,
    UnparsableVerdictError,
)
from reference_impl.judge.retry import retry_after_seconds
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

KEY = "sk-not-to-be-seen"
HELLO = [{"role": "user", "content": "two words"}]
GENEROUS = 30  # seconds; a deadline of these tests that is meant to be far away


@pytest.fixture(autouse=True)
def short_waits(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.005)


@pytest.fixture
def serve():
    """Starts servers, and stops them after the test."""
    started = []

    def start(script, latency_seconds=0.0):
        started.append(ScriptedServer(script, latency_seconds).start())
        return started[-1]

    yield start
    for server in started:
        server.close()


def client_of(server, **chosen):
    chosen = {"deadline_seconds": GENEROUS, "api_key": KEY} | chosen
    return JudgeClient(JudgeConfig(base_url=server.base_url, model="judge", **chosen))


def ask(client, messages=HELLO, *args, **options):
    async def call():
        async with client:
            return await client.complete(messages, *args, **options)

    return asyncio.run(call())


def probability(client, *args, **options):
    async def call():
        async with client:
            return await client.yes_probability(HELLO, *args, **options)

    return asyncio.run(call())


def gather(client, calls):
    """Run calls at the same time. Return what each returned or raised."""

    async def run():
        async with client:
            return await asyncio.gather(*(call() for call in calls), return_exceptions=True)

    return asyncio.run(run())


class Inner(BaseModel):
    default: int = 3


class SampleVerdict(BaseModel):
    reason: str
    is_correct: bool = False
    inner: Inner = Inner()


# --- What is sent ---------------------------------------------------------------------------


def test_a_request_says_what_the_settings_say(serve):
    server = serve([Answer("fine")])
    sampling = {"temperature": 0.5, "top_p": 0.9, "seed": 7, "max_tokens": 50}
    client = client_of(server, **sampling, extra_body={"top_k": 3})
    assert ask(client, vote=2) == "fine"
    (request,) = server.requests
    expected = {"model": "judge", "messages": HELLO, "top_k": 3}
    assert request.body == expected | sampling | {"seed": 9}
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_settings_for_another_server_are_not_sent_to_this_one(serve, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-another")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-another")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    server = serve([Answer("fine")])
    ask(client_of(server))
    assert "another" not in str(server.requests[0].headers)


@pytest.mark.parametrize("structured", ["json_schema", "json_object", "none"])
def test_the_schema_is_asked_for_as_the_server_understands_it(serve, structured):
    server = serve([Answer("{}")])
    ask(client_of(server, structured=structured), HELLO, SampleVerdict)
    sent = server.requests[0].body.get("response_format")
    if structured == "none":
        assert sent is None
    elif structured == "json_object":
        assert sent == {"type": "json_object"}
    else:
        assert sent["json_schema"]["name"] == "SampleVerdict"
        assert sent["json_schema"]["strict"] is True
        schema = sent["json_schema"]["schema"]
        for part, names in (
            (schema, ["reason", "is_correct", "inner"]),
            (schema["$defs"]["Inner"], ["default"]),
        ):
            assert part["additionalProperties"] is False
            assert part["required"] == names == list(part["properties"])
            assert all("default" not in prop for prop in part["properties"].values())


def test_any_text_can_be_sent(serve):
    server = serve([Answer("fine")])
    text = "\ud800 \x00 \u202e {} 判"
    ask(client_of(server), [{"role": "user", "content": text}])
    assert server.requests[0].body["messages"][0]["content"] == text.replace("\ud800", "?")


def test_a_message_that_is_no_text_is_a_counted_failure(serve):
    client = client_of(serve([Answer("fine")]))
    with pytest.raises(InvalidSampleError, match="content"):
        ask(client, [{"role": "user", "content": None}])
    assert client.usage.failures == {"invalid_sample": 1}


# --- What comes back ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer('{"verdict": "corr', finish_reason="length"), "cut off"),
        (Answer(None, refusal="I cannot help with that."), "refuses"),
        (Answer("half of it", finish_reason="content_filter"), "filter"),
        (Answer(""), "empty"),
        (Answer(" \n"), "empty"),
        (Answer(None), "empty"),
    ],
)
def test_an_answer_that_is_not_whole_is_unparsable_and_not_asked_for_again(serve, answer, words):
    server = serve([answer])
    client = client_of(server)
    with pytest.raises(UnparsableVerdictError, match=words):
        ask(client)
    assert len(server.requests) == 1
    assert client.usage.failures == {"unparsable": 1}
    assert client.usage.prompt_tokens == 2  # it was paid for all the same


@pytest.mark.parametrize(
    "fault",
    [
        Status(408),
        Status(409),
        Status(429),
        Status(500),
        Status(502),
        Status(503),
        Status(504),
        Reset(),
        CutBody(),
        Garbage(),
        Garbage(""),
        Garbage("[" * 100_000),
        Garbage("x" * (5 * 2**20)),
        Status(200, body={"object": "error", "message": "a 200 that is none"}),
        Status(200, body={"choices": []}),
        Status(200, body={"choices": [{"message": {"content": 7}}]}),
        Status(200, body=[]),
        Status(200, {"Content-Encoding": "gzip"}, "no gzip"),
        Status(204, body=""),
    ],
    ids=lambda fault: repr(fault)[:60],
)
def test_what_another_attempt_may_cure_is_tried_again(serve, fault):
    server = serve([fault, fault, Answer("fine")])
    client = client_of(server)
    assert ask(client) == "fine"
    usage = client.usage
    assert (usage.calls, usage.attempts, usage.retries, usage.failed) == (1, 3, 2, 0)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 405, 413, 422, 301, 307])
def test_a_refusal_is_final_and_quotes_the_server(serve, code):
    body = {"error": {"message": "The model `judge` does not exist."}}
    server = serve([Status(code, {"Location": "/v1/elsewhere"}, body)])
    client = client_of(server, breaker_failures=1)
    for _ in range(2):  # a refusal opens no circuit
        with pytest.raises(JudgeRefusedError, match=f"{code}.*does not exist"):
            ask(client)
    assert len(server.requests) == 2
    assert client.usage.failures == {"judge_refused": 2}


@pytest.mark.parametrize("code", [501, 505, 529])
def test_other_failures_of_the_server_are_not_tried_again(serve, code):
    client = client_of(serve([Status(code)]))
    with pytest.raises(JudgeUnavailableError, match=str(code)):
        ask(client)
    assert client.usage.attempts == 1


def test_attempts_end(serve):
    client = client_of(serve([Status(500)]), max_attempts=3)
    with pytest.raises(JudgeUnavailableError, match=r"attempts: 3.*500"):
        ask(client)
    assert client.usage.attempts == 3


def test_a_server_that_is_not_there_is_unavailable():
    server = ScriptedServer([Answer("fine")]).start()
    server.close()
    with pytest.raises(JudgeUnavailableError, match="lost the connection"):
        ask(client_of(server, max_attempts=2))


# --- Waits and the deadline -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("header", "asked", "seconds"), [("Retry-After", "1", 1), ("retry-after-ms", "200", 0.2)]
)
def test_a_wait_that_the_server_asks_for_is_kept(serve, header, asked, seconds):
    client = client_of(serve([Status(429, {header: asked}), Answer("fine")]))
    start = time.monotonic()
    assert ask(client) == "fine"
    assert time.monotonic() - start >= seconds


@pytest.mark.parametrize(
    "asked",
    ["3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)],
    ids=["seconds", "date"],  # a time in a name would differ between the workers of pytest
)
def test_a_wait_beyond_the_deadline_fails_at_once(serve, asked):
    client = client_of(serve([Status(503, {"Retry-After": asked})]))
    start = time.monotonic()
    with pytest.raises(JudgeUnavailableError, match="after the deadline"):
        ask(client)
    assert time.monotonic() - start < GENEROUS / 2


def test_a_date_is_read_as_a_date():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert retry_after_seconds({"retry-after": "Thu, 01 Jan 2026 00:00:05 GMT"}, now) == 5
    assert retry_after_seconds({"retry-after": "Wed, 31 Dec 2025 00:00:00 GMT"}, now) == 0
    assert retry_after_seconds({"retry-after": "9" * 400}) == float("inf")


@settings(max_examples=50)
@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, \d+ Jan \d+ \d+:\d+:\d+ ?\w*")))
def test_any_header_is_a_wait_or_none(asked):
    seconds = retry_after_seconds({"retry-after": asked, "retry-after-ms": asked})
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize("step", [Hang(), SlowDrip("too slow", 0.1)])
def test_the_deadline_ends_a_call_however_the_server_dawdles(serve, step):
    client = client_of(serve([step]), deadline_seconds=0.3)
    start = time.monotonic()
    with pytest.raises(JudgeTimeoutError, match=r"0\.3 s.*under way"):
        ask(client)
    assert 0.3 <= time.monotonic() - start < 10
    assert client.usage.failures == {"judge_timeout": 1}


def test_a_slow_answer_that_comes_in_time_is_an_answer(serve):
    assert ask(client_of(serve([SlowDrip("fine", 0.0005)]))) == "fine"


def test_waiting_for_a_place_is_in_the_deadline(serve):
    server = serve([Hang()])
    client = client_of(server, concurrency=1, deadline_seconds=0.3)
    results = gather(client, [lambda: client.complete(HELLO)] * 5)
    assert [type(result) for result in results] == [JudgeTimeoutError] * 5
    # The place comes free as the first call ends, and another's last moment may be a bit later.
    assert len(server.requests) <= 2
    assert sum("waited for its turn" in str(result) for result in results) >= 3


# --- The circuit ----------------------------------------------------------------------------


def test_a_broken_server_is_left_alone_and_probed(serve):
    server = serve([Status(500)] * 4 + [Answer("fine")])
    client = client_of(server, breaker_failures=4, breaker_seconds=0.5, max_attempts=4)
    with pytest.raises(JudgeUnavailableError):
        ask(client)
    start = time.monotonic()
    with pytest.raises(CircuitOpenError, match="500"):
        ask(client)
    assert time.monotonic() - start < 0.4
    assert len(server.requests) == 4
    time.sleep(0.5)
    assert ask(client) == "fine"
    assert client.usage.failures == {"circuit_open": 1, "judge_unavailable": 1}


def test_a_hung_server_opens_the_circuit(serve):
    client = client_of(serve([Hang()]), breaker_failures=2, deadline_seconds=0.2)
    results = gather(client, [lambda: client.complete(HELLO)] * 2)
    assert {type(result) for result in results} == {JudgeTimeoutError}
    with pytest.raises(CircuitOpenError, match="within the deadline"):
        ask(client)


@pytest.mark.slow
def test_a_call_that_spent_its_time_waiting_blames_nobody(serve):
    server = serve([Answer("fine")], latency_seconds=0.4)
    client = client_of(server, concurrency=1, deadline_seconds=0.6, breaker_failures=1)
    results = gather(client, [lambda: client.complete(HELLO)] * 3)
    assert results[0] == "fine"
    assert [type(result) for result in results[1:]] == [JudgeTimeoutError] * 2
    assert ask(client) == "fine"


def test_a_rate_limit_opens_no_circuit(serve):
    client = client_of(serve([Status(429)] * 8 + [Answer("fine")]), breaker_failures=2)
    with pytest.raises(JudgeUnavailableError, match="429"):
        ask(client)
    assert ask(client) == "fine"


def test_a_cancelled_probe_lets_another_through(serve):
    server = serve([Status(500), Hang(), Answer("fine")])
    client = client_of(server, breaker_failures=1, breaker_seconds=0.05, max_attempts=1)

    async def run():
        async with client:
            with pytest.raises(JudgeUnavailableError):
                await client.complete(HELLO)
            await asyncio.sleep(0.1)
            probe = asyncio.ensure_future(client.complete(HELLO))
            while len(server.requests) < 2:
                await asyncio.sleep(0.01)
            with pytest.raises(CircuitOpenError, match="probed"):
                await client.complete(HELLO)
            probe.cancel()
            await asyncio.wait([probe])
            return await client.complete(HELLO)

    assert asyncio.run(run()) == "fine"


# --- Equal questions ------------------------------------------------------------------------


def count_answers():
    """Return a script whose answers are numbered."""
    numbers = iter(range(10**6))
    return lambda body: Answer(f"answer {next(numbers)}")


def test_equal_questions_are_asked_once(serve):
    server = serve(count_answers())
    client = client_of(server)
    assert ask(client, key="q") == ask(client, key="q") == "answer 0"
    assert client.usage.cache_hits == 1
    assert ask(client, key="q", vote=1) == "answer 1"
    assert ask(client, HELLO, SampleVerdict, key="q") == "answer 2"
    assert ask(client) == "answer 3"
    assert ask(client) == "answer 4"


def test_drawn_answers_are_kept_only_if_that_is_asked_for(serve):
    server = serve(count_answers())
    sampled = client_of(server, temperature=1.0)
    assert ask(sampled, key="q") != ask(sampled, key="q")
    kept = client_of(server, temperature=1.0, cache_sampled=True)
    assert ask(kept, key="q") == ask(kept, key="q")
    off = client_of(server, cache_entries=0)
    assert ask(off, key="q") != ask(off, key="q")


def test_failures_are_not_kept(serve):
    client = client_of(serve([Status(400), Answer(""), Answer("fine")]))
    for error in (JudgeRefusedError, UnparsableVerdictError):
        with pytest.raises(error):
            ask(client, key="q")
    assert ask(client, key="q") == "fine"


def test_equal_questions_in_flight_share_a_request_and_its_failure(serve):
    server = serve([Status(400), Answer("fine")], latency_seconds=0.1)
    client = client_of(server)
    results = gather(client, [lambda: client.complete(HELLO, key="q")] * 10)
    assert [type(result) for result in results] == [JudgeRefusedError] * 10
    assert gather(client, [lambda: client.complete(HELLO, key="q")] * 10) == ["fine"] * 10
    assert len(server.requests) == 2
    usage = client.usage
    assert (usage.calls, usage.shared, usage.failed) == (20, 18, 10)


def test_giving_up_on_a_shared_question_leaves_it_to_the_others(serve):
    server = serve([Answer("fine")], latency_seconds=0.2)
    client = client_of(server)

    async def run():
        async with client:
            first, second = (
                asyncio.ensure_future(client.complete(HELLO, key="q")) for _ in range(2)
            )
            await asyncio.sleep(0.05)
            first.cancel()
            return await asyncio.gather(first, second, return_exceptions=True)

    cancelled, answered = asyncio.run(run())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert answered == "fine"
    assert len(server.requests) == 1


def test_when_all_have_given_up_the_question_is_dropped_and_can_be_asked_anew(serve):
    server = serve([Hang(), Answer("fine")])
    client = client_of(server, concurrency=1)

    async def run():
        async with client:
            tasks = [asyncio.ensure_future(client.complete(HELLO, key="q")) for _ in range(3)]
            while not server.requests:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return await client.complete(HELLO, key="q")  # gets the one place there is

    assert asyncio.run(run()) == "fine"


# --- Yes or no ------------------------------------------------------------------------------


def test_the_probability_of_yes_sums_over_spellings(serve):
    logprobs = {"Yes": -1.0, " yes": -2.0, "是": -3.0, "NO": -1.5, "Maybe": -0.1}
    server = serve([Answer("Maybe", "length", logprobs)])
    got = probability(client_of(server, temperature=0.7))
    yes, no = math.exp(-1) + math.exp(-2) + math.exp(-3), math.exp(-1.5)
    assert got == pytest.approx(yes / (yes + no))
    body = server.requests[0].body
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)
    assert body["temperature"] == 0


def test_other_words_can_stand_for_yes_and_no(serve):
    client = client_of(serve([Answer("对", logprobs={"对": -0.1, "yes": -0.2})]))
    assert probability(client, ("对",), ("错",)) == 1.0
    with pytest.raises(JudgeConfigError, match="among"):
        probability(client, ("Yes",), ("yes",))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("Yes"), "no log probabilities"),
        (Answer("Well", logprobs={"Well": -0.1, "yesterday": -3.0}), "neither"),
        (Answer("Yes", logprobs={"Yes": -9999.0, "No": -9999.0}), "neither"),
        (Status(200, body={"choices": [{"message": {"content": ""}, "logprobs": 7}]}), "no log"),
    ],
)
def test_no_probability_is_guessed(serve, answer, words):
    client = client_of(serve([answer]))
    with pytest.raises(UnparsableVerdictError, match=words):
        probability(client)
    assert client.usage.failures == {"unparsable": 1}


def test_a_probability_is_kept_by_its_key_and_its_words(serve):
    server = serve([Answer("Yes", logprobs={"Yes": -0.1, "No": -2.0, "对": -3.0})])
    client = client_of(server, temperature=1.0)
    assert probability(client, key="q") == probability(client, key="q")
    probability(client, ("对",), ("No",), key="q")
    assert len(server.requests) == 2


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.from_regex(rb'\{"choices": ?\[.{0,60}\]\}'))
def test_any_bytes_are_a_completion_or_refused(data):
    try:
        completion = Completion.model_validate_json(data)
    except ValueError:
        return
    for read in (lambda: completion.text, lambda: completion.yes_probability(["yes"], ["no"])):
        with contextlib.suppress(UnparsableVerdictError):
            assert isinstance(read(), str | float)


# --- Budgets and counts ---------------------------------------------------------------------


def test_tokens_and_their_cost_are_counted(serve):
    server = serve([Answer("three words here")])
    client = client_of(server, price_per_million_input=1e6, price_per_million_output=2e6)
    ask(client)
    usage = client.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cost) == (2, 3, 8.0)
    assert client_of(server).usage.cost is None


@pytest.mark.parametrize(
    "budget",
    [
        {"token_budget": 11},
        {"cost_budget": 11e-6, "price_per_million_input": 1, "price_per_million_output": 1},
    ],
)
def test_a_spent_budget_ends_the_asking_but_not_the_cache(serve, budget):
    server = serve([Answer("three words here")])  # 5 tokens a call
    client = client_of(server, concurrency=1, **budget)
    results = gather(client, [lambda i=i: client.complete(HELLO, key=str(i)) for i in range(6)])
    assert results[:3] == ["three words here"] * 3
    assert [type(result) for result in results[3:]] == [JudgeBudgetError] * 3
    assert len(server.requests) == 3
    assert ask(client, key="0") == "three words here"
    assert client.usage.failures == {"judge_budget": 3}


@pytest.mark.parametrize("usage", [None, 7, {"prompt_tokens": -1, "completion_tokens": 1e9}])
def test_answers_without_a_count_of_tokens_are_counted_and_told(serve, usage, caplog):
    body = {"choices": [{"message": {"content": "fine"}}], "usage": usage}
    client = client_of(serve([Status(200, body=body)]), token_budget=100)
    ask(client)
    ask(client)
    assert client.usage.unmetered == 2
    assert client.usage.prompt_tokens == 0
    assert caplog.text.count("The budget has gaps") == 1


# --- Under fire -----------------------------------------------------------------------------


@pytest.mark.slow
def test_under_every_fault_at_once_each_call_ends_as_an_answer_or_a_counted_failure(serve):
    faults = [Status(500), Status(429), Reset(), Hang(), Garbage(), CutBody()]
    turn = iter(range(10**6))

    def script(body):
        number = next(turn) % 10
        return faults[number] if number < len(faults) else Answer(body["messages"][0]["content"])

    server = serve(script)
    client = client_of(server, concurrency=16, deadline_seconds=0.5, breaker_failures=1000)
    calls, ends, numbers = 300, {}, iter(range(300))

    async def caller():
        for number in numbers:
            start = time.monotonic()
            try:
                end = await client.complete([{"role": "user", "content": f"question {number}"}])
                assert end == f"question {number}"  # nobody gets another's answer
            except RewardError as error:
                end = error.reason
            ends[number] = (end, time.monotonic() - start)

    assert gather(client, [caller] * 24) == [None] * 24
    assert ends.keys() == set(range(calls))
    failures = [end for end, _ in ends.values() if not end.startswith("question")]
    usage = client.usage
    assert len(failures) == usage.failed > 0
    assert {reason: failures.count(reason) for reason in set(failures)} == usage.failures
    assert len(failures) < calls
    assert max(seconds for _, seconds in ends.values()) < 10
    assert server.most_in_flight <= 16
    assert usage.most_in_flight == 16
    # Some attempts ended before their request was sent.
    assert usage.attempts >= len(server.requests)


def test_places_are_free_again_after_calls_were_given_up(serve):
    server = serve(lambda body: Hang() if body["messages"][0]["content"] == "hang" else Answer("x"))
    client = client_of(server, concurrency=2)

    async def run():
        async with client:
            hang = [{"role": "user", "content": "hang"}]
            tasks = [asyncio.ensure_future(client.complete(hang)) for _ in range(6)]
            while len(server.requests) < 2:
                await asyncio.sleep(0.01)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return await asyncio.gather(*(client.complete(HELLO) for _ in range(20)))

    assert asyncio.run(run()) == ["x"] * 20
    assert server.most_in_flight <= 2


def test_event_loops_in_several_threads_share_a_client(serve):
    server = serve(count_answers(), latency_seconds=0.01)
    client = client_of(server, concurrency=4)
    results = []

    def run():
        results.extend(gather(client, [lambda: client.complete(HELLO)] * 20))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 60
    assert client.usage.calls == 60
    assert server.most_in_flight <= 3 * 4


def test_event_loops_that_have_ended_leave_nothing_behind(serve):
    client = client_of(serve([Answer("fine")]))
    for _ in range(3):
        assert asyncio.run(client.complete(HELLO)) == "fine"  # without closing
    assert len(client._loops) == 1


# --- Copies ---------------------------------------------------------------------------------


def test_a_copy_starts_afresh(serve):
    server = serve(count_answers())
    client = client_of(server)
    ask(client, key="q")
    copy = pickle.loads(pickle.dumps(client))
    assert copy.config == client.config
    assert copy.usage.calls == 0
    assert ask(copy, key="q") == "answer 1"


def _ask_in_child(client, results):
    results.put((client.usage.calls, ask(client, key="q"), client.usage.calls))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_copy_starts_afresh_even_while_a_lock_is_held(serve):
    server = serve(count_answers())
    client = client_of(server)
    ask(client, key="q")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    with client._lock, client._cache._lock, client._meter._lock:
        child = context.Process(target=_ask_in_child, args=(client, results))
        child.start()
    try:
        assert results.get(timeout=30) == (0, "answer 1", 1)
    finally:
        child.kill()
        child.join()


def test_only_a_configuration_makes_a_client():
    with pytest.raises(JudgeConfigError, match="JudgeConfig"):
        JudgeClient({"base_url": "http://127.0.0.1:8000/v1"})


def test_the_client_costs_no_import_of_the_openai_package():
    code = "import sys, reference_impl.judge.client as c; print('openai' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "False", ran.stderr


# --- The key --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        Status(401, body={"error": {"message": f"Incorrect API key provided: {KEY}."}}),
        Status(500, body=f"{'x' * 290}{KEY}"),
        Garbage(f"<html>{KEY}</html>"),
        Hang(),
        Reset(),
    ],
    ids=["401", "500", "garbage", "hang", "reset"],
)
def test_the_key_is_shown_nowhere(serve, step, caplog):
    caplog.set_level(logging.DEBUG)
    client = client_of(serve([step]), max_attempts=2, deadline_seconds=0.5, breaker_failures=1)
    errors = []
    for _ in range(2):
        with pytest.raises(RewardError) as caught:
            ask(client)
        errors.append(caught.value)
    shown = [caplog.text, repr(client), repr(client.config), repr(client.usage)]
    for error in errors:
        assert error.__cause__ is None and error.__context__ is None
        shown += [str(error), repr(error), repr(pickle.dumps(error))]
        shown += traceback.format_exception(error)
    assert not any(KEY[:8] in text for text in shown)


@pytest.mark.parametrize("body", [r"No such key: sk-47\/11\"2.", r"No such key: sk-47\\/11\\\"2."])
def test_a_key_is_known_again_with_the_escapes_of_json(serve, body):
    config = {"api_key": 'sk-47/11"2', "max_attempts": 1}
    with pytest.raises(RewardError) as caught:
        ask(client_of(serve([Status(401, body=body)]), **config))
    assert "No such key: ***." in str(caught.value)

"""The judge in verifiers. These tests run where it is installed: see test_environments.py."""

import asyncio
import logging

import pytest

from reference_impl.judge.testing.scripted_server import ScriptedServer, Status

pytest.importorskip("verifiers", reason="verifiers has an environment of its own")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def example(examples):
    import verifiers_judge

    return verifiers_judge


@pytest.fixture
def roll_out(example):
    """Make the rollouts of the smoke run."""
    example.judge_of_this_process.cache_clear()
    logging.getLogger("verifiers").setLevel(logging.ERROR)

    def run():
        with ScriptedServer(example.scripted_reply) as model:
            return asyncio.run(example.roll_out(example.SMOKE_TASKS, model.base_url))

    return run


def test_the_smoke_run_pays_three_tasks_and_leaves_one_out(smoke_run):
    lines = smoke_run("verifiers_judge.py")
    assert [line.rstrip() for line in lines[1:4]] == [
        "What is 0 + 2? 0.0",
        "What is 1 + 2? 0.0",
        "What is 2 + 2? 1.0",
    ]
    assert lines[4].startswith("What is 3 + 2? None left out: ")
    assert "UnparsableVerdictError" in lines[4]


def test_a_failed_verdict_leaves_the_trace_without_a_reward(example, start_judge, roll_out):
    start_judge(example.scripted_verdict)
    *paid, failed = roll_out()
    assert [trace.rewards["judged"].score for trace in paid] == [0.0, 0.0, 1.0]
    assert [trace.ok for trace in paid] == [True, True, True]
    assert failed.rewards == {"judged": None}
    assert not failed.ok
    assert failed.last_error.type == "TaskError"
    assert failed.reward == 0.0  # the sum of no rewards: who reads it alone pays the failure


def test_the_rollouts_are_judged_at_once(example, start_judge, roll_out):
    server = start_judge(example.scripted_verdict)
    server.latency_seconds = 2.0
    roll_out()
    assert server.most_in_flight > 1


def test_an_outage_pays_nobody(start_judge, roll_out):
    server = start_judge([Status(503)], max_attempts=1)
    traces = roll_out()
    assert len(server.requests) == 4
    assert [trace.ok for trace in traces] == [False] * 4
    assert all("JudgeUnavailableError" in trace.last_error.message for trace in traces)

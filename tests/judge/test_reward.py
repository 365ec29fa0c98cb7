"""judge_reward_fn: a judge from the environment, as a synchronous reward function."""

import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from reference_impl import check_conformance, judge_reward_fn
from reference_impl.judge import reward as reward_module
from reference_impl.judge.error import JudgeConfigError, UnparsableVerdictError
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer

RIGHT = Answer('{"rationale": "same", "verdict": "correct"}')
SAMPLE = {
    "prompt": "What is 2 + 2?",
    "completions": "It is 4.",
    "prompt_ids": [1, 2, 3],
    "completion_ids": [4, 5, 6],
    "answer": "4",
}


def by_the_answer(body):
    right = "It is 4." in body["messages"][1]["content"]
    verdict = "correct" if right else "incorrect"
    return Answer(json.dumps({"rationale": "x", "verdict": verdict}))


@pytest.fixture
def judge(monkeypatch):
    """A scripted judge that the environment names."""
    for name in [name for name in os.environ if name.startswith("JUDGE_")]:
        monkeypatch.delenv(name)
    reward_module._reward_of_process.cache_clear()
    with ScriptedServer(by_the_answer) as server:
        monkeypatch.setenv("JUDGE_BASE_URL", server.base_url)
        monkeypatch.setenv("JUDGE_MODEL", "judge")
        yield server
    reward_module._reward_of_process.cache_clear()


def test_the_environment_names_the_judge(judge):
    assert judge_reward_fn(**SAMPLE) == 1.0
    assert judge_reward_fn(**{**SAMPLE, "completions": "It is 5."}) == 0.0
    assert judge.requests[0].body["model"] == "judge"


def test_the_language_of_the_instructions(judge, monkeypatch):
    monkeypatch.setenv("JUDGE_LANGUAGE", "zh")
    judge_reward_fn(**SAMPLE)
    assert "参考答案" in judge.requests[0].body["messages"][1]["content"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JUDGE_MODEL", None),
        ("JUDGE_BASE_URL", None),
        ("JUDGE_LANGUAGE", "fr"),
        ("JUDGE_MODLE", "x"),
        ("JUDGE_MAX_TOKENS", "many"),
    ],
)
def test_a_wrong_environment_is_said(judge, monkeypatch, variable, value):
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(JudgeConfigError):
        judge_reward_fn(**SAMPLE)


def test_no_verdict_raises_and_pays_nothing(monkeypatch, judge):
    with ScriptedServer([Answer("It is correct.")]) as server:
        monkeypatch.setenv("JUDGE_BASE_URL", server.base_url)
        with pytest.raises(UnparsableVerdictError):
            judge_reward_fn(**SAMPLE)


@pytest.mark.slow
def test_it_keeps_the_contract(judge):
    report = check_conformance("reference_impl.judge_reward_fn", SAMPLE, low=0.0, high=1.0)
    assert report.passed, str(report)


def test_it_pickles_by_its_name():
    assert pickle.loads(pickle.dumps(judge_reward_fn)) is judge_reward_fn


def test_threads_share_one_client(judge):
    samples = [{**SAMPLE, "prompt": f"What is 2 + 2, {i}?"} for i in range(64)]
    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(lambda sample: judge_reward_fn(**sample), samples)) == [1.0] * 64
    assert judge.most_in_flight > 1


def score(number):
    return judge_reward_fn(**{**SAMPLE, "prompt": f"What is 2 + 2, {number}?"})


def test_a_forked_pool_asks_with_connections_of_its_own(judge):
    judge_reward_fn(**SAMPLE)  # the parent has a loop, a thread and a connection
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        assert list(pool.map(score, range(8))) == [1.0] * 8


@pytest.mark.slow
def test_asking_costs_no_torch(judge):
    code = (
        "import sys\n"
        "from reference_impl import judge_reward_fn\n"
        "assert judge_reward_fn('2 + 2?', 'It is 4.', [], [], answer='4') == 1.0\n"
        "assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

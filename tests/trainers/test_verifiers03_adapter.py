"""The adapters in verifiers 0.3. These tests run where it is: see test_environments.py."""

import asyncio
import json
import logging
import math
import threading

import pytest

from reference_impl.adapters.verifiers import VerifiersReward, VerifiersRubricReward
from reference_impl.adapters.versions import VARIABLE
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer, Status
from reference_impl.rules import exact_match_reward_fn
from reference_impl.steps import tool_use_reward_fn
from tests.trainers.test_verifiers_adapter import roll_out, task_with  # noqa: F401

vf = pytest.importorskip("verifiers.legacy", reason="verifiers 0.3 has an environment of its own")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:verifiers 0.3"),
]

PROOF = {
    "trainer": "verifiers (rubrics of 0.3)",
    "distribution": "verifiers",
    "kind": "its own environment and rubric",
    "how": "A single-turn environment of the package makes rollouts, and its rubric scores them.",
}

ASKED = "What is 2 + 2?"


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions.removeprefix("#### "))


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0.01)
    return number(prompt, completions, prompt_ids, completion_ids)


@pytest.fixture(autouse=True)
def this_version_is_proven_here(monkeypatch):
    """These tests are the proof."""
    monkeypatch.setenv(VARIABLE, "allow")


@pytest.fixture
def evaluate(monkeypatch):
    """Make rollouts of rows with a rubric of rewards. Returns the outputs."""
    from datasets import Dataset

    vf.SingleTurnEnv  # noqa: B018 (verifiers imports it now, before its logger is silenced)
    logging.getLogger("verifiers").setLevel(logging.CRITICAL)
    monkeypatch.setenv("MODEL_API_KEY", "none")

    def run(*funcs, rows=({},), reply="#### 4", weights=None, independent_scoring=False):
        rows = [{"question": ASKED, "answer": "4", **row} for row in rows]
        environment = vf.SingleTurnEnv(
            eval_dataset=Dataset.from_list(rows), rubric=vf.Rubric(list(funcs), weights)
        )
        said = reply if isinstance(reply, Status) else Answer(reply)
        with ScriptedServer(lambda body: said) as model:
            client = vf.ClientConfig(api_base_url=model.base_url, api_key_var="MODEL_API_KEY")
            results = environment.evaluate(
                client,
                "scripted",
                independent_scoring=independent_scoring,
                on_start=lambda *arguments: None,
                on_progress=[],
            )
            return asyncio.run(results)["outputs"]

    return run


def rewards_of(outputs):
    return [output["reward"] for output in sorted(outputs, key=lambda o: o["example_id"])]


@pytest.mark.parametrize("independent_scoring", [False, True])
def test_a_right_and_a_wrong_completion_get_their_rewards(evaluate, independent_scoring):
    reward = VerifiersRubricReward(exact_match_reward_fn)
    rows = [{"answer": "4"}, {"answer": "5"}]
    outputs = evaluate(reward, rows=rows, weights=[0.5], independent_scoring=independent_scoring)
    assert rewards_of(outputs) == [0.5, 0.0]
    assert outputs[0]["metrics"].keys() >= {"exact_match_reward_fn"}


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_both_kinds_of_rewards_are_called(evaluate, reward_fn):
    assert rewards_of(evaluate(VerifiersRubricReward(reward_fn))) == [4.0]


def test_the_reward_gets_texts_and_columns(evaluate):
    calls = []

    def seen(prompt, completions, prompt_ids, completion_ids, **columns):
        calls.append((prompt, completions, prompt_ids, completion_ids, columns))
        return 1.0

    assert rewards_of(evaluate(VerifiersRubricReward(seen), rows=[{"info": {"level": 3}}])) == [1.0]
    ((*texts_and_tokens, columns),) = calls
    assert texts_and_tokens == [ASKED, "#### 4", [], []]
    assert columns["answer"] == "4"
    assert columns["info"] == {"level": 3}
    assert not {"state", "task", "parser"} & set(columns)


@pytest.mark.parametrize("reply", ["#### nan", "I do not know."])
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_failure_is_paid_the_number_and_counted(evaluate, reward_fn, reply):
    reward = VerifiersRubricReward(reward_fn, on_failure=-1.0)
    (output,) = evaluate(reward, reply=reply)
    assert output["reward"] == -1.0
    assert output.get("error") is None
    assert reward.guarded.counts.failed == 1


def test_what_a_rubric_does_with_a_bare_error_none_and_nan(evaluate):
    """Why a number is the only policy, and why the guard keeps NaN from a rubric."""

    def raises(completion, **columns):
        raise ValueError("broken")

    def none(completion, **columns):
        return None

    def nan(completion, **columns):
        return math.nan

    for bare in (raises, none):
        (output,) = evaluate(bare)
        assert output["reward"] == 0.0
        assert output.get("error") is None
    (output,) = evaluate(nan)
    assert math.isnan(output["reward"])


def test_a_missing_column_is_in_the_log_and_is_paid_zero(evaluate, caplog):
    def needs_gold(prompt, completions, prompt_ids, completion_ids, gold, **columns):
        return 1.0

    logger = logging.getLogger("verifiers")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.ERROR)
    try:
        assert rewards_of(evaluate(VerifiersRubricReward(needs_gold, on_failure=-1.0))) == [0.0]
    finally:
        logger.removeHandler(caplog.handler)
    assert "needs the column `gold`" in caplog.text


def test_synchronous_rewards_of_a_group_run_at_the_same_time(evaluate):
    meeting = threading.Barrier(2, timeout=60)

    def meet(prompt, completions, prompt_ids, completion_ids, **columns):
        meeting.wait()  # the first goes on only when the second has come
        return 1.0

    assert rewards_of(evaluate(VerifiersRubricReward(meet), rows=[{}, {}])) == [1.0, 1.0]


def test_a_task_of_0_3_is_paid_as_one_of_0_4(roll_out):  # noqa: F811
    exact = VerifiersReward(exact_match_reward_fn)
    strict, lenient = VerifiersReward(number), VerifiersReward(number, on_failure=-1.0)
    tasks = [task_with(exact), task_with(exact, answer="5"), task_with(strict), task_with(lenient)]
    right, wrong, *_ = roll_out(*tasks)
    assert (right.reward, wrong.reward) == (1.0, 0.0)
    *_, raised, counted = roll_out(*tasks, reply="I do not know.")
    assert (raised.ok, raised.rewards) == (False, {"number": None})
    assert (counted.ok, counted.reward) == (True, -1.0)


@pytest.mark.parametrize("arguments, expected", [('{"a": 2, "b": 2}', 1.0), ('{"a": 2}', 0.0)])
def test_the_tool_calls_of_a_message_reach_the_reward(evaluate, arguments, expected):
    numbers = {name: {"type": "integer"} for name in "ab"}
    schema = {"type": "object", "properties": numbers, "required": ["a", "b"]}
    rows = [{"tools": json.dumps([{"name": "add", "parameters": schema}])}]
    call = {"id": "1", "type": "function", "function": {"name": "add", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "scripted"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    reply = Status(200, body={**body, "choices": [choice], "usage": usage})
    outputs = evaluate(VerifiersRubricReward(tool_use_reward_fn), rows=rows, reply=reply)
    assert rewards_of(outputs) == [expected]

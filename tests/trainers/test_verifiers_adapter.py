"""The adapter in verifiers 0.4. These tests run where it is installed: see test_environments.py."""

import asyncio
import logging
import math
import pickle
import threading
import time
from collections.abc import Callable

import pytest

from reference_impl.adapters.verifiers import VerifiersReward
from reference_impl.compose import AsyncGate, Gate
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer
from reference_impl.rules import exact_match_reward_fn

vf = pytest.importorskip("verifiers.v1", reason="verifiers has an environment of its own")
pytestmark = pytest.mark.slow

PROOF = {
    "trainer": "verifiers",
    "distribution": "verifiers",
    "kind": "its own agent and tasks",
    "how": "Rollouts of the package's own agent are scored by the rewards of their tasks.",
}


class QuestionData(vf.TaskData):
    """A question, its answer, and one more column."""

    answer: str | None = "4"
    level: int = 3


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions.removeprefix("#### "))


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0.01)
    return number(prompt, completions, prompt_ids, completion_ids)


def task_with(reward: Callable, weight: float = 1.0, **data) -> vf.Task:
    """Make a task that is paid by one reward, as the attribute of a class."""

    class OneRewardTask(vf.Task[QuestionData]):
        paid = vf.reward(reward, weight=weight)

    return OneRewardTask(QuestionData(**{"prompt": "What is 2 + 2?"} | data))


@pytest.fixture
def roll_out(examples):
    """Make a rollout of each task with verifiers' own agent. Returns the traces."""
    import verifiers_judge

    logging.getLogger("verifiers").setLevel(logging.CRITICAL)

    def run(*tasks, reply="#### 4"):
        def script(body):
            return Answer(reply(body["messages"][-1]["content"]) if callable(reply) else reply)

        with ScriptedServer(script) as model:
            return asyncio.run(verifiers_judge.roll_out(list(tasks), model.base_url))

    return run


def test_a_right_and_a_wrong_completion_get_their_rewards(roll_out):
    reward = VerifiersReward(exact_match_reward_fn)
    right, wrong = task_with(reward, 0.5), task_with(reward, 0.5, answer="5")
    traces = roll_out(right, wrong)
    assert [trace.ok for trace in traces] == [True, True]
    scores = [trace.rewards["exact_match_reward_fn"].score for trace in traces]
    assert scores == [1.0, 0.0]
    assert [trace.reward for trace in traces] == [0.5, 0.0]  # with the weight


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_both_kinds_of_rewards_are_awaited(roll_out, reward_fn):
    (trace,) = roll_out(task_with(VerifiersReward(reward_fn)))
    assert trace.rewards[reward_fn.__name__].score == 4.0


def test_the_reward_gets_the_fields_of_the_data(roll_out):
    calls = []

    def seen(prompt, completions, prompt_ids, completion_ids, **columns):
        calls.append((prompt, completions, prompt_ids, completion_ids, columns))
        return 1.0

    roll_out(task_with(VerifiersReward(seen), level=7))
    ((prompt, completion, prompt_ids, completion_ids, columns),) = calls
    assert (prompt, completion) == ("What is 2 + 2?", "#### 4")
    assert (prompt_ids, completion_ids) == ([], [])  # the client of an evaluation keeps none
    assert (columns["answer"], columns["level"]) == ("4", 7)
    assert not {"prompt", "completions"} & set(columns)


def test_the_tokens_are_those_that_the_trace_holds(roll_out):
    (trace,) = roll_out(task_with(VerifiersReward(number)))
    asked, said = trace.nodes[-2:]
    asked.token_ids, asked.mask = [5, 6], [False, False]
    said.token_ids, said.mask = [7, 8, 9], [False, True, True]
    calls = []

    def seen(prompt, completions, prompt_ids, completion_ids, **columns):
        calls.append((prompt_ids, completion_ids))
        return 1.0

    asyncio.run(task_with(VerifiersReward(seen)).score(trace))
    assert calls == [([5, 6, 7], [8, 9])]


@pytest.mark.parametrize("reply", ["#### nan", "I do not know."])
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_raise_leaves_the_trace_without_a_reward(roll_out, reward_fn, reply):
    (trace,) = roll_out(task_with(VerifiersReward(reward_fn)), reply=reply)
    assert trace.rewards == {reward_fn.__name__: None}
    assert not trace.ok
    assert trace.last_error.type == "TaskError"
    assert trace.reward == 0.0  # the sum of no rewards: who reads it alone pays the failure


@pytest.mark.parametrize("reply", ["#### nan", "I do not know."])
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_number_is_paid_and_counted(roll_out, reward_fn, reply):
    reward = VerifiersReward(reward_fn, on_failure=-1.0)
    (trace,) = roll_out(task_with(reward), reply=reply)
    assert trace.ok
    assert trace.reward == -1.0
    assert reward.guarded.counts.failed == 1


def test_a_field_that_the_data_lacks_is_named_in_the_trace(roll_out):
    def needs_gold(prompt, completions, prompt_ids, completion_ids, gold, **columns):
        return 1.0

    (trace,) = roll_out(task_with(VerifiersReward(needs_gold, on_failure=0.0)))
    assert not trace.ok
    assert "needs the column `gold`" in trace.last_error.message


@pytest.mark.parametrize(("gate", "second"), [(Gate, number), (AsyncGate, slow_number)])
def test_the_components_that_were_scored_are_metrics(roll_out, gate, second):
    composite = gate(("number", number), ("second", second), threshold=1.0)
    reward = VerifiersReward(composite, on_failure=-1.0)

    def reply(asked):
        return f"#### {asked.split()[-1]}"

    tasks = [task_with(reward, prompt=f"Say {said}") for said in ("4", "0.5", "four")]
    both, shut, failed = roll_out(*tasks, reply=reply)
    assert [trace.reward for trace in (both, shut, failed)] == [4.0, 0.0, -1.0]
    name = reward.__name__
    assert both.metrics == {f"{name}/number": 4.0, f"{name}/second": 4.0}
    assert shut.metrics == {f"{name}/number": 0.5}
    assert failed.metrics == {}
    copy = vf.Trace.model_validate(both.model_dump())
    assert copy.metrics == both.metrics


@pytest.mark.parametrize(("value", "ok"), [(math.nan, True), (None, False)])
def test_what_verifiers_does_with_a_bare_nan_and_none(roll_out, value, ok):
    """Why the guard keeps the first from verifiers, and the second is no policy."""

    async def bare(task, trace):
        return value

    (trace,) = roll_out(task_with(bare))
    assert trace.ok == ok
    if ok:
        assert math.isnan(trace.reward)
    else:
        assert trace.last_error.type == "TaskError"


@pytest.mark.parametrize("kind", ["synchronous", "asynchronous"])
def test_a_call_that_times_out_is_no_error_but_has_no_reward(roll_out, kind):
    def waits(prompt, completions, prompt_ids, completion_ids, **columns):
        time.sleep(2.0)
        return 1.0

    async def sleeps(prompt, completions, prompt_ids, completion_ids, **columns):
        await asyncio.sleep(60)
        return 1.0

    reward = VerifiersReward(waits if kind == "synchronous" else sleeps)
    (trace,) = roll_out(task_with(reward, timeout=vf.TaskTimeout(scoring=0.2)))
    assert trace.rewards == {reward.__name__: None}
    assert (trace.ok, trace.is_timeout) == (True, True)


def test_synchronous_rewards_of_rollouts_run_at_the_same_time(roll_out):
    meeting = threading.Barrier(2, timeout=60)

    def meet(prompt, completions, prompt_ids, completion_ids, **columns):
        meeting.wait()  # the first goes on only when the second has come
        return 1.0

    traces = roll_out(*[task_with(VerifiersReward(meet)) for _ in range(2)])
    assert [trace.reward for trace in traces] == [1.0, 1.0]


def test_a_configuration_names_the_file_and_the_reward(roll_out, tmp_path):
    file = tmp_path / "my_rewards.py"
    file.write_text(
        "from reference_impl import exact_match_reward_fn\n"
        "from reference_impl.adapters.verifiers import VerifiersReward\n"
        "reward = VerifiersReward(exact_match_reward_fn)\n",
        "utf-8",
    )
    plugged = {"correct": {"fn": f"{file}:reward", "weight": 2.0}}
    config = vf.TaskConfig.model_validate({"rewards": plugged})
    (trace,) = roll_out(vf.Task[QuestionData](QuestionData(prompt="2 + 2?"), config))
    assert trace.rewards["correct"].score == 1.0
    assert trace.reward == 2.0


def test_a_pickled_reward_is_still_one_of_its_task(roll_out):
    reward = pickle.loads(pickle.dumps(vf.reward(VerifiersReward(number), weight=0.5)))

    class CopiedTask(vf.Task[QuestionData]):
        paid = reward

    (trace,) = roll_out(CopiedTask(QuestionData(prompt="2 + 2?")))
    assert trace.reward == 2.0

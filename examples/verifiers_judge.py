"""Pay the tasks of verifiers 0.4 by an LLM as judge.

    python examples/verifiers_judge.py --smoke

`JudgedTaskset` is GSM8K, each task of it with one reward, the judge's. Name this file's module as
the taskset of a run of verifiers, and set `JUDGE_BASE_URL` and `JUDGE_MODEL`
(`JudgeConfig.from_environment` reads them). No such run was made for this guide. The smoke run is
tested: the package's own agent makes four rollouts, from the call of the model to the reward. Model
and judge are servers that play a script.

- verifiers awaits a reward and gives it what its parameters name, here `task` and `trace`.
- A judge that fails raises. verifiers records a `TaskError`: `trace.ok` is False, and the reward is
  there as None. But `trace.reward`, the sum, is then 0.0. Look at `trace.ok` before you use it.
- No error stops a run of rollouts. verifiers tries a rollout again if you say so, by
  `RetryConfig`; let the judge's own patience outlast a restart of its server instead.
"""

import asyncio
import functools
import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import verifiers.v1 as vf

from reference_impl import AsyncGuardedReward, JudgeClient, JudgeConfig, ReferenceJudge
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer

__all__ = ["JudgedTaskset"]


@functools.cache
def judge_of_this_process() -> AsyncGuardedReward:
    """Make the judge that the environment names, once: it keeps connections and counts."""
    judge = ReferenceJudge(JudgeClient(JudgeConfig.from_environment()))
    return AsyncGuardedReward(judge, on_failure="raise")


class QuestionData(vf.TaskData):
    """A question and its reference answer."""

    answer: str


class JudgedTask(vf.Task[QuestionData]):
    """A question whose reply is paid by the judge."""

    @vf.reward
    async def judged(self, task: QuestionData, trace: vf.Trace) -> float:
        """Pay what the judge says about the last reply."""
        judge = judge_of_this_process()
        return await judge(task.prompt_text, trace.last_reply, [], [], answer=task.answer)


class JudgedTaskset(vf.Taskset[JudgedTask, vf.TasksetConfig]):
    """GSM8K."""

    def load(self) -> Iterator[JudgedTask]:
        """Read the tasks."""
        from datasets import load_dataset

        for row in load_dataset("openai/gsm8k", "main", split="train"):
            yield JudgedTask(QuestionData(prompt=row["question"], answer=row["answer"]))


class OneCallHarness(vf.Harness[vf.HarnessConfig]):
    """Sends the prompt to the model and takes the answer. It runs in this process."""

    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> vf.ProgramResult:
        """Make the one call, through verifiers, which records it in the trace."""
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {secret}"}) as client:
            messages = [{"role": "user", "content": data.prompt_text}]
            response = await client.post(
                f"{endpoint}/chat/completions", json={"model": ctx.model, "messages": messages}
            )
            response.raise_for_status()
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


async def roll_out(tasks: list[JudgedTask], model_url: str) -> list[vf.Trace]:
    """Make one rollout of each task, all at once.

    Args:
        tasks: The tasks.
        model_url: The address of an OpenAI-compatible server with the model.

    Returns:
        Their traces, in the order of the tasks.
    """
    config = vf.AgentConfig(
        model="scripted",
        client=vf.EvalClientConfig(base_url=model_url, api_key_var="MODEL_API_KEY"),
        harness=vf.HarnessConfig(id="null"),
        runtime=vf.SubprocessConfig(),
    )
    agent = vf.Agent(config)
    agent.harness = OneCallHarness(config.harness)
    async with agent:
        return await asyncio.gather(*(agent.run(task) for task in tasks))


SMOKE_TASKS = [
    JudgedTask(QuestionData(prompt=f"What is {number} + 2?", answer=str(number + 2)))
    for number in range(4)
]


def scripted_reply(body: dict[str, Any]) -> Answer:
    """Play a model that thinks that everything is 4."""
    return Answer("It is 4.")


def scripted_verdict(body: dict[str, Any]) -> Answer:
    """Play a judge that gives no verdict on the last task."""
    asked = body["messages"][-1]["content"]
    if "3 + 2" in asked:
        return Answer("I had rather not say.")
    verdict = "correct" if "2 + 2" in asked else "incorrect"
    return Answer(json.dumps({"rationale": "The script says so.", "verdict": verdict}))


def smoke() -> None:
    """Make four rollouts with the installed verifiers."""
    print("Smoke run: the installed verifiers. Model and judge are servers that play a script.")
    logging.disable(logging.WARNING)
    with (
        ScriptedServer(scripted_reply) as model,
        ScriptedServer(scripted_verdict, latency_seconds=0.5) as judge,
    ):
        os.environ |= {"JUDGE_BASE_URL": judge.base_url, "JUDGE_MODEL": "scripted"}
        for trace in asyncio.run(roll_out(SMOKE_TASKS, model.base_url)):
            reward = trace.rewards["judged"]
            error = "" if trace.ok else f"left out: {trace.last_error.message}"
            print(trace.task.data.prompt, reward.score if reward else None, error)
        print("judged at a time, at most:", judge.most_in_flight)


if __name__ == "__main__":
    if sys.argv[1:] != ["--smoke"]:
        sys.exit("Run it with --smoke, or name the module as the taskset of a run of verifiers.")
    smoke()

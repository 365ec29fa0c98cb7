"""Train with an LLM as judge in AReaL 1.0.4: GRPO on GSM8K.

    python examples/areal_judge_workflow.py --config examples/areal_judge_workflow.yaml
    python examples/areal_judge_workflow.py --smoke

The first is the whole training run. It needs a machine with GPUs, AReaL with its inference server,
and a judge: `JUDGE_BASE_URL` and `JUDGE_MODEL` name it (`JudgeConfig.from_environment` reads
them). That run was not made for this guide. What was run, and is tested, is the smoke run, the
workflow in AReaL's own executor, and the configuration in AReaL's own parser.

The smoke run needs no GPU. It uses the installed AReaL, with an engine that says fixed sentences
and a judge that plays a script: one batch, and then an outage that stops the run.

Four decisions, and what in AReaL 1.0.4 they follow from:

- The judge is asked in `_compute_rewards`, in the event loop. AReaL's wrapper for reward functions
  ships each call to a process pool, where every judgement in flight occupies a process, and where
  four times 15 s without an answer become a silent reward of 0.
- A completion without a verdict takes its group along. AReaL would accept what is left of the
  group, but its group normalization cuts the batch into slices of `group_size`. After a short group
  every slice mixes two prompts, and what is left over at the end is divided by `eps`: a reward of 1
  becomes an advantage of 100,000. So the sample raises, AReaL rejects the group, and it is counted.
- While the judge is unavailable, samples wait and ask again. A short outage costs no sample.
- A long one stops the run through the data set. AReaL catches what a workflow raises, rejects the
  episode, and starts the next: a judge that is down keeps `prepare_batch` busy for ever. Under a
  scheduler the workflow is not even in the trainer's process. See `areal_stop.py`.
"""

import asyncio
import functools
import json
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from areal.api import ModelResponse
from areal.api.cli_args import GenerationHyperparameters, GRPOConfig, load_expr_config
from areal.workflow.rlvr import RLVRWorkflow
from areal_smoke import SmokeRollout, keep_quiet, run
from areal_stop import RowsUntilStopped, RunStoppedError, stop_run

from reference_impl import AsyncGuardedReward, JudgeClient, JudgeConfig, ReferenceJudge
from reference_impl.judge.error import JudgeConfigError, JudgeUnavailableError
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer, Status

#: How long a sample waits before it asks an unavailable judge again, in seconds.
PAUSE_SECONDS = 1.0


class NoVerdictError(RuntimeError):
    """A completion has no verdict. AReaL rejects its group."""


@dataclass
class OutageLimits:
    """When failed verdicts are an outage.

    Attributes:
        seconds: How long the judge may be unavailable to everyone.
        share: The highest share of completions without a verdict, among the last `window`.
        window: How many completions that is.
    """

    seconds: float = 300.0
    share: float = 0.2
    window: int = 200


class OutageWatch:
    """Tells an outage from a failure now and then. It sees the verdicts of one process.

    Args:
        limits: When failures are an outage.
        clock: Tells the time, in seconds.
    """

    def __init__(self, limits: OutageLimits, clock: Callable[[], float] = time.monotonic):
        self.limits = limits
        self._clock = clock
        self._failed: deque[bool] = deque(maxlen=limits.window)
        self._unavailable_since: float | None = None

    def unavailable(self) -> str | None:
        """Note that the judge could not be asked. Returns what is wrong, if this is an outage."""
        if self._unavailable_since is None:
            self._unavailable_since = self._clock()
        seconds = self._clock() - self._unavailable_since
        if seconds < self.limits.seconds:
            return None
        return f"The judge has been unavailable for {seconds:.0f} s."

    def record(self, failed: bool) -> str | None:
        """Count a completion. Returns what is wrong, if this is an outage.

        Args:
            failed: Whether it has no verdict.
        """
        if not failed:
            self._unavailable_since = None
        self._failed.append(failed)
        seen, count = len(self._failed), sum(self._failed)
        if seen < self.limits.window or count <= self.limits.share * seen:
            return None
        return f"Of the last {seen} completions, {count} have no verdict."


# Under a scheduler AReaL makes a new workflow for each row. What must outlast a row, such as the
# connections, the circuit breaker and the counts, is there once in each process.


@functools.cache
def judge_of_this_process() -> AsyncGuardedReward:
    """Make the judge that the environment names."""
    judge = ReferenceJudge(JudgeClient(JudgeConfig.from_environment()))
    return AsyncGuardedReward(judge, on_failure="raise")


@functools.cache
def watch_of_this_process(seconds: float, share: float, window: int) -> OutageWatch:
    """Make the watch over the verdicts of that judge."""
    return OutageWatch(OutageLimits(seconds, share, window))


class JudgeWorkflow(RLVRWorkflow):
    """AReaL's workflow for one completion, paid by a judge. AReaL itself makes groups of it.

    Args:
        gconfig: How completions are sampled.
        tokenizer: The policy's tokenizer, or its path.
        stop_file: Where to leave a note if the judge is out, in a folder that the trainer sees.
        outage: The fields of `OutageLimits`.

    Raises:
        JudgeConfigError: If the environment names no judge, or a setting is wrong.
    """

    def __init__(
        self,
        gconfig: GenerationHyperparameters,
        tokenizer: Any,
        stop_file: str,
        outage: dict[str, Any],
    ):
        self.stop_file = Path(stop_file)
        try:
            self.judge = judge_of_this_process()
        except JudgeConfigError as error:  # in a worker, AReaL would log it and go on
            stop_run(self.stop_file, f"A worker has no judge: {error}")
        self.watch = watch_of_this_process(**outage)
        super().__init__(self.judge, gconfig, tokenizer)

    async def _compute_rewards(
        self, resp: ModelResponse, prompt_str: str, task_data: dict[str, Any]
    ) -> float:
        """Ask the judge. It gets the messages, not the policy's template around them."""
        columns = {name: value for name, value in task_data.items() if name != "messages"}
        completion = self.tokenizer.decode(resp.output_tokens)
        give_up = time.monotonic() + self.watch.limits.seconds
        while True:
            try:
                reward = await self.judge(
                    task_data["messages"],
                    completion,
                    resp.input_tokens,
                    resp.output_tokens,
                    **columns,
                )
            except JudgeUnavailableError as error:
                if outage := self.watch.unavailable():
                    stop_run(self.stop_file, outage)
                if time.monotonic() >= give_up:  # others are answered, this one is not
                    self._reject(error)
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception as error:
                self._reject(error)
            else:
                self.watch.record(failed=False)
                return reward

    def _reject(self, error: Exception) -> None:
        if outage := self.watch.record(failed=True):
            stop_run(self.stop_file, outage)
        raise NoVerdictError("A completion has no verdict: its group is rejected.") from error


@dataclass
class JudgeGRPOConfig(GRPOConfig):
    """AReaL's configuration of GRPO, and when failed verdicts are an outage."""

    outage: OutageLimits = field(default_factory=OutageLimits)


def train(arguments: list[str]) -> None:
    """Make the training run that a configuration describes."""
    # Unlike the smoke run, this needs all of AReaL's dependencies.
    from areal import PPOTrainer
    from areal.dataset import get_custom_dataset
    from areal.utils.hf_utils import load_hf_tokenizer

    JudgeConfig.from_environment()  # a wrong setting is refused before anything is started
    config, _ = load_expr_config(arguments, JudgeGRPOConfig)
    tokenizer = load_hf_tokenizer(config.tokenizer_path)
    train_rows = get_custom_dataset("train", config.train_dataset, tokenizer)
    valid_rows = get_custom_dataset("test", config.valid_dataset, tokenizer)
    folder = Path(config.cluster.fileroot, config.experiment_name, config.trial_name)
    stop_file = folder / "judge_outage.txt"
    settings = {
        "gconfig": config.gconfig,
        "tokenizer": config.tokenizer_path,
        "stop_file": str(stop_file),
        "outage": asdict(config.outage),
    }
    # By name: under a scheduler the workers import it. The folder of this script is on their path.
    workflow = "areal_judge_workflow.JudgeWorkflow"
    with PPOTrainer(
        config, train_dataset=RowsUntilStopped(train_rows, stop_file), valid_dataset=valid_rows
    ) as trainer:
        trainer.train(
            workflow=workflow,
            workflow_kwargs=settings,
            eval_workflow=workflow,
            eval_workflow_kwargs={**settings, "gconfig": config.eval_gconfig},
        )


def smoke_rollout(folder: Path, limits: OutageLimits) -> SmokeRollout:
    """Make a rollout on the rows and completions below.

    Args:
        folder: Where a note about an outage is left.
        limits: When failures are an outage.
    """
    stop_file = folder / "judge_outage.txt"
    return SmokeRollout(
        RowsUntilStopped(SMOKE_ROWS, stop_file),
        SMOKE_COMPLETIONS,
        4,
        lambda gconfig, tokenizer: JudgeWorkflow(
            gconfig, tokenizer, str(stop_file), asdict(limits)
        ),
    )


SMOKE_ROWS = [
    {"messages": [{"role": "user", "content": "What is 2 + 2?"}], "answer": "4"},
    {"messages": [{"role": "user", "content": "What is 3 + 1?"}], "answer": "4"},
]
SMOKE_COMPLETIONS = ["The answer is 4.", "It is four.", "The answer is 5.", "I do not know."]
RIGHT = ("is 4.", "four.")


def scripted_verdict(body: dict[str, Any]) -> Answer:
    """Play a judge that knows the four completions above."""
    right = any(words in body["messages"][-1]["content"] for words in RIGHT)
    verdict = "correct" if right else "incorrect"
    return Answer(json.dumps({"rationale": "The script says so.", "verdict": verdict}))


def smoke() -> None:
    """Collect one batch with the installed AReaL on CPU, and see an outage stop the run."""
    print("Smoke run: the installed AReaL, an engine with fixed completions, a scripted judge.")
    print("No model is trained, and no model judges.")
    keep_quiet()
    limits = OutageLimits(seconds=2.0)
    with ScriptedServer(scripted_verdict, latency_seconds=0.05) as server:
        os.environ |= {"JUDGE_BASE_URL": server.base_url, "JUDGE_MODEL": "scripted"}
        os.environ |= {"JUDGE_MAX_ATTEMPTS": "1", "JUDGE_CACHE_ENTRIES": "0"}
        with tempfile.TemporaryDirectory() as folder:
            rollout = smoke_rollout(Path(folder), limits)
            for group in rollout.prepare_batch():
                print("rewards of a group:", sorted(group["rewards"].tolist()))
            print("judged at a time, at most:", server.most_in_flight)
            server.script = [Status(503)]
            print(f"Now the judge is down for good. The limit is {limits.seconds:.0f} s.")
            try:
                while True:
                    rollout.prepare_batch()
            except RunStoppedError as error:
                print("stopped:", error)
            rollout.executor.destroy()


if __name__ == "__main__":
    run("Train with an LLM as judge in AReaL: GRPO on GSM8K.", train, smoke, JudgeConfigError)

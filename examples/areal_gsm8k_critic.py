"""Train with a reward model as the critic in AReaL 1.0.4: GRPO on GSM8K.

    python -m reference_impl.critic.serve --model MODEL --socket /run/user/1000/critic.sock
    export CRITIC_SERVICE_URL=unix:/run/user/1000/critic.sock
    python examples/areal_gsm8k_critic.py --config examples/areal_gsm8k_critic.yaml

    REWARD_MODEL_PATH=MODEL python examples/areal_gsm8k_critic.py --smoke

The first three are the whole training run: one service with the model, and the trainer. It needs a
machine with GPUs, AReaL with its inference server, and a reward model. That run was not made for
this guide. What was run, and is tested, is the smoke run, the workflow in AReaL's own executor, and
the configuration in AReaL's own parser.

The smoke run needs no GPU. It uses the installed AReaL, with an engine that says fixed sentences,
and a real service with the model that `REWARD_MODEL_PATH` names: one batch, and then the service
ends, and stops the run.

Four decisions, and what in AReaL 1.0.4 they follow from:

- The model is in one process, which is not AReaL's, and everybody else has a thin client. In
  AReaL's pool of processes there would be a copy in each, loaded by a first call whose timeouts
  become rewards of 0.
- The workflow awaits the client, outside the pool. So as many samples wait at a time as the
  workflow has threads, and the service makes batches of them.
- A sample without a score takes its group along (`on_failure="raise"`). A 0 would be a number
  somewhere among the critic's scores, and perhaps a good one.
- A critic that is lost stops the run through the data set, and so do too many samples without a
  score. AReaL itself would reject and start again for ever: see `areal_stop.py`.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from areal.api import ModelResponse
from areal.api.cli_args import GenerationHyperparameters, GRPOConfig, load_expr_config
from areal_smoke import SmokeRollout, keep_quiet, run
from areal_stop import RowsUntilStopped, RunStoppedError, stop_run

from reference_impl import CriticClient, CriticConfigError, CriticLoadError, CriticUnavailableError
from reference_impl.adapters.areal import ArealWorkflow, check_areal_row
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.critic.reward import critic_reward_fn

CRITIC = "reference_impl.critic_reward_fn"
#: Failures of the critic, and not of a sample: every sample has them.
LOST = (CriticUnavailableError, CriticLoadError, CriticConfigError)
SETTINGS_ERRORS = (*LOST, MissingColumnError)


@dataclass
class FailureLimits:
    """How many samples without a score stop the run, among all that a process has scored.

    Attributes:
        share: The highest share of them.
        least_samples: How many samples there must have been to speak of a share.
    """

    share: float = 0.2
    least_samples: int = 200


class CriticWorkflow(ArealWorkflow):
    """AReaL's workflow for one completion, paid by a critic. AReaL itself makes groups of it.

    Args:
        gconfig: How completions are sampled.
        tokenizer: The policy's tokenizer, or its path.
        stop_file: Where to leave a note that stops the run, in a folder that the trainer sees.
        failures: The fields of `FailureLimits`.
    """

    def __init__(
        self,
        gconfig: GenerationHyperparameters,
        tokenizer: Any,
        stop_file: str,
        failures: dict[str, Any],
    ):
        super().__init__(CRITIC, gconfig, tokenizer, on_failure="raise")
        self.stop_file = Path(stop_file)
        self.limits = FailureLimits(**failures)

    async def _compute_rewards(
        self, resp: ModelResponse, prompt_str: str, task_data: dict[str, Any]
    ) -> float:
        """Await the critic. Its client waits out a restart, so what it raises is final."""
        try:
            return await super()._compute_rewards(resp, prompt_str, task_data)
        except LOST as error:
            stop_run(self.stop_file, f"The critic is lost. {error}")
        except Exception:
            counts = self.guarded.counts  # those of all workflows of this process
            seen, failed = counts.calls, counts.failed
            if seen >= self.limits.least_samples and failed > self.limits.share * seen:
                stop_run(self.stop_file, f"Of {seen} samples, {failed} have no score.")
            raise


@dataclass
class CriticGRPOConfig(GRPOConfig):
    """AReaL's configuration of GRPO, and how many samples without a score stop the run."""

    failures: FailureLimits = field(default_factory=FailureLimits)


def train(arguments: list[str]) -> None:
    """Make the training run that a configuration describes."""
    # Unlike the smoke run, this needs all of AReaL's dependencies.
    from areal import PPOTrainer
    from areal.dataset import get_custom_dataset
    from areal.utils.hf_utils import load_hf_tokenizer

    critic_reward_fn.warm_up()  # a wrong setting is refused before anything is started
    config, _ = load_expr_config(arguments, CriticGRPOConfig)
    tokenizer = load_hf_tokenizer(config.tokenizer_path)
    train_rows = get_custom_dataset("train", config.train_dataset, tokenizer)
    valid_rows = get_custom_dataset("test", config.valid_dataset, tokenizer)
    for rows in (train_rows, valid_rows):
        check_areal_row(CRITIC, rows[0])
    folder = Path(config.cluster.fileroot, config.experiment_name, config.trial_name)
    stop_file = folder / "critic_lost.txt"
    settings = {
        "gconfig": config.gconfig,
        "tokenizer": config.tokenizer_path,
        "stop_file": str(stop_file),
        "failures": asdict(config.failures),
    }
    # By name: under a scheduler the workers import it. The folder of this script is on their path.
    workflow = "areal_gsm8k_critic.CriticWorkflow"
    with PPOTrainer(
        config, train_dataset=RowsUntilStopped(train_rows, stop_file), valid_dataset=valid_rows
    ) as trainer:
        trainer.train(
            workflow=workflow,
            workflow_kwargs=settings,
            eval_workflow=workflow,
            eval_workflow_kwargs={**settings, "gconfig": config.eval_gconfig},
        )


TASK = "Show your working. Last line: ####, then the number."
SMOKE_ROWS = [
    {"messages": [{"role": "user", "content": f"What is 12 + 31?\n{TASK}"}], "answer": "43"},
    {"messages": [{"role": "user", "content": f"What is 31 + 12?\n{TASK}"}], "answer": "43"},
]
SMOKE_COMPLETIONS = [
    "12 + 31 = 43\n#### 43",
    "12 + 31 = 43\n#### 47",
    "12 + 31 = 43. That is it.",
    "I am unable to do this one.",
]


def smoke_rollout(folder: Path, limits: FailureLimits) -> SmokeRollout:
    """Make a rollout on the rows and completions above.

    Args:
        folder: Where a note that stops the run is left.
        limits: How many samples without a score stop it.
    """
    stop_file = folder / "critic_lost.txt"
    for row in SMOKE_ROWS:
        check_areal_row(CRITIC, row)
    return SmokeRollout(
        RowsUntilStopped(SMOKE_ROWS, stop_file),
        SMOKE_COMPLETIONS,
        4,
        lambda gconfig, tokenizer: CriticWorkflow(
            gconfig, tokenizer, str(stop_file), asdict(limits)
        ),
    )


def start_service(folder: Path) -> subprocess.Popen:
    """Start a critic service in a process of its own, and wait until its model is loaded.

    Its model is the one that `REWARD_MODEL_PATH` names.

    Raises:
        CriticLoadError: If it ends instead.
    """
    socket = folder / "critic.sock"
    command = [sys.executable, "-m", "reference_impl.critic.serve", "--socket", str(socket)]
    with open(folder / "critic.log", "w") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log)
    while not socket.exists():
        if service.poll() is not None:
            reason = (folder / "critic.log").read_text("utf-8").strip().rpartition("\n")[2]
            raise CriticLoadError(f"The critic service did not start. {reason}")
        time.sleep(0.1)
    try:
        CriticClient(f"unix:{socket}", timeout_seconds=300).warm_up()
    except LOST:
        service.terminate()
        raise
    os.environ["CRITIC_SERVICE_URL"] = f"unix:{socket}"
    return service


def smoke() -> None:
    """Collect one batch with the installed AReaL on CPU, and see a lost critic stop the run."""
    print("Smoke run: the installed AReaL, an engine with fixed completions, a real critic.")
    print("No model is trained.")
    keep_quiet()
    os.environ["CRITIC_TIMEOUT_SECONDS"] = "10"
    with tempfile.TemporaryDirectory() as folder:
        service = start_service(Path(folder))
        rollout = None
        try:
            rollout = smoke_rollout(Path(folder), FailureLimits())
            for group in rollout.prepare_batch():
                print("a group:")
                scores = zip(group["rewards"].tolist(), rollout.completions(group), strict=True)
                for score, completion in sorted(scores, reverse=True):
                    print(f"  {score:6.2f}  {completion!r}")
            print("Now the critic is gone for good.")
            service.terminate()
            service.wait()
            while True:
                rollout.prepare_batch()
        except RunStoppedError as error:
            print("stopped:", str(error).replace(folder, "FOLDER"))
        finally:
            service.terminate()
            service.wait()
            if rollout:
                rollout.executor.destroy()


if __name__ == "__main__":
    run("Train with a critic in AReaL: GRPO on GSM8K.", train, smoke, SETTINGS_ERRORS)

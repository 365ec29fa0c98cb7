"""What the examples for AReaL share: their command line, and a rollout without a GPU."""

import argparse
import itertools
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from areal.api import ModelRequest, ModelResponse, RolloutWorkflow
from areal.api.cli_args import GenerationHyperparameters, InferenceEngineConfig
from areal.infra.remote_inf_engine import GroupedRolloutWorkflow
from areal.infra.workflow_executor import WorkflowExecutor
from tiny_policy import new_tokenizer
from torch.utils.data import Dataset
from torchdata.stateful_dataloader import StatefulDataLoader

from reference_impl.contract import failure

# AReaL replaces the root of all loggers again and again: a logger that is looked up by name later
# is another one. So the objects are kept.
_logger = logging.getLogger("smoke")


def run(
    description: str,
    train: Callable[[list[str]], None],
    smoke: Callable[[], None],
    wrong_setting: type[Exception] | tuple[type[Exception], ...] = (),
) -> None:
    """Read the command line of an example, and do what it says.

    Args:
        description: What the example does, for `--help`.
        train: Makes the training run, from AReaL's own arguments.
        smoke: Makes the smoke run.
        wrong_setting: Errors that are the caller's, and are shown without a traceback.
    """
    parser = argparse.ArgumentParser(description=description)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--config", type=Path, help="the training run, as this file describes it")
    what.add_argument("--smoke", action="store_true", help="a batch on this machine, without a GPU")
    parser.add_argument(
        "fields", nargs="*", help="fields of the configuration, such as seed=2 actor.path=MODEL"
    )
    options = parser.parse_args()
    if options.smoke and options.fields:
        parser.error("--smoke takes no fields of a configuration")
    if options.config and not options.config.is_file():
        parser.error(f"--config: there is no file {options.config}")
    try:
        if options.smoke:
            smoke()
        else:
            train(["--config", str(options.config), *options.fields])
    except wrong_setting as error:
        parser.error(str(error))


def keep_quiet() -> None:
    """Log no failure and no rejection: a smoke run prints what comes of them."""
    for logger in (_logger, failure.logger):
        logger.setLevel(logging.CRITICAL)


class FixedEngine:
    """Stands in for the inference engine: says the given sentences in turn."""

    def __init__(self, tokenizer: Any, completions: Iterable[str]):
        self._tokenizer = tokenizer
        self._completions = itertools.cycle(completions)

    def get_version(self) -> int:
        """The version of the weights, which stay as they are."""
        return 0

    async def agenerate(self, request: ModelRequest) -> ModelResponse:
        """Say the next sentence."""
        tokens = self._tokenizer.encode(next(self._completions))
        tokens.append(self._tokenizer.eos_token_id)
        return ModelResponse(
            input_tokens=list(request.input_ids),
            output_tokens=tokens,
            output_logprobs=[-1.0] * len(tokens),
            output_versions=[0] * len(tokens),
            tokenizer=self._tokenizer,
        )


class SmokeRollout:
    """AReaL's executor, groups and data loader, as the trainer uses them, on a `FixedEngine`.

    Args:
        rows: The rows of the data set. A batch is two of them.
        completions: What the engine says.
        group_size: How many completions there are of each prompt.
        make_workflow: Makes the workflow, from the settings for sampling and a tokenizer.
    """

    def __init__(
        self,
        rows: Dataset,
        completions: Iterable[str],
        group_size: int,
        make_workflow: Callable[[GenerationHyperparameters, Any], RolloutWorkflow],
    ):
        self.tokenizer = new_tokenizer()
        self._rows = StatefulDataLoader(rows, batch_size=2, collate_fn=list)
        workflow = make_workflow(GenerationHyperparameters(n_samples=group_size), self.tokenizer)
        self._workflow = GroupedRolloutWorkflow(workflow, group_size, _logger)
        config = InferenceEngineConfig(
            consumer_batch_size=2,
            max_concurrent_rollouts=2,
            max_head_offpolicyness=1000,  # nothing is trained, so that the version stays
        )
        self.executor = WorkflowExecutor(config, FixedEngine(self.tokenizer, completions))
        self.executor.initialize(_logger, train_data_parallel_size=1)

    def prepare_batch(self) -> list[dict[str, Any]]:
        """Get the next batch: the tensors of each group, (group_size, sequence)."""
        return self.executor.prepare_batch(self._rows, self._workflow)

    def completions(self, group: dict[str, Any]) -> list[str]:
        """Say which completions a group has, in the order of its rewards."""
        rows = zip(group["input_ids"], group["loss_mask"], strict=True)
        texts = [self.tokenizer.decode(ids[mask.bool()]) for ids, mask in rows]
        return [text.removesuffix(self.tokenizer.eos_token) for text in texts]

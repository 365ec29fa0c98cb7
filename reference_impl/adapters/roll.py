"""ROLL: one reward function as a reward worker of the RLVR pipeline."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from reference_impl.adapters.batch import Sample, score_batch, score_batch_async, split_columns
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.rows import row_columns
from reference_impl.contract.failure import AsyncGuardedReward
from reference_impl.contract.reward_fn import RewardFn

#: The column of ROLL's data sets that holds the gold answer.
GOLD = "ground_truth"


class RollReward:
    """A reward function for the reward workers of ROLL.

    Make the worker at module level, `Worker = RollReward(reward_fn).worker_class()`, and name it in
    the configuration, with the tags of the data set that it scores. The key is the domain, as in
    `domain_interleave_probs`, and the model is the policy, for its tokenizer::

        rewards:
          grade:
            worker_cls: my_rewards.Worker
            tag_included: [gsm8k]
            model_args:
              model_name_or_path: ${pretrain}
            world_size: 8

    `"raise"` is the default, and a number is allowed. What ROLL does with each outcome, as its
    source has it:

    - An exception ends the pipeline.
    - None cannot be in the tensors: `"skip"` is refused.
    - NaN would spoil the mean and the deviation of its group. It does not get there.
    - A slow call is waited for without a limit. A worker takes one call after the other, often of a
      single sample: make as many workers, by `world_size`, as rewards shall be scored at once. The
      samples of one call are scored at once if the reward is asynchronous.

    The reward function gets as columns those of the data set, `ground_truth` as `answer_column`.
    The prompt is the column `prompt`, or else the prompt's tokens as text, without special tokens
    but with the words of the chat template. Padding is taken off the tokens.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: `"raise"`, or the number that a failure is worth.
        answer_column: The column as which the reward function gets `ground_truth`.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that ROLL cannot take.

    Source:
        ROLL, `GeneralValRuleRewardWorker.compute_rewards` in
        `roll/pipeline/rlvr/rewards/general_val_rule_reward_worker.py`, `Cluster` in
        `roll/distributed/executor/cluster.py`, `RolloutContext` in
        `roll/distributed/scheduler/generate_scheduler.py`, `postprocess_generate` in
        `roll/utils/functionals.py`.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> RollReward(exact_match_reward_fn, on_failure=0.0).guarded
        GuardedReward(exact_match_reward_fn, on_failure=0.0)

    Explained in :ref:`trainers`.
    """

    def __init__(
        self, reward_fn: RewardFn, on_failure: Policy = "raise", answer_column: str = "answer"
    ):
        bare = guard(reward_fn, on_failure, "ROLL", allows=("raise", "number"))
        self.guarded = read_messages(bare)
        self.answer_column = answer_column
        self.__name__ = self.guarded.__name__

    def score(
        self, tensors: Mapping[str, Any], columns: Mapping[str, Any], tokenizer: Any
    ) -> dict[str, Any]:
        """Score a batch.

        Args:
            tensors: ROLL's `input_ids`, `prompt_mask` and `response_mask`, of shape
                (batch, tokens), and `responses`, of shape (batch, response_tokens).
            columns: The columns of the data set, as arrays of shape (batch,).
            tokenizer: The tokenizer of the policy.

        Returns:
            `response_level_rewards` and `scores`, both the rewards, of shape (batch,); and
            `token_level_rewards`, zeros of shape (batch, response_tokens). All are float32.

        Raises:
            ValueError: If the lengths differ, or there are two gold answers.
            MissingColumnError: If the data set lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        import torch

        samples = self._samples(tensors, columns, tokenizer)
        if isinstance(self.guarded, AsyncGuardedReward):
            scored = asyncio.run(score_batch_async(self.guarded, samples))
        else:
            scored = score_batch(self.guarded, samples)
        rewards = torch.tensor(scored, dtype=torch.float32)
        return {
            "token_level_rewards": torch.zeros_like(tensors["responses"], dtype=torch.float32),
            "response_level_rewards": rewards,
            "scores": rewards.clone(),
        }

    def _samples(
        self, tensors: Mapping[str, Any], columns: Mapping[str, Any], tokenizer: Any
    ) -> list[Sample]:
        tokens, asked, said = (
            tensors[name] for name in ("input_ids", "prompt_mask", "response_mask")
        )
        samples = []
        rows = split_columns({name: list(values) for name, values in columns.items()}, len(tokens))
        for index, row in enumerate(rows):
            prompt_ids = tokens[index][asked[index].bool()].tolist()
            response_ids = tokens[index][said[index].bool()].tolist()
            prompt = row.get("prompt")
            gold = row.pop(GOLD, None)
            samples.append(
                Sample(
                    _decode(tokenizer, prompt_ids) if prompt is None else prompt,
                    _decode(tokenizer, response_ids),
                    prompt_ids,
                    response_ids,
                    row_columns(row, gold, self.answer_column),
                )
            )
        return samples

    def worker_class(self) -> type:
        """Make the class to name as `worker_cls`. It needs ROLL.

        Returns:
            A subclass of ROLL's `Worker`.
        """
        from roll.distributed.executor.worker import Worker
        from roll.distributed.scheduler.decorator import Dispatch, register
        from roll.distributed.scheduler.protocol import DataProto
        from roll.models.model_providers import default_tokenizer_provider

        reward = self

        class RewardWorker(Worker):
            """A reward worker with one reward function."""

            def __init__(self, worker_config):
                super().__init__(worker_config=worker_config)
                self.rank_info.dp_rank = self.rank_info.rank
                self.rank_info.dp_size = self.rank_info.world_size
                self.tokenizer = default_tokenizer_provider(model_args=worker_config.model_args)

            @register(dispatch_mode=Dispatch.ONE_TO_ALL)
            def initialize(self, pipeline_config):
                """Load nothing: a reward function has no weights here."""

            @register(dispatch_mode=Dispatch.DP_MP_COMPUTE, clear_cache=False)
            def compute_rewards(self, data):
                """Score a batch."""
                tensors = reward.score(data.batch, data.non_tensor_batch, self.tokenizer)
                return DataProto.from_dict(tensors=tensors)

        return RewardWorker


def _decode(tokenizer: Any, tokens: Sequence[int]) -> str:
    return tokenizer.decode(tokens, skip_special_tokens=True)

"""NeMo-RL: one reward function as an environment of one turn."""

from collections.abc import Mapping, Sequence
from typing import Any

from reference_impl.adapters.awaited import score_awaited
from reference_impl.adapters.batch import Sample
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.rows import row_columns
from reference_impl.contract.reward_fn import RewardFn

#: Where the environments of NeMo-RL keep the gold answer.
GOLD = "ground_truth"


class NemoRLReward:
    """A reward function as an environment of NeMo-RL that ends after one turn.

    NeMo-RL makes an environment by its import path, as a Ray actor, with the part of the
    configuration under its name. Write a subclass that takes it::

        @ray.remote
        class GradeEnvironment(NemoRLReward):
            def __init__(self, cfg):
                super().__init__(reward_fn)

    and make it known before the training starts::

        register_env("grade", "my_rewards.GradeEnvironment")
        ACTOR_ENVIRONMENT_REGISTRY["my_rewards.GradeEnvironment"] = PY_EXECUTABLES.SYSTEM

    The base class of NeMo-RL is not needed: an environment is called as an actor, by its methods.

    `"raise"` is the default, and a number is allowed. What NeMo-RL does with each outcome, as its
    source has it:

    - An exception comes back from the actor and ends the rollout, and the run.
    - None cannot be in the tensor of rewards: `"skip"` is refused.
    - NaN would be added to the sum of its sample's rewards. It does not get there.
    - A slow call is waited for without a limit, and the other rollouts wait with it: NeMo-RL calls
      `ray.get` in its event loop. The actor itself scores a batch's asynchronous rewards at once,
      and synchronous ones in a thread.

    The reward function gets as columns what the sample's `extra_env_info` holds, `ground_truth` as
    `answer_column`; the text of the user's last message, which has the chat template in it if the
    data processor applied one; and what the assistant says. NeMo-RL passes no tokens.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: `"raise"`, or the number that a failure is worth.
        answer_column: The column as which the reward function gets `ground_truth`.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that NeMo-RL cannot take.

    Source:
        NeMo-RL, `EnvironmentInterface` in `nemo_rl/environments/interfaces.py`, `create_env` in
        `nemo_rl/environments/utils.py`, `calculate_rewards` in `nemo_rl/experience/rollouts.py`.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> environment = NemoRLReward(exact_match_reward_fn, on_failure=0.0)
        >>> environment.guarded
        GuardedReward(exact_match_reward_fn, on_failure=0.0)

    Explained in :ref:`trainers`.
    """

    def __init__(
        self, reward_fn: RewardFn, on_failure: Policy = "raise", answer_column: str = "answer"
    ):
        bare = guard(reward_fn, on_failure, "NeMo-RL", allows=("raise", "number"))
        self.guarded = read_messages(bare)
        self.answer_column = answer_column
        self.__name__ = self.guarded.__name__

    async def step(
        self,
        message_log_batch: Sequence[Sequence[Mapping[str, Any]]],
        metadata: Sequence[Mapping[str, Any] | None],
    ) -> Any:
        """Score the conversations of a batch, and end them.

        Args:
            message_log_batch: The messages of each conversation, shape (batch, messages).
            metadata: The `extra_env_info` of each, shape (batch,).

        Returns:
            NeMo-RL's `EnvironmentReturn`, with rewards of shape (batch,), float32.

        Raises:
            ValueError: If the lengths differ, or there are two gold answers.
            MissingColumnError: If a sample lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        import torch
        from nemo_rl.environments.interfaces import EnvironmentReturn

        size = len(message_log_batch)
        if len(metadata) != size:
            raise ValueError(f"There are {size} conversations, and {len(metadata)} metadata.")
        pairs = zip(message_log_batch, metadata, strict=True)
        samples = [Sample(log, log, [], [], self._columns(row)) for log, row in pairs]
        rewards = await score_awaited(self.guarded, samples)
        return EnvironmentReturn(
            # Not empty: a part of NeMo-RL turns no tokens into a tensor of floats.
            observations=[{"role": "environment", "content": f"reward: {r}"} for r in rewards],
            metadata=list(metadata),
            next_stop_strings=[None] * size,
            rewards=torch.tensor(rewards, dtype=torch.float32),
            terminateds=torch.ones(size),
            answers=[None] * size,
        )

    def global_post_process_and_metrics(self, batch: Any) -> tuple[Any, dict[str, float]]:
        """Leave a batch as it is.

        Args:
            batch: NeMo-RL's batch of rollouts.

        Returns:
            The batch, and the share of failed calls since the actor was made, as `NAME/failed`.
        """
        counts = self.guarded.counts
        return batch, {f"{self.__name__}/failed": counts.failed / max(counts.calls, 1)}

    def shutdown(self) -> None:
        """End the environment. There is nothing to end."""

    def _columns(self, row: Mapping[str, Any] | None) -> dict[str, Any]:
        gold = row.get(GOLD) if isinstance(row, Mapping) else None
        if gold is not None:
            row = {name: value for name, value in row.items() if name != GOLD}
        return row_columns(row, gold, self.answer_column)

"""SkyRL: one reward function as an environment of SkyRL-Gym."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from reference_impl.adapters.batch import Sample, score_batch
from reference_impl.adapters.components import component_names, keep_components, split_outcome
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.text import Text
from reference_impl.adapters.versions import check_version
from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward
from reference_impl.contract.reward_fn import FIELDS, RewardFn
from reference_impl.runtime.blocking import BlockingReward


class SkyRLReward:
    """A reward function as an entry point of SkyRL-Gym, which makes one environment a completion.

    Make it in a module of yours, as `env` in `my_rewards`, and register it where the training
    starts, before its trainer does: `skyrl_gym.register("my_task", entry_point="my_rewards:env")`.
    Rows of the data set name it in their column `env_class`, or the configuration for all rows:
    `environment.env_class=my_task`.

    An environment scores one completion and is done. The reward function gets as columns `answer`,
    which is the `ground_truth` of the row's `reward_spec` (or `reward_model`), and all other
    columns of the row. Of the prompt it gets the text of the user's last message. SkyRL passes no
    tokens: a reward of length, which needs them, fails.

    SkyRL logs the mean of each component of a `Composite` as `environment/reward/COMPONENT`, of the
    completions on which it was scored. If two environments have a component of the same name, SkyRL
    keeps the mean of one.

    What SkyRL does with each outcome:

    - An exception ends the training, which is why `"raise"` is the default.
    - None ends the training with an AssertionError, so that `"skip"` is refused.
    - NaN would go into the advantages of its group. The guard makes a failure of it.
    - A slow call is waited for without a limit. It holds one of the 32 threads of
      `environment.skyrl_gym.max_env_workers`. An asynchronous reward holds one as well: SkyRL does
      not await, so that `BlockingReward` waits for it. Raise the number for a judge.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: `"raise"`, or the number that a failure is worth.
        answer_column: The column under which the reward function gets the `ground_truth`.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that SkyRL cannot take.
        UnprovenVersionError: If SkyRL-Gym is installed in a version that was not proven.

    Source:
        SkyRL-Gym 0.4.0, `make` in `skyrl_gym/envs/registration.py`. SkyRL 0.3.0,
        `SkyRLGymGenerator.agent_loop` in `skyrl/train/generators/skyrl_gym_generator.py`.

    Example:
        >>> from reference_impl import gsm8k_reward_fn
        >>> env = SkyRLReward(gsm8k_reward_fn, on_failure=0.0)
        >>> asked = [{"role": "user", "content": "What is 70 + 2?"}]
        >>> env.score(asked, "#### 72", {"reward_spec": {"ground_truth": "72"}})
        1.0

    Explained in :ref:`trainers`.
    """

    def __init__(
        self, reward_fn: RewardFn, on_failure: Policy = "raise", answer_column: str = "answer"
    ):
        check_version("skyrl-gym")
        self.guarded = read_messages(keep_components(_guard(reward_fn, on_failure)))
        self._names = component_names(reward_fn)
        self.answer_column = answer_column
        self.__name__ = self.guarded.__name__
        self._made_with = (reward_fn, on_failure, answer_column)

    def __call__(self, env_config: Any = None, extras: Mapping[str, Any] | None = None) -> Any:
        """Make an environment, as `skyrl_gym.make` asks for it.

        Args:
            env_config: The configuration of the environment; not used.
            extras: The columns of the data set's row, without the prompt.

        Returns:
            An environment, whose class is derived from `BaseTextEnv`.
        """
        return _env_class()(self, {} if extras is None else extras)

    def score(self, prompt: Text, completion: str, extras: Mapping[str, Any]) -> float:
        """Score one completion.

        Args:
            prompt: The prompt, as messages or text.
            completion: The completion as text.
            extras: The columns of the data set's row, without the prompt.

        Returns:
            The reward.

        Raises:
            ValueError: If a column has the name of an argument.
            MissingColumnError: If the row lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        return self._score(prompt, completion, extras)[0]

    def _score(
        self, prompt: Text, completion: str, extras: Mapping[str, Any]
    ) -> tuple[float, dict[str, float | None]]:
        """Score one completion, and say what each component was worth."""
        columns = dict(extras)
        taken = [name for name in FIELDS if name in columns]
        if taken:
            raise ValueError(
                f"The data set has the column `{taken[0]}`, which is the name of an argument that "
                "does not come from there: rename it."
            )
        for name in ("reward_spec", "reward_model"):
            if isinstance(columns.get(name), Mapping) and "ground_truth" in columns[name]:
                columns[self.answer_column] = columns[name]["ground_truth"]
                break
        outcome = score_batch(self.guarded, [Sample(prompt, completion, [], [], columns)])[0]
        return split_outcome(outcome, self._names)

    def aggregate_metrics(self, metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Join the metrics of episodes as `BaseTextEnv` does: SkyRL asks the entry point for it.

        Args:
            metrics: The metrics of each episode, shape (episodes,).

        Returns:
            The mean of each number.
        """
        return _env_class().aggregate_metrics(metrics)

    def __reduce__(self):
        return (type(self), self._made_with)


def _guard(reward_fn: RewardFn, on_failure: Policy) -> GuardedReward:
    allows = ("raise", "number")
    guarded = guard(reward_fn, on_failure, "SkyRL", allows)
    if isinstance(guarded, AsyncGuardedReward):
        return guard(BlockingReward(reward_fn), on_failure, "SkyRL", allows)
    return guarded


@functools.cache
def _env_class() -> type:
    """Return the class of the environments, which needs SkyRL-Gym for its base."""
    from skyrl_gym.envs.base_text_env import BaseTextEnv, BaseTextEnvStepOutput

    class RewardEnv(BaseTextEnv):
        def __init__(self, reward: SkyRLReward, extras: Mapping[str, Any]):
            super().__init__()
            self.reward = reward
            self.extras = extras
            self.prompt = None
            self.components = {}

        def init(self, prompt):
            self.prompt = prompt
            return prompt, {}

        def step(self, action):
            if self.prompt is None:
                raise RuntimeError("This environment has no prompt yet: call `init` before `step`.")
            reward, self.components = self.reward._score(self.prompt, action, self.extras)
            return BaseTextEnvStepOutput(observations=[], reward=reward, done=True, metadata={})

        def get_metrics(self):
            components = self.components.items()
            return {f"reward/{name}": value for name, value in components if value is not None}

    return RewardEnv

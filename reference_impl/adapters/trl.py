"""TRL: one reward function for GRPOTrainer and RLOOTrainer."""

from collections.abc import Callable, Sequence
from typing import Any

from reference_impl.adapters.batch import Sample, score_batch, score_batch_async, split_columns
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.text import Text
from reference_impl.adapters.versions import check_version
from reference_impl.compose.composite import Composite
from reference_impl.contract.parameters import is_async
from reference_impl.contract.reward_fn import RewardFn

#: What TRL passes beside the columns of the data set. `log_metric` is an argument of its own.
NOT_COLUMNS = ("trainer_state", "log_extra", "environments")


class TRLReward:
    """A reward function in the shape that TRL calls, for all completions of a step at once.

    It goes into a trainer's `reward_funcs`. The command `trl grpo` takes its import path:
    `--reward_funcs my_rewards.reward`. TRL logs it under its `__name__`, the share of completions
    that failed as `NAME/failed`, and the mean of each component of a `Composite` as
    `NAME/COMPONENT`.

    All three policies are allowed. What TRL does with each outcome:

    - An exception ends the training.
    - None is left out of its group's mean and gets the advantage 0: `"skip"` is the default. A
      group in which all are None moves nothing. That holds if this is the only reward function.
      Beside another one, None counts as 0 in the weighted sum, so join rewards in one function.
    - NaN would be read as None. It does not get there: the guard makes a failure of it.
    - A slow call is waited for without a limit. Asynchronous rewards are awaited all at once.

    TRL passes no tokens of the prompt: the reward function gets none. Of messages it gets the text
    of the user's last one, and what the assistant says and calls; see `completion_text`.

    Args:
        reward_fn: The bare reward function. If it is asynchronous, you get an `AsyncTRLReward`.
        on_failure: `"skip"`, `"raise"`, or the number that a failure is worth.
        pass_messages: Pass a prompt of messages as it is, for a judge or a critic that reads them.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none.
        UnprovenVersionError: If TRL is installed in a version that was not proven.

    Source:
        TRL 1.16, `GRPOTrainer._calculate_rewards` in `trl/trainer/grpo_trainer.py`, and the same in
        `rloo_trainer.py`.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> reward = TRLReward(exact_match_reward_fn)
        >>> said = ["#### 4", "#### 5", "#### 4"]
        >>> reward(["2 + 2?"] * 3, said, [[9], [8], [9]], answer=["4", "4", ""])
        [1.0, 0.0, None]
        >>> reward.guarded.counts.failures
        {'invalid_gold': 1}

    Explained in :ref:`trainers`.
    """

    def __new__(cls, reward_fn: RewardFn, *args: Any, **kwargs: Any) -> "TRLReward":
        # TRL tells by the method, without a call, whether to await a reward.
        return super().__new__(AsyncTRLReward if is_async(reward_fn) else cls)

    def __init__(
        self, reward_fn: RewardFn, on_failure: Policy = "skip", pass_messages: bool = False
    ):
        check_version("trl")
        bare = guard(reward_fn, on_failure, "TRL", allows=("raise", "skip", "number"))
        self.guarded = read_messages(bare, pass_messages)
        self.__name__ = self.guarded.__name__
        self._made_with = (reward_fn, on_failure, pass_messages)

    def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Sequence[Sequence[int]],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Score a batch.

        Args:
            prompts: The prompts, as texts or messages, shape (batch,).
            completions: The completions, as texts or messages, shape (batch,).
            completion_ids: The tokens of each completion, shape (batch, completion_tokens).
            log_metric: How TRL takes a number to log.
            **columns: The columns of the data set, each of shape (batch,), and what else TRL
                passes, which does not reach the reward function.

        Returns:
            A reward for each completion, or None where the policy skips a failure, shape (batch,).

        Raises:
            ValueError: If the lengths differ.
            MissingColumnError: If the data set lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        failed = self.guarded.counts.failed
        samples = _samples(prompts, completions, completion_ids, columns)
        rewards = score_batch(self.guarded, samples)
        self._log(log_metric, len(rewards), failed)
        return rewards

    def _log(
        self, log_metric: Callable[[str, float], None] | None, size: int, failed_before: int
    ) -> None:
        if log_metric is None or size == 0:
            return
        # TRL scores one batch after the other, so that what is new since is this batch's.
        failed = self.guarded.counts.failed - failed_before
        log_metric(f"{self.__name__}/failed", failed / size)
        reward_fn = self._made_with[0]
        if isinstance(reward_fn, Composite):
            for component, taken in reward_fn.means.take().items():
                log_metric(f"{self.__name__}/{component}", taken.mean)

    def __reduce__(self):
        return (type(self), self._made_with)


class AsyncTRLReward(TRLReward):
    """An asynchronous reward, such as a judge, in the shape that TRL awaits.

    `TRLReward` makes it. All completions of a step are scored at once.

    Example:
        >>> import asyncio
        >>> async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
        ...     return float(completions)
        >>> reward = TRLReward(judge)
        >>> asyncio.run(reward(["2 + 2?"] * 2, ["4", "four"], [[], []]))
        [4.0, None]

    Explained in :ref:`trainers`.
    """

    async def __call__(
        self,
        prompts: Sequence[Text],
        completions: Sequence[Text],
        completion_ids: Sequence[Sequence[int]],
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """Score a batch, as `TRLReward` does."""
        failed = self.guarded.counts.failed
        samples = _samples(prompts, completions, completion_ids, columns)
        rewards = await score_batch_async(self.guarded, samples)
        self._log(log_metric, len(rewards), failed)
        return rewards


def _samples(prompts, completions, completion_ids, columns) -> list[Sample]:
    columns = {name: values for name, values in columns.items() if name not in NOT_COLUMNS}
    # The three are split as columns are, so that a wrong length of any is named.
    whole = {"prompts": prompts, "completion_ids": completion_ids} | columns
    size = len(completions)
    rows = split_columns(whole, size)
    return [
        Sample(row.pop("prompts"), said, [], row.pop("completion_ids"), row)
        for said, row in zip(completions, rows, strict=True)
    ]

"""slime: one reward function for `--custom-rm-path`."""

from typing import Any

from reference_impl.adapters.awaited import score_awaited
from reference_impl.adapters.batch import Sample
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.rows import row_columns
from reference_impl.contract.reward_fn import RewardFn


class SlimeReward:
    """A reward function in the shape that slime awaits, for a sample or a list of samples.

    Make one at module level, `reward = SlimeReward(reward_fn)`, and name it:
    `--custom-rm-path my_rewards.reward`. It serves `--group-rm` as well, where slime passes a list.
    The reward is one number, so leave out `--reward-key` and `--eval-reward-key`.

    `"raise"` is the default, and a number is allowed. What slime does with each outcome, as its
    source has it:

    - An exception ends the rollout, and the run.
    - None reaches a tensor of rewards, which is a TypeError far from its cause. So `"skip"` is
      refused: slime can mask a sample, but its reward counts in the group's mean all the same.
    - NaN would spoil its group's advantages. It does not get there.
    - A slow call is waited for without a limit. Samples wait for each other's rewards in one event
      loop: an asynchronous reward is awaited there, a synchronous one runs in a thread.

    The reward function gets as columns what `metadata` holds, and `label` as `answer_column`. The
    prompt is what the model got, so that `--apply-chat-template` puts the template in it.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: `"raise"`, or the number that a failure is worth.
        answer_column: The column as which the reward function gets slime's `label`.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that slime cannot take.

    Source:
        slime, `async_rm` and `batched_async_rm` in `slime/rollout/rm_hub/__init__.py`, and
        `_post_process_rewards` in `slime/ray/rollout.py`.

    Example:
        >>> import asyncio
        >>> from types import SimpleNamespace
        >>> from reference_impl import exact_match_reward_fn
        >>> reward = SlimeReward(exact_match_reward_fn)
        >>> sample = SimpleNamespace(
        ...     prompt="2 + 2?", response="#### 4", label="4", metadata={},
        ...     tokens=[5, 6, 7], response_length=1,
        ... )
        >>> args = SimpleNamespace(reward_key=None, eval_reward_key=None)
        >>> asyncio.run(reward(args, sample))
        1.0
        >>> asyncio.run(reward(args, [sample, sample]))
        [1.0, 1.0]

    Explained in :ref:`trainers`.
    """

    def __init__(
        self, reward_fn: RewardFn, on_failure: Policy = "raise", answer_column: str = "answer"
    ):
        bare = guard(reward_fn, on_failure, "slime", allows=("raise", "number"))
        self.guarded = read_messages(bare)
        self.answer_column = answer_column
        self.__name__ = self.guarded.__name__
        self._made_with = (reward_fn, on_failure, answer_column)

    async def __call__(self, args: Any, sample: Any, **kwargs: Any) -> float | list[float]:
        """Score what slime passes.

        Args:
            args: slime's arguments.
            sample: A sample of slime, or a list of them.
            **kwargs: What else slime passes. It is not used.

        Returns:
            The reward, or one for each sample of the list, shape (samples,).

        Raises:
            ValueError: If `--reward-key` is set, or there are two gold answers.
            MissingColumnError: If a sample lacks a column that the reward function needs.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        for option in ("reward_key", "eval_reward_key"):
            if getattr(args, option, None):
                raise ValueError(
                    f"slime would look for {getattr(args, option)!r} in a reward that is one "
                    f"number: leave out `--{option.replace('_', '-')}`."
                )
        if isinstance(sample, list):
            return await score_awaited(self.guarded, [self._read(one) for one in sample])
        return (await score_awaited(self.guarded, [self._read(sample)]))[0]

    def _read(self, sample: Any) -> Sample:
        prompt_tokens = len(sample.tokens) - sample.response_length
        return Sample(
            sample.prompt,
            sample.response,
            list(sample.tokens[:prompt_tokens]),
            list(sample.tokens[prompt_tokens:]),
            row_columns(sample.metadata, sample.label, self.answer_column),
        )

    def __reduce__(self):
        return (type(self), self._made_with)

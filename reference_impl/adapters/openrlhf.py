"""OpenRLHF: one reward function as `reward_func`, in a file that OpenRLHF loads."""

import asyncio
import functools
from collections.abc import Sequence
from typing import Any

from reference_impl.adapters.batch import Sample, score_batch, score_batch_async, split_columns
from reference_impl.adapters.components import component_names, keep_components, split_outcome
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.versions import check_version
from reference_impl.compose.composite import Composed
from reference_impl.contract.error import InvalidSampleError
from reference_impl.contract.failure import AsyncGuardedReward
from reference_impl.contract.reward_fn import RewardFn, check_text
from reference_impl.runtime.blocking import BlockingReward


class OpenRLHFReward:
    """A reward function in the shape that OpenRLHF calls, for one completion or more at once.

    Make it in a file, under the name `reward_func`, and give OpenRLHF the file:
    `--reward.remote_url my_rewards.py`. The name `reward_func` is OpenRLHF's own. To score in a
    process of its own, see `reference_impl.adapters.openrlhf_server`.

    The reward function gets as its only column `answer`: the label, which is "" where
    `--data.label_key` is not set. OpenRLHF passes no tokens. The prompt and the completion hold
    special tokens, such as those of a chat template and `<|im_end|>`: OpenRLHF decodes with them.

    OpenRLHF logs the share of completions that `failed`, and of a `Composite` two numbers for each
    component: `scored/COMPONENT`, the share that it was scored on, and `reward/COMPONENT`, its mean
    if it counts as 0 where it was not scored. The second divided by the first is the mean of what
    was scored. One number would not do: OpenRLHF ends with an error where a sample lacks it or has
    None, and one NaN makes NaN of the mean.

    A number or `"raise"` is allowed. What OpenRLHF does with each outcome:

    - An exception, that of a missing column too, is logged as an INFO and becomes the reward None.
      When all completions of the step are there, None ends the training, with an error that
      does not name the reward. So `"raise"` is the default, and its reason is in the log before.
    - None does the same, and OpenRLHF cannot leave a sample out: `"skip"` is refused.
    - NaN would go into the advantages of its group. The guard makes a failure of it.
    - A slow call is waited for without a limit, in a thread. The threads of a process are few, and
      an asynchronous reward that is waited for holds one, too.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: `"raise"`, or the number that a failure is worth.
        answer_column: The column under which the reward function gets the label.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none that OpenRLHF can take.
        UnprovenVersionError: If OpenRLHF is installed in a version that was not proven.

    Source:
        OpenRLHF 0.11.2, `SingleTurnAgentExecutor` in `openrlhf/utils/agent.py`. For what is logged,
        `split_experience_batch` in `openrlhf/trainer/ppo_utils/experience.py`, and `training_step`
        in `openrlhf/trainer/ray/ppo_actor.py`.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> reward_func = OpenRLHFReward(exact_match_reward_fn, on_failure=-1.0)
        >>> reward_func(["2 + 2? #### 4<|im_end|>"], ["2 + 2?"], ["4"])
        {'rewards': [1.0], 'scores': [1.0], 'extra_logs': {'failed': [0.0]}}
        >>> reward_func(["+ 2? #### 4<|im_end|>"], ["2 + 2?"], ["4"])
        {'rewards': [-1.0], 'scores': [-1.0], 'extra_logs': {'failed': [1.0]}}

    Explained in :ref:`trainers`.
    """

    def __init__(
        self, reward_fn: RewardFn, on_failure: Policy = "raise", answer_column: str = "answer"
    ):
        check_version("openrlhf")
        bare = keep_components(guard(reward_fn, on_failure, "OpenRLHF", allows=("raise", "number")))
        # A failure stays None until its worth is put in, so that it can be told from a reward.
        policy = "raise" if on_failure == "raise" else "skip"
        self.guarded = type(bare)(_OfQuery(bare.reward_fn, bare.__name__), policy)
        self._names = component_names(reward_fn)
        self.__name__ = self.guarded.__name__
        self._made_with = (reward_fn, on_failure, answer_column)

    def __call__(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> dict[str, Any]:
        """Score a batch.

        Args:
            queries: Prompt and completion of each in one text, shape (batch,).
            prompts: The prompts, shape (batch,).
            labels: The labels, shape (batch,).

        Returns:
            The `rewards`, the `scores` by which OpenRLHF filters groups, which are the same, and
            as `extra_logs` what it logs: whether the reward `failed`, and the components. Each has
            the shape (batch,).

        Raises:
            ValueError: If the lengths differ.
            MissingColumnError: If the reward function needs another column than the label.
            Exception: The reward function's own error, if the policy is `"raise"`.
        """
        is_async = isinstance(self.guarded, AsyncGuardedReward)
        reward = BlockingReward(self.guarded) if is_async else self.guarded
        return self._answer(score_batch(reward, self._samples(queries, prompts, labels)))

    async def score(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> dict[str, Any]:
        """Score a batch without holding up an event loop: what is asynchronous, all at once.

        Args:
            queries: As in a call.
            prompts: As in a call.
            labels: As in a call.

        Returns:
            As in a call.
        """
        if not isinstance(self.guarded, AsyncGuardedReward):
            return await asyncio.to_thread(self, queries, prompts, labels)
        samples = self._samples(queries, prompts, labels)
        return self._answer(await score_batch_async(self.guarded, samples))

    def _samples(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> list[Sample]:
        batch = {"queries": queries, "prompts": prompts, "labels": labels}
        _, _, answer_column = self._made_with
        return [
            Sample(row["prompts"], row["queries"], [], [], {answer_column: row["labels"]})
            for row in split_columns(batch, len(queries))
        ]

    def _answer(self, outcomes: list[Composed | float | None]) -> dict[str, Any]:
        _, worth, _ = self._made_with
        scored = [split_outcome(outcome, self._names) for outcome in outcomes]
        rewards = [float(worth) if reward is None else reward for reward, _ in scored]
        logs = {"failed": [float(reward is None) for reward, _ in scored]}
        for name in self._names:
            values = [components[name] for _, components in scored]
            logs[f"reward/{name}"] = [0.0 if value is None else value for value in values]
            logs[f"scored/{name}"] = [float(value is not None) for value in values]
        return {"rewards": rewards, "scores": rewards, "extra_logs": logs}

    def __reduce__(self):
        return (type(self), self._made_with)


class _OfQuery:
    """Call a reward function with what follows the prompt in a query."""

    def __init__(self, reward_fn: RewardFn, name: str):
        self.reward_fn = reward_fn
        # Its parameters, which tell the columns that it needs, are those of the reward function.
        functools.update_wrapper(self, reward_fn, assigned=("__doc__",), updated=())
        self.__name__ = name

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: Sequence[int],
        completion_ids: Sequence[int],
        **columns: Any,
    ) -> Any:
        query = check_text("queries", completions)
        if not query.startswith(check_text("prompts", prompt)):
            raise InvalidSampleError(
                "The query does not begin with the prompt, so that the completion cannot be told "
                "from it. OpenRLHF cut the prompt (give it a larger `--data.max_len`), or the "
                "tokenizer does not give back the text that it is given."
            )
        return self.reward_fn(
            prompt, query.removeprefix(prompt), prompt_ids, completion_ids, **columns
        )

"""ms-swift: one reward function for the registry `orms`, which GRPO takes its rewards from."""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from reference_impl.adapters.batch import Sample, score_batch, score_batch_async, split_columns
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.versions import check_version
from reference_impl.contract.failure import AsyncGuardedReward
from reference_impl.contract.reward_fn import RewardFn

#: What swift passes beside the columns of the data set, which is no column.
NOT_COLUMNS = (
    "trainer_state",
    "trajectory_inputs",
    "prompt_id",
    "request_id",
    "finish_reason",
    "is_truncated",
    "rollout_infos",
)


class SwiftReward:
    """A reward function that takes the place of a class of rewards in ms-swift's registry.

    Make it in a file of yours:

        from swift.rewards import orms

        orms["exact_match"] = SwiftReward(exact_match_reward_fn)

    and name the two: `swift rlhf --rlhf_type grpo --external_plugins my_rewards.py
    --reward_funcs exact_match`. swift calls the object with its arguments and gets the function
    that it calls in training. It logs it under the reward's `__name__`.

    Gold answers stand in the column `solution`, as they do for swift's own rewards, and the reward
    function gets them as `answer`. A column `answer` arrives beside `messages` only: beside a
    `query`, swift takes it for what the assistant says, and drops it.

    A number or `"raise"` is allowed. What swift does with each outcome:

    - An exception ends the training, which is why `"raise"` is the default.
    - None is paid as 0, also where this is the only reward function: `"skip"` is refused. Only the
      logged mean of the reward leaves it out.
    - NaN would be paid as 0, too. It does not get there: the guard makes a failure of it.
    - A slow call is waited for without a limit. Asynchronous rewards are awaited all at once, in a
      new event loop at every step.

    swift passes no tokens of the prompt, and those of the completion if the rollout gives them.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous.
        on_failure: `"raise"`, or the number that a failure is worth.
        answer_column: The column under which the reward function gets `solution`. If the data set
            has a column of that name itself, both stay as they are.
        pass_messages: Pass the prompt as messages, for a judge or a critic that reads them.

    Attributes:
        guarded: The reward with its policy. `guarded.counts` has the failures by reason.

    Raises:
        TypeError: If the reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none that swift can take.
        UnprovenVersionError: If ms-swift is installed in a version that was not proven.

    Source:
        ms-swift 4.6, `GRPOTrainer._prepare_rewards` in `swift/rlhf_trainers/grpo_trainer.py`, and
        `compute_rewards_per_func` in `swift/rl_core/grpo_algorithm.py`.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> score = SwiftReward(exact_match_reward_fn, on_failure=-1.0)()
        >>> asked = [{"role": "user", "content": "2 + 2?"}]
        >>> rows = [[*asked, {"role": "assistant", "content": said}] for said in ("#### 4", "4")]
        >>> score(["#### 4", "4"], messages=rows, solution=["4", ""])
        [1.0, -1.0]

    Explained in :ref:`trainers`.
    """

    def __init__(
        self,
        reward_fn: RewardFn,
        on_failure: Policy = "raise",
        answer_column: str = "answer",
        pass_messages: bool = False,
    ):
        check_version("ms-swift")
        bare = guard(reward_fn, on_failure, "ms-swift", allows=("raise", "number"))
        self.guarded = read_messages(bare, pass_messages)
        self.__name__ = self.guarded.__name__
        self._made_with = (reward_fn, on_failure, answer_column, pass_messages)

    def __call__(self, args: Any = None) -> Callable[..., Any]:
        """Return the function that swift calls in training.

        Args:
            args: The arguments of swift's trainer. Not used: settings are given above.

        Returns:
            A function of a batch, and a coroutine function if the reward is asynchronous. It takes
            the completions, shape (batch,), and the columns by name, each of shape (batch,). It
            returns the rewards, shape (batch,). It raises a ValueError if lengths differ, a
            MissingColumnError if the reward function needs a column that the data set lacks, and
            what the reward raises, if the policy is `"raise"`.
        """

        def score(completions: Sequence[Any], **columns: Any) -> list[float]:
            return score_batch(self.guarded, self._samples(completions, columns))

        async def score_async(completions: Sequence[Any], **columns: Any) -> list[float]:
            return await score_batch_async(self.guarded, self._samples(completions, columns))

        is_async = isinstance(self.guarded, AsyncGuardedReward)
        function = score_async if is_async else score
        function.__name__ = self.__name__
        return function

    def _samples(
        self, completions: Sequence[Any], columns: Mapping[str, Sequence[Any]]
    ) -> list[Sample]:
        _, _, answer_column, _ = self._made_with
        columns = {name: values for name, values in columns.items() if name not in NOT_COLUMNS}
        rows = split_columns(columns, len(completions))
        for row in rows:
            if "solution" in row and answer_column not in row:
                row[answer_column] = row.pop("solution")
        return [_sample(said, row) for said, row in zip(completions, rows, strict=True)]

    def __reduce__(self):
        return (type(self), self._made_with)


def _sample(completion: Any, row: dict[str, Any]) -> Sample:
    # The last message is the completion.
    prompt = (row.pop("messages", None) or [])[:-1]
    tokens = row.pop("response_token_ids", None) or []
    if tokens and isinstance(tokens[0], list):  # one list a turn
        tokens = list(chain.from_iterable(tokens))
    return Sample(prompt, completion, [], tokens, row)

"""verl: one reward function, or one for each data source, as `compute_score`."""

import functools
from collections.abc import Mapping
from typing import Any

from reference_impl.adapters.awaited import score_awaited
from reference_impl.adapters.batch import Sample, score_batch
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.versions import check_version
from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward
from reference_impl.contract.reward_fn import FIELDS, RewardFn

#: What the configuration adds to a call if a reward model is on. A data set must not set it.
SETTINGS = ("reward_router_address", "reward_model_tokenizer")

Rewards = GuardedReward | Mapping[str, GuardedReward]


class VerlReward(functools.partial):
    """A reward function in the shape that verl calls, one sample at a time.

    Make it in a file of yours, and name the two in verl's configuration:

    - `reward.custom_reward_function.path=pkg://my_rewards`, or the path of the file;
    - `reward.custom_reward_function.name=compute_score`.

    The reward function gets as columns `answer`, which is verl's `ground_truth`; `data_source`; all
    that is in `extra_info`; and over these what stands in the configuration as `reward_kwargs`. The
    prompt is the text of the user's last message. Most managers put it in `extra_info`, as
    `raw_prompt`; else it is the `question` or the `prompt` there, or "". verl passes no tokens: a
    reward of length, which needs them, fails.

    An asynchronous reward is awaited. verl's `remote` manager takes synchronous ones alone: give it
    `BlockingReward(reward_fn)`.

    What verl does with each outcome depends on its manager (`reward.reward_manager.name`):

    - An exception ends the training, which is why `"raise"` is the default. But `rate_limited` logs
      it and pays 0.0, as if the completion were wrong.
    - None takes the rewards of all completions with it and ends the training, so that `"skip"` is
      refused.
    - NaN would go into the advantages of its group. The guard makes a failure of it.
    - A slow call is waited for without a limit. But `rate_limited` pays 0.0 after `reward.timeout`,
      which is 300 s, and a synchronous reward goes on in its thread.

    Args:
        reward_fn: The bare reward function, synchronous or asynchronous, or one for each
            `data_source`.
        on_failure: `"raise"`, or the number that a failure is worth.
        answer_column: The column under which the reward function gets verl's `ground_truth`.

    Attributes:
        guarded: The reward with its policy, or one for each `data_source`. The failures by reason
            are in its `counts`.

    Raises:
        TypeError: If a reward is guarded already, or its signature is not the contract's.
        ValueError: If the policy is none, or one that verl cannot take, or there is no reward.
        UnprovenVersionError: If verl is installed in a version that was not proven.

    Source:
        verl 0.9.1, `get_custom_reward_fn` in `verl/trainer/ppo/reward.py`, and `run_single` of the
        managers in `verl/experimental/reward_loop/reward_manager`.

    Example:
        >>> from reference_impl import exact_match_reward_fn, gsm8k_reward_fn
        >>> compute_score = VerlReward({"openai/gsm8k": gsm8k_reward_fn}, on_failure=0.0)
        >>> compute_score("openai/gsm8k", "#### 72", "72", extra_info={"split": "train"})
        1.0
        >>> compute_score("openai/gsm8k", "#### 72", None)
        0.0
        >>> compute_score.guarded["openai/gsm8k"].counts.failures
        {'invalid_gold': 1}
        >>> compute_score("gsm8k", "#### 72", "72")
        Traceback (most recent call last):
            ...
        ValueError: There is no reward for the data source 'gsm8k'. There are 'openai/gsm8k'.

    Explained in :ref:`trainers`.
    """

    # verl asks `inspect.iscoroutinefunction` whether to await. That sees through a partial, and
    # does not see an `async def __call__`.

    def __new__(
        cls,
        reward_fn: RewardFn | Mapping[str, RewardFn],
        on_failure: Policy = "raise",
        answer_column: str = "answer",
    ) -> "VerlReward":
        check_version("verl")
        if isinstance(reward_fn, Mapping):
            guarded = {source: _guard(one, on_failure) for source, one in reward_fn.items()}
            each = list(guarded.values())
            if not each:
                raise ValueError("There is no reward: give one for each data source.")
        else:
            guarded = _guard(reward_fn, on_failure)
            each = [guarded]
        awaits = any(isinstance(one, AsyncGuardedReward) for one in each)
        self = super().__new__(cls, _score_async if awaits else _score, guarded, answer_column)
        self.guarded = guarded
        self._made_with = (reward_fn, on_failure, answer_column)
        return self

    def __reduce__(self):
        return (type(self), self._made_with)


def _guard(reward_fn: RewardFn, on_failure: Policy) -> GuardedReward:
    return read_messages(guard(reward_fn, on_failure, "verl", allows=("raise", "number")))


def _score(
    guarded: Rewards,
    answer_column: str,
    /,
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **settings: Any,
) -> float:
    columns = {"data_source": data_source, answer_column: ground_truth}
    sample = _sample(solution_str, columns, extra_info, settings)
    return score_batch(_choose(guarded, data_source), [sample])[0]


async def _score_async(
    guarded: Rewards,
    answer_column: str,
    /,
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **settings: Any,
) -> float:
    columns = {"data_source": data_source, answer_column: ground_truth}
    sample = _sample(solution_str, columns, extra_info, settings)
    # A rule of one data source beside the judge of another must not hold up the judge.
    return (await score_awaited(_choose(guarded, data_source), [sample]))[0]


def _choose(guarded: Rewards, data_source: str) -> GuardedReward:
    if isinstance(guarded, GuardedReward):
        return guarded
    if data_source not in guarded:
        known = ", ".join(map(repr, guarded))
        raise ValueError(
            f"There is no reward for the data source {data_source!r}. There are {known}."
        )
    return guarded[data_source]


def _sample(
    solution_str: str,
    columns: Mapping[str, Any],
    extra_info: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> Sample:
    if not isinstance(extra_info, Mapping | None):
        raise TypeError(f"`extra_info` is a {type(extra_info).__name__}, not a dict.")
    extra = dict(extra_info or {})
    taken = [name for name in (*FIELDS[1:], *SETTINGS) if name in extra]
    if taken:
        raise ValueError(
            f"`extra_info` of the data set has the key `{taken[0]}`, which is the name of an "
            "argument that does not come from the data: rename it."
        )
    asked = [extra.get("raw_prompt"), extra.get("question"), extra.pop("prompt", None)]
    prompt = next((text for text in asked if text is not None), "")
    return Sample(prompt, solution_str, [], [], {**extra, **columns, **settings})

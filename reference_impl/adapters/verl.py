"""verl: one reward function, or one for each data source, as `compute_score`."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from reference_impl.adapters.awaited import score_awaited
from reference_impl.adapters.batch import Sample, score_batch
from reference_impl.adapters.components import component_names, keep_components, split_outcome
from reference_impl.adapters.guard import Policy, guard
from reference_impl.adapters.messages import read_messages
from reference_impl.adapters.versions import check_version
from reference_impl.compose.composite import Composed
from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward
from reference_impl.contract.reward_fn import FIELDS, RewardFn

#: What the configuration adds to a call if a reward model is on. A data set must not set it.
SETTINGS = ("reward_router_address", "reward_model_tokenizer")

Rewards = GuardedReward | Mapping[str, GuardedReward]
Result = float | dict[str, float | None]


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

    Of a `Composite`, verl gets a dict: the reward as `score` and as `acc`, which is what verl calls
    a reward that is a number, and each component as `reward/COMPONENT`. A component that was not
    scored is None, as all are after a failure. If one data source has a composite, all return the
    same keys, as verl wants them. In validation verl has the mean of each component where it was
    scored, and puts them beside the completions in `trainer.validation_data_dir`. In training it
    has no curve of them. Only the older trainer, `trainer.use_v1=false`, uses them there: in
    `trainer.rollout_data_dir`, and in GDPO.

    - GDPO makes NaN of None, and of the advantages of the whole batch. Name no component behind a
      gate in `algorithm.gdpo_reward_keys`, and keep `"raise"`.
    - `rate_limited` leaves the keys out where it pays 0.0 itself, and verl ends the step with a
      KeyError. Choose a number for failures there, and a time that is long enough.

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
        managers in `verl/experimental/reward_loop/reward_manager`. For components,
        `process_validation_metrics` in `verl/trainer/ppo/metric_utils.py`, and
        `compute_gdpo_outcome_advantage` in `verl/trainer/ppo/core_algos.py`.

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
            reward_fns = list(reward_fn.values())
            guarded = {source: _guard(one, on_failure) for source, one in reward_fn.items()}
            each = list(guarded.values())
            if not each:
                raise ValueError("There is no reward: give one for each data source.")
        else:
            reward_fns = [reward_fn]
            guarded = _guard(reward_fn, on_failure)
            each = [guarded]
        # verl takes the keys of one sample for those of all.
        names = tuple(dict.fromkeys(name for one in reward_fns for name in component_names(one)))
        awaits = any(isinstance(one, AsyncGuardedReward) for one in each)
        score = _score_async if awaits else _score
        self = super().__new__(cls, score, guarded, answer_column, names)
        self.guarded = guarded
        self._made_with = (reward_fn, on_failure, answer_column)
        return self

    def __reduce__(self):
        return (type(self), self._made_with)


def _guard(reward_fn: RewardFn, on_failure: Policy) -> GuardedReward:
    bare = guard(reward_fn, on_failure, "verl", allows=("raise", "number"))
    return read_messages(keep_components(bare))


def _score(
    guarded: Rewards,
    answer_column: str,
    names: Sequence[str],
    /,
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Result:
    columns = {"data_source": data_source, answer_column: ground_truth}
    sample = _sample(solution_str, columns, extra_info, settings)
    return _result(score_batch(_choose(guarded, data_source), [sample])[0], names)


async def _score_async(
    guarded: Rewards,
    answer_column: str,
    names: Sequence[str],
    /,
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Result:
    columns = {"data_source": data_source, answer_column: ground_truth}
    sample = _sample(solution_str, columns, extra_info, settings)
    # A rule of one data source beside the judge of another must not hold up the judge.
    return _result((await score_awaited(_choose(guarded, data_source), [sample]))[0], names)


def _result(outcome: Composed | float, names: Sequence[str]) -> Result:
    value, components = split_outcome(outcome, names)
    if not names:
        return value
    logged = {f"reward/{name}": component for name, component in components.items()}
    return {"score": value, "acc": value, **logged}


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

"""judge_reward_fn: a judge as a synchronous reward function, set up by the environment."""

import functools
import os
from typing import Any

from reference_impl.judge.client import JudgeClient
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.pointwise import Prompt, ReferenceJudge
from reference_impl.runtime.blocking import BlockingReward


class _JudgeReward:
    """Pay 1 if the judge that the environment names finds the result of a completion right.

    `JUDGE_BASE_URL` and `JUDGE_MODEL` name the judge, `JUDGE_API_KEY` holds the key, and
    `JudgeConfig.from_environment` reads the other settings. `JUDGE_LANGUAGE`, `en` or `zh`, is the
    language of the instructions. A process reads the environment once. No column of the data set
    is a setting.

    This is for trainers that take nothing but a synchronous function. Each call blocks its thread
    or worker until the judge has answered. Where the trainer awaits, use `ReferenceJudge`.

    Args:
        prompt: The prompt as text, or as a list of messages.
        completions: The one completion to score, as text.
        prompt_ids: Not used.
        completion_ids: Not used.
        answer: The reference answer.
        **columns: Ignored.

    Returns:
        1.0 or 0.0.

    Raises:
        JudgeConfigError: If the environment names no judge, or a setting is wrong.
        UnparsableVerdictError: If the judge's answer is no verdict.
        JudgeUnavailableError: If the judge gave no answer in time.
        JudgeRefusedError: If the server refuses the request.
        JudgeBudgetError: If the budget is spent.
        InvalidSampleError: If the sample has the wrong form.
        InvalidGoldError: If there is no reference answer.

    Example:
        >>> from reference_impl import load_reward_fn
        >>> load_reward_fn("reference_impl.judge_reward_fn").__name__
        'judge_reward_fn'

    Explained in :ref:`judge-recipe`.
    """

    def __init__(self) -> None:
        self.__name__ = "judge_reward_fn"  # trainers log a reward under its name

    def __call__(
        self,
        prompt: Prompt,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        answer: str | int | float | None = None,
        **columns: Any,
    ) -> float:
        """Score one sample."""
        reward_fn = _reward_of_process(os.getpid())
        return reward_fn(prompt, completions, prompt_ids, completion_ids, answer=answer)

    def __reduce__(self):
        return "judge_reward_fn"


@functools.lru_cache(maxsize=1)
def _reward_of_process(process: int) -> BlockingReward:
    """Make the judge once for each process: connections do not survive a fork."""
    config = JudgeConfig.from_environment(also=["JUDGE_LANGUAGE"])
    language = os.environ.get("JUDGE_LANGUAGE", "en")
    return BlockingReward(ReferenceJudge(JudgeClient(config), language=language))


#: The reward function to name in a trainer's configuration. See `_JudgeReward`.
judge_reward_fn = _JudgeReward()

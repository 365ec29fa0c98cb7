"""The rewards of the small policy, by name, each in the shape that TRL calls."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arithmetic_task import ANSWER, MAX_TOKENS

from reference_impl import SoftOverlong, numeric_match_reward_fn
from reference_impl.adapters.trl import TRLReward
from reference_impl.compose import WeightedSum

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

#: What TRL calls: prompts, completions, completion_ids and columns in, a list of rewards out.
RewardFunc = Callable[..., list[float | None]]

NAMES = ("rule", "critic", "composite")
HARD_CRITIC = "hard-critic"  # for GRPO, not for best of n
TOTALS = re.compile(rf"\d+(, \d+)+{re.escape(ANSWER)}\d+}}\.")


def totals_reward_fn(
    prompt: str, completions: str, prompt_ids: list[int], completion_ids: list[int], **columns: Any
) -> float:
    r"""Pay 1.0 for running totals and an answer in a box, right or wrong, else 0.0.

    Example:
        >>> totals_reward_fn("", r"3, 9, 10, 14. The answer is \boxed{14}.", [], [])
        1.0
        >>> totals_reward_fn("", "It is 14.", [], [])
        0.0
    """
    return float(TOTALS.fullmatch(completions) is not None)


def reward_named(
    name: str,
    folder: Path,
    policy: "LlamaForCausalLM",
    tokenizer: "PreTrainedTokenizerFast",
    seed: int,
) -> RewardFunc:
    """Make a reward.

    Args:
        name: One of `NAMES`, or `HARD_CRITIC`. `"rule"` pays a right final answer. `"critic"` pays
            what a critic says that was trained for this policy, and `"hard-critic"` what the critic
            trained with hard negatives says. `"composite"` pays the rule, a fifth of that for the
            form, and takes as much off for length.
        folder: Where the critic is saved, or is found.
        policy: The policy after its warm-up.
        tokenizer: The policy's tokenizer.
        seed: Of the critic.

    Returns:
        The reward.

    Raises:
        ValueError: If there is no such reward.
    """
    if name == "rule":
        return TRLReward(numeric_match_reward_fn)
    if name in ("critic", HARD_CRITIC):
        from arithmetic_critic import CriticReward, trained_critic

        hard = name == HARD_CRITIC
        return CriticReward(trained_critic(folder, policy, tokenizer, seed, hard))
    if name == "composite":
        return TRLReward(
            WeightedSum(
                {
                    "correct": (numeric_match_reward_fn, 1.0),
                    "form": (totals_reward_fn, 0.2),
                    "length": (SoftOverlong(MAX_TOKENS, buffer_tokens=8), 0.2),
                }
            )
        )
    raise ValueError(
        f"There is no reward {name!r}. Choose one of {', '.join((*NAMES, HARD_CRITIC))}."
    )

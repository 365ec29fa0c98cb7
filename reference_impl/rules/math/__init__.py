"""Rewards that read mathematics: which answer a completion commits to, and whether it is right."""

from reference_impl.rules.math.final_answer import FinalAnswer, final_answer
from reference_impl.rules.math.rewards import (
    clevr_count_reward_fn,
    geometry3k_reward_fn,
    gsm8k_reward_fn,
)
from reference_impl.rules.math.verifier import MathVerifier, Verdict
from reference_impl.rules.math.worker import UnsettledError, WorkerUnavailableError

__all__ = [
    "FinalAnswer",
    "MathVerifier",
    "UnsettledError",
    "Verdict",
    "WorkerUnavailableError",
    "clevr_count_reward_fn",
    "final_answer",
    "geometry3k_reward_fn",
    "gsm8k_reward_fn",
]

"""Rewards that follow from a rule: the final answer, the format, the length, the repetition."""

from reference_impl.rules.answer import extract_answer
from reference_impl.rules.code import (
    CodeReward,
    CodeVerdict,
    Isolation,
    SandboxError,
    code_reward_fn,
    isolation,
)
from reference_impl.rules.exact import ExactMatch, exact_match_reward_fn
from reference_impl.rules.format import TagFormat, format_reward_fn
from reference_impl.rules.length import (
    CosineLength,
    SoftOverlong,
    cosine_length_reward_fn,
    soft_overlong_reward_fn,
)
from reference_impl.rules.math import (
    FinalAnswer,
    MathVerifier,
    UnsettledError,
    Verdict,
    WorkerUnavailableError,
    clevr_count_reward_fn,
    final_answer,
    geometry3k_reward_fn,
    gsm8k_reward_fn,
)
from reference_impl.rules.normalize import normalize_answer
from reference_impl.rules.number import Quantity, parse_number
from reference_impl.rules.numeric import NumericMatch, numeric_match_reward_fn
from reference_impl.rules.repetition import NgramRepetition, ngram_repetition_reward_fn

__all__ = [
    "CodeReward",
    "CodeVerdict",
    "CosineLength",
    "ExactMatch",
    "FinalAnswer",
    "Isolation",
    "MathVerifier",
    "NgramRepetition",
    "NumericMatch",
    "Quantity",
    "SandboxError",
    "SoftOverlong",
    "TagFormat",
    "UnsettledError",
    "Verdict",
    "WorkerUnavailableError",
    "clevr_count_reward_fn",
    "code_reward_fn",
    "cosine_length_reward_fn",
    "exact_match_reward_fn",
    "extract_answer",
    "final_answer",
    "format_reward_fn",
    "geometry3k_reward_fn",
    "gsm8k_reward_fn",
    "isolation",
    "ngram_repetition_reward_fn",
    "normalize_answer",
    "numeric_match_reward_fn",
    "parse_number",
    "soft_overlong_reward_fn",
]

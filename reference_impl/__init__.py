"""Reference reward functions, and what it takes to run them safely.

The public names stand here and load on first use (PEP 562), so that importing the package
costs neither torch nor sympy:

    >>> from reference_impl import exact_match_reward_fn
    >>> exact_match_reward_fn("What is 2 + 2?", r"It is \\boxed{4}.", [], [], answer="4")
    1.0
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.adapters import *
    from reference_impl.compose import *
    from reference_impl.contract import *
    from reference_impl.critic import *
    from reference_impl.judge import *
    from reference_impl.rules import *
    from reference_impl.runtime import *
    from reference_impl.show import *
    from reference_impl.steps import *

__version__ = "0.1.0"

# Public name -> the room that defines it. A test holds this to the rooms' own `__all__`.
_ROOM_OF = {
    "AsyncGuardedReward": "contract",
    "CheckResult": "contract",
    "ConformanceReport": "contract",
    "FailureCounts": "contract",
    "GuardedReward": "contract",
    "InvalidGoldError": "contract",
    "InvalidRewardError": "contract",
    "InvalidSampleError": "contract",
    "NonconformingRewardError": "contract",
    "RewardError": "contract",
    "RewardFn": "contract",
    "check_conformance": "contract",
    "check_reward": "contract",
    "check_text": "contract",
    "load_reward_fn": "contract",
    "CodeReward": "rules",
    "CodeVerdict": "rules",
    "Isolation": "rules",
    "SandboxError": "rules",
    "code_reward_fn": "rules",
    "isolation": "rules",
    "CosineLength": "rules",
    "ExactMatch": "rules",
    "FinalAnswer": "rules",
    "MathVerifier": "rules",
    "NgramRepetition": "rules",
    "NumericMatch": "rules",
    "Quantity": "rules",
    "SoftOverlong": "rules",
    "TagFormat": "rules",
    "UnsettledError": "rules",
    "Verdict": "rules",
    "WorkerUnavailableError": "rules",
    "clevr_count_reward_fn": "rules",
    "cosine_length_reward_fn": "rules",
    "exact_match_reward_fn": "rules",
    "extract_answer": "rules",
    "final_answer": "rules",
    "format_reward_fn": "rules",
    "geometry3k_reward_fn": "rules",
    "gsm8k_reward_fn": "rules",
    "ngram_repetition_reward_fn": "rules",
    "normalize_answer": "rules",
    "numeric_match_reward_fn": "rules",
    "parse_number": "rules",
    "soft_overlong_reward_fn": "rules",
    "Accuracy": "critic",
    "Affine": "critic",
    "Bin": "critic",
    "Calibration": "critic",
    "Critic": "critic",
    "CriticClient": "critic",
    "CriticConfig": "critic",
    "CriticConfigError": "critic",
    "CriticCounts": "critic",
    "CriticLoadError": "critic",
    "CriticOverloadedError": "critic",
    "CriticUnavailableError": "critic",
    "InvalidScoreError": "critic",
    "LengthBias": "critic",
    "SGLangCritic": "critic",
    "Sigmoid": "critic",
    "Standardize": "critic",
    "Step": "critic",
    "VLLMCritic": "critic",
    "best_of_n": "critic",
    "calibration": "critic",
    "critic_reward_fn": "critic",
    "length_bias": "critic",
    "pair_accuracy": "critic",
    "parse_steps": "critic",
    "wilson_interval": "critic",
    "Agreement": "judge",
    "CircuitOpenError": "judge",
    "CorrectnessVerdict": "judge",
    "Criterion": "judge",
    "InconsistentVerdictError": "judge",
    "InjectionResistance": "judge",
    "JudgeBudgetError": "judge",
    "JudgeClient": "judge",
    "JudgeConfig": "judge",
    "JudgeConfigError": "judge",
    "JudgeRefusedError": "judge",
    "JudgeTemplate": "judge",
    "JudgeTimeoutError": "judge",
    "JudgeUnavailableError": "judge",
    "JudgeUsage": "judge",
    "JudgeVerdict": "judge",
    "Judgement": "judge",
    "Kappa": "judge",
    "PairJudge": "judge",
    "PairVerdict": "judge",
    "PositionBias": "judge",
    "RankingJudge": "judge",
    "ReferenceJudge": "judge",
    "Rubric": "judge",
    "RubricJudge": "judge",
    "RubricVerdict": "judge",
    "SelfConsistency": "judge",
    "Share": "judge",
    "UnparsableVerdictError": "judge",
    "VerbosityBias": "judge",
    "YesNoJudge": "judge",
    "agreement": "judge",
    "injection_resistance": "judge",
    "judge_reward_fn": "judge",
    "load_template": "judge",
    "parse_verdict": "judge",
    "position_bias": "judge",
    "self_consistency": "judge",
    "verbosity_bias": "judge",
    "AsyncComposite": "compose",
    "AsyncGate": "compose",
    "AsyncProduct": "compose",
    "AsyncTransformedReward": "compose",
    "AsyncWeightedSum": "compose",
    "Clip": "compose",
    "ComponentError": "compose",
    "ComponentMean": "compose",
    "ComponentMeans": "compose",
    "Composed": "compose",
    "Composite": "compose",
    "Gate": "compose",
    "Product": "compose",
    "TransformedReward": "compose",
    "WeightedSum": "compose",
    "dr_grpo_advantages": "compose",
    "gdpo_advantages": "compose",
    "grpo_advantages": "compose",
    "rloo_advantages": "compose",
    "ArealAgent": "adapters",
    "ArealReward": "adapters",
    "MissingColumnError": "adapters",
    "NemoRLReward": "adapters",
    "OpenRLHFReward": "adapters",
    "RollReward": "adapters",
    "SkyRLReward": "adapters",
    "SlimeReward": "adapters",
    "SwiftReward": "adapters",
    "TRLReward": "adapters",
    "UnprovenVersionError": "adapters",
    "VerifiersReward": "adapters",
    "VerifiersRubricReward": "adapters",
    "VerlReward": "adapters",
    "ArithmeticSteps": "steps",
    "Equation": "steps",
    "InvalidToolsError": "steps",
    "Span": "steps",
    "ToolCall": "steps",
    "ToolUse": "steps",
    "ToolUseValidity": "steps",
    "aggregate_steps": "steps",
    "arithmetic_steps_reward_fn": "steps",
    "check_tool_use": "steps",
    "find_equations": "steps",
    "min_form_rewards": "steps",
    "process_advantages": "steps",
    "split_steps": "steps",
    "step_rewards_to_tokens": "steps",
    "token_ends": "steps",
    "tool_use_reward_fn": "steps",
    "turn_returns": "steps",
    "turn_values_to_tokens": "steps",
    "AsyncRewardWrapper": "runtime",
    "BlockingReward": "runtime",
    "CacheCounts": "runtime",
    "CachedReward": "runtime",
    "RemoteRewardError": "runtime",
    "RewardLoadError": "runtime",
    "RewardTimeoutError": "runtime",
    "WorkerCrashedError": "runtime",
    "WrapperClosedError": "runtime",
    "SourceView": "show",
    "TableView": "show",
    "score_table": "show",
    "show_source": "show",
}

__all__ = sorted(_ROOM_OF)


def __getattr__(name: str):
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

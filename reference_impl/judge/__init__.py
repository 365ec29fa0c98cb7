"""The judge: a language model as a reward, behind its own inference engine.

The names load on first use, so that importing the package costs neither pydantic nor OpenAI's
client.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.judge.client import JudgeClient
    from reference_impl.judge.config import JudgeConfig
    from reference_impl.judge.error import (
        CircuitOpenError,
        InconsistentVerdictError,
        JudgeBudgetError,
        JudgeConfigError,
        JudgeRefusedError,
        JudgeTimeoutError,
        JudgeUnavailableError,
        UnparsableVerdictError,
    )
    from reference_impl.judge.evaluate import (
        Agreement,
        InjectionResistance,
        Kappa,
        PositionBias,
        SelfConsistency,
        Share,
        VerbosityBias,
        agreement,
        injection_resistance,
        position_bias,
        self_consistency,
        verbosity_bias,
    )
    from reference_impl.judge.pairwise import PairJudge
    from reference_impl.judge.pointwise import Judgement, ReferenceJudge, RubricJudge, YesNoJudge
    from reference_impl.judge.ranking import RankingJudge
    from reference_impl.judge.reward import judge_reward_fn
    from reference_impl.judge.rubric import Criterion, Rubric, RubricVerdict
    from reference_impl.judge.template import JudgeTemplate, load_template
    from reference_impl.judge.usage import JudgeUsage
    from reference_impl.judge.verdict import (
        CorrectnessVerdict,
        JudgeVerdict,
        PairVerdict,
        parse_verdict,
    )

_MODULE_OF = {
    "Agreement": "evaluate",
    "CircuitOpenError": "error",
    "CorrectnessVerdict": "verdict",
    "Criterion": "rubric",
    "InconsistentVerdictError": "error",
    "InjectionResistance": "evaluate",
    "JudgeBudgetError": "error",
    "JudgeClient": "client",
    "JudgeConfig": "config",
    "JudgeConfigError": "error",
    "JudgeRefusedError": "error",
    "JudgeTemplate": "template",
    "JudgeTimeoutError": "error",
    "JudgeUnavailableError": "error",
    "JudgeUsage": "usage",
    "JudgeVerdict": "verdict",
    "Judgement": "pointwise",
    "Kappa": "evaluate",
    "PairJudge": "pairwise",
    "PairVerdict": "verdict",
    "PositionBias": "evaluate",
    "RankingJudge": "ranking",
    "ReferenceJudge": "pointwise",
    "Rubric": "rubric",
    "RubricJudge": "pointwise",
    "RubricVerdict": "rubric",
    "SelfConsistency": "evaluate",
    "Share": "evaluate",
    "UnparsableVerdictError": "error",
    "VerbosityBias": "evaluate",
    "YesNoJudge": "pointwise",
    "agreement": "evaluate",
    "injection_resistance": "evaluate",
    "judge_reward_fn": "reward",
    "load_template": "template",
    "parse_verdict": "verdict",
    "position_bias": "evaluate",
    "self_consistency": "evaluate",
    "verbosity_bias": "evaluate",
}

__all__ = [
    "Agreement",
    "CircuitOpenError",
    "CorrectnessVerdict",
    "Criterion",
    "InconsistentVerdictError",
    "InjectionResistance",
    "JudgeBudgetError",
    "JudgeClient",
    "JudgeConfig",
    "JudgeConfigError",
    "JudgeRefusedError",
    "JudgeTemplate",
    "JudgeTimeoutError",
    "JudgeUnavailableError",
    "JudgeUsage",
    "JudgeVerdict",
    "Judgement",
    "Kappa",
    "PairJudge",
    "PairVerdict",
    "PositionBias",
    "RankingJudge",
    "ReferenceJudge",
    "Rubric",
    "RubricJudge",
    "RubricVerdict",
    "SelfConsistency",
    "Share",
    "UnparsableVerdictError",
    "VerbosityBias",
    "YesNoJudge",
    "agreement",
    "injection_resistance",
    "judge_reward_fn",
    "load_template",
    "parse_verdict",
    "position_bias",
    "self_consistency",
    "verbosity_bias",
]


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)

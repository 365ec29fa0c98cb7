"""The critic: a discriminative reward model as a reward, loaded safely, batched, and served.

The names load on first use, so that a process that only asks a service imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reference_impl.critic.config import CriticConfig
    from reference_impl.critic.counts import CriticCounts
    from reference_impl.critic.critic import Critic
    from reference_impl.critic.endpoints import SGLangCritic, VLLMCritic
    from reference_impl.critic.error import (
        CriticConfigError,
        CriticLoadError,
        CriticOverloadedError,
        CriticUnavailableError,
        InvalidScoreError,
    )
    from reference_impl.critic.evaluate import (
        Accuracy,
        Bin,
        Calibration,
        LengthBias,
        best_of_n,
        calibration,
        length_bias,
        pair_accuracy,
        wilson_interval,
    )
    from reference_impl.critic.reward import critic_reward_fn
    from reference_impl.critic.service.client import CriticClient
    from reference_impl.critic.steps import Affine, Sigmoid, Standardize, Step, parse_steps

_MODULE_OF = {
    "Accuracy": "evaluate",
    "Affine": "steps",
    "Bin": "evaluate",
    "Calibration": "evaluate",
    "Critic": "critic",
    "CriticClient": "service.client",
    "CriticConfig": "config",
    "CriticConfigError": "error",
    "CriticCounts": "counts",
    "CriticLoadError": "error",
    "CriticOverloadedError": "error",
    "CriticUnavailableError": "error",
    "InvalidScoreError": "error",
    "LengthBias": "evaluate",
    "SGLangCritic": "endpoints",
    "Sigmoid": "steps",
    "Standardize": "steps",
    "Step": "steps",
    "VLLMCritic": "endpoints",
    "best_of_n": "evaluate",
    "calibration": "evaluate",
    "critic_reward_fn": "reward",
    "length_bias": "evaluate",
    "pair_accuracy": "evaluate",
    "parse_steps": "steps",
    "wilson_interval": "evaluate",
}

__all__ = [
    "Accuracy",
    "Affine",
    "Bin",
    "Calibration",
    "Critic",
    "CriticClient",
    "CriticConfig",
    "CriticConfigError",
    "CriticCounts",
    "CriticLoadError",
    "CriticOverloadedError",
    "CriticUnavailableError",
    "InvalidScoreError",
    "LengthBias",
    "SGLangCritic",
    "Sigmoid",
    "Standardize",
    "Step",
    "VLLMCritic",
    "best_of_n",
    "calibration",
    "critic_reward_fn",
    "length_bias",
    "pair_accuracy",
    "parse_steps",
    "wilson_interval",
]


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)

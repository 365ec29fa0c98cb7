"""The advantages of this package are those of OpenRLHF, where OpenRLHF is installed."""

import importlib
import random
import sys
import types
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from reference_impl.compose import dr_grpo_advantages, grpo_advantages, rloo_advantages

openrlhf = pytest.importorskip("openrlhf", reason="OpenRLHF has an environment of its own")
pytestmark = pytest.mark.slow

GROUP = 4
NO_CLIP = (-1e6, 1e6)


# What the module with the arithmetic imports for other purposes, and the environment leaves out.
ENGINES = (
    "deepspeed",
    "ray",
    "vllm",
    "openrlhf.trainer.ray",
    "openrlhf.trainer.ray.launcher",
    "openrlhf.trainer.ray.vllm_engine",
)


@pytest.fixture(scope="module")
def experience_maker():
    """OpenRLHF's class that computes advantages."""
    models = types.ModuleType("openrlhf.models")  # its `__init__` imports the engines too
    models.__path__ = [str(Path(openrlhf.__file__).parent / "models")]
    with pytest.MonkeyPatch.context() as patch:
        for name in ENGINES:
            patch.setitem(sys.modules, name, MagicMock(name=name))
        patch.setitem(sys.modules, "openrlhf.models", models)
        module = importlib.import_module("openrlhf.trainer.ppo_utils.experience_maker")
        yield module.RemoteExperienceMaker


@pytest.fixture(scope="module")
def advantages_of(experience_maker):
    """Compute advantages as OpenRLHF does, for completions of two tokens and no KL."""
    import torch

    def compute(rewards, estimator, clip=NO_CLIP):
        advantage = SimpleNamespace(estimator=estimator, gamma=1.0, no_std_norm=False)
        args = SimpleNamespace(
            algo=SimpleNamespace(advantage=advantage),
            reward=SimpleNamespace(clip_range=clip),
            rollout=SimpleNamespace(n_samples_per_prompt=GROUP),
        )
        maker = SimpleNamespace(
            strategy=SimpleNamespace(args=args),
            advantage_estimator=estimator,
            kl_ctl=SimpleNamespace(value=0.0),
            get_cumulative_returns=partial(experience_maker.get_cumulative_returns, None),
        )
        experience = SimpleNamespace(
            rewards=torch.tensor(rewards, dtype=torch.float32),
            index=list(range(len(rewards))),
            action_mask=torch.ones(len(rewards), 2),
            kl=torch.zeros(len(rewards), 2),
            info={},
        )
        [made] = experience_maker.compute_advantages_and_returns(maker, [experience])
        return made.advantages[:, 0].tolist()

    return compute


@pytest.fixture(scope="module")
def batches():
    """Rewards of four groups each: random ones, binary ones, and groups that agree."""
    draw = random.Random(0)
    continuous = [[draw.uniform(-2, 2) for _ in range(4 * GROUP)] for _ in range(20)]
    binary = [[float(draw.random() < 0.3) for _ in range(4 * GROUP)] for _ in range(20)]
    return [*continuous, *binary, [0.5] * GROUP * 4]


def close(values):
    return pytest.approx(values, rel=1e-4, abs=1e-4)


def test_grpo(advantages_of, batches):
    for rewards in batches:
        found = advantages_of(rewards, "group_norm")
        assert grpo_advantages(rewards, GROUP, eps=1e-9) == close(found)


def test_dr_grpo(advantages_of, batches):
    for rewards in batches:
        assert dr_grpo_advantages(rewards, GROUP) == close(advantages_of(rewards, "dr_grpo"))


def test_rloo(advantages_of, batches):
    for rewards in batches:
        assert rloo_advantages(rewards, GROUP) == close(advantages_of(rewards, "rloo"))


def test_the_clip_comes_after_the_group(advantages_of):
    """A clip of the rewards themselves would leave nothing to tell them apart."""
    rewards = [10.0, 10.0, 11.0, 11.0]
    found = advantages_of(rewards, "dr_grpo", clip=(-0.3, 0.3))
    assert found == close([-0.3, -0.3, 0.3, 0.3])

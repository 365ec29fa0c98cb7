"""The advantages of this package are those of AReaL's normalization, where AReaL is installed."""

import random

import pytest

from reference_impl.compose import dr_grpo_advantages, grpo_advantages, rloo_advantages

areal = pytest.importorskip("areal", reason="AReaL has an environment of its own")
pytestmark = pytest.mark.slow

GROUP = 4


@pytest.fixture(scope="module")
def normalized():
    """Normalize rewards as AReaL does, with the settings of `reward_norm`."""
    import torch
    from areal.api.cli_args import NormConfig
    from areal.utils.data import Normalization

    def normalize(rewards, **settings):
        config = NormConfig(**{"mean_level": "group", "group_size": GROUP} | settings)
        return Normalization(config)(torch.tensor(rewards, dtype=torch.float32)).tolist()

    return normalize


@pytest.fixture(scope="module")
def batches():
    """Rewards of four groups each: random ones, binary ones, and groups that agree."""
    draw = random.Random(0)
    continuous = [[draw.uniform(-2, 2) for _ in range(4 * GROUP)] for _ in range(20)]
    binary = [[float(draw.random() < 0.3) for _ in range(4 * GROUP)] for _ in range(20)]
    return [*continuous, *binary, [0.1] * GROUP * 4]


def close(values):
    return pytest.approx(values, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("unbiased", [True, False])
def test_grpo(normalized, batches, unbiased):
    for rewards in batches:
        found = normalized(rewards, std_level="group", std_unbiased=unbiased)
        ours = grpo_advantages(rewards, GROUP, eps=1e-5, ddof=int(unbiased))
        assert ours == close(found)


def test_dr_grpo(normalized, batches):
    for rewards in batches:
        assert dr_grpo_advantages(rewards, GROUP) == close(normalized(rewards, std_level=None))


def test_rloo(normalized, batches):
    for rewards in batches:
        found = normalized(rewards, std_level=None, mean_leave1out=True)
        assert rloo_advantages(rewards, GROUP) == close(found)


def test_a_group_of_one_has_no_advantage(normalized):
    assert normalized([1.0, 0.5], std_level="group", group_size=1) == [0.0, 0.0]
    assert grpo_advantages([1.0, 0.5], 1) == [0.0, 0.0]


def test_the_default_settings_are_the_ones_that_the_docstring_names():
    from areal.api.cli_args import NormConfig

    assert NormConfig().eps == 1e-5
    assert NormConfig().std_unbiased is True

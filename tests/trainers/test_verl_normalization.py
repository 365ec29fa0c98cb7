"""The advantages of this package are those of verl's estimators, where verl is installed."""

import random

import pytest

from reference_impl.compose import (
    dr_grpo_advantages,
    gdpo_advantages,
    grpo_advantages,
    rloo_advantages,
)

verl = pytest.importorskip("verl", reason="verl has an environment of its own")
pytestmark = pytest.mark.slow

GROUP = 4
EPS = 1e-6


@pytest.fixture(scope="module")
def algorithms():
    from verl.trainer.ppo import core_algos

    return core_algos


@pytest.fixture(scope="module")
def batches():
    """Rewards of four groups each: random ones, binary ones, and groups that agree."""
    draw = random.Random(0)
    continuous = [[draw.uniform(-2, 2) for _ in range(4 * GROUP)] for _ in range(20)]
    binary = [[float(draw.random() < 0.3) for _ in range(4 * GROUP)] for _ in range(20)]
    return [*continuous, *binary, [0.5] * GROUP * 4]


def of_samples(estimator, rewards, group=GROUP, **settings):
    """Call an estimator for completions of two tokens, the reward on the last."""
    import numpy
    import torch

    at_tokens = torch.tensor([[0.0, reward] for reward in rewards])
    index = numpy.array([number // group for number in range(len(rewards))])
    mask = torch.ones_like(at_tokens)
    advantages, _ = estimator(at_tokens, mask, index, **settings)
    assert torch.equal(advantages[:, 0], advantages[:, 1])
    return advantages[:, 0].tolist()


def close(values):
    return pytest.approx(values, rel=1e-4, abs=1e-4)


def test_grpo(algorithms, batches):
    for rewards in batches:
        found = of_samples(algorithms.compute_grpo_outcome_advantage, rewards)
        assert grpo_advantages(rewards, GROUP, eps=EPS) == close(found)


def test_dr_grpo(algorithms, batches):
    for rewards in batches:
        estimator = algorithms.compute_grpo_outcome_advantage
        found = of_samples(estimator, rewards, norm_adv_by_std_in_grpo=False)
        assert dr_grpo_advantages(rewards, GROUP) == close(found)


def test_rloo(algorithms, batches):
    for rewards in batches:
        found = of_samples(algorithms.compute_rloo_outcome_advantage, rewards)
        assert rloo_advantages(rewards, GROUP) == close(found)


def test_gdpo(algorithms, batches):
    """With completions of one token, a batch by tokens is a batch by samples."""
    import numpy
    import torch

    weights = {"correct": 1.0, "style": 0.3}
    config = {"gdpo_reward_keys": list(weights), "gdpo_reward_weights": list(weights.values())}
    size = len(batches[0])
    index = numpy.array([number // GROUP for number in range(size)])
    ones = torch.ones(size, 1)
    batch = {"prompts": ones, "attention_mask": torch.ones(size, 2, dtype=torch.long)}
    for correct, style in zip(batches, reversed(batches), strict=True):
        components = {"correct": correct, "style": style}
        found, _ = algorithms.compute_gdpo_outcome_advantage(
            ones.clone(), ones, index, config=config, non_tensor_batch=components, batch=batch
        )
        ours = gdpo_advantages(components, weights, GROUP, eps=EPS)
        assert ours == close(found[:, 0].tolist())


def test_a_group_of_one_keeps_its_reward(algorithms):
    found = of_samples(algorithms.compute_grpo_outcome_advantage, [1.0, 0.5], group=1)
    assert found == close([1.0, 0.5])
    assert grpo_advantages([1.0, 0.5], 1) == [0.0, 0.0]

"""What verl makes of rewards on tokens, where verl is installed."""

from types import SimpleNamespace

import pytest

from reference_impl.steps import turn_returns, turn_values_to_tokens

verl = pytest.importorskip("verl", reason="verl has an environment of its own")
pytestmark = pytest.mark.slow

MASK = [1, 1, 0, 0, 1, 1, 1, 0, 1]
REWARDS = [0.5, -1.0, 2.0]


@pytest.fixture(scope="module")
def algorithms():
    from verl.trainer.ppo import core_algos

    return core_algos


def token_returns(algorithms, rewards, gamma):
    import torch

    at_tokens = torch.tensor([turn_values_to_tokens(rewards, MASK), [0.0] * len(MASK)])
    mask = torch.tensor([MASK, MASK], dtype=torch.float32)
    config = SimpleNamespace(gamma=gamma)
    _, returns = algorithms.compute_reinforce_plus_plus_outcome_advantage(
        at_tokens, mask, config=config
    )
    return returns[0].tolist()


def test_without_a_discount_each_token_of_a_turn_has_the_return_of_the_turn(algorithms):
    expected = turn_values_to_tokens(turn_returns(REWARDS), MASK, "every")
    assert token_returns(algorithms, REWARDS, 1.0) == pytest.approx(expected)


def test_its_discount_counts_tokens(algorithms):
    """And so a longer turn puts more between the reward and what earned it."""
    first, *_ = token_returns(algorithms, [0.0, 0.0, 1.0], 0.9)
    assert first == pytest.approx(0.9 ** (sum(MASK) - 1))
    assert turn_returns([0.0, 0.0, 1.0], 0.9)[0] == pytest.approx(0.9**2)


def test_grpo_adds_up_the_rewards_of_all_tokens(algorithms):
    import numpy
    import torch

    spread = torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    summed = torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 1.0]])
    mask, index = torch.ones_like(spread), numpy.array([0, 0])
    of = algorithms.compute_grpo_outcome_advantage
    assert torch.equal(of(spread, mask, index)[0], of(summed, mask, index)[0])

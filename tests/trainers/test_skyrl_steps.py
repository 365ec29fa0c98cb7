"""Rewards of turns stand on the tokens on which SkyRL puts them, where it is installed."""

import importlib
import typing
from types import SimpleNamespace

import pytest
import typing_extensions

from reference_impl.steps import turn_values_to_tokens

pytest.importorskip("skyrl_gym", reason="SkyRL has an environment of its own")
typing.TypedDict = typing_extensions.TypedDict  # pydantic asks for it before Python 3.12
skyrl_generator = importlib.import_module("skyrl.train.generators.skyrl_gym_generator")
pytestmark = pytest.mark.slow

MASK = [1, 1, 0, 0, 1, 1, 1, 0, 1]
LAST_TOKENS = [1, 6, 8]


def test_a_turn_is_paid_on_its_last_token():
    rewards = [0.5, -1.0, 2.0]
    generator = SimpleNamespace(custom_chat_template=None)
    found = skyrl_generator.SkyRLGymGenerator._build_per_token_rewards(
        generator, list(zip(rewards, LAST_TOKENS, strict=True)), list(range(len(MASK))), False
    )
    assert turn_values_to_tokens(rewards, MASK) == found


def test_a_retokenized_conversation_has_the_reward_of_its_last_turn_alone():
    generator = SimpleNamespace(custom_chat_template="template")
    found = skyrl_generator.SkyRLGymGenerator._build_per_token_rewards(
        generator, [(0.5, 1), (2.0, 8)], list(range(len(MASK))), False
    )
    assert found == 2.0

"""The returns of turns are those of AReaL, where AReaL is installed."""

import random

import pytest

from reference_impl.steps import turn_returns

areal = pytest.importorskip("areal", reason="AReaL has an environment of its own")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def discounted():
    """Discount the rewards of turns as AReaL's server for agents does."""
    from areal.experimental.openai.cache import InteractionCache
    from areal.experimental.openai.types import InteractionWithTokenLogpReward

    def discount(rewards, turn_discount):
        cache = InteractionCache()
        for turn, reward in enumerate(rewards):
            said = [{"role": "user", "content": str(earlier)} for earlier in range(turn + 1)]
            cache[str(turn)] = InteractionWithTokenLogpReward(messages=said)
            if reward is not None:
                cache.set_reward(str(turn), reward)
        returned = cache.apply_reward_discount(turn_discount)
        return [interaction.reward for interaction in returned.values()]

    return discount


@pytest.mark.parametrize("turn_discount", [0.0, 0.5, 0.9, 1.0])
def test_a_return_is_what_areal_makes_of_a_turn_s_reward(discounted, turn_discount):
    draw = random.Random(0)
    for turns in range(1, 7):
        rewards = [draw.uniform(-1, 1) for _ in range(turns)]
        assert turn_returns(rewards, turn_discount) == discounted(rewards, turn_discount)


def test_a_turn_that_was_given_no_reward_has_none_of_its_own(discounted):
    assert discounted([None, 1.0, None], 0.5) == turn_returns([0.0, 1.0, 0.0], 0.5)


def test_a_conversation_that_is_exported_as_one_sample_keeps_the_last_reward_alone():
    from areal.experimental.openai.cache import InteractionCache
    from areal.experimental.openai.types import InteractionWithTokenLogpReward

    cache, messages = InteractionCache(), [{"role": "user", "content": "How warm is it?"}]
    for turn, reward in enumerate([0.5, 2.0]):
        said = {"role": "assistant", "content": str(turn)}
        cache[str(turn)] = InteractionWithTokenLogpReward(
            messages=list(messages),
            output_message_list=[said],
            chat_template_type="concat",
            _interaction_id=str(turn),
        )
        cache.set_reward(str(turn), reward)
        messages += [said, {"role": "user", "content": "Sure?"}]
    exported = cache.export_interactions("concat", reward_discount=1.0)
    assert [interaction.reward for interaction in exported.values()] == [2.0]
    assert cache["0"].reward == 2.5


def test_the_discount_is_one_unless_it_is_set():
    from areal.api.cli_args import AgentConfig

    assert AgentConfig(agent_cls_path="my_agents.agent").turn_discount == 1.0

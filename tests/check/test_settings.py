"""Which names of columns are worth a try."""

import functools

from reference_impl.check.settings import MOST_NAMES, columns_to_try
from reference_impl.runtime import BlockingReward, CachedReward


def reward_fn(prompt, completions, prompt_ids, completion_ids, answer, strict=True, **columns):
    """A docstring is no name."""

    def inner():
        return columns["weight"]

    return columns.get("bonus", 0.0) if "two words" in completions else inner()


class Instance:
    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        return columns.get("bonus")


def test_names_come_from_the_signature_and_the_code():
    assert set(columns_to_try(reward_fn, ["answer"])) == {"strict", "bonus", "weight"}


def test_columns_of_the_data_are_not_tried():
    assert "bonus" not in columns_to_try(reward_fn, ["answer", "bonus"])


def test_wrapped_rewards_are_looked_through():
    assert columns_to_try(Instance(), []) == ["bonus"]
    assert "bonus" in columns_to_try(functools.partial(reward_fn, strict=False), [])
    assert "bonus" in columns_to_try(CachedReward(reward_fn), [])
    assert columns_to_try(len, []) == []


def test_an_asynchronous_reward_is_looked_through():
    async def awaited(prompt, completions, prompt_ids, completion_ids, **columns):
        return columns.get("bonus")

    assert columns_to_try(awaited, []) == ["bonus"]
    assert BlockingReward(awaited).reward_fn is awaited


def test_there_is_an_end_to_it():
    names = "\n".join(f"    columns.get('name_{n}')" for n in range(99))
    space = {}
    exec(f"def many(prompt, **columns):\n{names}", space)
    assert len(columns_to_try(space["many"], [])) == MOST_NAMES

"""Rewards at module level, so that composites of them pickle."""

import asyncio

from reference_impl import InvalidGoldError
from reference_impl.compose import WeightedSum


def correct(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    if not answer:
        raise InvalidGoldError("the column `answer` is empty")
    return float(completions == answer)


def half(prompt, completions, prompt_ids, completion_ids, **columns):
    return 0.5


def length(prompt, completions, prompt_ids, completion_ids, **columns):
    return len(completions)


def broken(prompt, completions, prompt_ids, completion_ids, **columns):
    raise ZeroDivisionError("nobody caught it")


def nothing(prompt, completions, prompt_ids, completion_ids, **columns):
    return None


def huge(prompt, completions, prompt_ids, completion_ids, **columns):
    return 1e308


async def kind(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float("thank you" in completions)


async def down(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    raise TimeoutError("no verdict in time")


composite = WeightedSum({"correct": (correct, 1.0), "half": (half, 0.5)})

"""From a trainer's batch to samples, and from samples to a list of rewards."""

import asyncio
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward
from reference_impl.contract.parameters import columns_problem
from reference_impl.contract.reward_fn import FIELDS

# Reading a signature takes longer than a rule does, and the columns of a data set rarely change.
_fitting: weakref.WeakKeyDictionary[GuardedReward, tuple[str, ...]] = weakref.WeakKeyDictionary()


class MissingColumnError(TypeError):
    """The data set lacks a column that the reward function needs, or has one that it refuses.

    That is a fault of the set-up, not of a sample: it is raised under every failure policy.

    Explained in :ref:`trainers-failure`.
    """


class Sample(NamedTuple):
    """What a reward function gets of one completion.

    Attributes:
        prompt: The prompt as text.
        completion: The completion as text.
        prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
        completion_ids: The tokens of the completion, shape (completion_tokens,).
        columns: The other columns of the data set's row, by name.

    Explained in :ref:`trainers`.
    """

    prompt: str
    completion: str
    prompt_ids: Sequence[int]
    completion_ids: Sequence[int]
    columns: Mapping[str, Any]


def split_columns(columns: Mapping[str, Sequence[Any]], size: int) -> list[dict[str, Any]]:
    """Turn the columns of a batch into one dict for each sample.

    Args:
        columns: The values of each column, each of shape (size,).
        size: How many samples the batch has.

    Returns:
        The columns of each sample, shape (size,).

    Raises:
        ValueError: If a column has another length.

    Example:
        >>> split_columns({"answer": ["4", "6"]}, 2)
        [{'answer': '4'}, {'answer': '6'}]
        >>> split_columns({"answer": ["4"]}, 2)
        Traceback (most recent call last):
            ...
        ValueError: The column `answer` is of length 1, and the batch has 2 completions. Give one \
value for each completion.

    Explained in :ref:`trainers`.
    """
    for name, values in columns.items():
        is_list = isinstance(values, Sequence) and not isinstance(values, str | bytes)
        if not is_list or len(values) != size:
            shape = f"of length {len(values)}" if is_list else f"a {type(values).__name__}"
            raise ValueError(
                f"The column `{name}` is {shape}, and the batch has {size} completions. "
                "Give one value for each completion."
            )
    return [{name: values[index] for name, values in columns.items()} for index in range(size)]


def check_columns(guarded: GuardedReward, columns: Iterable[str]) -> None:
    """Refuse a sample with which the reward function cannot be called.

    Args:
        guarded: The reward.
        columns: The names of the sample's columns.

    Raises:
        MissingColumnError: If a column is missing, or has a name that cannot be passed.

    Example:
        >>> from reference_impl import GuardedReward, exact_match_reward_fn
        >>> check_columns(GuardedReward(exact_match_reward_fn), ["anser"])
        Traceback (most recent call last):
            ...
        reference_impl.adapters.batch.MissingColumnError: `exact_match_reward_fn`: it \
needs the column `answer`, which the sample lacks: rename one of `anser` and `answer`.

    Explained in :ref:`trainers-failure`.
    """
    names = tuple(columns)
    if _fitting.get(guarded) == names:
        return
    taken = [f"`{name}`" for name in names if name in FIELDS]
    if taken:
        problem = f"the data set has the column {taken[0]}, which the trainer passes: rename it."
    else:
        problem = columns_problem(guarded.reward_fn, names)
    if problem:
        raise MissingColumnError(f"`{guarded.__name__}`: {problem}")
    _fitting[guarded] = names


def score_batch(guarded: GuardedReward, samples: Iterable[Sample]) -> list[float | None]:
    """Score samples one after the other.

    Args:
        guarded: The reward, with its failure policy.
        samples: The samples.

    Returns:
        A reward for each, or None where the policy skips a failure, shape (samples,).

    Raises:
        MissingColumnError: If a sample lacks a column, under every policy.

    Explained in :ref:`trainers`.
    """
    return [_call(guarded, sample) for sample in samples]


async def score_batch_async(
    guarded: AsyncGuardedReward, samples: Iterable[Sample]
) -> list[float | None]:
    """Score samples all at once.

    If one raises, the others are cancelled before the error goes on.

    Args:
        guarded: The reward, with its failure policy.
        samples: The samples.

    Returns:
        A reward for each, or None where the policy skips a failure, shape (samples,).

    Raises:
        MissingColumnError: If a sample lacks a column, under every policy.

    Explained in :ref:`trainers`.
    """
    calls = [asyncio.ensure_future(_call(guarded, sample)) for sample in samples]
    try:
        return list(await asyncio.gather(*calls))
    finally:
        for call in calls:
            call.cancel()


def _call(guarded: GuardedReward, sample: Sample) -> Any:
    check_columns(guarded, sample.columns)
    return guarded(*sample[:4], **sample.columns)

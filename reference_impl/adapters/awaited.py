"""Score from a trainer's event loop, and leave the loop free meanwhile."""

import asyncio
from collections.abc import Sequence

from reference_impl.adapters.batch import Sample, score_batch, score_batch_async
from reference_impl.contract.failure import AsyncGuardedReward, GuardedReward


async def score_awaited(guarded: GuardedReward, samples: Sequence[Sample]) -> list[float | None]:
    """Score samples, whether the reward function is synchronous or not.

    An asynchronous one is awaited for all samples at once. A synchronous one takes the samples one
    after the other in a thread: other rollouts go on. Python runs one thread at a time, so that a
    reward that computes for seconds still slows them down.

    Args:
        guarded: The reward, with its failure policy.
        samples: The samples.

    Returns:
        A reward for each, or None where the policy skips a failure, shape (samples,).

    Raises:
        MissingColumnError: If a sample lacks a column, under every policy.

    Example:
        >>> from reference_impl import GuardedReward, exact_match_reward_fn
        >>> texts = ["#### 4", "#### 5"]
        >>> samples = [Sample("2 + 2?", text, [], [], {"answer": "4"}) for text in texts]
        >>> asyncio.run(score_awaited(GuardedReward(exact_match_reward_fn), samples))
        [1.0, 0.0]

    Explained in :ref:`trainers`.
    """
    if isinstance(guarded, AsyncGuardedReward):
        return await score_batch_async(guarded, samples)
    return await asyncio.to_thread(score_batch, guarded, samples)

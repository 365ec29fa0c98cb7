"""A reward that misbehaves when it is told to, for the guide's pages and the benchmarks."""

import os
import time


def obedient_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    **columns: object,
) -> float:
    """Do what the completion says: hang, crash, or pay a number.

    Args:
        prompt: Not used.
        completions: `"hang"` sleeps for six seconds, `"crash"` ends the process, and a number is
            the reward.
        prompt_ids: Not used.
        completion_ids: Not used.
        **columns: Not used.

    Returns:
        The number that the completion is.

    Raises:
        ValueError: If the completion is none of these.

    Example:
        >>> obedient_reward_fn("", "0.5", [], [])
        0.5

    Explained in :ref:`async-wrapper-measured`.
    """
    if completions == "hang":
        time.sleep(6)
        return 0.0
    if completions == "crash":
        os._exit(1)
    return float(completions)

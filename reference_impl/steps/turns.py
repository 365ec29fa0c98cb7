"""Turns of a conversation: what each is worth, and which tokens get it."""

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

from reference_impl.compose.settings import finite


def turn_returns(rewards: Sequence[float], discount: float = 1.0) -> list[float]:
    """Add to the reward of each turn those of the turns after it, discounted for each turn between.

    `G_k = r_k + discount * G_(k+1)`. The discount is that of a turn, not of a token: a long answer
    puts no more between two turns than a short one.

    Args:
        rewards: The reward of each turn, in order, shape (turns,). 0.0 is a turn that has none of
            its own. Add the reward of the outcome to that of the last turn.
        discount: The factor for each turn between, from 0 to 1.

    Returns:
        The returns, of the same shape.

    Raises:
        ValueError: If a reward is not finite, or the discount is out of range.
        TypeError: If one of them is no number.

    Source:
        AReaL 1.0.4, `InteractionCache.apply_reward_discount`, in
        `areal/experimental/openai/cache.py`, which computes the same for `turn_discount`.

    Example:
        >>> turn_returns([0.0, 0.5, 1.0], discount=0.5)
        [0.5, 1.0, 1.0]

    Explained in :ref:`process-turns`.
    """
    discount = finite("`discount`", discount)
    if not 0 <= discount <= 1:
        raise ValueError(f"`discount` is {discount}: give a number from 0 to 1.")
    returns: list[float] = []
    later = 0.0
    for index, reward in reversed(list(enumerate(rewards))):
        later = finite(f"The reward of turn {index}", reward) + discount * later
        returns.append(later)
    return returns[::-1]


def turn_values_to_tokens(
    values: Sequence[float],
    loss_mask: Sequence[int],
    place: Literal["last", "every"] = "last",
) -> list[float]:
    """Put the value of each turn on the tokens that the policy wrote in it.

    A turn is a run of ones in the loss mask. What lies between, such as the result of a tool or
    what a user says, is not the policy's doing and gets nothing.

    Args:
        values: A value for each turn of the policy, such as a reward or an advantage.
        loss_mask: 1 for each token of the policy and 0 for all others, shape (tokens,).
        place: `"last"` puts a value on the turn's last token, which is how rewards are passed on.
            `"every"` puts it on each token of the turn, which is how advantages are.

    Returns:
        The value of each token, of the shape of the loss mask.

    Raises:
        ValueError: If there is not one finite value for each turn, the mask holds anything else
            than 0 and 1, or there is no such place.
        TypeError: If a value is no number.

    Example:
        >>> turn_values_to_tokens([0.5, 1.0], [1, 1, 0, 0, 1, 1])
        [0.0, 0.5, 0.0, 0.0, 0.0, 1.0]

    Explained in :ref:`process-turns`.
    """
    if place not in ("last", "every"):
        raise ValueError(f"`place` is {place!r}: give 'last' or 'every'.")
    mask = [int(value) for value in loss_mask]
    if any(value not in (0, 1) for value in mask):
        raise ValueError("A loss mask holds 0 and 1 alone.")
    turns, start = [], 0
    for written, run in groupby(mask):
        end = start + len(list(run))
        if written:
            turns.append(range(end - 1 if place == "last" else start, end))
        start = end
    if len(values) != len(turns):
        raise ValueError(
            f"There are {len(values)} values, and the loss mask has {len(turns)} turns. Two turns "
            "with no token between them count as one."
        )
    paid = [0.0] * len(mask)
    for index, (value, turn) in enumerate(zip(values, turns, strict=True)):
        value = finite(f"The value of turn {index}", value)
        for token in turn:
            paid[token] = value
    return paid

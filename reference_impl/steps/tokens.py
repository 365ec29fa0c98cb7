"""From steps, which are characters, to tokens, which are what a trainer pays."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Literal

from reference_impl.compose.settings import finite
from reference_impl.contract.error import InvalidSampleError
from reference_impl.steps.split import Span

# How an incomplete or invalid byte is decoded.
_UNFINISHED = "\ufffd"
# A character has at most four bytes, so that four tokens of bytes finish one or never will.
_LONGEST_CHARACTER = 4


def token_ends(tokenizer: Any, completion_ids: Sequence[int], completion: str) -> list[int]:
    """Say how far each token of a completion reaches into its text.

    The tokens themselves are decoded. To tokenize the text again and to take its offsets is not the
    same: a policy samples tokens that the tokenizer would have merged otherwise, and then every
    later place is wrong.

    A character that several tokens spell, byte by byte, is reached by the last of them. Near bytes
    that are no character, a place may be off by a few: some tokenizers show more of them as U+FFFD
    the longer the text is. The last place is the end of the text all the same.

    Args:
        tokenizer: The policy's tokenizer. Its `decode` is used, and nothing else.
        completion_ids: The tokens, shape (completion_tokens,).
        completion: The text that the trainer decoded them to, with or without special tokens.

    Returns:
        For each token the place in the text behind its last complete character, in ascending
        order, shape (completion_tokens,).

    Raises:
        InvalidSampleError: If the tokens do not decode to the text.

    Example:
        >>> class Words:  # stands for a tokenizer
        ...     def decode(self, ids, **options):
        ...         return "".join(["2 + 2", " = 4", "\\n\\n"][i] for i in ids)
        >>> token_ends(Words(), [0, 1, 2], "2 + 2 = 4\\n\\n")
        [5, 9, 11]

    Explained in :ref:`process-tokens`.
    """
    ids = list(completion_ids)
    for skip in (False, True):
        options = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": False}
        if tokenizer.decode(ids, **options) == completion:
            reached = _ends(lambda part, options=options: tokenizer.decode(part, **options), ids)
            ends = [min(end, len(completion)) for end in reached]
            return [*ends[:-1], len(completion)] if ends else []
    raise InvalidSampleError(
        "`completion_ids` do not decode to `completions`: give the tokenizer of the policy, and "
        "both as the trainer has them."
    )


def _ends(decode: Callable[[list[int]], str], ids: list[int]) -> list[int]:
    """Decode each token behind those since the last place at which all characters were complete."""
    ends: list[int] = []
    # ids[context:read] are complete and stand in front, as some tokenizers treat a first token
    # differently. They decode to `known` characters, and all of ids[:read] to `settled`.
    context = read = known = settled = 0
    for index in range(len(ids)):
        spelled = decode(ids[context : index + 1])
        complete = len(spelled.rstrip(_UNFINISHED))
        ends.append(settled + max(0, complete - known))
        if complete == len(spelled) or index + 1 - read >= _LONGEST_CHARACTER:
            settled += max(0, len(spelled) - known)
            ends[-1] = settled
            context, read = read, index + 1
            known = len(decode(ids[context:read]))
    return ends


def step_rewards_to_tokens(
    rewards: Sequence[float],
    steps: Sequence[Span],
    token_ends: Sequence[int],
    place: Literal["last", "spread"] = "last",
) -> list[float]:
    """Put the reward of each step on its tokens, so that the sum stays the same.

    A token that reaches from one step into the next belongs to the earlier one. If it holds the
    whole of a step, that step's reward stands on it too. A token behind the last step, such as one
    that ends the turn, belongs to none.

    Args:
        rewards: The reward of each step.
        steps: The steps, as `split_steps` returns them.
        token_ends: How far each token reaches, as the function of that name returns it.
        place: `"last"` puts a reward on the step's last token, `"spread"` the same share of it on
            each of its tokens.

    Returns:
        The reward of each token, shape (completion_tokens,).

    Raises:
        ValueError: If there is not one finite reward for each step, the tokens end before the last
            step does, or there is no such place.
        TypeError: If a reward is no number.

    Example:
        >>> step_rewards_to_tokens([1.0, 0.5], [Span(0, 6), Span(6, 9)], [2, 7, 9])
        [0.0, 1.0, 0.5]
        >>> step_rewards_to_tokens([1.0, 0.5], [Span(0, 6), Span(6, 9)], [2, 7, 9], "spread")
        [0.5, 0.5, 0.5]

    Explained in :ref:`process-tokens`.
    """
    if place not in ("last", "spread"):
        raise ValueError(f"`place` is {place!r}: give 'last' or 'spread'.")
    if len(rewards) != len(steps):
        raise ValueError(f"There are {len(rewards)} rewards for {len(steps)} steps.")
    if steps and (not token_ends or token_ends[-1] < steps[-1].end):
        raise ValueError("The tokens end before the last step: give those of the whole completion.")
    paid = [0.0] * len(token_ends)
    for index, (reward, step) in enumerate(zip(rewards, steps, strict=True)):
        reward = finite(f"The reward of step {index}", reward)
        last = bisect_left(token_ends, step.end)  # the first that reaches the step's end
        # A token begins where the one before it ends.
        first = 0 if step.start == 0 else bisect_left(token_ends, step.start) + 1
        own = range(min(first, last), last + 1) if place == "spread" else range(last, last + 1)
        for token in own:
            paid[token] += reward / len(own)
    return paid

"""A reward function on text, for trainers that pass messages."""

import functools
from collections.abc import Sequence
from typing import Any

from reference_impl.adapters.text import Text, completion_text, prompt_text
from reference_impl.contract.failure import GuardedReward
from reference_impl.contract.reward_fn import RewardFn


def read_messages(guarded: GuardedReward, pass_messages: bool = False) -> GuardedReward:
    """Let a guarded reward take prompts and completions that are messages.

    The messages are read inside the guard: those that cannot be read are a failure of their sample.

    Args:
        guarded: The reward, with its failure policy.
        pass_messages: Leave the prompt as it is, for a reward that reads messages itself.

    Returns:
        A reward with the same policy, name and columns.

    Example:
        >>> from reference_impl import GuardedReward, exact_match_reward_fn
        >>> reward = read_messages(GuardedReward(exact_match_reward_fn, on_failure="skip"))
        >>> asked = [{"role": "user", "content": "What is 2 + 2?"}]
        >>> reward(asked, [{"role": "assistant", "content": "#### 4"}], [], [], answer="4")
        1.0
        >>> reward(asked, [{"role": "assistant", "content": 4}], [], [], answer="4")
        >>> reward.counts.failures
        {'invalid_sample': 1}

    Explained in :ref:`trainers`.
    """
    of_messages = _OfMessages(guarded.reward_fn, guarded.__name__, pass_messages)
    return type(guarded)(of_messages, guarded.on_failure)


class _OfMessages:
    """Call a reward function with texts. Of an asynchronous one, it returns what is to await."""

    def __init__(self, reward_fn: RewardFn, name: str, pass_messages: bool):
        self.reward_fn = reward_fn
        self.pass_messages = pass_messages
        # Its parameters, which tell the columns that it needs, are those of the reward function.
        functools.update_wrapper(self, reward_fn, assigned=("__doc__",), updated=())
        self.__name__ = name

    def __call__(
        self,
        prompt: Text,
        completions: Text,
        prompt_ids: Sequence[int],
        completion_ids: Sequence[int],
        **columns: Any,
    ) -> Any:
        asked = prompt if self.pass_messages else prompt_text(prompt)
        return self.reward_fn(
            asked, completion_text(completions), prompt_ids, completion_ids, **columns
        )

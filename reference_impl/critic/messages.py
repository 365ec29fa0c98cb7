"""What may be in a prompt and a completion, before any tokenizer: texts are data."""

import re
from collections.abc import Mapping, Sequence

from reference_impl.contract.error import InvalidSampleError
from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.end_tokens import strip_end_tokens

#: A prompt that holds one of these has been through a chat template.
ROLE_MARKER = re.compile(
    r"<\|im_start\|>|<\|start_header_id\|>|<start_of_turn>|\[/?INST\]|<｜(?:User|Assistant)｜>"
)
_ROLES = ("system", "user", "assistant", "tool")


def read_prompt(prompt: object, special: re.Pattern[str]) -> list[tuple[str, str]]:
    """Read a prompt as a conversation.

    Args:
        prompt: What the user wrote, or a list of messages.
        special: What looks like a special token of the model.

    Returns:
        Role and text of each message.

    Raises:
        InvalidSampleError: If the prompt has another form, or has been through a chat template.

    Example:
        >>> read_prompt("2 + 2?", ROLE_MARKER)
        [('user', '2 + 2?')]

    Explained in :ref:`critic-inputs`.
    """
    if isinstance(prompt, str):
        if ROLE_MARKER.search(prompt) or special.search(prompt):
            raise InvalidSampleError(
                "The prompt has been through a chat template already, and would go through "
                "another. Pass what the user wrote or a list of messages, or set "
                "prompt_format='templated' if the template was this model's own."
            )
        return [("user", prompt)]
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes) or not prompt:
        raise InvalidSampleError(
            f"The prompt is {type(prompt).__name__}, not a text or a list of messages."
        )
    messages = []
    for message in prompt:
        if not isinstance(message, Mapping) or message.get("role") not in _ROLES:
            raise InvalidSampleError(
                f"A message of the prompt is no dict with a role of {', '.join(_ROLES)}."
            )
        if not isinstance(message.get("content"), str):
            raise InvalidSampleError("A message of the prompt has no text as `content`.")
        messages.append((message["role"], message["content"]))
    return messages


def read_completion(completion: object) -> str:
    """Read a completion without the special tokens at its end: a template writes its own.

    Args:
        completion: The completion.

    Returns:
        Its text.

    Raises:
        InvalidSampleError: If it is no text.

    Example:
        >>> read_completion("#### 4<|im_end|>")
        '#### 4'

    Explained in :ref:`critic-inputs`.
    """
    return strip_end_tokens(check_text("completions", completion))

"""Prompts and completions as text, whether a trainer passes texts or messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from reference_impl.contract.error import InvalidSampleError
from reference_impl.contract.reward_fn import check_text

Text = str | Sequence[Mapping[str, Any]]


def completion_text(completion: Text) -> str:
    """Return a completion as text.

    Args:
        completion: A text, or messages: what the assistant says in them is joined by line breaks.

    Returns:
        The text. A message that only calls tools has none.

    Raises:
        InvalidSampleError: If it is neither.

    Example:
        >>> completion_text([{"role": "assistant", "content": "It is 4."}])
        'It is 4.'

    Explained in :ref:`trainers`.
    """
    if isinstance(completion, str):
        return completion
    messages = _messages(completion, "completions")
    said = [_content(m, "completions") for m in messages if m.get("role") == "assistant"]
    return "\n".join(text for text in said if text)


def prompt_text(prompt: Text) -> str:
    """Return a prompt as text.

    Args:
        prompt: A text, or messages: the last one of the user counts.

    Returns:
        The text.

    Raises:
        InvalidSampleError: If it is neither, or no message is the user's.

    Example:
        >>> prompt_text([{"role": "system", "content": "Add."}, {"role": "user", "content": "2 2"}])
        '2 2'

    Explained in :ref:`trainers`.
    """
    if isinstance(prompt, str):
        return prompt
    for message in reversed(_messages(prompt, "prompt")):
        if message.get("role") == "user":
            return _content(message, "prompt")
    raise InvalidSampleError("`prompt` has no message of the user. Its text is what is scored.")


def _messages(messages: object, name: str) -> Sequence[Mapping[str, Any]]:
    is_list = isinstance(messages, Sequence) and not isinstance(messages, bytes)
    if not is_list or not all(isinstance(message, Mapping) for message in messages):
        if isinstance(messages, list | tuple):
            raise InvalidSampleError(f"`{name}` is a list, but not one of messages.")
        check_text(name, messages)  # says what it is instead
    return messages


def _content(message: Mapping[str, Any], name: str) -> str:
    """Return what a message says: a text, parts of which some are texts, or nothing."""
    content = message.get("content")
    if content is None:
        return ""
    if isinstance(content, list | tuple):
        parts = [part for part in content if isinstance(part, Mapping) and "text" in part]
        return "".join(check_text(name, part["text"]) for part in parts)
    return check_text(name, content)

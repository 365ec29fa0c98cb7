"""Prompts and completions as text, whether a trainer passes texts or messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from reference_impl.adapters.tool_text import call_text, join_parts
from reference_impl.contract.error import InvalidSampleError
from reference_impl.contract.reward_fn import check_text

Text = str | Sequence[Mapping[str, Any]]


def completion_text(completion: Text) -> str:
    """Return a completion as text.

    The calls in the `tool_calls` of a message stand in the text as well, behind what the message
    says, in the format of Hermes and Qwen. So a reward sees the same text, whether a trainer passes
    what the policy wrote or messages that were made of it. See `call_text` for calls that no tool
    could run, and `join_parts` for turns that leave a thought open.

    Results of tools are not the policy's, and not in the text. What a trainer has put elsewhere,
    such as a thought in `reasoning_content`, is not in it either.

    Args:
        completion: A text, or messages: what the assistant says and calls in them is joined by line
            breaks.

    Returns:
        The text.

    Raises:
        InvalidSampleError: If it is neither, or the `tool_calls` of a message are not a list.

    Example:
        >>> completion_text([{"role": "assistant", "content": "It is 4."}])
        'It is 4.'
        >>> call = {"type": "function", "function": {"name": "add", "arguments": {"a": 2}}}
        >>> said = {"role": "assistant", "content": "Let me add.", "tool_calls": [call]}
        >>> print(completion_text([said, {"role": "tool", "content": "4"}]))
        Let me add.
        <tool_call>
        {"name": "add", "arguments": {"a": 2}}
        </tool_call>

    Explained in :ref:`trainers`.
    """
    if isinstance(completion, str):
        return completion
    messages = _messages(completion, "completions")
    parts: list[str] = []
    for message in messages:
        if message.get("role") == "assistant":
            parts.append(_content(message, "completions"))
            parts.extend(call_text(call) for call in _tool_calls(message))
    return join_parts(parts)


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


def _tool_calls(message: Mapping[str, Any]) -> Sequence[Any]:
    calls = message.get("tool_calls")
    if calls is None:
        return ()
    if not isinstance(calls, list | tuple):
        raise InvalidSampleError(
            f"The `tool_calls` of a message are of type {type(calls).__name__}, not a list."
        )
    return calls

"""Read the tool calls of a completion, and say of each whether a tool could run it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from reference_impl.adapters.text import Text, completion_text
from reference_impl.adapters.tool_text import CALL, without_thoughts
from reference_impl.steps.tools import read_tools

#: The longest call that is read, in characters of JSON.
MAX_CALL_CHARACTERS = 10_000

_RESPONSE = re.compile(r"<[\s/]*+tool_response\b", re.IGNORECASE)


@dataclass(frozen=True)
class ToolCall:
    """A call that a completion makes.

    Attributes:
        name: The name of the tool, or "" if the call does not say it.
        arguments: The arguments by name. Empty if they cannot be read.
        problem: Why no tool could run it, or "": `"not_closed"`, `"too_long"`, `"not_json"` (also
            for a key that stands twice, and for NaN), `"wrong_shape"` (in messages also for
            arguments that are no JSON), `"unknown_tool"` or `"invalid_arguments"`.

    Explained in :ref:`process-tools`.
    """

    name: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class ToolUse:
    """What a completion does with its tools.

    Attributes:
        calls: The calls in order, at most as many as were asked for.
        too_many: Whether there are more, which were not read.
        forged: Whether the policy wrote the result of a tool itself.

    Explained in :ref:`process-tools`.
    """

    calls: tuple[ToolCall, ...]
    too_many: bool
    forged: bool

    @property
    def valid(self) -> bool:
        """Whether there is a call, all calls can be run, and nothing is forged or beyond."""
        sound = not (self.forged or self.too_many)
        return sound and bool(self.calls) and not any(call.problem for call in self.calls)


def check_tool_use(
    completion: Text, tools: str | Sequence[Mapping[str, Any]], max_calls: int = 8
) -> ToolUse:
    """Check the tool calls of a completion against the schemas of the tools.

    A call stands in the text as `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, which
    is the format of Hermes and Qwen, or in the `tool_calls` of an assistant's message. It is read
    strictly: one JSON object with these two keys, each once. A text is no number, and a name that
    only looks like that of a tool is unknown.

    What stands in `<think>` is a thought and calls nothing. A completion may lack the opening tag,
    where the chat template has written it.

    A text is what the policy wrote. A `<tool_response>` in it is therefore forged. Pass several
    turns as messages: there results have the role `tool`, and the same mark in a message of the
    assistant is forged. Of messages, that text is read which `completion_text` makes of them, so
    that a reward behind an adapter finds the same calls. It keeps the turns apart.

    Args:
        completion: The completion, as text or messages.
        tools: The tools, as a list or as its JSON text; see `ToolUseValidity`.
        max_calls: How many calls are read.

    Returns:
        What was found.

    Raises:
        InvalidSampleError: If the completion is neither, or `tool_calls` are not a list.
        InvalidToolsError: If the tools cannot be used.

    Source:
        The format: the chat templates of NousResearch's Hermes 2 Pro and of Qwen2.5.

    Example:
        >>> tools = [{"name": "add", "parameters": {
        ...     "type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}}]
        >>> said = '<tool_call>{"name": "add", "arguments": {"a": "2"}}</tool_call>'
        >>> [call.problem for call in check_tool_use(said, tools).calls]
        ['invalid_arguments']

    Explained in :ref:`process-tools`.
    """
    validators = read_tools(tools)
    answer = without_thoughts(completion_text(completion))
    forged = bool(_RESPONSE.search(CALL.sub("", answer)))
    found = list(islice(CALL.finditer(answer), max_calls + 1))
    calls = [_checked(_read(match), validators) for match in found[:max_calls]]
    return ToolUse(tuple(calls), len(found) > max_calls, forged)


def _read(match: re.Match[str]) -> ToolCall:
    """Read one JSON object with the two keys of a call."""
    text, end = match.groups()
    if not end:
        return ToolCall(problem="not_closed")
    if len(text) > MAX_CALL_CHARACTERS:
        return ToolCall(problem="too_long")
    try:
        call = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # no JSON; too many digits for an int; nested too deeply
        return ToolCall(problem="not_json")
    match call:
        case {"name": str(name), "arguments": dict(arguments)} if len(call) == 2:
            return ToolCall(name, arguments)
    return ToolCall(problem="wrong_shape")


def _checked(call: ToolCall, validators: Mapping[str, Any]) -> ToolCall:
    if call.problem:
        return call
    if call.name not in validators:
        return ToolCall(call.name, call.arguments, "unknown_tool")
    try:
        valid = validators[call.name].is_valid(call.arguments)
    except (OverflowError, RecursionError):  # a number beyond the floats; nested too deeply
        valid = False
    return call if valid else ToolCall(call.name, call.arguments, "invalid_arguments")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

"""Read the tool calls of a completion, and say of each whether a tool could run it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reference_impl.adapters.text import Text, completion_text
from reference_impl.contract.error import InvalidSampleError
from reference_impl.steps.tools import read_tools

#: The longest call that is read, in characters of JSON.
MAX_CALL_CHARACTERS = 10_000

_CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_RESPONSE = re.compile(r"<[\s/]*+tool_response\b", re.IGNORECASE)


@dataclass(frozen=True)
class ToolCall:
    """A call that a completion makes.

    Attributes:
        name: The name of the tool, or "" if the call does not say it.
        arguments: The arguments by name. Empty if they cannot be read.
        problem: Why no tool could run it, or "": `"not_closed"`, `"too_long"`, `"not_json"` (also
            for a key that stands twice, and for NaN), `"wrong_shape"`, `"unknown_tool"` or
            `"invalid_arguments"`.

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

    A text is what the policy wrote in one turn. A `<tool_response>` in it is therefore forged. Pass
    several turns as messages: there results have the role `tool`, and the same mark in a message of
    the assistant is forged.

    Args:
        completion: The completion, as text or messages.
        tools: The tools, as a list or as its JSON text; see `ToolUseValidity`.
        max_calls: How many calls are read.

    Returns:
        What was found.

    Raises:
        InvalidSampleError: If the completion is neither.
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
    calls: list[ToolCall] = []
    forged = too_many = False
    for said, called in _turns(completion):
        answer = _after_thought(said)
        forged = forged or bool(_RESPONSE.search(_CALL.sub("", answer)))
        for call in _calls(answer, called):
            if len(calls) == max_calls:
                too_many = True
                break
            calls.append(_checked(call, validators))
    return ToolUse(tuple(calls), too_many, forged)


def _turns(completion: Text) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield what is said in each turn of the policy, and the calls that stand beside it."""
    if isinstance(completion, str):
        yield completion, ()
        return
    completion_text(completion)  # refuses what is no list of messages
    for message in completion:
        if message.get("role") == "assistant":
            called = message.get("tool_calls") or ()
            if not isinstance(called, Sequence) or isinstance(called, str | bytes):
                raise InvalidSampleError("`tool_calls` of a message are not a list.")
            yield completion_text([message]), called


def _after_thought(text: str) -> str:
    before, close, after = text.partition("</think>")
    if close and "<think>" not in before:
        text = after
    return _THOUGHT.sub("", text)


def _calls(answer: str, called: Sequence[Any]) -> Iterator[ToolCall]:
    for match in _CALL.finditer(answer):
        yield _read(match[1]) if match[2] else ToolCall(problem="not_closed")
    for call in called:
        yield _read_structured(call)


def _read(text: str) -> ToolCall:
    """Read one JSON object with the two keys of a call."""
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


def _read_structured(call: Any) -> ToolCall:
    """Read a call of a message, whose arguments are JSON text or read already, like any other."""
    match call:
        case {"function": {"name": str(name), "arguments": str(arguments)}}:
            return _read(f'{{"name": {json.dumps(name)}, "arguments": {arguments}}}')
        case {"function": {"name": str(name), "arguments": dict(arguments)}}:
            try:
                return _read(json.dumps({"name": name, "arguments": arguments}))
            except (TypeError, ValueError, RecursionError):
                return ToolCall(problem="not_json")
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

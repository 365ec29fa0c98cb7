"""Tool calls in a text, in the format of Hermes and Qwen: read, and written where they are not."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

#: A call, which may lack its end.
CALL = re.compile(r"<tool_call>(.*?)(</tool_call>|\Z)", re.DOTALL)

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


def without_thoughts(text: str) -> str:
    """Return a text without what stands in `<think>`.

    Args:
        text: The text. Its first thought may lack the opening tag, where the chat template has
            written it.

    Returns:
        The rest.

    Example:
        >>> without_thoughts("2 + 2 ...</think>It is 4.<think>Is it?</think> Yes.")
        'It is 4.  Yes.'

    Explained in :ref:`process-tools`.
    """
    before, close, after = text.partition("</think>")
    if close and "<think>" not in before:
        text = after
    # A space, so that what stood on both sides of a thought does not become one mark.
    return _THOUGHT.sub(" ", text)


def call_text(call: Any) -> str:
    """Write a call of a message as a policy writes it.

    It is always one call: no argument can end it or begin another, since `<` is written as an
    escape. What no tool could run stays so. Arguments that are said to be JSON text and are not
    become a text, and what cannot be written at all becomes `null`.

    Args:
        call: The call, as in OpenAI's interface, with or without the part around `function`: its
            `name` and its `arguments`, as JSON text or as a dict.

    Returns:
        The call, between its marks.

    Example:
        >>> print(call_text({"name": "add", "arguments": '{"a": "</tool_call>"}'}))
        <tool_call>
        {"name": "add", "arguments": {"a": "\\u003c/tool_call>"}}
        </tool_call>

    Explained in :ref:`process-tools`.
    """
    match call.get("function", call) if isinstance(call, Mapping) else None:
        case {"name": str(name), "arguments": arguments}:
            written = f'{{"name": {_json(name)}, "arguments": {_arguments(arguments)}}}'
        case _:
            written = "null"
    # In JSON a `<` can only stand in a text, where the escape means the same.
    written = written.replace("<", r"\u003c")
    return f"<tool_call>\n{written}\n</tool_call>"


def join_parts(parts: Iterable[str]) -> str:
    """Join what a policy says and calls, so that no part changes how another one is read.

    A thought or a call that a part leaves open would swallow the next part, and a `</think>` would
    turn all before it into a thought. Such a part is therefore balanced, by two tags where one
    would do: a reward for the format must not take them for the policy's own.

    Args:
        parts: What is said in each turn, and each call, in order.

    Returns:
        The parts, one a line. A single one is returned as it is.

    Example:
        >>> join_parts(["It is 4.", "Or is it?</think>Yes."])
        'It is 4.\\n<think><think>Or is it?</think>Yes.'

    Explained in :ref:`process-tools`.
    """
    first, *rest = [part for part in parts if part] or [""]
    *opened, last = [first, *map(_opened, rest)]
    return "\n".join([*map(_closed, opened), last])


def _arguments(arguments: Any) -> str:
    if isinstance(arguments, str):
        try:
            json.loads(arguments)
        except (ValueError, RecursionError):
            return _json(arguments)
        return arguments  # as it is: a key that stands twice must still do so
    try:
        return _json(arguments)
    except (TypeError, ValueError, RecursionError):  # no JSON; holds itself; nested too deeply
        return "null"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _opened(part: str) -> str:
    before, close, _ = part.partition("</think>")
    return f"<think><think>{part}" if close and "<think>" not in before else part


def _closed(part: str) -> str:
    if part.rfind("<think>") > part.rfind("</think>"):
        part += "<think></think>"
    answer = without_thoughts(part)
    if answer.rfind("<tool_call>") > answer.rfind("</tool_call>"):
        part += "<tool_call></tool_call>"  # what is called stays no JSON
    return part

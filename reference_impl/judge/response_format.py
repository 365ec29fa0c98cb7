"""What a request asks of the server's decoding."""

import functools
import re
from typing import Any, Literal

from pydantic import BaseModel

# Of these, the keys are names and not words of JSON Schema.
_MAPS = ("properties", "$defs")


def response_format(
    schema: type[BaseModel] | None, structured: Literal["json_schema", "json_object", "none"]
) -> dict[str, Any] | None:
    """Return the `response_format` of a request.

    Args:
        schema: What the answer is to fit. None asks for nothing.
        structured: What the server understands.

    Returns:
        The field's value. None leaves it out.

    Source:
        OpenAI's guide "Structured model outputs", for what a strict schema must say.

    Example:
        >>> class Verdict(BaseModel):
        ...     is_correct: bool
        >>> response_format(Verdict, "json_schema")["json_schema"]["schema"]["required"]
        ['is_correct']
        >>> response_format(Verdict, "json_object")
        {'type': 'json_object'}

    Explained in :ref:`judge-call`.
    """
    if schema is None or structured == "none":
        return None
    if structured == "json_object":
        return {"type": "json_object"}
    return _json_schema(schema)


@functools.lru_cache(maxsize=64)
def _json_schema(schema: type[BaseModel]) -> dict[str, Any]:
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", schema.__name__)[:64]
    strict = _strict(schema.model_json_schema())
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": strict}}


def _strict(node: Any) -> Any:
    """Demand every property and forbid any other, as strict decoding wants it."""
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    result = {
        word: {name: _strict(part) for name, part in value.items()}
        if word in _MAPS
        else _strict(value)
        for word, value in node.items()
        if word != "default"  # every property is demanded
    }
    if "properties" in result:
        result |= {"additionalProperties": False, "required": list(result["properties"])}
    return result

"""The tools of a data set, as JSON Schemas that a call's arguments are checked against.

A data set is a file from somewhere. Its tools are data: nothing in them is run or fetched, and what
could make a check endless is refused.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reference_impl.contract.error import RewardError

#: The longest description of a row's tools that is read, in characters of JSON.
MAX_TOOLS_CHARACTERS = 100_000

#: Under these names JSON Schema holds schemas by names of the author's own.
_NAMED_SCHEMAS = ("properties", "$defs", "definitions", "dependentSchemas")
#: Under these it holds values, which are no schemas.
_VALUES = ("enum", "const", "default", "examples", "required")
#: What a small text can keep busy for years, or what another place is asked for.
_REFUSED = ("$ref", "$dynamicRef", "pattern", "patternProperties", "uniqueItems")


class InvalidToolsError(RewardError, ValueError):
    """The data set's description of the tools cannot be used: an error in the data.

    Explained in :ref:`process-tools`.
    """

    reason = "invalid_tools"


def read_tools(tools: str | Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make a validator for the arguments of each tool.

    Args:
        tools: A list of tools, or that list as JSON text. Each is as in OpenAI's interface, with
            or without the part around `function`: `name`, and `parameters` as a JSON Schema.

    Returns:
        A validator by the name of its tool. Arguments that the schema does not name are invalid,
        unless it says otherwise itself.

    Raises:
        InvalidToolsError: If they are not that. A schema with a reference, a regular expression or
            `uniqueItems` is refused: such a check may take for ever.
        ModuleNotFoundError: If the package `jsonschema` is not installed.

    Example:
        >>> validators = read_tools('[{"name": "now", "parameters": {"type": "object"}}]')
        >>> validators["now"].is_valid({}), validators["now"].is_valid({"zone": "UTC"})
        (True, False)

    Explained in :ref:`process-tools`.
    """
    if not isinstance(tools, str):
        try:
            tools = json.dumps(tools)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidToolsError(f"`tools` are no JSON: {error}.") from None
    if len(tools) > MAX_TOOLS_CHARACTERS:
        raise InvalidToolsError(f"`tools` have more than {MAX_TOOLS_CHARACTERS:,} characters.")
    return _validators(tools)


# The rows of a group share their tools, and often all rows of a data set do.
@functools.lru_cache(maxsize=256)
def _validators(text: str) -> dict[str, Any]:
    try:
        tools = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidToolsError(f"`tools` are no JSON: {error}.") from None
    if not isinstance(tools, list):
        raise InvalidToolsError("`tools` are not a list of tools, or such a list as JSON text.")
    validators: dict[str, Any] = {}
    for tool in tools:
        name, parameters = _name_and_parameters(tool)
        if name in validators:
            raise InvalidToolsError(f"Two tools are called {name!r}.")
        validators[name] = _validator(name, parameters)
    return validators


def _name_and_parameters(tool: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(tool, dict) and isinstance(tool.get("function"), dict):
        tool = tool["function"]
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not tool["name"]:
        raise InvalidToolsError("A tool has no `name`. Each has a `name` and its `parameters`.")
    parameters = tool.get("parameters") or {"type": "object"}
    if not isinstance(parameters, dict):
        raise InvalidToolsError(f"The `parameters` of {tool['name']!r} are not a JSON Schema.")
    return tool["name"], parameters


def _validator(name: str, parameters: dict[str, Any]) -> Any:
    try:
        from jsonschema import Draft202012Validator, SchemaError
        from referencing import Registry
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "The reward for tool use needs the package `jsonschema`: pip install jsonschema.",
            name=error.name,
        ) from None
    try:
        refused = next((key for key in _keywords(parameters) if key in _REFUSED), None)
        if refused:
            raise InvalidToolsError(
                f"The schema of {name!r} has `{refused}`, which may take for ever to check or look "
                "elsewhere. Write the schema out, or leave it to the tool to refuse such arguments."
            )
        Draft202012Validator.check_schema(parameters)
    except SchemaError as error:
        raise InvalidToolsError(
            f"The schema of {name!r} is not valid: {error.message[:200]}. If a data set filled it "
            "up with null, store the column as JSON text."
        ) from None
    except RecursionError:
        raise InvalidToolsError(f"The schema of {name!r} is nested too deeply.") from None
    closed = {"unevaluatedProperties": False, **parameters}
    return Draft202012Validator(closed, registry=Registry())  # an empty registry fetches nothing


def _keywords(schema: Any) -> Iterator[str]:
    """Yield the keywords of a schema and those in it, and no names that its author chose."""
    if isinstance(schema, list):
        for one in schema:
            yield from _keywords(one)
    elif isinstance(schema, dict):
        for key, value in schema.items():
            yield key
            if key in _NAMED_SCHEMAS and isinstance(value, dict):
                for one in value.values():
                    yield from _keywords(one)
            elif key not in _VALUES:
                yield from _keywords(value)

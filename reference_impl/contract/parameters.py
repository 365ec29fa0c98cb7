"""Read from a reward function's parameters, without a call, how a trainer can call it."""

import difflib
import functools
import inspect
from collections.abc import Sequence
from inspect import Parameter

from reference_impl.contract.reward_fn import FIELDS, RewardFn

EXPECTED = f"`({', '.join(FIELDS)}, **columns)`"


def signature_problem(reward_fn: RewardFn) -> str:
    """Say why the four fields of a sample do not fit, by position and by name.

    Args:
        reward_fn: The reward function.

    Returns:
        What is wrong and what to do, or "" if they fit.
    """
    if is_async(reward_fn):
        return (
            "it is `async def`, and AReaL calls a reward without `await`: write `def` "
            "and do the waiting inside."
        )
    return fields_problem(reward_fn)


def fields_problem(reward_fn: RewardFn) -> str:
    """As `signature_problem`, for a function that may also be asynchronous."""
    parameters = _parameters(reward_fn)
    if parameters is None:
        return f"its parameters cannot be read: wrap it in a `def` with {EXPECTED}."
    positional = _positional(parameters)
    keyword_only = _names(parameters, Parameter.KEYWORD_ONLY)
    takes_any = all(
        _names(parameters, kind) for kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    )
    names = [parameter.name for parameter in positional]
    for index, field in enumerate(FIELDS):
        if index >= len(positional):
            if field in keyword_only:
                return f"`{field}` is keyword-only, and AReaL passes it by position: move the `*`."
            if not takes_any:
                return f"it lacks the argument `{field}`: the signature is {EXPECTED}."
        elif names[index] != field:
            if names[index] in FIELDS:
                order = ", ".join(f"`{name}`" for name in names[: len(FIELDS)])
                return f"its arguments come in the order {order}: the signature is {EXPECTED}."
            return (
                f"its argument {index + 1} is called `{names[index]}`: rename it to `{field}`, "
                f"as the signature is {EXPECTED}."
            )
        elif positional[index].kind is Parameter.POSITIONAL_ONLY:
            return f"`{field}` is positional-only, and some trainers pass it by name: remove `/`."
    return ""


def sample_problem(reward_fn: RewardFn, columns: Sequence[str]) -> str | None:
    """Say why the columns of a sample do not fit as keywords.

    Args:
        reward_fn: The reward function.
        columns: The names of the sample's columns, without the four fields.

    Returns:
        What is wrong and what to do, "" if the columns fit, or None if a call is
        impossible for another reason, which `signature_problem` names.
    """
    return None if is_async(reward_fn) else columns_problem(reward_fn, columns)


def columns_problem(reward_fn: RewardFn, columns: Sequence[str]) -> str | None:
    """As `sample_problem`, for a function that may also be asynchronous."""
    parameters = _parameters(reward_fn)
    if parameters is None:
        return None
    after_fields = _positional(parameters)[len(FIELDS) :]
    taken = after_fields + [p for p in parameters if p.kind is Parameter.KEYWORD_ONLY]
    for parameter in taken:
        missing = parameter.name not in columns and parameter.default is Parameter.empty
        if missing and parameter.name not in FIELDS:
            close = difflib.get_close_matches(parameter.name, columns, n=1)
            advice = (
                f"rename one of `{close[0]}` and `{parameter.name}`"
                if close
                else "add it to the sample, or give the argument a default"
            )
            return f"it needs the column `{parameter.name}`, which the sample lacks: {advice}."
    if not takes_unknown_columns(reward_fn):
        known = [parameter.name for parameter in taken]
        unknown = [f"`{column}`" for column in columns if column not in known]
        if unknown:
            return f"it does not take {', '.join(unknown)}: end its parameters with `**columns`."
    try:
        inspect.signature(reward_fn).bind(*FIELDS, **dict.fromkeys(columns))
    except TypeError:
        return None
    return ""


def takes_unknown_columns(reward_fn: RewardFn) -> bool:
    """Tell whether the parameters end with `**columns`, by whatever name."""
    return bool(_names(_parameters(reward_fn) or [], Parameter.VAR_KEYWORD))


def is_async(reward_fn: RewardFn) -> bool:
    """Tell whether a call returns an awaitable instead of a score."""
    while isinstance(reward_fn, functools.partial):
        reward_fn = reward_fn.func
    call = getattr(type(reward_fn), "__call__", None)  # noqa: B004
    return any(
        inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
        for function in (reward_fn, call)
    )


def _parameters(reward_fn: RewardFn) -> list[Parameter] | None:
    try:
        return list(inspect.signature(reward_fn).parameters.values())
    except (TypeError, ValueError):  # some functions written in C do not say
        return None


def _positional(parameters: Sequence[Parameter]) -> list[Parameter]:
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in parameters if parameter.kind in kinds]


def _names(parameters: Sequence[Parameter], kind: object) -> list[str]:
    return [parameter.name for parameter in parameters if parameter.kind is kind]

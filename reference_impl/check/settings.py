"""Find what a reward reads from columns that the data does not have: settings, most often."""

import functools
import inspect
import types
from collections.abc import Collection, Iterator

from reference_impl.contract.reward_fn import FIELDS, RewardFn

MOST_NAMES = 20


def columns_to_try(reward_fn: RewardFn, known: Collection[str]) -> list[str]:
    """Return names that a reward may look up among its columns.

    They are its optional arguments and the strings in its code that could be a name, as in
    `columns.get("threshold")`. Whether it does look one up, only a call can tell.

    Args:
        reward_fn: The reward function.
        known: The columns of the data.

    Returns:
        At most 20 names, none of them a column of the data.

    Example:
        >>> def reward_fn(prompt, completions, prompt_ids, completion_ids, strict=True, **columns):
        ...     return columns.get("bonus", 1.0)
        >>> columns_to_try(reward_fn, known=["answer"])
        ['strict', 'bonus']

    Explained in :ref:`check-your-reward`.
    """
    names = dict.fromkeys((*_optional(reward_fn), *_strings(_code_of(reward_fn))))
    return [name for name in names if name not in known and name not in FIELDS][:MOST_NAMES]


def _optional(reward_fn: RewardFn) -> list[str]:
    try:
        parameters = inspect.signature(reward_fn).parameters.values()
    except (TypeError, ValueError):  # some functions written in C do not say
        return []
    return [p.name for p in parameters if p.default is not p.empty]


def _code_of(reward_fn: RewardFn) -> types.CodeType | None:
    while isinstance(reward_fn, functools.partial):
        reward_fn = reward_fn.func
    function = inspect.unwrap(reward_fn)
    if not isinstance(function, types.FunctionType | types.MethodType):
        function = getattr(type(function), "__call__", None)  # noqa: B004
    return getattr(function, "__code__", None)


def _strings(code: types.CodeType | None) -> Iterator[str]:
    for constant in code.co_consts if code else ():
        if isinstance(constant, types.CodeType):
            yield from _strings(constant)
        elif isinstance(constant, str) and len(constant) > 1 and constant.isidentifier():
            yield constant

"""What a reward function is: its signature, how a string names it, what it takes and returns."""

import difflib
import importlib
import inspect
import math
import numbers
import pkgutil
import reprlib
from types import ModuleType
from typing import Any, Protocol

from reference_impl.contract.error import InvalidRewardError, InvalidSampleError, describe_error

#: The four arguments of every reward function, in the order in which AReaL passes them.
FIELDS = ("prompt", "completions", "prompt_ids", "completion_ids")


class RewardFn(Protocol):
    """The shape of a reward function: one sample in, one finite float out.

    Write a module-level function, or a class whose instances pickle, with this signature.
    The spelling `completions` is AReaL's; it holds one completion.

    Source:
        AReaL, `areal.api.reward_api`.

    Explained in :ref:`contract`.
    """

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one sample.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name. Take the ones
                you need as named arguments and leave the rest in `**columns`.

        Returns:
            The reward, a finite float.

        Raises:
            RewardError: If the sample cannot be scored.
        """
        ...


def load_reward_fn(path: str) -> RewardFn:
    """Import a reward function by the string that a trainer's configuration holds.

    Args:
        path: A dotted path, `"package.module.function"`. It may also name a callable
            instance, or an attribute of a class.

    Returns:
        The callable that the path names.

    Raises:
        ValueError: If the path is not a dotted path.
        ModuleNotFoundError: If a module of the path does not exist.
        AttributeError: If the module has no such name.
        TypeError: If what the path names is a class or cannot be called.

    Example:
        >>> load_reward_fn("math.dist").__name__
        'dist'
        >>> load_reward_fn("math.dis")
        Traceback (most recent call last):
            ...
        AttributeError: 'math.dis': `math` has no `dis`. Did you mean `dist`?

    Explained in :ref:`contract`.
    """
    if not isinstance(path, str):
        raise TypeError(f"An import path is a str, not {type(path).__name__}.")
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(
            f"{path!r} is not an import path. Write 'package.module.function', with dots between."
        )
    found: Any = _import_module(parts[0], path)
    for index, part in enumerate(parts[1:], start=2):
        # The last part is what the module holds; a part before it may be a module
        # that nobody has imported yet.
        is_last = index == len(parts)
        if not is_last and isinstance(found, ModuleType) and hasattr(found, "__path__"):
            try:
                found = _import_module(".".join(parts[:index]), path)
                continue
            except ModuleNotFoundError:
                if not hasattr(found, part):
                    raise
        try:
            found = getattr(found, part)
        except AttributeError as error:
            owner = ".".join(parts[: index - 1])
            raise AttributeError(
                f"{path!r}: `{owner}` has no `{part}`.{_did_you_mean(part, dir(found))}"
            ) from error
    check_callable(found, repr(path))
    return found


def check_callable(candidate: object, name: str) -> None:
    """Refuse what cannot serve as a reward function.

    Args:
        candidate: The object to check.
        name: What to call it in the error.

    Raises:
        TypeError: If it is a class, or cannot be called.

    Explained in :ref:`contract`.
    """
    if inspect.isclass(candidate):
        raise TypeError(
            f"{name} is a class: calling it makes an instance, not a score. "
            f"Use an instance, such as `reward_fn = {candidate.__name__}(...)` at module level."
        )
    if not callable(candidate):
        raise TypeError(
            f"{name} cannot be called: it is a {type(candidate).__name__}. "
            "Name a function or an instance with `__call__`."
        )


def check_text(name: str, value: object) -> str:
    """Pass text through and refuse anything else.

    Every str is legal: the empty one, NUL, lone surrogates, right-to-left marks. A model
    can write all of them, and they are a wrong answer at worst.

    Args:
        name: The argument's name, for the error.
        value: What the trainer passed.

    Returns:
        The value itself.

    Raises:
        InvalidSampleError: If the value is not a str.

    Example:
        >>> check_text("completions", "4")
        '4'
        >>> check_text("completions", None)
        Traceback (most recent call last):
            ...
        reference_impl.contract.error.InvalidSampleError: `completions` is None, not text: \
check that the trainer generated it and passes it on.

    Explained in :ref:`contract`.
    """
    if isinstance(value, str):
        return value
    if value is None:
        problem = "None, not text: check that the trainer generated it and passes it on."
    elif isinstance(value, bytes | bytearray | memoryview):
        problem = "bytes, not text: decode it first, such as `value.decode()`."
    elif isinstance(value, list | tuple):
        problem = (
            f"a {type(value).__name__}, not text: pass one sample at a time, "
            'and of a list of messages the text of the last: `messages[-1]["content"]`.'
        )
    else:
        problem = f"of type {type(value).__name__}, not text: pass a str."
    raise InvalidSampleError(f"`{name}` is {problem}")


def check_reward(value: Any) -> float:
    """Turn what a reward function returned into a finite float, or refuse it.

    Args:
        value: A real number: bool, int, float, or anything with `__float__` and no
            dimension, such as a NumPy scalar or a tensor of shape ().

    Returns:
        The reward.

    Raises:
        InvalidRewardError: If the value is not a finite number.

    Example:
        >>> check_reward(True)
        1.0
        >>> check_reward(float("nan"))
        Traceback (most recent call last):
            ...
        reference_impl.contract.error.InvalidRewardError: The reward function returned nan. \
One such value spoils the whole batch: return a finite float, or raise a RewardError.

    Explained in :ref:`contract`.
    """
    problem = _why_not_a_number(value)
    if problem:
        raise InvalidRewardError(f"The reward function returned {problem}")
    try:
        reward = float(value)
    except Exception as error:  # `__float__` of a foreign type is foreign code
        raise InvalidRewardError(
            f"The reward function returned a {type(value).__name__} that does not convert "
            f"to a float ({describe_error(error)})."
        ) from error
    if not math.isfinite(reward):
        raise InvalidRewardError(
            f"The reward function returned {reward}. One such value spoils the whole batch: "
            "return a finite float, or raise a RewardError."
        )
    return reward


def _why_not_a_number(value: object) -> str:
    """Say what is wrong with a value that is no real number by its type, else ''."""
    if value is None:
        return "None. Does every path through it end in `return`?"
    if inspect.iscoroutine(value):
        value.close()  # or Python warns later, far from here, that nobody awaited it
        return (
            "a coroutine. AReaL's reward is synchronous: write `def` instead of `async def` "
            "and do the waiting inside."
        )
    if isinstance(value, str | bytes):
        return f"the text {reprlib.repr(value)}, not a number: convert it yourself."
    if isinstance(value, dict):
        return "a dict. Return one float, such as the weighted sum of the parts."
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0):
        return f"a {type(value).__name__}, not a number. Return one float for one sample."
    is_complex = isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real)
    if is_complex or not hasattr(type(value), "__float__"):
        return f"a {type(value).__name__}, which is not a real number. Return a float."
    return ""


def _import_module(name: str, path: str) -> ModuleType:
    """Import a module; an error raised inside it passes, as it is not a wrong path."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        package, _, missing = name.rpartition(".")
        if package:
            package_path = importlib.import_module(package).__path__
            siblings = [module.name for module in pkgutil.iter_modules(package_path)]
            advice = _did_you_mean(missing, siblings)
        else:
            advice = " Install it, or start Python in the folder that holds it."
        raise ModuleNotFoundError(
            f"{path!r}: there is no module `{name}`.{advice}", name=name
        ) from None


def _did_you_mean(name: str, candidates: list[str]) -> str:
    matches = difflib.get_close_matches(name, candidates, n=3, cutoff=0.7)
    return f" Did you mean {' or '.join(f'`{match}`' for match in matches)}?" if matches else ""

"""Composite and AsyncComposite: one reward made of named components that are rewards themselves.

A subclass says two things: which components to score next, given the values so far, and what the
reward is, given all of them. How they are called, how they fail and how they are logged stands
here once.
"""

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

from reference_impl.compose.error import component_error
from reference_impl.compose.means import ComponentMeans
from reference_impl.contract.failure import GuardedReward
from reference_impl.contract.parameters import fields_problem, is_async, takes_unknown_columns
from reference_impl.contract.reward_fn import FIELDS, RewardFn, check_callable, check_reward

Sample = tuple[str, str, list[int], list[int]]
Values = dict[str, float | None]


@dataclass(frozen=True)
class Composed:
    """What a composite reward says of one sample.

    Attributes:
        value: The reward.
        components: The value of every component by name, before weights, in a fixed order. The
            parts of a component that is a composite itself follow it, as `"outer.inner"`. The
            names are the same for every sample; None is a component that was not scored.

    Explained in :ref:`composition-log`.
    """

    value: float
    components: dict[str, float | None]


class Composite(ABC):
    """A reward made of named components. The base of all composites.

    A composite is a reward function of the contract, pickles if its components do, and can be a
    component of another one. All components get the same sample and the same columns.

    If a component fails, the composite fails: a failure is neither 0 nor left out of a sum. So
    guard the composite, not its components.

    Args:
        components: The reward functions by name.

    Attributes:
        names: The names of all components, with those inside components as `"outer.inner"`.
        means: The `ComponentMeans` of this process.

    Raises:
        ValueError: If there is no component, or a name is empty or has a dot in it.
        TypeError: If a component cannot be called as a part, which includes a guarded one, one
            that does not end its parameters with `**columns`, and, without `Async` in the name
            of the composite, an asynchronous one.

    Explained in :ref:`composition`.
    """

    def __init__(self, components: Mapping[str, RewardFn]):
        _check_components(components, isinstance(self, AsyncComposite), type(self).__name__)
        self._components = dict(components)
        self.names = tuple(_names(self._components))
        self.means = ComponentMeans(self.names)
        # Trainers log a reward under its name and read its columns from its signature.
        self.__name__ = type(self).__name__
        self.__signature__ = _signature(self._components)

    def score(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> Composed:
        """Score one sample, and say what each component was worth.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward and its components.

        Raises:
            ComponentError: If a component failed. The others have no say then.
            InvalidRewardError: If the components do not combine to a finite number.
        """
        sample = (prompt, completions, prompt_ids, completion_ids)
        values: Values = {}
        while wanted := self._wanted(values):
            for name in wanted:
                with _named(name):
                    _keep(name, self._ask(name, sample, columns), values)
        return self._composed(values)

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
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward.

        Raises:
            ComponentError: If a component failed.
            InvalidRewardError: If the components do not combine to a finite number.
        """
        return self.score(prompt, completions, prompt_ids, completion_ids, **columns).value

    def _wanted(self, values: Values) -> list[str]:
        """Say which components to score next, given those so far. None ends the scoring."""
        return [] if values else list(self._components)

    @abstractmethod
    def _combine(self, values: Values) -> float:
        """Make the reward from the values of the components that were scored."""

    def _ask(self, name: str, sample: Sample, columns: dict[str, Any]) -> Any:
        """Call a component for its value, or for its value and its parts."""
        component = self._components[name]
        call = component.score if isinstance(component, Composite) else component
        return call(*sample, **columns)

    def _composed(self, values: Values) -> Composed:
        value = check_reward(self._combine(values))
        components = {name: values.get(name) for name in self.names}
        self.means.add(components)
        return Composed(value, components)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._components)})"


class AsyncComposite(Composite):
    """A composite with a component that is awaited, such as a judge. It is awaited itself.

    Synchronous components are called first, in the event loop, which they hold up: if one of them
    fails, no judge has been asked yet. The asynchronous ones then run at the same time. Cancelling
    the call cancels them.

    Explained in :ref:`composition-judge`.
    """

    async def score(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> Composed:
        """Score one sample, and say what each component was worth.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward and its components.

        Raises:
            ComponentError: If a component failed: the first one, in the order of the names.
            InvalidRewardError: If the components do not combine to a finite number.
        """
        sample = (prompt, completions, prompt_ids, completion_ids)
        values: Values = {}

        async def ask(name: str) -> Any:
            return await self._ask(name, sample, columns)

        while wanted := self._wanted(values):
            awaited = [name for name in wanted if is_async(self._components[name])]
            for name in wanted:
                if name not in awaited:
                    with _named(name):
                        _keep(name, self._ask(name, sample, columns), values)
            outcomes = await asyncio.gather(*map(ask, awaited), return_exceptions=True)
            for name, outcome in zip(awaited, outcomes, strict=True):
                with _named(name):
                    if isinstance(outcome, BaseException):
                        raise outcome
                    _keep(name, outcome, values)
        return self._composed(values)

    async def __call__(
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
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward.

        Raises:
            ComponentError: If a component failed.
            InvalidRewardError: If the components do not combine to a finite number.
        """
        composed = await self.score(prompt, completions, prompt_ids, completion_ids, **columns)
        return composed.value


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Give an error the name of the component that it comes from."""
    try:
        yield
    except Exception as error:
        raise component_error(name, error) from error


def _keep(name: str, outcome: Any, values: Values) -> None:
    """Add what a component returned to the values, together with its parts."""
    if not isinstance(outcome, Composed):
        values[name] = check_reward(outcome)
        return
    values[name] = outcome.value
    for part, value in outcome.components.items():
        values[f"{name}.{part}"] = value


def _names(components: Mapping[str, RewardFn]) -> Iterator[str]:
    """Yield the names of components, each followed by those of its parts."""
    for name, component in components.items():
        yield name
        if isinstance(component, Composite):
            yield from (f"{name}.{part}" for part in component.names)


def _signature(components: Mapping[str, RewardFn]) -> Signature:
    """Join the parameters of components: a column that one of them needs is needed by all."""
    fields = [Parameter(field, Parameter.POSITIONAL_OR_KEYWORD) for field in FIELDS]
    variable = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    columns: dict[str, Parameter] = {}
    for component in components.values():
        for name, parameter in inspect.signature(component).parameters.items():
            if name in FIELDS or parameter.kind in variable:
                continue
            needed = parameter.default is Parameter.empty
            if needed or name not in columns:
                default = Parameter.empty if needed else None
                columns[name] = Parameter(name, Parameter.KEYWORD_ONLY, default=default)
    others = Parameter("columns", Parameter.VAR_KEYWORD)
    return Signature([*fields, *columns.values(), others])


def _check_components(components: Mapping[str, RewardFn], awaits: bool, composite: str) -> None:
    if not components:
        raise ValueError(f"{composite} has no component: give at least one.")
    for name, component in components.items():
        if not isinstance(name, str) or not name.strip() or "." in name:
            raise ValueError(
                f"A component is named {name!r}: give a text that is not empty and has no dot, "
                "as a dot stands between a composite and its part."
            )
        check_callable(component, f"the component `{name}`")
        problem = _component_problem(component, awaits, composite)
        if problem:
            raise TypeError(f"The component `{name}` does not fit: {problem}")


def _component_problem(component: RewardFn, awaits: bool, composite: str) -> str:
    """Say why a callable cannot be a component, or return ''."""
    if isinstance(component, GuardedReward):
        return "it is guarded, which hides its failures. Guard the composite instead."
    if is_async(component) and not awaits:
        return f"it is asynchronous. Use Async{composite}, or wrap it in BlockingReward."
    problem = fields_problem(component)
    if problem:
        return problem
    if not takes_unknown_columns(component):
        return "it gets the columns of all components. End its parameters with `**columns`."
    return ""

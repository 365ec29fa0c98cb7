"""Tool-use validity: pay a completion whose tool calls could all be run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reference_impl.steps.tool_calls import check_tool_use


@dataclass(frozen=True)
class ToolUseValidity:
    """Pay 1.0 if a completion calls tools and every call could be run, else 0.0.

    One call too many, one that no tool could run, or a result that the policy made up, and the
    reward is 0.0: see `check_tool_use`. So a further call never raises it. A share of valid calls
    would: nine idle calls beside a broken one would be 90 % valid.

    A valid call may still be a useless one. Put this reward in front of one for the outcome, as
    the condition of a gate, or give it a small weight. A task that needs no tool is not for this
    reward: a completion without a call is paid 0.0.

    Args:
        max_calls: How many calls a completion may make.

    Raises:
        ValueError: If that is no whole number of at least 1.

    Example:
        >>> one_call = ToolUseValidity(max_calls=1)
        >>> said = '<tool_call>{"name": "now", "arguments": {}}</tool_call>'
        >>> one_call("", said, [], [], tools=[{"name": "now"}])
        1.0
        >>> one_call("", said * 2, [], [], tools=[{"name": "now"}])
        0.0

    Explained in :ref:`process-tools`.
    """

    max_calls: int = 8

    def __post_init__(self) -> None:
        whole = isinstance(self.max_calls, int) and not isinstance(self.max_calls, bool)
        if not whole or self.max_calls < 1:
            raise ValueError(f"`max_calls` is {self.max_calls!r}: give a whole number above 0.")

    def __call__(
        self,
        prompt: str,
        completions: str | Sequence[Mapping[str, Any]],
        prompt_ids: list[int],
        completion_ids: list[int],
        tools: str | Sequence[Mapping[str, Any]] = (),
        **columns: Any,
    ) -> float:
        """Score one completion; see `tool_use_reward_fn`."""
        return float(check_tool_use(completions, tools, self.max_calls).valid)


def tool_use_reward_fn(
    prompt: str,
    completions: str | Sequence[Mapping[str, Any]],
    prompt_ids: list[int],
    completion_ids: list[int],
    tools: str | Sequence[Mapping[str, Any]] = (),
    **columns: Any,
) -> float:
    """Pay 1.0 if a completion calls tools and every call could be run, else 0.0.

    This is `ToolUseValidity` with its defaults.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score: the text of one turn, or messages.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        tools: The tools of the row, as a list or as its JSON text: each with its `name` and, as a
            JSON Schema, its `parameters`. Without any, every call is one to an unknown tool.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidSampleError: If the completion is neither.
        InvalidToolsError: If the tools cannot be used.

    Example:
        >>> tools = '[{"name": "now", "parameters": {"type": "object", "properties": {}}}]'
        >>> said = '<tool_call>{"name": "now", "arguments": {}}</tool_call>'
        >>> tool_use_reward_fn("", said, [], [], tools=tools)
        1.0
        >>> tool_use_reward_fn("", said.replace("now", "later"), [], [], tools=tools)
        0.0

    Explained in :ref:`process-tools`.
    """
    return _TOOL_USE(prompt, completions, prompt_ids, completion_ids, tools, **columns)


_TOOL_USE = ToolUseValidity()

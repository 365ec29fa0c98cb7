"""Steps, turns and tool calls: rewards for parts of a completion or a conversation."""

from reference_impl.steps.advantages import process_advantages
from reference_impl.steps.aggregate import aggregate_steps, min_form_rewards
from reference_impl.steps.arithmetic import (
    ArithmeticSteps,
    Equation,
    arithmetic_steps_reward_fn,
    find_equations,
)
from reference_impl.steps.split import Span, split_steps
from reference_impl.steps.tokens import step_rewards_to_tokens, token_ends
from reference_impl.steps.tool_calls import ToolCall, ToolUse, check_tool_use
from reference_impl.steps.tool_use import ToolUseValidity, tool_use_reward_fn
from reference_impl.steps.tools import InvalidToolsError
from reference_impl.steps.turns import turn_returns, turn_values_to_tokens

__all__ = [
    "ArithmeticSteps",
    "Equation",
    "InvalidToolsError",
    "Span",
    "ToolCall",
    "ToolUse",
    "ToolUseValidity",
    "aggregate_steps",
    "arithmetic_steps_reward_fn",
    "check_tool_use",
    "find_equations",
    "min_form_rewards",
    "process_advantages",
    "split_steps",
    "step_rewards_to_tokens",
    "token_ends",
    "tool_use_reward_fn",
    "turn_returns",
    "turn_values_to_tokens",
]

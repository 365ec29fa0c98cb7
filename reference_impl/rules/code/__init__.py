"""Code execution: run the program in a completion in a sandbox, against hidden tests."""

from reference_impl.rules.code.error import SandboxError
from reference_impl.rules.code.hidden_tests import HiddenTest, parse_tests
from reference_impl.rules.code.levels import Isolation, isolation
from reference_impl.rules.code.program import extract_program
from reference_impl.rules.code.rewards import CodeReward, CodeVerdict, code_reward_fn
from reference_impl.rules.code.sandbox import Limits, Run, Sandbox

__all__ = [
    "CodeReward",
    "CodeVerdict",
    "HiddenTest",
    "Isolation",
    "Limits",
    "Run",
    "Sandbox",
    "SandboxError",
    "code_reward_fn",
    "extract_program",
    "isolation",
    "parse_tests",
]

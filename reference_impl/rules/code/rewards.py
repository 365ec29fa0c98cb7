"""Code execution: pay a completion whose program passes hidden tests in a sandbox."""

import functools
import math
from dataclasses import dataclass
from typing import Any, Literal

from reference_impl.contract.failure import FailureCounts
from reference_impl.rules.code.hidden_tests import HiddenTest, parse_tests
from reference_impl.rules.code.levels import best_level, check_level
from reference_impl.rules.code.program import extract_program
from reference_impl.rules.code.sandbox import Level, Limits, Run, Sandbox

Outcome = Literal[
    "passed", "no_program", "wrong", "error", "crashed", "timeout", "memory", "output"
]


@dataclass(frozen=True)
class CodeVerdict:
    """How a completion fared.

    Attributes:
        outcome: `"passed"`, or why not: there is `"no_program"`; an output is `"wrong"`; it ended
            with an `"error"`; it `"crashed"` by a signal; it ran into the `"timeout"`, out of
            `"memory"`, or into the limit of its `"output"`. A program has some influence on which
            word its failure gets, and none on whether it passes.
        passed: How many tests it passed before the first that it did not.
        tests: How many tests there are.

    Explained in :ref:`code-execution`.
    """

    outcome: Outcome
    passed: int
    tests: int


class CodeReward:
    r"""Pay 1.0 if the program in a completion passes all hidden tests, else 0.0.

    The program (see `extract_program`) runs in a `Sandbox`, once for each test, until one fails. It
    gets the input and never the expected output, which is compared here, in the trainer's process,
    with what came out. So nothing that the program does to its own process earns anything: not an
    early exit, not a patched `print` or `json`, not an object that is equal to everything.

    What a program does wrong is worth 0.0, and is counted in `outcomes`. If the sandbox fails, that
    is a `SandboxError`, and no program can bring it about.

    A call waits for processes and not for the interpreter's lock: threads may make calls at the
    same time, as many as there are processors. It ends within `deadline_seconds` and what it takes
    to start an interpreter; give an `AsyncRewardWrapper` more time than that. The object pickles.

    Args:
        limits: What the program may use.
        tolerance: By how much a float may differ from the expected one, absolute or relative.
        require: The least isolation: `"namespaces"` needs bubblewrap, `"limits"` takes the best
            that the machine has. What that is, `isolation` tells.

    Raises:
        ValueError: If `tolerance` is not a number of at least 0, or there is no such level.

    Example:
        >>> reward = CodeReward(limits=Limits(cpu_seconds=1))
        >>> completion = "```python\nprint(int(input()) + 1)\n```"
        >>> reward("Add one.", completion, [], [], tests=[{"input": "41", "output": "42"}])
        1.0
        >>> reward.outcomes
        {'passed': 1}

    Explained in :ref:`code-execution`.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008, it is frozen
        *,
        tolerance: float = 1e-6,
        require: Level = "limits",
    ):
        is_number = isinstance(tolerance, int | float) and not isinstance(tolerance, bool)
        if not is_number or not 0 <= tolerance < math.inf:
            raise ValueError(f"`tolerance` is {tolerance!r}. It must be a number of at least 0.")
        check_level(require)
        self.limits = limits
        self.tolerance = tolerance
        self.require = require
        self._outcomes = FailureCounts()  # it counts by any word, and knows threads and forks
        self.__name__ = type(self).__name__

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        tests: str | list[dict[str, Any]],
        **columns: Any,
    ) -> float:
        """Score one completion; see `code_reward_fn`."""
        return 1.0 if self.judge(completions, tests).outcome == "passed" else 0.0

    def judge(self, completion: str, tests: str | list[dict[str, Any]]) -> CodeVerdict:
        """Run the program in a completion and say how it fared.

        Args:
            completion: The completion, as text.
            tests: The tests, see `parse_tests`.

        Returns:
            The verdict.

        Raises:
            InvalidSampleError: If the completion is not a str.
            InvalidGoldError: If there are no tests, or one is not well formed.
            SandboxError: If the program could not be run.
        """
        hidden = parse_tests(tests)
        program = extract_program(completion)
        verdict = self._run(program, hidden)
        self._outcomes.add_failure(verdict.outcome)
        return verdict

    def warm_up(self) -> None:
        """Find out whether programs can be run here, before the first sample.

        Raises:
            SandboxError: If the machine does not have the level that is required.
        """
        best_level(self.require)

    @property
    def outcomes(self) -> dict[str, int]:
        """How many completions had which outcome in this process, in alphabetical order."""
        return self._outcomes.failures

    def _run(self, program: str | None, hidden: list[HiddenTest]) -> CodeVerdict:
        if program is None:
            return CodeVerdict("no_program", 0, len(hidden))
        with Sandbox(program, self.limits, best_level(self.require)) as sandbox:
            for number, test in enumerate(hidden):
                run = sandbox.run(input=test.input.encode(), call=test.call)
                outcome = self._outcome(run, test)
                if outcome != "passed":
                    return CodeVerdict(outcome, number, len(hidden))
        return CodeVerdict("passed", len(hidden), len(hidden))

    def _outcome(self, run: Run, test: HiddenTest) -> Outcome:
        if run.timed_out:
            return "timeout"
        if run.too_long:
            return "output"
        if run.out_of_memory:
            return "memory"
        if run.exit_code is None:
            return "crashed"
        if run.exit_code != 0:
            return "error"
        return "passed" if test.accepts(run.output, self.tolerance) else "wrong"

    def __reduce__(self):
        settings = {"tolerance": self.tolerance, "require": self.require}
        return (functools.partial(type(self), self.limits, **settings), ())

    def __repr__(self) -> str:
        return f"CodeReward({self.limits}, tolerance={self.tolerance}, require={self.require!r})"


def code_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    tests: str | list[dict[str, Any]],
    **columns: Any,
) -> float:
    r"""Pay 1.0 if the program in a completion passes all hidden tests, else 0.0.

    This is `CodeReward` with its defaults.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        tests: The hidden tests, a column of the data set: a list of
            `{"input": "1 2", "output": "3"}` or `{"call": "add(1, 2)", "expected": 3}`, or the
            same as JSON text.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0. A completion without a program earns 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.
        InvalidGoldError: If there are no tests, or one is not well formed.
        SandboxError: If the program could not be run.

    Example:
        >>> tests = [{"call": "add(1, 2)", "expected": 3}, {"call": "add(5, 5)", "expected": 10}]
        >>> completion = "```python\ndef add(a, b):\n    return a + b\n```"
        >>> code_reward_fn("Add two numbers.", completion, [], [], tests=tests)
        1.0
        >>> guess = "```python\ndef add(a, b):\n    return 3\n```"
        >>> code_reward_fn("Add two numbers.", guess, [], [], tests=tests)
        0.0

    Explained in :ref:`code-execution`.
    """
    return _CODE_REWARD(prompt, completions, prompt_ids, completion_ids, tests, **columns)


_CODE_REWARD = CodeReward()

"""What a conformance check found, as a value and as a table."""

import re
import textwrap
from dataclasses import dataclass

DETAIL_WIDTH = 72


class NonconformingRewardError(AssertionError):
    """A reward function does not keep the contract; the message lists what to mend.

    Explained in :ref:`contract-conformance`.
    """


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: The name of the check.
        passed: True or False; None if the check was not run.
        detail: What was found. For a failure: what is wrong and what to do.

    Explained in :ref:`contract-conformance`.
    """

    name: str
    passed: bool | None
    detail: str

    @property
    def verdict(self) -> str:
        """The result in one or two words: passed, FAILED or not run."""
        return {True: "passed", False: "FAILED", None: "not run"}[self.passed]


@dataclass(frozen=True, repr=False)
class ConformanceReport:
    """The results of all checks of one reward function.

    It prints as a table, in which nothing depends on the machine or the clock.

    Attributes:
        reward: The name of the reward function.
        results: One result a check, always all of them, in a fixed order.

    Example:
        >>> report = ConformanceReport(
        ...     "my_rewards.short", (CheckResult("range", False, "3.0 is above high, 1.0."),)
        ... )
        >>> report
        my_rewards.short: 0 passed, 1 failed, 0 not run
        <BLANKLINE>
        check  result  detail
        range  FAILED  3.0 is above high, 1.0.
        >>> report.passed
        False

    Explained in :ref:`contract-conformance`.
    """

    reward: str
    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether no check failed. A check that was not run did not fail."""
        return not self.failures

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The results of the checks that failed."""
        return tuple(result for result in self.results if result.passed is False)

    def raise_if_failed(self) -> None:
        """Raise if a check failed, so that a test needs one line.

        Raises:
            NonconformingRewardError: If a check failed. The message lists each.
        """
        if self.failures:
            lines = [f"- {result.name}: {result.detail}" for result in self.failures]
            raise NonconformingRewardError(
                "\n".join([f"{self.reward} does not keep the contract:", *lines])
            )

    def _summary(self) -> str:
        passed = sum(result.passed is True for result in self.results)
        failed = len(self.failures)
        not_run = len(self.results) - passed - failed
        return f"{passed} passed, {failed} failed, {not_run} not run"

    def __str__(self) -> str:
        rows = [("check", "result", "detail")]
        rows += [(result.name, result.verdict, result.detail) for result in self.results]
        name_width = max(len(name) for name, _, _ in rows)
        verdict_width = max(len(verdict) for _, verdict, _ in rows)
        lines = [f"{self.reward}: {self._summary()}", ""]
        for name, verdict, detail in rows:
            start = f"{name:{name_width}}  {verdict:{verdict_width}}  "
            wrapped = textwrap.wrap(detail, DETAIL_WIDTH, break_on_hyphens=False) or [""]
            lines.append(start + wrapped[0])
            lines += [" " * len(start) + line for line in wrapped[1:]]
        return "\n".join(line.rstrip() for line in lines)

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        lines = [
            f"{_escape(self.reward)}: {self._summary()}",
            "",
            "| check | result | detail |",
            "| --- | --- | --- |",
        ]
        lines += [
            f"| `{result.name}` | {_verdict_markdown(result)} | {_escape(result.detail)} |"
            for result in self.results
        ]
        return "\n".join(lines) + "\n"


def _verdict_markdown(result: CheckResult) -> str:
    return f"**{result.verdict}**" if result.passed is False else result.verdict


def _escape(text: str) -> str:
    """Keep `code` as code; escape all else that Markdown would read as markup."""

    def escape_match(match: re.Match) -> str:
        code, special = match.groups()
        return code.replace("|", r"\|") if code else "\\" + special

    return re.sub(r"(`[^`]*`)|([\\`*_<>\[\]|#$&~])", escape_match, text)

"""Compare two completions, in both orders, and turn the comparisons of a group into rewards."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Literal

from reference_impl.contract.error import RewardError
from reference_impl.contract.failure import FailureCounts, check_policy
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.error import InconsistentVerdictError
from reference_impl.judge.groups import apply_policy, read_group
from reference_impl.judge.pointwise import Prompt, question_key, read_prompt
from reference_impl.judge.template import JudgeTemplate, load_template
from reference_impl.judge.verdict import PairVerdict, parse_verdict

PairOutcome = Literal["first", "second", "tie", "inconsistent"]


class PairJudge:
    """Say which of two completions is better.

    A judge that is weak, or is shown two answers of like worth, often names the first one, or the
    second one, whichever that is. So each pair is asked in both orders, at the same time, and a
    winner must win both. If the two verdicts differ, the outcome is `"inconsistent"`: the judge
    does not know.

    Args:
        client: Whom to ask.
        language: In which language the judge is instructed, `"en"` or `"zh"`.
        template: Instructions of your own, with the fields prompt, completion_a, completion_b.

    Attributes:
        counts: Groups that were scored, and completions that failed, by reason.

    Raises:
        JudgeConfigError: If a setting is wrong.

    Source:
        Zheng et al., Judging LLM-as-a-Judge (2023, arXiv:2306.05685), section 3.4: swap, and call
        a win only what wins in both orders.

    Explained in :ref:`judge-pairs`.
    """

    def __init__(
        self,
        client: JudgeClient,
        *,
        language: Literal["en", "zh"] = "en",
        template: JudgeTemplate | None = None,
    ):
        self.client = client
        self.template = template or load_template("pair", language)
        self.template.check({"prompt", "completion_a", "completion_b"})
        self.counts = FailureCounts()

    async def compare(self, prompt: Prompt, first: str, second: str) -> PairOutcome:
        """Compare two completions.

        Args:
            prompt: The prompt that both answer, as text or as a list of messages.
            first: A completion.
            second: Another one.

        Returns:
            `"first"` or `"second"` if it wins in both orders, `"tie"` if the judge says so in both
            or the two are equal, and else `"inconsistent"`.

        Raises:
            UnparsableVerdictError: If an answer of the judge is no verdict.
            JudgeUnavailableError: If the judge gave no answer in time.
            RewardError: As for the other judges.
        """
        first, second = read_group([first, second])
        if first == second:
            return "tie"
        text = read_prompt(prompt)
        in_order, swapped = await asyncio.gather(
            self._ask(text, first, second), self._ask(text, second, first)
        )
        outcome_of = {("A", "B"): "first", ("B", "A"): "second", ("tie", "tie"): "tie"}
        return outcome_of.get((in_order, swapped), "inconsistent")

    async def compare_once(self, prompt: Prompt, first: str, second: str) -> PairOutcome:
        """Compare two completions in this order alone, to measure what the order does.

        Args:
            prompt: The prompt that both answer, as text or as a list of messages.
            first: The completion that is shown first.
            second: The completion that is shown second.

        Returns:
            `"first"`, `"second"` or `"tie"`.

        Raises:
            RewardError: As for `compare`.
        """
        first, second = read_group([first, second])
        winner = await self._ask(read_prompt(prompt), first, second)
        return {"A": "first", "B": "second", "tie": "tie"}[winner]

    async def score_group(
        self,
        prompt: Prompt,
        completions: Sequence[str],
        *,
        on_failure: Literal["raise", "skip"] | float = "raise",
    ) -> list[float | None]:
        """Compare each completion of a group with each other one.

        The reward of a completion is the share of its comparisons that it wins; a tie is half a
        win. Inconsistent comparisons do not count. This takes n (n - 1) questions.

        Args:
            prompt: The prompt that all of them answer.
            completions: The completions, at least two, shape (n,).
            on_failure: What to do about a completion none of whose comparisons counts: `"raise"`,
                `"skip"` (None), or the number that it is worth.

        Returns:
            The rewards, from 0 to 1, shape (n,).

        Raises:
            ValueError: If there are fewer than two completions, or no such policy.
            RewardError: If a completion has no reward and `on_failure` is `"raise"`.
        """
        check_policy(on_failure)
        if len(completions) < 2:
            raise ValueError(f"There is nothing to compare {len(completions)} completions with.")
        pairs = list(itertools.combinations(range(len(completions)), 2))
        outcomes = await asyncio.gather(
            *(self._outcome(prompt, completions[i], completions[j]) for i, j in pairs)
        )
        rewards = win_rates(len(completions), dict(zip(pairs, outcomes, strict=True)))
        return apply_policy(rewards, on_failure, self.counts)

    async def _outcome(self, prompt: Prompt, first: str, second: str) -> PairOutcome | RewardError:
        try:
            return await self.compare(prompt, first, second)
        except RewardError as error:
            return error

    async def _ask(self, prompt: str, first: str, second: str) -> Literal["A", "B", "tie"]:
        judged = {"prompt": prompt, "completion_a": first, "completion_b": second}
        answer = await self.client.complete(
            self.template.render(judged, {}), PairVerdict, key=question_key(self.template, judged)
        )
        return parse_verdict(answer, PairVerdict).winner


def win_rates(
    size: int, outcomes: dict[tuple[int, int], PairOutcome | RewardError]
) -> list[float | RewardError]:
    """Turn comparisons into one reward for each completion of a group.

    Args:
        size: How many completions there are, n.
        outcomes: By the indices of two completions, which of them won, or what went wrong.

    Returns:
        The share of wins, a tie being half a win, of the comparisons that have an outcome, shape
        (n,). For a completion without any, what went wrong with one of them.

    Example:
        >>> win_rates(3, {(0, 1): "first", (0, 2): "first", (1, 2): "tie"})
        [1.0, 0.25, 0.25]
        >>> win_rates(2, {(0, 1): "inconsistent"})[0].reason
        'inconsistent'

    Explained in :ref:`judge-groups`.
    """
    points: list[list[float]] = [[] for _ in range(size)]
    problems: dict[int, RewardError] = {}
    for (i, j), outcome in outcomes.items():
        if isinstance(outcome, RewardError) or outcome == "inconsistent":
            for index in (i, j):
                problems[index] = (
                    outcome
                    if isinstance(outcome, RewardError)
                    else InconsistentVerdictError(
                        "The judge prefers another completion when the order is swapped."
                    )
                )
            continue
        won = {"first": 1.0, "second": 0.0, "tie": 0.5}[outcome]
        points[i].append(won)
        points[j].append(1.0 - won)
    return [sum(won) / len(won) if won else problems[index] for index, won in enumerate(points)]

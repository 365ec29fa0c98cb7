"""Rank the completions of a group with one question, and turn the ranks into rewards."""

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, create_model

from reference_impl.contract.error import RewardError
from reference_impl.contract.failure import FailureCounts, check_policy
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.error import JudgeConfigError
from reference_impl.judge.groups import apply_policy, read_group
from reference_impl.judge.pointwise import Prompt, question_key, read_prompt
from reference_impl.judge.template import JudgeTemplate, load_template
from reference_impl.judge.verdict import JudgeVerdict, parse_verdict

#: The most completions that are ranked by one question.
MOST_RANKED = 20


class RankingVerdict(JudgeVerdict):
    """The numbers of the completions, the best first. Each size of a group has its own schema.

    Attributes:
        rationale: Why.
        ranking: Each number once.

    Explained in :ref:`judge-groups`.
    """

    ranking: list[int]


class RankingJudge:
    """Rank the completions of a group.

    One question for a whole group is cheap. But a judge that reads many answers favours places, so
    the answers are shuffled, and `rounds` asks several times, shuffled anew. Equal completions are
    shown once and are worth the same.

    Args:
        client: Whom to ask.
        rounds: How often to ask. The ranks are averaged.
        language: In which language the judge is instructed, `"en"` or `"zh"`.
        template: Instructions of your own, with the fields prompt, completions and example.

    Attributes:
        counts: Completions that were given, and those that failed, by reason.

    Raises:
        JudgeConfigError: If a setting is wrong.

    Explained in :ref:`judge-groups`.
    """

    def __init__(
        self,
        client: JudgeClient,
        *,
        rounds: int = 1,
        language: Literal["en", "zh"] = "en",
        template: JudgeTemplate | None = None,
    ):
        if type(rounds) is not int or rounds < 1:
            raise JudgeConfigError(f"`rounds` is {rounds!r}. It must be a whole number above 0.")
        self.client = client
        self.rounds = rounds
        self.template = template or load_template("ranking", language)
        self.template.check({"prompt", "completions"}, {"example"})
        self.counts = FailureCounts()

    async def score_group(
        self,
        prompt: Prompt,
        completions: Sequence[str],
        *,
        on_failure: Literal["raise", "skip"] | float = "raise",
    ) -> list[float | None]:
        """Rank the completions of a prompt.

        Of n different completions the best is worth 1, the worst 0, and the others lie between in
        equal steps. If all are equal, each is worth one half.

        Args:
            prompt: The prompt that all of them answer, as text or as a list of messages.
            completions: The completions, at least two, shape (n,).
            on_failure: What to do if no round gives a ranking: `"raise"`, `"skip"` (None for each),
                or the number that each is worth.

        Returns:
            The rewards, from 0 to 1, shape (n,).

        Raises:
            ValueError: If there are fewer than two completions, more than `MOST_RANKED` different
                ones, or no such policy.
            UnparsableVerdictError: If no answer of the judge is a ranking.
            RewardError: As for the other judges.
        """
        check_policy(on_failure)
        texts = read_group(completions)
        distinct = list(dict.fromkeys(texts))
        if len(texts) < 2:
            raise ValueError(f"There is nothing to rank among {len(texts)} completions.")
        if len(distinct) > MOST_RANKED:
            raise ValueError(
                f"{len(distinct)} different completions are more than {MOST_RANKED}, which one "
                "question can rank. Compare pairs instead, or score each by itself."
            )
        if len(distinct) == 1:
            return apply_policy([0.5] * len(texts), on_failure, self.counts)
        rounds = await asyncio.gather(
            *(self._rank(read_prompt(prompt), distinct, number) for number in range(self.rounds))
        )
        ranked = [ranks for ranks in rounds if not isinstance(ranks, RewardError)]
        if not ranked:
            return apply_policy([rounds[0]] * len(texts), on_failure, self.counts)
        worst = len(distinct) - 1
        reward_of = {
            text: 1 - sum(ranks[text] for ranks in ranked) / len(ranked) / worst
            for text in distinct
        }
        return apply_policy([reward_of[text] for text in texts], on_failure, self.counts)

    async def _rank(
        self, prompt: str, distinct: list[str], number: int
    ) -> dict[str, int] | RewardError:
        """Ask once, and return the rank of each completion, 0 for the best."""
        # The order depends on the texts alone, so that the same group is the same question.
        shuffled = sorted(distinct)
        random.Random(f"{number} {question_key(self.template, {'texts': shuffled})}").shuffle(
            shuffled
        )
        judged = {"prompt": prompt, "completions": shuffled}
        example = {"example": json.dumps(list(range(1, len(shuffled) + 1)))}
        schema = _ranking_of(len(shuffled))
        try:
            answer = await self.client.complete(
                self.template.render(judged, example),
                schema,
                key=question_key(self.template, judged),
            )
            ranking = parse_verdict(answer, schema).ranking
        except RewardError as error:
            return error
        return {shuffled[place - 1]: rank for rank, place in enumerate(ranking)}


def _ranking_of(size: int) -> type[RankingVerdict]:
    """Make the schema for a group of this size: each number from 1 to size, once."""

    def check(ranking: list[int]) -> list[int]:
        if len(set(ranking)) < size:
            raise ValueError("a number stands twice")
        return ranking

    number = Annotated[int, Field(ge=1, le=size)]
    numbers = Annotated[
        list[number], Field(min_length=size, max_length=size), AfterValidator(check)
    ]
    return create_model("RankingVerdict", __base__=RankingVerdict, ranking=(numbers, ...))

"""Judges of one completion: against a reference, by a rubric, and by the probability of a yes.

Each is an asynchronous reward function with AReaL's four arguments and the data set's columns.
"""

import asyncio
import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from reference_impl.contract.error import InvalidGoldError, InvalidSampleError, RewardError
from reference_impl.contract.reward_fn import check_text
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.error import InconsistentVerdictError, JudgeConfigError
from reference_impl.judge.rubric import Rubric, RubricVerdict
from reference_impl.judge.template import JudgeTemplate, load_template
from reference_impl.judge.untrusted import make_visible
from reference_impl.judge.verdict import CorrectnessVerdict, JudgeVerdict, parse_verdict
from reference_impl.rules.end_tokens import strip_end_tokens

Prompt = str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Judgement:
    """What a judge came to.

    Attributes:
        reward: The reward, from 0 to 1.
        verdicts: The verdicts behind it, one for each vote that could be read. None for an empty
            completion, about which nobody is asked.

    Explained in :ref:`judge-verdict`.
    """

    reward: float
    verdicts: tuple[JudgeVerdict, ...] = ()


class _PointwiseJudge(ABC):
    """What the judges of one completion share: the question, the votes, and the call."""

    def __init__(
        self,
        client: JudgeClient,
        template: JudgeTemplate,
        votes: int,
        combine: Literal["majority", "mean"],
    ):
        if type(votes) is not int or votes < 1:
            raise JudgeConfigError(f"`votes` is {votes!r}. It must be a whole number above 0.")
        if combine not in ("majority", "mean"):
            raise JudgeConfigError(f"`combine` is {combine!r}. It must be 'majority' or 'mean'.")
        if votes > 1 and client.config.temperature == 0:
            raise JudgeConfigError(
                f"{votes} votes at temperature 0 are one vote, {votes} times. "
                "Set a temperature above 0, or ask once."
            )
        self.client = client
        self.template = template
        self.votes = votes
        self.combine = combine
        self.__name__ = type(self).__name__  # trainers log a reward under its name

    @abstractmethod
    async def _ask(self, judged: dict[str, str], vote: int) -> tuple[float, JudgeVerdict]:
        """Get one vote: the reward that it gives, and the verdict behind it."""

    def _judged_columns(self, columns: Mapping[str, Any]) -> dict[str, str]:
        """Return the columns that the judge reads, as texts by field."""
        return {}

    async def judge(self, prompt: Prompt, completion: str, **columns: Any) -> Judgement:
        """Judge one completion, and say what the verdicts were.

        An empty completion, or one of invisible characters, is worth 0. The judge is not asked:
        judges have been seen to accept an empty answer.

        Args:
            prompt: The prompt as text, or as a list of messages.
            completion: The completion.
            **columns: The other columns of the data set's row.

        Returns:
            The reward and the verdicts.

        Raises:
            UnparsableVerdictError: If the judge's answer is no verdict.
            InconsistentVerdictError: If no reward has the majority of the votes.
            JudgeUnavailableError: If the judge gave no answer in time.
            JudgeRefusedError: If the server refuses the request.
            JudgeBudgetError: If the budget is spent.
            InvalidSampleError: If prompt or completion has the wrong form.
            InvalidGoldError: If the reference is missing.
        """
        judged = {
            "prompt": read_prompt(prompt),
            **self._judged_columns(columns),
            "completion": strip_end_tokens(check_text("completions", completion)),
        }
        if not make_visible(judged["completion"]).strip():
            return Judgement(0.0)
        votes = await asyncio.gather(
            *(self._ask(judged, vote) for vote in range(self.votes)), return_exceptions=True
        )
        return self._combined(votes)

    def _combined(self, votes: Sequence[tuple[float, JudgeVerdict] | BaseException]) -> Judgement:
        cast = []
        for vote in votes:
            if isinstance(vote, RewardError):
                continue
            if isinstance(vote, BaseException):  # a mistake of ours is no failed vote
                raise vote
            cast.append(vote)
        if len(cast) * 2 <= self.votes:
            raise next(vote for vote in votes if isinstance(vote, BaseException))
        rewards = [reward for reward, _ in cast]
        verdicts = tuple(verdict for _, verdict in cast)
        if self.combine == "mean":
            return Judgement(sum(rewards) / len(rewards), verdicts)
        [(reward, count)] = Counter(rewards).most_common(1)
        if count * 2 <= self.votes:
            raise InconsistentVerdictError(
                f"Of {self.votes} votes, no more than {count} give the same reward."
            )
        return Judgement(reward, verdicts)

    async def __call__(
        self,
        prompt: Prompt,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one sample.

        Args:
            prompt: The prompt as text, or as a list of messages.
            completions: The one completion to score, as text.
            prompt_ids: Not used.
            completion_ids: Not used.
            **columns: The other columns of the data set's row. None of them is a setting.

        Returns:
            The reward, from 0 to 1.

        Raises:
            RewardError: If there is none. See `judge`.
        """
        return (await self.judge(prompt, completions, **columns)).reward

    def _key(self, judged: Mapping[str, str]) -> str:
        return question_key(self.template, judged)


class ReferenceJudge(_PointwiseJudge):
    """Pay 1 for a completion that gives the same result as the reference answer, and 0 otherwise.

    Args:
        client: Whom to ask.
        language: In which language the judge is instructed, `"en"` or `"zh"`.
        template: Instructions of your own, with the fields prompt, reference and completion.
        votes: How often to ask. More than once takes a temperature above 0.
        combine: `"majority"`: more than half of all votes give this reward. `"mean"`: the mean of
            those that could be read, which are more than half.

    Raises:
        JudgeConfigError: If a setting is wrong.

    Example:
        >>> from reference_impl.judge.config import JudgeConfig
        >>> config = JudgeConfig(base_url="http://127.0.0.1:8000/v1", model="judge")
        >>> judge = ReferenceJudge(JudgeClient(config))
        >>> judge.template.name
        'reference.en'

    Explained in :ref:`judge-recipe`.
    """

    def __init__(
        self,
        client: JudgeClient,
        *,
        language: Literal["en", "zh"] = "en",
        template: JudgeTemplate | None = None,
        votes: int = 1,
        combine: Literal["majority", "mean"] = "majority",
    ):
        template = template or load_template("reference", language)
        template.check({"prompt", "reference", "completion"})
        super().__init__(client, template, votes, combine)

    def _judged_columns(self, columns: Mapping[str, Any]) -> dict[str, str]:
        return {"reference": read_reference(columns)}

    async def _ask(self, judged: dict[str, str], vote: int) -> tuple[float, CorrectnessVerdict]:
        messages = self.template.render(judged, {})
        answer = await self.client.complete(
            messages, CorrectnessVerdict, key=self._key(judged), vote=vote
        )
        verdict = parse_verdict(answer, CorrectnessVerdict)
        return float(verdict.verdict == "correct"), verdict


class RubricJudge(_PointwiseJudge):
    """Pay what the criteria of a rubric add up to.

    Args:
        client: Whom to ask.
        rubric: The criteria.
        language: In which language the judge is instructed, `"en"` or `"zh"`.
        template: Instructions of your own, with the fields prompt, completion, criteria, scores.
        votes: As for `ReferenceJudge`.
        combine: As for `ReferenceJudge`. By default the mean, since scores seldom agree in all.

    Raises:
        JudgeConfigError: If a setting is wrong.

    Source:
        Gunjal et al., Rubrics as Rewards (2025, arXiv:2507.17746).

    Explained in :ref:`judge-rubrics`.
    """

    def __init__(
        self,
        client: JudgeClient,
        rubric: Rubric,
        *,
        language: Literal["en", "zh"] = "en",
        template: JudgeTemplate | None = None,
        votes: int = 1,
        combine: Literal["majority", "mean"] = "mean",
    ):
        template = template or load_template("rubric", language)
        template.check({"prompt", "completion"}, {"criteria", "scores"})
        super().__init__(client, template, votes, combine)
        self.rubric = rubric

    async def _ask(self, judged: dict[str, str], vote: int) -> tuple[float, RubricVerdict]:
        schema = self.rubric.schema
        messages = self.template.render(judged, self.rubric.describe())
        key = question_key(self.template, judged, self.rubric.model_dump_json())
        answer = await self.client.complete(messages, schema, key=key, vote=vote)
        verdict = parse_verdict(answer, schema)
        return self.rubric.reward(verdict.scores.model_dump()), verdict


class YesNoJudge(_PointwiseJudge):
    """Pay the probability with which the judge would answer yes.

    One token is asked for, and its probability is read, so that a judge too weak to write a verdict
    still gives an order. The probability is no more calibrated than the judge. The server must
    return `logprobs`.

    Args:
        client: Whom to ask.
        language: In which language the judge is instructed, `"en"` or `"zh"`.
        template: Instructions of your own, with the fields prompt, reference and completion.

    Raises:
        JudgeConfigError: If a setting is wrong.

    Source:
        Zhang et al., Generative Verifiers (2024, arXiv:2408.15240), equation 4: the reward is the
        probability of "Yes".

    Explained in :ref:`judge-probability`.
    """

    def __init__(
        self,
        client: JudgeClient,
        *,
        language: Literal["en", "zh"] = "en",
        template: JudgeTemplate | None = None,
    ):
        template = template or load_template("yes_no", language)
        template.check({"prompt", "reference", "completion"})
        super().__init__(client, template, votes=1, combine="mean")

    def _judged_columns(self, columns: Mapping[str, Any]) -> dict[str, str]:
        return {"reference": read_reference(columns)}

    async def _ask(self, judged: dict[str, str], vote: int) -> tuple[float, JudgeVerdict]:
        messages = self.template.render(judged, {})
        probability = await self.client.yes_probability(messages, key=self._key(judged))
        return probability, JudgeVerdict(rationale=f"P(yes) = {probability:.3f}")


def read_prompt(prompt: Prompt) -> str:
    """Write a prompt as one text.

    Args:
        prompt: A text, or a list of messages.

    Returns:
        The text, or the messages with their roles. A lone message is just its text.

    Raises:
        InvalidSampleError: If it is neither.

    Example:
        >>> read_prompt([{"role": "system", "content": "Be brief."},
        ...              {"role": "user", "content": "2 + 2?"}])
        'system: Be brief.\\n\\nuser: 2 + 2?'

    Explained in :ref:`judge-prompt`.
    """
    if isinstance(prompt, str):
        return prompt
    texts = []
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes) or not prompt:
        raise InvalidSampleError(
            f"`prompt` is a {type(prompt).__name__}: pass a text, or a list of messages."
        )
    for message in prompt:
        if not isinstance(message, Mapping) or not isinstance(message.get("content"), str):
            raise InvalidSampleError("A message of `prompt` has no text as `content`.")
        texts.append((message.get("role"), message["content"]))
    if len(texts) == 1:
        return texts[0][1]
    return "\n\n".join(f"{role}: {text}" for role, text in texts)


def read_reference(columns: Mapping[str, Any]) -> str:
    """Find the reference answer among the columns.

    Args:
        columns: The columns of the data set's row. The reference is the column `answer`.

    Returns:
        The reference, as text.

    Raises:
        InvalidGoldError: If it is missing, empty, or neither text nor number.

    Example:
        >>> read_reference({"answer": 4, "id": 7})
        '4'

    Explained in :ref:`judge-recipe`.
    """
    answer = columns.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, str | int | float):
        raise InvalidGoldError(
            f"The column `answer` is {type(answer).__name__}: a judge with a reference needs a "
            "text or a number there."
        )
    if not make_visible(str(answer)).strip():
        raise InvalidGoldError("The column `answer` is empty: there is no reference to judge by.")
    return str(answer)


def question_key(template: JudgeTemplate, judged: Mapping[str, Any], settings: str = "") -> str:
    """Name a question, so that equal ones can be answered from the cache.

    The messages themselves differ from call to call by their fence.

    Args:
        template: The template.
        judged: What is judged, by field.
        settings: What else decides the question.

    Returns:
        A hash, 64 hexadecimal digits.

    Explained in :ref:`judge-call`.
    """
    question = [template.name, template.system, template.user, settings, dict(judged)]
    return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()

"""The answer to a request, read strictly: a completion in the documented format, or a failure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reference_impl.judge.error import UnparsableVerdictError


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _Message(_Strict):
    content: str | None
    refusal: str | None = None


class _Choice(_Strict):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None


class Completion(_Strict):
    """A completion in the format of OpenAI's chat completions, as far as a judge needs it.

    Attributes:
        choices: The answers. The first one counts.
        usage: The tokens it took, in whatever form the server says it.

    Source:
        OpenAI's API reference, "The chat completion object".

    Example:
        >>> message = {"content": "A verdict."}
        >>> Completion(choices=[{"message": message, "finish_reason": "stop"}]).text
        'A verdict.'

    Explained in :ref:`judge-call`.
    """

    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: Any = None

    @property
    def text(self) -> str:
        """The whole text of the answer.

        Raises:
            UnparsableVerdictError: If the answer was cut off, refused, or is empty.
        """
        choice = self.choices[0]
        if choice.finish_reason == "length":
            raise UnparsableVerdictError(
                "the judge's answer was cut off at the most tokens that it may have. Raise "
                "`max_tokens`, or ask for shorter reasons."
            )
        if choice.message.refusal or choice.finish_reason == "content_filter":
            raise UnparsableVerdictError("the judge refuses to answer, or a filter stopped it.")
        if not (choice.message.content or "").strip():
            raise UnparsableVerdictError("the judge's answer is empty.")
        return choice.message.content

    def yes_probability(self, yes: Sequence[str], no: Sequence[str]) -> float:
        """Compare what the first token could have been.

        Args:
            yes: The words for yes. Case and space around a token do not count.
            no: The words for no.

        Returns:
            P(yes) / (P(yes) + P(no)), from 0.0 to 1.0.

        Raises:
            UnparsableVerdictError: If there are no log probabilities, or neither word is among
                them.
        """
        try:
            first = _LogProbs.model_validate(self.choices[0].logprobs).content[0]
        except ValidationError:
            raise UnparsableVerdictError(
                "the server gives no log probabilities of the first token. Serve the model with "
                "them, or use a judge that reads a written verdict."
            ) from None
        mass = {"yes": 0.0, "no": 0.0}
        words = dict.fromkeys(map(str.casefold, yes), "yes")
        words |= dict.fromkeys(map(str.casefold, no), "no")
        for alternative in first.top_logprobs:
            side = words.get(alternative.token.strip().casefold())
            if side:
                mass[side] += math.exp(min(0.0, alternative.logprob))
        total = mass["yes"] + mass["no"]
        if not total:
            raise UnparsableVerdictError(
                "neither yes nor no is among the likeliest first tokens. Ask for one of the two "
                "words, and nothing before it."
            )
        return mass["yes"] / total


class _Alternative(_Strict):
    token: str
    logprob: Annotated[float, Field(allow_inf_nan=False)]


class _FirstToken(_Strict):
    top_logprobs: Annotated[list[_Alternative], Field(min_length=1)]


class _LogProbs(_Strict):
    content: Annotated[list[_FirstToken], Field(min_length=1)]


@dataclass(frozen=True)
class Failure:
    """Why an attempt gave no completion.

    Attributes:
        problem: What happened, in words that show no key.
        blame: `"server"`, which failed; `"load"`, of which it has too much; or `"request"`, which
            it refuses.
        again: Whether another attempt may go better.
        asked_wait: How long the server asks to be left alone, in seconds, or None.

    Example:
        >>> Failure("was answered 429", "load", again=True, asked_wait=2.0).blame
        'load'

    Explained in :ref:`judge-call`.
    """

    problem: str
    blame: Literal["server", "load", "request"]
    again: bool
    asked_wait: float | None = None

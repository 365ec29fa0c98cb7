"""Every setting of the judge's client: from arguments or the environment, never from a data set."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic import field_validator as validates

from reference_impl.judge.error import JudgeConfigError

_PREFIX = "JUDGE_"
# What the environment gives as it stands. Every other field is written as JSON.
_TEXT_FIELDS = ("base_url", "model", "api_key", "structured")
# What the client itself puts into a request.
_OWN_FIELDS = {
    "model",
    "messages",
    "temperature",
    "top_p",
    "seed",
    "max_tokens",
    "response_format",
    "logprobs",
    "top_logprobs",
    "stream",
    "n",
}

_Count = Annotated[int, Field(ge=1)]
_Seconds = Annotated[float, Field(gt=0)]


class JudgeConfig(BaseModel):
    """Where the judge is, how it is asked, and how much patience and money a run has for it.

    A wrong value, an unknown name or a missing one is a `JudgeConfigError` at once. The key is
    shown nowhere: not by `repr`, not in an error, not in a log. A pickle of it holds the key, since
    the process that reads the pickle needs it.

    Attributes:
        base_url: The address of an OpenAI-compatible server, such as `"http://10.0.0.5:8000/v1"`.
        model: The name under which the server knows the model.
        api_key: The key, if the server asks for one.
        temperature: 0 asks for the likeliest answer. Above it, answers are drawn.
        top_p: The share of the probability that answers are drawn from. None is the server's own.
        seed: The seed of the draw, for servers that take one.
        max_tokens: The longest answer, in tokens. One that is cut off is no verdict.
        structured: What is asked of the server's decoding: `"json_schema"`, that the answer fits
            the verdict's schema; `"json_object"`, that it is JSON; `"none"`, nothing. The answer is
            checked in any case.
        concurrency: The most requests in flight at a time, in each event loop.
        deadline_seconds: The longest a call may take, in seconds: the wait for a place, all
            attempts, and the waits between them.
        max_attempts: How often a call asks at most.
        token_budget: How many tokens the run may take, of requests and answers together. A call
            asks no more once they are spent; requests in flight finish, so that the run goes over
            by what those take, at most `concurrency` of them in each event loop.
        cost_budget: The same for money, in the currency of the prices.
        price_per_million_input: The price of a million tokens of requests.
        price_per_million_output: The price of a million tokens of answers.
        breaker_failures: After how many failed attempts in a row the server is left alone. Above
            `concurrency`, so that one restart, which ends all requests in flight, is no outage.
        breaker_seconds: For how long, in seconds.
        cache_entries: How many answers are kept for equal questions. 0 keeps none.
        cache_sampled: Whether to keep answers at a temperature above 0 too. Equal questions then
            get the same draw.
        extra_body: Further fields of the request, such as a vendor's own options.

    Raises:
        JudgeConfigError: If a value is wrong, missing, or unknown.

    Example:
        >>> config = JudgeConfig(base_url="http://127.0.0.1:8000/v1", model="m", api_key="secret")
        >>> config.deadline_seconds, config.api_key
        (60.0, SecretStr('**********'))
        >>> JudgeConfig(base_url="http://127.0.0.1:8000/v1", model="m", concurrency=0)
        Traceback (most recent call last):
            ...
        reference_impl.judge.error.JudgeConfigError: `concurrency`: input should be greater than \
or equal to 1.

    Explained in :ref:`judge-settings`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    base_url: str
    model: Annotated[str, Field(min_length=1)]
    api_key: Annotated[SecretStr, Field(strict=False)] = SecretStr("EMPTY")
    temperature: Annotated[float, Field(ge=0)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    max_tokens: _Count = 1024
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"
    concurrency: _Count = 64
    deadline_seconds: _Seconds = 60.0
    max_attempts: _Count = 5
    token_budget: _Count | None = None
    cost_budget: Annotated[float, Field(gt=0)] | None = None
    price_per_million_input: Annotated[float, Field(ge=0)] | None = None
    price_per_million_output: Annotated[float, Field(ge=0)] | None = None
    breaker_failures: _Count = 100
    breaker_seconds: _Seconds = 30.0
    cache_entries: Annotated[int, Field(ge=0)] = 10_000
    cache_sampled: bool = False
    extra_body: dict[str, Any] = {}

    def __init__(self, **settings: Any):
        try:
            super().__init__(**settings)
        except ValidationError as error:
            problems = [_words(problem) for problem in error.errors(include_input=False)]
        else:
            return
        # Raised out here, so that no traceback leads to pydantic's error and what it holds.
        raise JudgeConfigError(" ".join(problems))

    @validates("base_url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        advice = "Write it like 'http://10.0.0.5:8000/v1'."
        try:
            parts = urlsplit(url)
            is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # such as a bad port
            is_address = False
        if is_address and parts.username is not None:
            raise ValueError("it holds a user name. Leave it out: it would be in every log")
        if not is_address or parts.query or parts.fragment or not url.isprintable() or " " in url:
            raise ValueError(f"this is not the address of a server. {advice}")
        return url.rstrip("/")

    @validates("api_key")
    @classmethod
    def _check_key(cls, key: SecretStr) -> SecretStr:
        # It goes into an HTTP header, and a library's complaint about it would show it.
        if not re.fullmatch(r"[!-~]+", key.get_secret_value()):
            raise ValueError(
                "a key is one word of printable ASCII. Leave it out if the server asks for none"
            )
        return key

    @validates("extra_body")
    @classmethod
    def _check_extra_body(cls, extra_body: dict[str, Any]) -> dict[str, Any]:
        taken = sorted(_OWN_FIELDS & extra_body.keys())
        if taken:
            raise ValueError(f"it holds {', '.join(taken)}, which the client sets itself")
        try:
            json.dumps(extra_body, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise ValueError("it cannot be written as JSON") from None
        return extra_body

    @model_validator(mode="after")
    def _check_prices(self) -> Self:
        prices = (self.price_per_million_input, self.price_per_million_output)
        if prices.count(None) == 1 or (self.cost_budget is not None and None in prices):
            raise ValueError(
                "A cost takes both prices: set `price_per_million_input` and "
                "`price_per_million_output`"
            )
        return self

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, also: Sequence[str] = ()
    ) -> Self:
        """Read the settings from environment variables.

        Each field has the variable `JUDGE_` and its name in capitals, such as `JUDGE_BASE_URL`.
        All but texts are written as JSON, such as `JUDGE_EXTRA_BODY='{"top_k": 1}'`.

        Args:
            environment: The variables by name.
            also: Variables that begin with `JUDGE_` and are read elsewhere.

        Returns:
            The configuration.

        Raises:
            JudgeConfigError: If `JUDGE_BASE_URL` or `JUDGE_MODEL` is not set, a value is wrong, or
                a variable that begins with `JUDGE_` names no field and is not in `also`.

        Example:
            >>> variables = {"JUDGE_BASE_URL": "http://127.0.0.1:8000/v1", "JUDGE_MODEL": "m"}
            >>> JudgeConfig.from_environment(variables | {"JUDGE_CONCURRENCY": "8"}).concurrency
            8
        """
        field_of = {_PREFIX + name.upper(): name for name in cls.model_fields}
        given = {
            name: text
            for name, text in environment.items()
            if name.startswith(_PREFIX) and name not in also
        }
        unknown = sorted(given.keys() - field_of.keys())
        if unknown:
            known = ", ".join([*field_of, *also])
            raise JudgeConfigError(f"{', '.join(unknown)}: no such setting. There are {known}.")
        missing = [name for name in ("JUDGE_BASE_URL", "JUDGE_MODEL") if not given.get(name)]
        if missing:
            raise JudgeConfigError(
                f"{' and '.join(missing)}: not set. JUDGE_BASE_URL is the address of an "
                "OpenAI-compatible server, JUDGE_MODEL the name of the model there."
            )
        return cls(
            **{field_of[name]: _parsed(field_of[name], text) for name, text in given.items()}
        )


def _parsed(name: str, text: str) -> Any:
    if name in _TEXT_FIELDS:
        return text
    if text in ("True", "False"):
        return text == "True"
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text  # refused by the check of the field, which says what it must be


def _words(problem: Mapping[str, Any]) -> str:
    """Say in a sentence what pydantic found wrong."""
    name = ".".join(map(str, problem["loc"]))
    if problem["type"] == "extra_forbidden":
        return f"`{name}` is no setting. There are {', '.join(JudgeConfig.model_fields)}."
    if problem["type"] == "missing":
        return f"`{name}` is missing."
    message = problem["msg"].removeprefix("Value error, ")
    message = message if message.endswith(".") else f"{message}."
    if not name:
        return message
    return f"`{problem['loc'][0]}`: {message[0].lower()}{message[1:]}"

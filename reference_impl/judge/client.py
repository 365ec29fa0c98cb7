"""JudgeClient: ask the judge, and get its answer or a clear failure within the deadline."""

import asyncio
import functools
import hashlib
import importlib.util
import json
import logging
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from reference_impl.contract.error import RewardError
from reference_impl.contract.reward_fn import check_text
from reference_impl.judge.answer_cache import AnswerCache
from reference_impl.judge.breaker import CircuitBreaker
from reference_impl.judge.completion import Completion, Failure
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.error import (
    JudgeBudgetError,
    JudgeConfigError,
    JudgeRefusedError,
    JudgeTimeoutError,
    JudgeUnavailableError,
)
from reference_impl.judge.response_format import response_format
from reference_impl.judge.retry import backoff_seconds
from reference_impl.judge.usage import JudgeUsage, UsageMeter

if TYPE_CHECKING:
    from reference_impl.judge.endpoint import Endpoint

logger = logging.getLogger("reference_impl.judge")

Messages = Sequence[Mapping[str, str]]

#: How many alternatives for the first token are asked for: the most that OpenAI and vLLM give.
TOP_LOGPROBS = 20


class JudgeClient:
    """Asks a judge behind an OpenAI-compatible server.

    - **Time.** A call ends within `deadline_seconds`: with an answer, or with an error.
    - **Places.** At most `concurrency` requests are in flight in an event loop. Other calls wait
      their turn. A call that waits before it asks again holds no place.
    - **Again.** What another attempt may cure is tried again, up to `max_attempts`: lost
      connections, answers that are no chat completion, and the statuses 408, 409, 429, 500, 502,
      503 and 504. The waits grow and are random. `Retry-After` is respected, and fails the call at
      once if it lies beyond the deadline.
    - **Circuit.** After `breaker_failures` failed attempts in a row, calls fail at once for
      `breaker_seconds`; then one call probes the server. An attempt that the deadline ended counts
      if it had half of the deadline. A refusal does not count, for the server works, and neither
      does 429, which asks for patience.
    - **Equal questions.** Calls with the same `key`, asked the same way, get the same answer: from
      the cache, or from the request that is in flight for another call in this event loop. Failures
      are not kept. At a temperature above 0 each call has its own draw, unless `cache_sampled`.
    - **Money.** Once `token_budget` or `cost_budget` is spent, no request is sent.

    A client serves any number of event loops and threads. It pickles; the copy starts afresh, and
    so does the one in a forked process: no counts, no cache, no connections.

    Args:
        config: Every setting.

    Attributes:
        config: The settings, as given.

    Raises:
        JudgeConfigError: If `config` is no `JudgeConfig`, or OpenAI's client is not installed.

    Example:
        >>> from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer
        >>> async def ask(base_url):
        ...     config = JudgeConfig(base_url=base_url, model="judge")
        ...     async with JudgeClient(config) as client:
        ...         answer = await client.complete([{"role": "user", "content": "Is 2 + 2 = 4?"}])
        ...         return answer, client.usage.completion_tokens
        >>> with ScriptedServer([Answer("It is.")]) as server:
        ...     asyncio.run(ask(server.base_url))
        ('It is.', 2)

    Explained in :ref:`judge-call`.
    """

    def __init__(self, config: JudgeConfig):
        if not isinstance(config, JudgeConfig):
            raise JudgeConfigError(
                f"`config` is a {type(config).__name__}. Pass a JudgeConfig, or "
                "JudgeConfig.from_environment()."
            )
        if importlib.util.find_spec("openai") is None:
            raise JudgeConfigError(
                "The judge needs OpenAI's client: pip install 'reward-guide[judge]'."
            )
        self.config = config
        self._start_afresh()
        _living_clients.add(self)

    def _start_afresh(self) -> None:
        config = self.config
        self._lock = threading.Lock()
        self._loops: dict[asyncio.AbstractEventLoop, _LoopState] = {}
        self._meter = UsageMeter(config.price_per_million_input, config.price_per_million_output)
        self._breaker = CircuitBreaker(config.breaker_failures, config.breaker_seconds)
        self._cache = AnswerCache(config.cache_entries)

    @property
    def usage(self) -> JudgeUsage:
        """What the client has done so far, and what that took."""
        return self._meter.snapshot()

    async def complete(
        self,
        messages: Messages,
        schema: type[BaseModel] | None = None,
        *,
        key: str = "",
        vote: int = 0,
    ) -> str:
        """Ask the judge for a text.

        Args:
            messages: The messages, each with `role` and `content`.
            schema: What the text is to fit, if the server can see to that. It is not checked here.
            key: What identifies the question, such as the template and the texts in it. Calls with
                equal keys share an answer. Without one, nothing is shared or kept.
            vote: Which of several answers to the same question this is, from 0. It is added to the
                seed, so that the votes differ.

        Returns:
            The text of the answer, whole and not empty.

        Raises:
            UnparsableVerdictError: If the answer was cut off, refused or is empty.
            JudgeUnavailableError: If there is no answer. `JudgeTimeoutError` and `CircuitOpenError`
                are of this kind.
            JudgeRefusedError: If the server refuses the request.
            JudgeBudgetError: If the budget is spent.
            InvalidSampleError: If a message holds anything but texts.
        """
        settings = self._settings(self.config.temperature, vote)
        wanted = response_format(schema, self.config.structured)
        if wanted:
            settings["response_format"] = wanted
        question = ""
        if key and (self.config.temperature == 0 or self.config.cache_sampled):
            schema_parts = schema and [schema.__name__, schema.model_json_schema()]
            question = self._question(settings, schema_parts, key, vote)
        return await self._call(messages, settings, question, _text)

    async def yes_probability(
        self,
        messages: Messages,
        yes: Sequence[str] = ("yes", "是"),
        no: Sequence[str] = ("no", "否"),
        *,
        key: str = "",
    ) -> float:
        """Ask a question, and compare how likely yes and no are as the first token.

        The request asks for one token at temperature 0. Each spelling of a word counts: case and
        space around it make no difference.

        Args:
            messages: The messages, each with `role` and `content`. They ask for yes or no alone.
            yes: The words for yes, such as `("对",)`.
            no: The words for no, such as `("错",)`.
            key: As in `complete`.

        Returns:
            P(yes) / (P(yes) + P(no)), from 0.0 to 1.0.

        Raises:
            UnparsableVerdictError: If the server gives no log probabilities, or neither word is
                among the 20 likeliest tokens.
            JudgeConfigError: If a word stands for both.
            RewardError: As `complete` does, if there is no answer.
        """
        if {word.casefold() for word in yes} & {word.casefold() for word in no}:
            raise JudgeConfigError("A word is among those for yes and those for no.")
        settings = self._settings(temperature=0.0, vote=0) | {
            "max_tokens": 1,
            "logprobs": True,
            "top_logprobs": TOP_LOGPROBS,
        }
        question = key and self._question(settings, list(yes), list(no), key)
        read = functools.partial(_yes_probability, yes=yes, no=no)
        return await self._call(messages, settings, question, read)

    def _settings(self, temperature: float, vote: int) -> dict[str, Any]:
        """Return the body of a request without the messages."""
        config = self.config
        settings = {
            "model": config.model,
            "temperature": temperature,
            "top_p": config.top_p,
            "seed": None if config.seed is None else config.seed + vote,
            "max_tokens": config.max_tokens,
        }
        given = {name: value for name, value in settings.items() if value is not None}
        return config.extra_body | given

    def _question(self, *parts: object) -> str:
        """Return a short name for what is asked, of whom, and how."""
        text = json.dumps([self.config.base_url, self.config.structured, *parts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    async def _call(
        self,
        messages: Messages,
        settings: dict[str, Any],
        question: str,
        read: Callable[[Completion], Any],
    ) -> Any:
        """Answer from the cache, from a request in flight, or from a new one."""
        self._meter.add("calls")
        try:
            request = {**settings, "messages": [_sendable(message) for message in messages]}

            async def answer() -> Any:
                return read(await self._ask(request))

            return await (self._shared(question, answer) if question else answer())
        except RewardError as error:
            self._meter.add_failure(error.reason)
            raise

    async def _shared(self, question: str, answer: Callable[[], Awaitable[Any]]) -> Any:
        """Answer from the cache, or with others that wait for the same question."""
        kept = self._cache.get(question)
        if kept is not None:
            self._meter.add("cache_hits")
            return kept
        flights = self._at_this_loop().flights
        flight = flights.get(question)
        if flight:
            self._meter.add("shared")
        else:
            flight = flights[question] = _Flight(asyncio.ensure_future(answer()))
            flight.task.add_done_callback(functools.partial(self._land, flights, question, flight))
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():  # everyone has given up
                flight.task.cancel()
                flights.pop(question, None)

    def _land(
        self, flights: dict[str, "_Flight"], question: str, flight: "_Flight", task: asyncio.Task
    ) -> None:
        if not task.cancelled() and task.exception() is None:
            self._cache.put(question, task.result())
        if flights.get(question) is flight:
            del flights[question]

    async def _ask(self, request: dict[str, Any]) -> Completion:
        """Get a completion within the deadline, by as many attempts as it takes."""
        config, here = self.config, self._at_this_loop()
        attempts, problem = 0, "It waited for its turn all the time."
        try:
            async with asyncio.timeout(config.deadline_seconds) as timer:
                while True:
                    self._breaker.check()  # no need to wait for a place then
                    async with here.places:
                        self._check_budget()
                        attempts, problem = attempts + 1, "The last one was still under way."
                        outcome = await self._attempt(here.endpoint, request, timer, attempts)
                    if isinstance(outcome, Completion):
                        return outcome
                    problem = f"The last one {outcome.problem}"
                    await self._wait(outcome, attempts, timer)
        except TimeoutError:
            if not timer.expired():
                raise
        raise JudgeTimeoutError(
            f"{config.base_url} gave no answer within {config.deadline_seconds:g} s "
            f"(attempts: {attempts}). {problem}"
        )

    async def _attempt(
        self, endpoint: "Endpoint", request: dict[str, Any], timer: asyncio.Timeout, number: int
    ) -> Completion | Failure:
        """Ask once, and tell the circuit breaker and the counts what came of it."""
        with self._breaker.attempt() as attempt, self._meter.request(is_retry=number > 1):
            began = asyncio.get_running_loop().time()
            try:
                outcome = await endpoint.post(request)
            except asyncio.CancelledError:
                # The server has hung, unless the call had spent its time elsewhere.
                if timer.expired() and timer.when() - began >= self.config.deadline_seconds / 2:
                    attempt.failed("did not answer within the deadline")
                raise
            if isinstance(outcome, Completion):
                attempt.succeeded()
                self._count_tokens(outcome)
            elif outcome.blame == "server":
                attempt.failed(outcome.problem)
            elif outcome.blame == "request":
                attempt.succeeded()
        return outcome

    async def _wait(self, failure: Failure, attempts: int, timer: asyncio.Timeout) -> None:
        """Wait until the next attempt, or raise if there is to be none."""
        url = self.config.base_url
        if failure.blame == "request":
            raise JudgeRefusedError(f"A request to {url} {failure.problem}")
        if not failure.again or attempts >= self.config.max_attempts:
            raise JudgeUnavailableError(
                f"{url} gave no answer (attempts: {attempts}). The last one {failure.problem}"
            )
        wait = (failure.asked_wait or 0.0) + backoff_seconds(attempts)
        if asyncio.get_running_loop().time() + wait >= timer.when():
            raise JudgeUnavailableError(
                f"{url} gave no answer (attempts: {attempts}), and the next attempt would be in "
                f"{wait:.3g} s, after the deadline. The last one {failure.problem}"
            )
        logger.debug("Asking again in %.3g s, since a request %s", wait, failure.problem)
        await asyncio.sleep(wait)

    def _count_tokens(self, completion: Completion) -> None:
        config = self.config
        is_metered = self._meter.add_answer(completion.usage)
        has_budget = config.token_budget is not None or config.cost_budget is not None
        if has_budget and not is_metered and self.usage.unmetered == 1:
            logger.warning("The judge does not say how many tokens it takes. The budget has gaps.")

    def _check_budget(self) -> None:
        config = self.config
        if config.token_budget is None and config.cost_budget is None:
            return
        usage = self.usage
        tokens = usage.prompt_tokens + usage.completion_tokens
        if config.token_budget is not None and tokens >= config.token_budget:
            raise JudgeBudgetError(
                f"{tokens} tokens are spent, and `token_budget` is {config.token_budget}."
            )
        if config.cost_budget is not None and usage.cost >= config.cost_budget:
            raise JudgeBudgetError(
                f"{usage.cost:.6g} are spent, and `cost_budget` is {config.cost_budget:g}."
            )

    def _at_this_loop(self) -> "_LoopState":
        # OpenAI's client takes a while to import, which a process that asks no judge must not pay.
        from reference_impl.judge.endpoint import Endpoint

        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._loops:
                for ended in [other for other in self._loops if other.is_closed()]:
                    del self._loops[ended]  # its connections hold it, and end with it
                places = asyncio.Semaphore(self.config.concurrency)
                self._loops[loop] = _LoopState(Endpoint(self.config), places)
            return self._loops[loop]

    async def close(self) -> None:
        """Close the connections of the running event loop. Call it when no call is under way.

        A later call opens new ones.
        """
        with self._lock:
            state = self._loops.pop(asyncio.get_running_loop(), None)
        if state:
            await state.endpoint.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def __reduce__(self):
        return (type(self), (self.config,))

    def __repr__(self) -> str:
        return f"JudgeClient({self.config.model!r} at {self.config.base_url})"


@dataclass
class _Flight:
    """A question that is being asked, and how many calls wait for the answer."""

    task: asyncio.Task
    waiting: int = 0


@dataclass
class _LoopState:
    """What belongs to one event loop."""

    endpoint: "Endpoint"
    places: asyncio.Semaphore
    flights: dict[str, _Flight] = field(default_factory=dict)


_living_clients: weakref.WeakSet[JudgeClient] = weakref.WeakSet()


def _start_afresh_after_fork() -> None:
    # Another thread may have held a lock at the moment of the fork, and the connections are the
    # parent's.
    for client in _living_clients:
        client._start_afresh()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_afresh_after_fork)


def _text(completion: Completion) -> str:
    return completion.text


def _yes_probability(completion: Completion, yes: Sequence[str], no: Sequence[str]) -> float:
    return completion.yes_probability(yes, no)


def _sendable(message: Mapping[str, str]) -> dict[str, str]:
    """Replace lone surrogates, which a model can write and UTF-8 cannot hold."""
    return {
        name: check_text(name, text).encode("utf-8", "replace").decode()
        for name, text in message.items()
    }

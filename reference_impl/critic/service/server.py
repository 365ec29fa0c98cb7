"""The critic over HTTP: an application that loads it, batches what comes in, and answers."""

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from reference_impl.contract.error import InvalidSampleError, describe_error
from reference_impl.critic.error import (
    CriticLoadError,
    CriticOverloadedError,
    CriticUnavailableError,
)
from reference_impl.critic.service.batcher import Batcher
from reference_impl.critic.service.wire import (
    MAX_BODY_BYTES,
    Sample,
    read_request,
    write_error,
)

logger = logging.getLogger("reference_impl.critic")
_HEADERS = {
    413: {"Connection": "close"},  # the rest of the body would still come
    503: {"Retry-After": "1"},
}


class CriticService:
    """A critic, its queue, and the HTTP application in front of them.

    `POST /score` scores, `GET /health` says whether the model is loaded, `GET /stats` counts.

    Args:
        critic: A `Critic`. It is loaded when the application starts, in a thread.
        **limits: What the `Batcher` takes.

    Attributes:
        state: Whether the critic is `"loading"`, `"ready"` or has `"failed"` to load.
        app: The ASGI application.

    Explained in :ref:`critic-service`.
    """

    def __init__(self, critic: Any, **limits: Any):
        self.state: Literal["loading", "ready", "failed"] = "loading"
        self._critic = critic
        self._batcher = Batcher(self._score_pass, **limits)
        self._failures: Counter[str] = Counter()
        self._problem = CriticUnavailableError("The critic is loading. Try again later.")
        self.app = Starlette(
            routes=[
                Route("/score", self._score, methods=["POST"]),
                Route("/health", self._health),
                Route("/stats", self._stats),
            ],
            lifespan=self._load_at_start,
        )

    @contextlib.asynccontextmanager
    async def _load_at_start(self, _app: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(self._load())
        yield
        loading.cancel()

    async def _load(self) -> None:
        try:
            await asyncio.to_thread(self._critic.load)
        except Exception as error:  # loading a model runs foreign code
            self._problem = (
                error
                if isinstance(error, CriticLoadError)
                else CriticLoadError(describe_error(error))
            )
            logger.error("The critic cannot be loaded: %s", write_error(self._problem)["message"])
            self.state = "failed"
        else:
            logger.info("The critic is loaded.")
            self.state = "ready"

    async def _health(self, _request: Request) -> Response:
        if self.state == "ready":
            return _answer(200, {"state": "ready"})
        status = 503 if self.state == "loading" else 500
        return _answer(status, {"state": self.state, "error": write_error(self._problem)})

    async def _stats(self, _request: Request) -> Response:
        counts = self._critic.counts
        return _answer(
            200,
            {
                **self._batcher.stats(),
                "truncated": counts.truncated,
                "neutralized": counts.neutralized,
                "from_ids": counts.from_ids,
                "failures": dict(sorted(self._failures.items())),
            },
        )

    async def _score(self, request: Request) -> Response:
        try:
            return await self._answer_request(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody will read it

    async def _answer_request(self, request: Request) -> Response:
        body = await _read_body(request)
        if body is None:
            return self._refuse(
                413,
                InvalidSampleError(
                    f"The request is larger than {MAX_BODY_BYTES} bytes. Send fewer samples."
                ),
            )
        if self.state != "ready":
            return self._refuse(503 if self.state == "loading" else 500, self._problem)
        try:
            samples, timeout_seconds = read_request(body)
        except InvalidSampleError as error:
            return self._refuse(400, error)
        try:
            results = await _unless_disconnected(
                request, self._batcher.submit(samples, timeout_seconds)
            )
        except CriticOverloadedError as error:
            return self._refuse(503, error)
        except TimeoutError:
            late = f"The critic did not get to all samples in {timeout_seconds:g} s."
            return self._refuse(504, CriticUnavailableError(late))
        return _answer(200, {"scores": [self._report(result) for result in results]})

    def _report(self, result: float | Exception) -> float | dict[str, Any]:
        if not isinstance(result, Exception):
            return result
        error = write_error(result)
        self._failures[error["reason"]] += 1
        return {"error": error}

    def _refuse(self, status: int, error: Exception) -> Response:
        report = write_error(error)
        self._failures[report["reason"]] += 1
        return _answer(status, {"error": report})

    def _score_pass(self, samples: list[Sample]) -> list[float | Exception]:
        """Score a pass, in the batcher's thread."""
        try:
            return self._critic.score_each(
                [(sample.prompt, sample.completion) for sample in samples],
                [sample.token_ids for sample in samples],
            )
        except Exception as error:  # such as too little memory for so many
            if len(samples) == 1:
                return [error]
        return [result for sample in samples for result in self._score_pass([sample])]


async def _read_body(request: Request) -> bytes | None:
    """Read the body of a request, or None if it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


async def _unless_disconnected(request: Request, work: Any) -> Any:
    """Do some work, and cancel it when the client is gone."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer(status: int, content: dict[str, Any]) -> Response:
    # In ASCII, unlike starlette's JSON: a message may quote a lone surrogate.
    return Response(
        json.dumps(content, allow_nan=False),
        status,
        headers=_HEADERS.get(status, {}),
        media_type="application/json",
    )

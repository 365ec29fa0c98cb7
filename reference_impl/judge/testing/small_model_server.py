"""The small model over HTTP: the part of OpenAI's chat completions API that a judge needs."""

import asyncio
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reference_impl.contract.error import describe_error
from reference_impl.judge.testing.small_model import MODEL
from reference_impl.judge.testing.small_model_engine import (
    BadRequestError,
    Sampling,
    SmallModel,
    Written,
    WrittenToken,
)

_MAX_BODY_BYTES = 1 << 20


class _Part(BaseModel):
    # What is not supported is refused: an option that is ignored would look like one that works.
    model_config = ConfigDict(extra="forbid", strict=True)


class _Message(_Part):
    role: Literal["system", "user", "assistant"]
    content: str


class _NamedSchema(_Part):
    name: str
    json_schema: dict[str, Any] = Field(alias="schema")
    strict: bool = True
    description: str | None = None


class _Text(_Part):
    type: Literal["text"]


class _JsonObject(_Part):
    type: Literal["json_object"]


class _JsonSchema(_Part):
    type: Literal["json_schema"]
    json_schema: _NamedSchema


_Stop = Annotated[str, Field(min_length=1)]


class _ChatRequest(_Part):
    model: str
    messages: list[_Message] = Field(min_length=1)
    max_tokens: int = Field(1024, ge=1)
    temperature: float = Field(1.0, ge=0, le=2)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    n: Literal[1] = 1
    stop: _Stop | list[_Stop] | None = None
    stream: bool = False
    logprobs: bool = False
    top_logprobs: int | None = Field(None, ge=0, le=20)
    response_format: (
        Annotated[_Text | _JsonObject | _JsonSchema, Field(discriminator="type")] | None
    ) = None

    @model_validator(mode="after")
    def _check(self) -> "_ChatRequest":
        if self.stream:
            raise ValueError("`stream` is true, but this server does not stream. Leave it out.")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("`top_logprobs` needs `logprobs` to be true.")
        return self

    def sampling(self) -> Sampling:
        """Return how the answer is to be written."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        schema = None
        if isinstance(self.response_format, _JsonObject):
            schema = {"type": "object"}
        elif isinstance(self.response_format, _JsonSchema):
            schema = self.response_format.json_schema.json_schema
        return Sampling(self.max_tokens, self.temperature, self.seed, tuple(stop), schema)


class SmallModelService:
    """The model, and the HTTP application in front of it.

    One request at a time computes, in one thread. A request whose client is gone gives up its
    place, also while it computes.

    Args:
        model: The model, loaded.

    Attributes:
        app: The ASGI application.

    Explained in :ref:`judge-testing`.
    """

    def __init__(self, model: SmallModel):
        self._model = model
        self._thread = ThreadPoolExecutor(max_workers=1)
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/models", self._models),
            ],
            exception_handlers={404: _no_such_path, 405: _no_such_path},
        )

    async def _models(self, _request: Request) -> Response:
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "reference_impl"}
        return JSONResponse({"object": "list", "data": [model]})

    async def _chat(self, request: Request) -> Response:
        try:
            body = await _read_body(request)
            if body is None:
                return _error(413, f"The request is larger than {_MAX_BODY_BYTES} bytes.")
            chat = _ChatRequest.model_validate_json(body)
            if chat.model != MODEL:
                message = f"There is no model {chat.model!r} here. This server has {MODEL!r}."
                return _error(404, message, code="model_not_found")
            written = await self._unless_disconnected(request, chat)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody will read it
        except ValidationError as error:
            return _error(400, _problem_of(error))
        except BadRequestError as error:
            return _error(400, str(error))
        except Exception as error:  # a fault of the model or of the grammar
            return _error(500, describe_error(error))
        return JSONResponse(self._answer(chat, written))

    async def _unless_disconnected(self, request: Request, chat: _ChatRequest) -> Written:
        """Write the answer when its turn comes, unless the client goes before."""
        abandoned = threading.Event()
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._thread, self._write, chat, abandoned)
        gone = asyncio.ensure_future(_disconnected(request))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientDisconnect
            return work.result()
        finally:
            abandoned.set()
            work.cancel()
            gone.cancel()

    def _write(self, chat: _ChatRequest, abandoned: threading.Event) -> Written:
        """Write the answer, in the model's thread."""
        prompt = self._model.encode_chat([message.model_dump() for message in chat.messages])
        if len(prompt) >= self._model.context_tokens:
            raise BadRequestError(
                f"This model's maximum context length is {self._model.context_tokens} tokens, and "
                f"the messages have {len(prompt)}. Shorten them."
            )
        return self._model.write(prompt, chat.sampling(), abandoned)

    def _answer(self, chat: _ChatRequest, written: Written) -> dict[str, Any]:
        logprobs = None
        if chat.logprobs:
            top = chat.top_logprobs or 0
            logprobs = {"content": [self._token(token, top) for token in written.tokens]}
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": MODEL,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": written.text},
                    "logprobs": logprobs,
                    "finish_reason": written.finish_reason,
                }
            ],
            "usage": {
                "prompt_tokens": written.prompt_tokens,
                "completion_tokens": written.completion_tokens,
                "total_tokens": written.prompt_tokens + written.completion_tokens,
            },
        }

    def _token(self, token: WrittenToken, top: int) -> dict[str, Any]:
        return {
            **self._entry(token.id, token.logprob),
            "top_logprobs": [self._entry(*entry) for entry in token.top[:top]],
        }

    def _entry(self, token: int, logprob: float) -> dict[str, Any]:
        text, data = self._model.token_text(token)
        return {"token": text, "logprob": logprob, "bytes": list(data)}


async def _read_body(request: Request) -> bytes | None:
    """Read the body of a request, or None if it is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            return None
    return bytes(body)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _no_such_path(request: Request, _error_raised: Exception) -> Response:
    return _error(404, f"There is no {request.method} {request.url.path} here.")


def _problem_of(error: ValidationError) -> str:
    """Say what is wrong with the first wrong field."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"`{place}` is not supported by this server. Leave it out."
    message = first["msg"].removeprefix("Value error, ")
    return f"`{place}`: {message}" if place else message


def _error(status: int, message: str, code: str | None = None) -> Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": code}
    # In ASCII: a message may quote a lone surrogate.
    headers = {"Connection": "close"} if status == 413 else {}  # the rest would still come
    return Response(
        json.dumps({"error": error}), status, headers=headers, media_type="application/json"
    )

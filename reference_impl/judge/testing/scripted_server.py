"""A server that plays a script: it speaks the protocol of a judge, and judges nothing."""

import asyncio
import dataclasses
import json
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from reference_impl.contract.error import describe_error

_CHAT_PATH = "/v1/chat/completions"


@dataclass(frozen=True)
class Answer:
    """A completion, in the format of OpenAI's chat completions.

    Tokens are counted as words, so that a test can foretell the usage.

    Attributes:
        text: The content of the message. None leaves the content empty, as a refusal does.
        finish_reason: Why the text ends. `"length"` says that it was cut off.
        logprobs: The log probability of each token that the first token could have been. It is
            sent to requests that ask for `logprobs`, the likeliest first, as many as they ask for.
        refusal: The text of a refusal.
        usage: Whether the answer says how many tokens it took.

    Example:
        >>> Answer("Yes", logprobs={"Yes": -0.1, "No": -2.3}).finish_reason
        'stop'

    Explained in :ref:`judge-testing`.
    """

    text: str | None
    finish_reason: str = "stop"
    logprobs: Mapping[str, float] | None = None
    refusal: str | None = None
    usage: bool = True


@dataclass(frozen=True)
class Status:
    """An HTTP status, such as 429 with `Retry-After`.

    Attributes:
        code: The status.
        headers: The headers to send along.
        body: An object to send as JSON, or a text. None is an error object that names the status.

    Example:
        >>> Status(429, {"Retry-After": "2"}).code
        429

    Explained in :ref:`judge-testing`.
    """

    code: int
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class CutBody:
    """An answer that breaks off: half of the bytes that were announced, and the line is closed.

    Attributes:
        text: The content of the message that does not arrive.

    Explained in :ref:`judge-testing`.
    """

    text: str = "This does not arrive."


@dataclass(frozen=True)
class Garbage:
    """Status 200 with a body that is not the documented format, as a proxy sends it.

    Attributes:
        body: What is sent.

    Explained in :ref:`judge-testing`.
    """

    body: str = "<html><body>Welcome to the proxy</body></html>"


@dataclass(frozen=True)
class SlowDrip:
    """An answer that arrives byte by byte. No single read takes long; the whole does.

    Attributes:
        text: The content of the message.
        seconds_a_byte: The wait before each byte of the body, in seconds.

    Explained in :ref:`judge-testing`.
    """

    text: str
    seconds_a_byte: float


@dataclass(frozen=True)
class Hang:
    """No answer, for as long as the client stays on the line.

    Explained in :ref:`judge-testing`.
    """


@dataclass(frozen=True)
class Reset:
    """No answer: the connection is reset.

    Explained in :ref:`judge-testing`.
    """


Step = Answer | Status | CutBody | Garbage | SlowDrip | Hang | Reset
#: Steps to play in order, or a function that makes the step for the body of a request.
Script = Sequence[Step] | Callable[[dict[str, Any]], Step]


@dataclass(frozen=True)
class ScriptedRequest:
    """A request as the server received it.

    Attributes:
        body: The JSON object.
        headers: The headers, their names in lower case.

    Explained in :ref:`judge-testing`.
    """

    body: dict[str, Any]
    headers: dict[str, str]


class ScriptedServer:
    """An OpenAI-compatible server on loopback that answers from a script. It judges nothing.

    It stands in for a judge where a test or a page is about the call, not about the verdict. It
    runs in a thread, on a free port of 127.0.0.1, and plays one step for each chat completion that
    it is asked for. Connections stay open between requests.

    Args:
        script: The steps, played in order; the last one repeats. Or a function that is given the
            body of a request and returns the step, called in the server's thread. If the function
            fails, the answer is status 500 and names the error.
        latency_seconds: The wait before each step, in seconds.

    Attributes:
        requests: The requests so far, in the order in which they came.
        most_in_flight: How many requests were at work at a time, at most.

    Raises:
        ValueError: If the script has no step.

    Example:
        >>> import json, urllib.request
        >>> with ScriptedServer([Answer("A verdict.")]) as server:
        ...     url = f"{server.base_url}/chat/completions"
        ...     body = json.dumps({"model": "any", "messages": []}).encode()
        ...     with urllib.request.urlopen(url, body, timeout=10) as response:
        ...         answer = json.load(response)
        >>> answer["choices"][0]["message"]["content"]
        'A verdict.'
        >>> len(server.requests), server.most_in_flight
        (1, 1)

    Explained in :ref:`judge-testing`.
    """

    def __init__(self, script: Script, latency_seconds: float = 0.0):
        if not callable(script) and not script:
            raise ValueError("The script has no step. Give it at least one.")
        self.script = script
        self.latency_seconds = latency_seconds
        self.requests: list[ScriptedRequest] = []
        self.most_in_flight = 0
        self._in_flight = 0
        self._connections: set[_Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def base_url(self) -> str:
        """The address to give to a client, with the port and the path `/v1`."""
        if not self._port:
            raise RuntimeError("The server has no address yet. Start it first.")
        return f"http://127.0.0.1:{self._port}/v1"

    def start(self) -> Self:
        """Start to listen.

        Returns:
            The server itself.
        """
        started = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)), name="scripted-server", daemon=True
        )
        self._thread.start()
        started.wait()
        return self

    def close(self) -> None:
        """Hang up on everyone and stop."""
        if self._thread and self._loop:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()
            self._thread = self._loop = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def _serve(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._port = listener.getsockname()[1]
        server = await self._loop.create_server(lambda: _Connection(self), sock=listener)
        started.set()
        await self._stop.wait()
        server.close()
        for connection in list(self._connections):
            connection.transport.abort()

    def _next_step(self, request: ScriptedRequest) -> Step:
        """Record a request, and say what it is answered with."""
        self.requests.append(request)
        if callable(self.script):
            return self.script(request.body)
        return self.script[min(len(self.requests), len(self.script)) - 1]

    def _enter(self) -> None:
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)

    def _leave(self) -> None:
        self._in_flight -= 1


class _Connection(asyncio.Protocol):
    """One client's line: reads a request, plays the step, reads the next."""

    def __init__(self, server: ScriptedServer):
        self._server = server
        self._buffer = bytearray()
        self._playing: asyncio.Task | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self._server._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._playing:  # a request that was sent early waits its turn
            self._take_request()

    def _take_request(self) -> None:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        request_line, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        self._server._enter()
        answering = self._answer(request_line.split(" ")[1], headers, bytes(rest[:length]))
        self._playing = asyncio.ensure_future(answering)

    def eof_received(self) -> None:
        self._hung_up()

    def connection_lost(self, error: Exception | None) -> None:
        self._hung_up()
        self._server._connections.discard(self)

    def _hung_up(self) -> None:
        if self._playing:
            self._playing.cancel()
            self._playing = None
            self._server._leave()

    def _finished(self) -> None:
        # Called together with the write of the last byte: no client can have its answer, ask
        # again, and be counted twice.
        self._playing = None
        self._server._leave()
        self._take_request()

    async def _answer(self, path: str, headers: dict[str, str], data: bytes) -> None:
        try:
            if path != _CHAT_PATH:
                return self._send(404, _error_object(404, f"there is no {path} here"))
            request = json.loads(data)
            step = self._server._next_step(ScriptedRequest(request, headers))
            if self._server.latency_seconds:
                await asyncio.sleep(self._server.latency_seconds)
            await self._play(step, request)
        except Exception as error:  # a test must see it, not wait for an answer
            self._send(500, _error_object(500, f"the server failed: {describe_error(error)}"))

    async def _play(self, step: Step, request: dict[str, Any]) -> None:
        match step:
            case Answer():
                self._send(200, _completion(step, request))
            case Status():
                body = _error_object(step.code) if step.body is None else step.body
                self._send(step.code, body, step.headers)
            case Garbage():
                self._send(200, step.body, {"Content-Type": "text/html"})
            case CutBody():
                head, body = _message(200, _completion(Answer(step.text), request))
                self.transport.write(head + body[: len(body) // 2])
                self.transport.close()
                self._finished()
            case SlowDrip():
                head, body = _message(200, _completion(Answer(step.text), request))
                self.transport.write(head)
                for index in range(len(body)):
                    await asyncio.sleep(step.seconds_a_byte)
                    self.transport.write(body[index : index + 1])
                self._finished()
            case Hang():
                await asyncio.Event().wait()
            case Reset():
                # Lingering for no time makes the close a reset.
                linger = struct.pack("ii", 1, 0)
                self.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                self.transport.abort()
                self._finished()
            case _:
                raise TypeError(f"the script has a {type(step).__name__}, which is no step")

    def _send(self, code: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self.transport.write(b"".join(_message(code, body, headers)))
        self._finished()


def _message(code: int, body: Any, headers: Mapping[str, str] | None = None) -> tuple[bytes, bytes]:
    """Return the head and the body of an HTTP response."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    phrase = HTTPStatus(code).phrase if code in iter(HTTPStatus) else "Unknown"
    fields = {"Content-Type": "application/json", **(headers or {}), "Content-Length": len(data)}
    lines = [f"HTTP/1.1 {code} {phrase}", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1"), data


def _error_object(code: int, message: str = "the script says so") -> dict[str, Any]:
    return {"error": {"message": message, "type": "scripted", "code": code}}


def _completion(answer: Answer, request: dict[str, Any]) -> dict[str, Any]:
    """Write an answer in the documented format."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": answer.text, "refusal": answer.refusal},
        "finish_reason": answer.finish_reason,
        "logprobs": None,
    }
    if answer.logprobs and request.get("logprobs"):
        ranked = sorted(answer.logprobs.items(), key=lambda item: -item[1])
        tokens = [
            {"token": token, "logprob": logprob, "bytes": list(token.encode())}
            for token, logprob in ranked
        ]
        first = {**tokens[0], "top_logprobs": tokens[: request.get("top_logprobs") or 0]}
        choice["logprobs"] = {"content": [first], "refusal": None}
    completion = {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": 0,
        "model": str(request.get("model")),
        "choices": [choice],
    }
    if answer.usage:
        asked = sum(_words(message.get("content")) for message in request.get("messages", []))
        said = _words(answer.text)
        completion["usage"] = {
            "prompt_tokens": asked,
            "completion_tokens": said,
            "total_tokens": asked + said,
        }
    return completion


def _words(text: object) -> int:
    return len(text.split()) if isinstance(text, str) else 0

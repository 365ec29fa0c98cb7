"""One attempt to ask the server, with OpenAI's client.

This module imports `openai`, which takes a while. `JudgeClient` imports it with its first call.
"""

import functools
import importlib
import re
import ssl
from collections.abc import AsyncIterator
from typing import Any

import openai
from pydantic import ValidationError

from reference_impl.contract.error import describe_error
from reference_impl.judge.completion import Completion, Failure
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.retry import retry_after_seconds

# OpenAI's client is built on httpx2 since version 3, and on httpx before. Some trainers need the
# older one.
httpx = importlib.import_module("httpx2" if int(openai.__version__.split(".")[0]) >= 3 else "httpx")

#: The longest time to connect, in seconds. The call's deadline bounds everything else.
CONNECT_SECONDS = 10.0
#: The longest answer that is read, in bytes. A verdict takes a few thousand.
LONGEST_ANSWER = 4 * 1_048_576
#: How much of what a server says is quoted, and how much of it is searched for the key before.
MOST_SHOWN, MOST_READ = 300, 20_000
_TRY_AGAIN = {408, 409, 429, 500, 502, 503, 504}
_ADVICE = {
    401: " Check the key.",
    403: " Check the key.",
    404: " Check `base_url`, which usually ends in /v1, and `model`.",
}


class Endpoint:
    """The server, as one event loop reaches it. Connections stay open between attempts.

    Args:
        config: Where the server is.

    Example:
        >>> import asyncio
        >>> from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer
        >>> async def ask(base_url):
        ...     endpoint = Endpoint(JudgeConfig(base_url=base_url, model="judge"))
        ...     completion = await endpoint.post({"model": "judge", "messages": []})
        ...     await endpoint.close()
        ...     return completion.text
        >>> with ScriptedServer([Answer("A verdict.")]) as server:
        ...     asyncio.run(ask(server.base_url))
        'A verdict.'

    Explained in :ref:`judge-call`.
    """

    def __init__(self, config: JudgeConfig):
        key = config.api_key.get_secret_value()
        # In JSON, and in JSON within JSON, backslashes may stand before some characters of the key.
        self._key_in_text = re.compile("".join(rf"\\{{0,3}}{re.escape(c)}" for c in key))
        self._openai = openai.AsyncOpenAI(
            base_url=config.base_url,
            api_key=key,
            max_retries=0,  # the client above knows the deadline, the breaker and the budget
            # An address that the server names is no address that the user chose, so redirects are
            # not followed. How many connections there are is bounded by the calls in flight.
            http_client=openai.DefaultAsyncHttpxClient(
                verify=_tls(),
                timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
                limits=httpx.Limits(
                    max_connections=None, max_keepalive_connections=config.concurrency
                ),
                follow_redirects=False,
                event_hooks={"response": [_bound_answer]},
            ),
            # Compressed, a short answer could become a long one. The other two would be taken
            # from variables that are meant for another server.
            default_headers={
                "Accept-Encoding": "identity",
                "OpenAI-Organization": openai.Omit(),
                "OpenAI-Project": openai.Omit(),
            },
        )

    async def post(self, request: dict[str, Any]) -> Completion | Failure:
        """Send a request for a chat completion.

        Args:
            request: The body of the request.

        Returns:
            The completion, or why there is none.
        """
        try:
            response = await self._openai.post(
                "/chat/completions", cast_to=httpx.Response, body=request
            )
            return Completion.model_validate_json(response.content)
        except openai.APIStatusError as error:
            return self._status_failure(error.response)
        except openai.APIConnectionError as error:
            lost = self._shown(describe_error(error.__cause__ or error, MOST_READ))[:MOST_SHOWN]
            return Failure(f"lost the connection ({lost})", "server", again=True)
        except ValidationError:
            shown = self._quoted(response.content)
            problem = f"was answered with something that is no chat completion: {shown}"
            return Failure(problem, "server", again=True)

    def _status_failure(self, response: httpx.Response) -> Failure:
        code = response.status_code
        if code == 429:
            blame = "load"
        else:
            blame = "server" if code >= 500 or code in _TRY_AGAIN else "request"
        return Failure(
            f"was answered {code}: {self._quoted(response.content)}.{_ADVICE.get(code, '')}",
            blame,
            again=code in _TRY_AGAIN,
            asked_wait=retry_after_seconds(response.headers),
        )

    def _quoted(self, answer: bytes) -> str:
        """Quote the beginning of an answer in a line that is safe to log."""
        return repr(self._shown(answer[:MOST_READ].decode("utf-8", "replace"))[:MOST_SHOWN])

    def _shown(self, text: str) -> str:
        return self._key_in_text.sub("***", text)

    async def close(self) -> None:
        """Close the connections."""
        await self._openai.close()


@functools.cache
def _tls() -> ssl.SSLContext:
    # Reading the certificates takes tens of milliseconds, so every event loop uses the same.
    return httpx.create_ssl_context()


class _BoundedStream(httpx.AsyncByteStream):
    """A body that ends in an error where it gets too long."""

    def __init__(self, stream: httpx.AsyncByteStream):
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._stream:
            length += len(chunk)
            if length > LONGEST_ANSWER:
                raise httpx.DecodingError(f"the answer has more than {LONGEST_ANSWER} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _bound_answer(response: httpx.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx.DecodingError("the answer is compressed, against what was asked")
    response.stream = _BoundedStream(response.stream)

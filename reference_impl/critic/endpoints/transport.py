"""Post JSON and get JSON, with retries, within one deadline."""

import contextlib
import http.client
import json
import math
import random
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from reference_impl.contract.error import InvalidSampleError, RewardError, describe_error
from reference_impl.critic.error import (
    CriticConfigError,
    CriticOverloadedError,
    CriticUnavailableError,
)

#: The longest answer that is read, in bytes. The answer for one sample takes a few hundred.
LONGEST_ANSWER = 1_048_576
#: The first wait before another attempt, and the longest, in seconds.
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
# Too many requests; bad gateway; unavailable; gateway timeout. A plain 500 is not among them: it is
# what vLLM answers when a score is NaN, and would answer again.
_TRY_AGAIN = {429, 502, 503, 504}
# Bad request; too large; not processable.
_BAD_SAMPLE = {400, 413, 422}


def check_url(url: str) -> str:
    """Pass the address of a server through and refuse anything else.

    Args:
        url: Such as `"http://10.0.0.5:8000"`. It may have a path, where a proxy puts the server.

    Returns:
        The address, without a slash at its end.

    Raises:
        CriticConfigError: If it is no such address.

    Example:
        >>> check_url("http://127.0.0.1:8000/")
        'http://127.0.0.1:8000'

    Explained in :ref:`critic-endpoints`.
    """
    advice = "Write it like 'http://10.0.0.5:8000'."
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except (ValueError, AttributeError, TypeError) as error:  # a bad port, or no str
        raise CriticConfigError(f"`url` is {url!r}: {error}. {advice}") from error
    if not is_address or parts.query or parts.fragment:
        raise CriticConfigError(f"`url` is {url!r}, not the address of a server. {advice}")
    if parts.username is not None:
        raise CriticConfigError("`url` holds a user name. Leave it out: it would be in every log.")
    return url.rstrip("/")


def post_json(url: str, body: dict[str, Any], timeout_seconds: float) -> Any:
    """Post an object and return the answer.

    Lost connections and the statuses 429, 502, 503 and 504 are tried again, after waits that double
    and are drawn at random, until the time is over. `Retry-After` in seconds is respected.

    Args:
        url: Where to.
        body: What to post, as JSON.
        timeout_seconds: The time for all attempts together, in seconds.

    Returns:
        The answer, read as JSON.

    Raises:
        InvalidSampleError: If the server refuses what it was sent: 400, 413 or 422.
        CriticOverloadedError: If the server was still overloaded at the end: 429.
        CriticUnavailableError: If no useful answer came in time, for any other reason.

    Explained in :ref:`critic-endpoints`.
    """
    deadline = time.monotonic() + timeout_seconds
    data = json.dumps(body).encode("ascii")
    longest_wait = FIRST_WAIT
    attempts = 0
    while True:
        attempts += 1
        asked_wait = 0.0
        try:
            status, retry_after, answer = _post(url, data, deadline)
        except (OSError, http.client.HTTPException) as lost:
            problem, cause = f"lost the connection ({describe_error(lost)})", lost
            kind = CriticUnavailableError
        else:
            if status == 200:
                return _parsed(url, answer)
            problem, cause = f"was answered {status}: {_shown(answer)}", None
            if status not in _TRY_AGAIN:
                raise _refusal(url, status, problem)
            kind = CriticOverloadedError if status == 429 else CriticUnavailableError
            asked_wait = _seconds(retry_after)
        wait = max(asked_wait, random.uniform(0, longest_wait))
        if time.monotonic() + wait >= deadline:
            raise kind(
                f"{url} gave no score within {timeout_seconds:g} s (attempts: {attempts}). "
                f"The last one {problem}."
            ) from cause
        time.sleep(wait)
        longest_wait = min(2 * longest_wait, LONGEST_WAIT)


def _post(url: str, data: bytes, deadline: float) -> tuple[int, str | None, bytes]:
    """Make one attempt. Return the status, the header `Retry-After`, and the body."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is over")
    connection = kind(parts.hostname, parts.port, timeout=left)
    watchdog = None
    try:
        connection.connect()
        # The socket's timeout is for each read alone, and a server may send byte by byte.
        left = max(0, deadline - time.monotonic())
        watchdog = threading.Timer(left, _hang_up, [connection.sock])
        watchdog.start()
        connection.request("POST", parts.path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read(LONGEST_ANSWER + 1)
        if time.monotonic() >= deadline:
            raise TimeoutError("the time is over")
        if len(answer) > LONGEST_ANSWER:
            raise CriticUnavailableError(
                f"{url} answered with more than {LONGEST_ANSWER} bytes. Is it a reward model?"
            )
        if response.length:
            raise http.client.IncompleteRead(answer, response.length)
        return response.status, response.headers.get("Retry-After"), answer
    finally:
        if watchdog:
            watchdog.cancel()
        connection.close()


def _hang_up(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed already
        connected.shutdown(socket.SHUT_RDWR)


def _refusal(url: str, status: int, problem: str) -> RewardError:
    if status in _BAD_SAMPLE:
        return InvalidSampleError(
            f"A request to {url} {problem}. The server refuses this sample, or every one if it "
            "is too old or its model is no classifier."
        )
    return CriticUnavailableError(
        f"A request to {url} {problem}. Check the address, the model and the server's log."
    )


def _parsed(url: str, answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise CriticUnavailableError(
            f"{url} answered with something that is not JSON: {_shown(answer)}."
        ) from error


def _shown(answer: bytes) -> str:
    """Quote the beginning of an answer in a line that is safe to log."""
    return repr(answer[:300].decode("utf-8", "replace"))


def _seconds(retry_after: str | None) -> float:
    try:
        seconds = float(retry_after or 0)
    except ValueError:  # a date; the usual waits serve as well
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0

"""Ask a critic service, with nothing but the standard library."""

import contextlib
import json
import math
import os
import random
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException, IncompleteRead
from typing import Any, Literal

from reference_impl.contract.error import InvalidSampleError, RewardError, describe_error
from reference_impl.contract.failure import check_policy
from reference_impl.critic.error import (
    CriticOverloadedError,
    CriticUnavailableError,
)
from reference_impl.critic.service.address import make_connection
from reference_impl.critic.service.wire import (
    DEFAULT_TIMEOUT_SECONDS,
    MAX_BODY_BYTES,
    MAX_SAMPLES,
    check_sample,
    read_scores,
    rebuild_error,
    write_request,
    write_sample,
)

#: How often a call may find that the service is gone before it gives up: its own sample may be
#: what ends the service, time and again.
MOST_LOSSES = 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


class CriticClient:
    """A reward function that asks a critic service.

    It costs no import of torch, and may be used by many threads, after a fork, and as a pickle.
    Connections are kept open for the next call. A service that is full or still loading is asked
    again, and so is one that was lost, until the time is over: a restart of the service costs its
    callers nothing but time.

    Args:
        address: `"unix:/path/to/socket"` or `"http://host:port"`.
        timeout_seconds: The longest that a call may take, in seconds.
        restart: Called when no service is ready, if given. It returns when one is. The time it
            takes is not the call's.

    Raises:
        ValueError: If an argument has the wrong form.

    Example:
        >>> client = CriticClient("unix:/nowhere", timeout_seconds=0.1)
        >>> client("2 + 2?", "4", [], [])
        Traceback (most recent call last):
            ...
        reference_impl.critic.error.CriticUnavailableError: No critic service answered at \
unix:/nowhere in 0.1 s: FileNotFoundError: [Errno 2] No such file or directory

    Explained in :ref:`critic-service`.
    """

    def __init__(
        self,
        address: str,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        restart: Callable[[], object] | None = None,
    ):
        make_connection(address)  # refuses a wrong address now
        if isinstance(timeout_seconds, bool) or not 0 < timeout_seconds < math.inf:
            raise ValueError(
                f"`timeout_seconds` is {timeout_seconds!r}. It must be a number of seconds above 0."
            )
        self.address = address
        self.timeout_seconds = timeout_seconds
        self.restart = restart
        # Idle connections, each with the process that made it: a fork shares them.
        self._idle: deque[tuple[int, HTTPConnection]] = deque()

    def __call__(
        self,
        prompt: str | list[dict[str, Any]],
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one sample.

        Args:
            prompt: The prompt as text, or as a list of messages.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,), or an empty list.
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: Ignored.

        Returns:
            The score.

        Raises:
            CriticUnavailableError: If there is no score when the time is over.
            CriticOverloadedError: If that is because the service was full all the time.
            InvalidScoreError: If the model gave no finite score.
            InvalidSampleError: If the sample has the wrong form.
        """
        ids = (prompt_ids, completion_ids) if prompt_ids and completion_ids else None
        return self.score([(prompt, completions)], [ids])[0]

    def score(
        self,
        samples: Sequence[tuple[str | list[dict[str, Any]], str]],
        token_ids: Sequence[tuple[list[int], list[int]] | None] | None = None,
        *,
        on_failure: Literal["raise", "skip"] | float = "raise",
    ) -> list[float]:
        """Score many samples. Those of one prompt cost least if they come together.

        Args:
            samples: Prompt and completion of each, of length n.
            token_ids: The tokens of each prompt and completion, or None, of length n.
            on_failure: What becomes of a sample that has no score: `"raise"`, `"skip"` (NaN), or
                the number that a failure is worth.

        Returns:
            The scores, of length n.

        Raises:
            RewardError: The first sample's that failed, if `on_failure` is `"raise"`.
            CriticUnavailableError: If the service does not answer, whatever `on_failure` is.
        """
        check_policy(on_failure)
        results = self.score_each(samples, token_ids)
        for result in results:
            if on_failure == "raise" and isinstance(result, RewardError):
                raise result
        worth = math.nan if isinstance(on_failure, str) else float(on_failure)
        return [worth if isinstance(result, RewardError) else result for result in results]

    def score_each(
        self,
        samples: Sequence[tuple[str | list[dict[str, Any]], str]],
        token_ids: Sequence[tuple[list[int], list[int]] | None] | None = None,
    ) -> list[float | RewardError]:
        """Score many samples, and say of each that fails why.

        Args:
            samples: As for `score`.
            token_ids: As for `score`.

        Returns:
            For each sample its score, or what went wrong with it.

        Raises:
            CriticUnavailableError: If the service does not answer before the time is over.
        """
        if token_ids is None:
            token_ids = [None] * len(samples)
        results: list[float | RewardError] = []
        written: list[tuple[int, bytes]] = []
        for place, ((prompt, completion), ids) in enumerate(zip(samples, token_ids, strict=True)):
            try:
                written.append((place, _write(prompt, completion, ids)))
                results.append(math.nan)  # until it is scored
            except InvalidSampleError as error:
                results.append(error)
        deadline = _Deadline(self.timeout_seconds)
        for part in _parts(written):
            scores = self._score_part([sample for _, sample in part], deadline)
            for (place, _), score in zip(part, scores, strict=True):
                results[place] = score
        return results

    def warm_up(self) -> None:
        """Wait until the service is ready, and have it started if there is a `restart`.

        Raises:
            CriticUnavailableError: If it is not ready when the time is over.
            CriticLoadError: If it cannot load its model.
        """
        self._ask("GET", "/health", None, _Deadline(self.timeout_seconds))

    def stats(self) -> dict[str, Any]:
        """Ask the service what it has done so far.

        Raises:
            CriticUnavailableError: If it does not answer before the time is over.
        """
        answer = self._ask("GET", "/stats", None, _Deadline(self.timeout_seconds))
        assert isinstance(answer, dict)
        return answer

    def close(self) -> None:
        """Close the idle connections. A later call opens a new one."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop()[1].close()

    def _score_part(self, samples: list[bytes], deadline: "_Deadline") -> list:
        answer = self._ask("POST", "/score", samples, deadline)
        try:
            return read_scores(answer, len(samples))
        except ValueError as error:
            raise self._stranger(str(error)) from error

    def _ask(
        self, method: str, path: str, samples: list[bytes] | None, deadline: "_Deadline"
    ) -> object:
        """Ask until there is an answer, or the time is over."""
        pause, losses = _FIRST_PAUSE, 0
        while True:
            is_absent = False
            try:
                status, answer = self._ask_once(method, path, samples, deadline)
            except (OSError, HTTPException) as error:
                problem: RewardError = CriticUnavailableError(
                    f"No critic service answered at {self.address} in {self.timeout_seconds:g} s: "
                    f"{describe_error(error)}"
                )
                is_absent = isinstance(error, FileNotFoundError | ConnectionRefusedError)
                was_lost = isinstance(error, ConnectionResetError | BrokenPipeError | HTTPException)
                # With a `restart`, the loss is counted when that is called.
                losses += was_lost and self.restart is None
            else:
                if status == 200:
                    return answer
                problem = self._problem(status, answer)
                if status != 503:
                    raise problem
                is_absent = not isinstance(problem, CriticOverloadedError)  # it is loading
            must_restart = is_absent and self.restart is not None
            losses += must_restart
            if losses > MOST_LOSSES:
                raise CriticUnavailableError(
                    f"The critic service at {self.address} was lost again and again during this "
                    "call, and perhaps because of it."
                ) from problem
            if must_restart:
                start = time.monotonic()
                self.restart()
                deadline.extend(time.monotonic() - start)
                continue
            if deadline.left() <= pause:
                raise problem
            time.sleep(pause * random.uniform(0.5, 1))  # not all callers at the same moment
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _ask_once(
        self, method: str, path: str, samples: list[bytes] | None, deadline: "_Deadline"
    ) -> tuple[int, object]:
        connection = self._connection()
        seconds = max(deadline.left(), 0.001)
        body = None if samples is None else write_request(samples, seconds)
        headers = {"Content-Type": "application/json"} if body else {}
        try:
            connection.timeout = seconds
            if connection.sock is not None:
                connection.sock.settimeout(seconds)
            connection.request(method, path, body, headers)
            # The service answers at the deadline if not before, which takes a moment.
            connection.sock.settimeout(seconds + 1)
            with connection.getresponse() as response:
                text = response.read(MAX_BODY_BYTES)
                if response.length:  # the service was killed amid its answer
                    raise IncompleteRead(text, response.length)
            answer = json.loads(text)
        except ValueError as error:
            connection.close()
            if response.status >= 500:  # it is ending, and had no time for an answer
                raise HTTPException(f"status {response.status}") from error
            raise self._stranger(describe_error(error)) from error
        except BaseException:
            connection.close()  # an answer that comes late must not meet the next call
            raise
        if connection.sock is not None:
            self._idle.append((os.getpid(), connection))
        return response.status, answer

    def _connection(self) -> HTTPConnection:
        """Take an idle connection that this process made and that is still open, or a new one."""
        while True:
            try:
                process, connection = self._idle.pop()
            except IndexError:
                return make_connection(self.address)
            if process == os.getpid() and _is_open(connection.sock):
                return connection
            connection.close()

    def _problem(self, status: int, answer: object) -> RewardError:
        if not isinstance(answer, dict) or "error" not in answer:
            return self._stranger(f"status {status}")
        return rebuild_error(answer["error"])

    def _stranger(self, problem: str) -> CriticUnavailableError:
        return CriticUnavailableError(
            f"What answers at {self.address} is no critic service ({problem}): check the address."
        )

    def __reduce__(self):
        return (type(self), (self.address, self.timeout_seconds, self.restart))

    def __repr__(self) -> str:
        return f"CriticClient({self.address!r}, timeout_seconds={self.timeout_seconds:g})"


class _Deadline:
    """When a call's time is over."""

    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        return self._end - time.monotonic()

    def extend(self, seconds: float) -> None:
        self._end += seconds


def _write(prompt: object, completion: object, ids: object) -> bytes:
    sample = write_sample(check_sample(prompt, completion, ids))
    if len(sample) > MAX_BODY_BYTES - 1000:
        raise InvalidSampleError(
            f"The sample has {len(sample)} bytes, and a request {MAX_BODY_BYTES} at most: "
            "cut the completion before it is scored."
        )
    return sample


def _parts(written: list[tuple[int, bytes]]) -> list[list[tuple[int, bytes]]]:
    """Divide samples into requests that are not too large."""
    parts: list[list[tuple[int, bytes]]] = []
    room = 0
    for place, sample in written:
        room -= len(sample) + 2
        if not parts or room < 0 or len(parts[-1]) == MAX_SAMPLES:
            parts.append([])
            room = MAX_BODY_BYTES - 1000 - len(sample)
        parts[-1].append((place, sample))
    return parts


def _is_open(idle: socket.socket) -> bool:
    """Tell whether an idle connection is open: nothing can be read from it, not even its end."""
    idle.settimeout(0)
    try:
        idle.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False

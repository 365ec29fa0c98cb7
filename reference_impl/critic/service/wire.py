"""What a client and the critic service say to each other: JSON, checked on both sides.

JSON is written in ASCII, so that every text arrives as it was, lone surrogates too.
"""

import json
import math
from typing import Any, NamedTuple

from reference_impl.contract.error import InvalidSampleError, RewardError, describe_error
from reference_impl.contract.reward_fn import check_text
from reference_impl.critic.error import (
    CriticLoadError,
    CriticOverloadedError,
    CriticUnavailableError,
    InvalidScoreError,
)
from reference_impl.runtime.error import RemoteRewardError

#: The longest body of a request, in bytes, and the most samples in one.
MAX_BODY_BYTES = 32 * 2**20
MAX_SAMPLES = 256
#: How long a request may wait for its scores, in seconds, unless it says so itself.
DEFAULT_TIMEOUT_SECONDS = 60.0

_SAMPLE_FIELDS = ("prompt", "completion", "prompt_ids", "completion_ids")
_ERRORS = {
    error.reason: error
    for error in (
        InvalidSampleError,
        InvalidScoreError,
        CriticLoadError,
        CriticUnavailableError,
        CriticOverloadedError,
    )
}


class Sample(NamedTuple):
    """A completion to score, with its prompt and, if the trainer has them, the tokens of both."""

    prompt: str | list[dict[str, Any]]
    completion: str
    token_ids: tuple[list[int], list[int]] | None = None


def check_sample(prompt: object, completion: object, token_ids: object = None) -> Sample:
    """Make a sample of what a caller passed.

    Args:
        prompt: Text, or a list of messages.
        completion: Text.
        token_ids: The tokens of the prompt and of the completion, or None.

    Returns:
        The sample.

    Raises:
        InvalidSampleError: If a value has the wrong form.
    """
    if isinstance(prompt, list):
        for message in prompt:
            if not isinstance(message, dict) or not all(
                isinstance(message.get(key), str) for key in ("role", "content")
            ):
                raise InvalidSampleError(
                    "`prompt` is a list, but not of messages: give each a `role` and a `content`, "
                    "both text."
                )
    else:
        check_text("prompt", prompt)
    check_text("completion", completion)
    if token_ids is not None and not (
        isinstance(token_ids, tuple) and len(token_ids) == 2 and all(map(_are_ids, token_ids))
    ):
        raise InvalidSampleError(
            "The token ids are not two lists of whole numbers, the prompt's and the completion's."
        )
    return Sample(prompt, completion, token_ids)


def write_sample(sample: Sample) -> bytes:
    """Write a sample as a JSON object.

    Raises:
        InvalidSampleError: If its messages hold what JSON cannot.
    """
    fields: dict[str, Any] = {"prompt": sample.prompt, "completion": sample.completion}
    if sample.token_ids is not None:
        fields["prompt_ids"], fields["completion_ids"] = sample.token_ids
    try:
        return json.dumps(fields, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSampleError(
            f"`prompt` cannot be written as JSON: {describe_error(error)}"
        ) from error


def write_request(samples: list[bytes], timeout_seconds: float) -> bytes:
    """Put samples that `write_sample` wrote into a request."""
    return b'{"timeout_seconds": %s, "samples": [%s]}' % (
        repr(timeout_seconds).encode(),
        b", ".join(samples),
    )


def read_request(body: bytes) -> tuple[list[Sample], float]:
    """Read a request, and refuse one that has anything wrong in it.

    Args:
        body: What a client sent.

    Returns:
        The samples, and how long they may wait, in seconds.

    Raises:
        InvalidSampleError: If it is no request, with the place of the fault.
    """
    try:
        request = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidSampleError(f"The request is not JSON: {describe_error(error)}") from error
    _check_fields("The request", request, ("samples", "timeout_seconds"))
    timeout = request.get("timeout_seconds", DEFAULT_TIMEOUT_SECONDS)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e6:
        raise InvalidSampleError("`timeout_seconds` is not a number of seconds above 0.")
    rows = request.get("samples")
    if not isinstance(rows, list):
        raise InvalidSampleError("`samples` is missing, or not a list.")
    if len(rows) > MAX_SAMPLES:
        raise InvalidSampleError(f"There are {len(rows)} samples. Send {MAX_SAMPLES} at most.")
    samples = []
    for place, row in enumerate(rows):
        try:
            samples.append(_read_sample(row))
        except InvalidSampleError as error:
            raise InvalidSampleError(f"samples[{place}]: {error}") from error
    return samples, float(timeout)


def write_error(error: BaseException) -> dict[str, str]:
    """Name an error by its reason and in one line of text."""
    name = type(error).__name__
    if not isinstance(error, RewardError):
        return {"reason": f"exception:{name}", "message": describe_error(error)}
    message = describe_error(error, limit=4000).removeprefix(name).removeprefix(": ")
    return {"reason": error.reason, "message": message}


def rebuild_error(report: object) -> RewardError:
    """Turn what `write_error` wrote into an error of the class that has its reason."""
    if not isinstance(report, dict):
        report = {}
    reason, message = str(report.get("reason")), str(report.get("message"))
    if reason in _ERRORS:
        return _ERRORS[reason](message)
    return RemoteRewardError(message, reason)


def read_scores(answer: object, count: int) -> list[float | RewardError]:
    """Read the scores of a request, or the errors that stand in place of some.

    Raises:
        ValueError: If it is no answer to a request of this many samples.
    """
    values = answer.get("scores") if isinstance(answer, dict) else None
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"no list of {count} scores")
    return [_read_score(value) for value in values]


def _read_score(value: object) -> float | RewardError:
    if isinstance(value, dict):
        return rebuild_error(value.get("error"))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a score that is no finite number")
    return float(value)


def _read_sample(row: object) -> Sample:
    _check_fields("It", row, _SAMPLE_FIELDS)
    ids = (row.get("prompt_ids"), row.get("completion_ids"))
    return check_sample(
        row.get("prompt"), row.get("completion"), None if ids == (None, None) else ids
    )


def _check_fields(what: str, row: object, known: tuple[str, ...]) -> None:
    if not isinstance(row, dict):
        raise InvalidSampleError(f"{what} is not a JSON object.")
    if not set(row) <= set(known):
        unknown = sorted(set(row) - set(known))[0]
        raise InvalidSampleError(
            f"{what} has an unknown field {unknown!r:.100}, not {', '.join(known)}"
        )


def _are_ids(value: object) -> bool:
    return isinstance(value, list) and all(type(token) is int and token >= 0 for token in value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")

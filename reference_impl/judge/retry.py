"""How long to wait before another attempt."""

import email.utils
import random
import re
from collections.abc import Mapping
from datetime import UTC, datetime

#: The longest wait that is drawn before the second attempt, and before any, in seconds.
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")


def backoff_seconds(attempts: int) -> float:
    """Draw a wait that grows with the attempts made: exponential backoff with full jitter.

    The whole wait is random, so that clients that failed together do not come back together.

    Args:
        attempts: How many attempts there were, at least 1.

    Returns:
        A wait, in seconds.

    Source:
        M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Example:
        >>> 0 <= backoff_seconds(1) <= FIRST_WAIT and 0 <= backoff_seconds(1000) <= LONGEST_WAIT
        True

    Explained in :ref:`judge-call`.
    """
    return random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts - 1, 10)))


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read how long a server asks to be left alone.

    Args:
        headers: The headers of its answer, looked up by names in lower case: `retry-after-ms`, or
            `retry-after` with seconds or an HTTP date.
        now: The time now, if not by the clock.

    Returns:
        The wait in seconds, 0.0 or more. None if the server asks for none, or unreadably.

    Source:
        RFC 9110, section 10.2.3, for `Retry-After`.

    Example:
        >>> retry_after_seconds({"retry-after": "120"})
        120.0
        >>> retry_after_seconds({"retry-after-ms": "250"})
        0.25
        >>> retry_after_seconds({"retry-after": "soon"})

    Explained in :ref:`judge-call`.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _NUMBER.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    asked = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(asked):
        return float(asked)
    try:
        until = email.utils.parsedate_to_datetime(asked)
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

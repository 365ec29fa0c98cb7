"""The errors of the contract: a reward that cannot score says so, it does not pay 0.0.

Every error carries a `reason`, a short fixed word, so that failures can be counted
(see `GuardedReward`) without reading their messages.
"""


class RewardError(Exception):
    """A sample could not be scored. This is not a wrong answer.

    Attributes:
        reason: A fixed word for counting failures of one kind.

    Example:
        >>> raise InvalidGoldError("the column `answer` is empty")
        Traceback (most recent call last):
            ...
        reference_impl.contract.error.InvalidGoldError: the column `answer` is empty
        >>> InvalidGoldError.reason
        'invalid_gold'

    Explained in :ref:`contract-failure`.
    """

    reason: str = "reward_error"


class InvalidSampleError(RewardError, TypeError):
    """The trainer passed something that cannot be scored, such as bytes or None.

    Explained in :ref:`contract-failure`.
    """

    reason = "invalid_sample"


class InvalidGoldError(RewardError, ValueError):
    """The data set's own answer is missing or unreadable: an error in the data.

    Explained in :ref:`contract-failure`.
    """

    reason = "invalid_gold"


class InvalidRewardError(RewardError):
    """The reward function returned something that is not a finite number.

    Explained in :ref:`contract-failure`.
    """

    reason = "invalid_reward"


def describe_error(error: BaseException, limit: int = 300) -> str:
    """Name an error in one line that is safe to log.

    A message may quote text that a model wrote. Line breaks, terminal escapes and
    right-to-left marks are therefore written as escapes, and the length is bounded.

    Args:
        error: The error to name.
        limit: The longest message kept, in characters.

    Returns:
        The class of the error and its message, in one line.

    Example:
        >>> describe_error(ValueError("two\\nlines"))
        'ValueError: two\\\\nlines'

    Explained in :ref:`contract-failure`.
    """
    try:
        message = str(error)
    except Exception:  # `__str__` of a foreign error is foreign code
        message = "(its message cannot be printed)"
    cut = "..." if len(message) > limit else ""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message[:limit]) + cut
    return f"{type(error).__name__}: {line}" if line else type(error).__name__

"""The errors of a judge: which setting is wrong, and why a sample has no verdict."""

from reference_impl.contract.error import RewardError


class JudgeConfigError(ValueError):
    """A setting of the judge is wrong. No sample could be scored, so that no policy applies.

    It is raised when the judge is made, not when it scores.

    Example:
        >>> issubclass(JudgeConfigError, RewardError)
        False

    Explained in :ref:`judge-settings`.
    """


class UnparsableVerdictError(RewardError):
    """The judge answered, and its answer is no verdict.

    Example:
        >>> UnparsableVerdictError.reason
        'unparsable'

    Explained in :ref:`judge-verdict`.
    """

    reason = "unparsable"


class InconsistentVerdictError(RewardError):
    """The judge contradicts itself: its votes tie, or a swapped pair is judged differently.

    Example:
        >>> InconsistentVerdictError.reason
        'inconsistent'

    Explained in :ref:`judge-verdict`.
    """

    reason = "inconsistent"


class JudgeUnavailableError(RewardError):
    """The judge gave no answer: it cannot be reached, is overloaded, or fails.

    It was asked again, until the attempts or the deadline were used up.

    Example:
        >>> JudgeUnavailableError.reason
        'judge_unavailable'

    Explained in :ref:`judge-call`.
    """

    reason = "judge_unavailable"


class JudgeTimeoutError(JudgeUnavailableError):
    """The deadline of the call came before the judge's answer.

    Example:
        >>> JudgeTimeoutError.reason
        'judge_timeout'

    Explained in :ref:`judge-call`.
    """

    reason = "judge_timeout"


class CircuitOpenError(JudgeUnavailableError):
    """The judge failed many times in a row and is left alone for a while. It was not asked.

    Example:
        >>> CircuitOpenError.reason
        'circuit_open'

    Explained in :ref:`judge-call`.
    """

    reason = "circuit_open"


class JudgeRefusedError(RewardError):
    """The server refuses the request. Asked again, it would refuse again.

    Example:
        >>> JudgeRefusedError.reason
        'judge_refused'

    Explained in :ref:`judge-call`.
    """

    reason = "judge_refused"


class JudgeBudgetError(RewardError):
    """The tokens or the money for this run are spent. The judge was not asked.

    Example:
        >>> JudgeBudgetError.reason
        'judge_budget'

    Explained in :ref:`judge-settings`.
    """

    reason = "judge_budget"

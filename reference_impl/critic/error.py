"""The errors of the critic. Each names what is wrong and what to do."""

from reference_impl.contract.error import RewardError


class CriticConfigError(ValueError):
    """A setting of the critic is missing, has the wrong form, or does not fit the model.

    Explained in :ref:`critic-settings`.
    """


class CriticLoadError(RewardError):
    """The model could not be loaded, or will not be, because that would not be safe.

    Explained in :ref:`critic-loading`.
    """

    reason = "critic_load"


class InvalidScoreError(RewardError):
    """The model gave NaN or an infinite number as a score.

    Explained in :ref:`critic-scores`.
    """

    reason = "invalid_score"


class CriticUnavailableError(RewardError):
    """No critic service answered before the deadline.

    Explained in :ref:`critic-service-failure`.
    """

    reason = "critic_unavailable"


class CriticOverloadedError(CriticUnavailableError):
    """The critic service has as many samples waiting as it takes.

    Explained in :ref:`critic-service-failure`.
    """

    reason = "critic_overloaded"

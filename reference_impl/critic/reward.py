"""critic_reward_fn: a reward model as a reward function, with its settings in the environment."""

import functools
import math
import os
from typing import Any

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.counts import IgnoredColumns
from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.service.client import CriticClient
from reference_impl.critic.service.launch import Launcher
from reference_impl.critic.service.wire import DEFAULT_TIMEOUT_SECONDS


class _CriticReward:
    """Score a completion with the reward model that the environment names.

    `REWARD_MODEL_PATH` is the model, and `CriticConfig.from_environment` reads the other settings.
    The first call starts a service, which loads the model once for all processes of this user, and
    ends when the last of them has been gone for a minute. If `CRITIC_SERVICE_URL` is set, such as
    `unix:/path/to/socket` or `http://127.0.0.1:8765`, the service there is asked instead. A process
    reads the environment once. A failed load raises, and the next call tries again.

    `CRITIC_TIMEOUT_SECONDS`, by default 60, is the longest that a call may take once the model is
    loaded. `CRITIC_LOAD_TIMEOUT_SECONDS`, by default 300, is the longest that loading may take.
    Call `warm_up` to load before the first sample.

    Columns never choose or configure the model. Those that look as if they should, such as
    `reward_model_path`, are counted, and warned about once.

    Args:
        prompt: The prompt as text, or as a list of messages.
        completions: The one completion to score, as text.
        prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
        completion_ids: The tokens of the completion, shape (completion_tokens,).
        **columns: Ignored.

    Returns:
        The score, a finite float.

    Raises:
        CriticConfigError: If the environment names no model, or a setting is wrong.
        CriticLoadError: If the model cannot be loaded.
        CriticUnavailableError: If there is no score when the time is over.
        CriticOverloadedError: If that is because the service was full all the time.
        InvalidScoreError: If the model gave no finite score.
        InvalidSampleError: If the sample has the wrong form.

    Example:
        >>> from reference_impl import load_reward_fn
        >>> load_reward_fn("reference_impl.critic.reward.critic_reward_fn").__name__
        'critic_reward_fn'

    Explained in :ref:`critic-recipe`.
    """

    def __init__(self) -> None:
        self.__name__ = "critic_reward_fn"  # trainers log a reward under its name
        self._ignored = IgnoredColumns()

    def __call__(
        self,
        prompt: str | list[dict[str, Any]],
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one sample."""
        self._ignored.add(columns)
        client, reads_ids = _client()
        if not reads_ids:
            prompt_ids, completion_ids = [], []
        return client(prompt, completions, prompt_ids, completion_ids)

    def warm_up(self) -> None:
        """Return when the model is loaded.

        Raises:
            CriticConfigError: If the environment names no model, or a setting is wrong.
            CriticLoadError: If the model cannot be loaded.
            CriticUnavailableError: If it is not loaded when the time is over.
        """
        _client()[0].warm_up()

    def ignored_columns(self) -> dict[str, int]:
        """Say how many calls of this process came with a column that looks like a setting.

        Returns:
            The number of calls by the name of the column.
        """
        return self._ignored.counts()

    def __reduce__(self) -> str:
        return "critic_reward_fn"  # one for each process

    def __repr__(self) -> str:
        return "critic_reward_fn"


@functools.cache
def _client() -> tuple[CriticClient, bool]:
    """Make the client of this process, and say whether the critic reads token ids."""
    timeout_seconds = _seconds("CRITIC_TIMEOUT_SECONDS", DEFAULT_TIMEOUT_SECONDS)
    address = os.environ.get("CRITIC_SERVICE_URL")
    if address:
        try:
            return CriticClient(address, timeout_seconds), True
        except ValueError as error:
            raise CriticConfigError(f"CRITIC_SERVICE_URL: {error}") from error
    config = CriticConfig.from_environment()
    launcher = Launcher(config, _seconds("CRITIC_LOAD_TIMEOUT_SECONDS", 300.0))
    client = CriticClient(f"unix:{launcher.path()}", timeout_seconds, launcher)
    return client, config.policy_tokenizer is not None


def _seconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, str(default))
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise CriticConfigError(f"{variable} is {text!r}. It must be a number of seconds above 0.")
    return seconds


critic_reward_fn = _CriticReward()

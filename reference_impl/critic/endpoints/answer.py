"""Check what was configured for an endpoint, and find the score in what it answers."""

import math
from typing import Any

from reference_impl.critic.error import (
    CriticConfigError,
    CriticUnavailableError,
    InvalidScoreError,
)


def check_settings(label: int | None, timeout_seconds: float, prompt_format: str) -> None:
    """Refuse a setting that is out of range.

    Args:
        label: Which output is the score.
        timeout_seconds: The time for a call, in seconds.
        prompt_format: `"text"` or `"templated"`.

    Raises:
        CriticConfigError: If one is.

    Explained in :ref:`critic-endpoints`.
    """
    if label is not None and (type(label) is not int or label < 0):
        raise CriticConfigError(f"`label` is {label!r}. Give the index of an output, from 0.")
    is_number = isinstance(timeout_seconds, int | float) and not isinstance(timeout_seconds, bool)
    if not is_number or not 0 < timeout_seconds < math.inf:
        raise CriticConfigError(
            f"`timeout_seconds` is {timeout_seconds!r}. It must be a number of seconds above 0."
        )
    if prompt_format not in ("text", "templated"):
        raise CriticConfigError(
            f"`prompt_format` is {prompt_format!r}. It must be 'text' or 'templated'."
        )


def the_only(items: object, url: str) -> dict[str, Any]:
    """Return the one object of a list that answers for one sample.

    Args:
        items: What the server sent in place of the list.
        url: The server, for the error.

    Returns:
        The object.

    Raises:
        CriticUnavailableError: If it is no list with one object.

    Explained in :ref:`critic-endpoints`.
    """
    if isinstance(items, list) and len(items) == 1 and isinstance(items[0], dict):
        return items[0]
    raise CriticUnavailableError(
        f"{url} did not answer in the documented format: one result was expected for one sample. "
        "Is it the right kind of server?"
    )


def pick_score(outputs: object, label: int | None, url: str) -> float:
    """Return the output of the model that is the score.

    Args:
        outputs: What the server sent as the outputs, shape (labels,).
        label: The index of the score. None if there is one output only.
        url: The server, for the error.

    Returns:
        The score, a finite float.

    Raises:
        CriticUnavailableError: If the server sent no outputs.
        InvalidScoreError: If there are several and no `label`, there is no such output, or it is no
            finite number.

    Example:
        >>> pick_score([-1.5], None, "http://127.0.0.1:8000")
        -1.5
        >>> pick_score([0.25, 0.75], 1, "http://127.0.0.1:8000")
        0.75

    Explained in :ref:`critic-endpoints`.
    """
    if not isinstance(outputs, list) or not outputs:
        raise CriticUnavailableError(
            f"{url} did not answer in the documented format: there is no list of outputs."
        )
    if label is None and len(outputs) > 1:
        raise InvalidScoreError(
            f"The model at {url} has {len(outputs)} outputs. Say with `label` which is the score."
        )
    if label is not None and label >= len(outputs):
        raise InvalidScoreError(
            f"The model at {url} has {len(outputs)} outputs: there is no output {label}."
        )
    value = outputs[label or 0]
    try:
        if type(value) in (int, float) and math.isfinite(value):
            return float(value)
    except OverflowError:  # an int beyond the floats
        pass
    # Neither JSON nor every server can write NaN: SGLang sends null in its place.
    raise InvalidScoreError(f"The model at {url} gave {str(value)[:40]!r} as a score.")

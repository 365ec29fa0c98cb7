"""The columns of a sample, from a trainer that keeps the gold answer apart from the row."""

from collections.abc import Mapping
from typing import Any

from reference_impl.contract.reward_fn import FIELDS


def row_columns(row: Mapping[str, Any] | None, gold: Any, answer_column: str) -> dict[str, Any]:
    """Join what a trainer keeps of a row and the gold answer.

    Args:
        row: What the trainer keeps of the data set's row. What is called as one of the four fields
            of a reward function is left out: the trainer passes those itself.
        gold: The gold answer, or None if there is none.
        answer_column: The column as which the reward function gets the gold answer.

    Returns:
        The columns by name.

    Raises:
        TypeError: If the row is not a dict.
        ValueError: If there are two gold answers.

    Example:
        >>> row_columns({"level": 1, "prompt": "2 + 2?"}, "4", "answer")
        {'level': 1, 'answer': '4'}

    Explained in :ref:`trainers`.
    """
    if row is not None and not isinstance(row, Mapping):
        raise TypeError(
            f"The row of a sample is a {type(row).__name__}, not a dict: decode it in the data set."
        )
    columns = {name: value for name, value in (row or {}).items() if name not in FIELDS}
    if answer_column not in columns:
        return columns | {answer_column: gold}
    if gold is not None:
        raise ValueError(
            f"The trainer passes a gold answer, and the row has a column `{answer_column}` too. "
            "Rename the column, or name another one by `answer_column`."
        )
    return columns

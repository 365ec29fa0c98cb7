"""The rows that a reward is checked on: a prompt, a good completion, and the row's columns."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference_impl.contract.error import InvalidSampleError, describe_error
from reference_impl.contract.reward_fn import FIELDS, check_text

# Where no tokenizer is at hand: about as many tokens as English text has.
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True)
class Case:
    """One row of a data set, with a completion that deserves full pay.

    Attributes:
        prompt: The prompt as text.
        completion: The good completion as text.
        columns: The other columns, by name; the gold answer among them.
        prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
        completion_ids: The tokens of the good completion, shape (completion_tokens,).

    Explained in :ref:`check-your-reward`.
    """

    prompt: str
    completion: str
    columns: Mapping[str, Any]
    prompt_ids: list[int] = field(default_factory=list)
    completion_ids: list[int] = field(default_factory=list)

    def ids_of(self, text: str) -> list[int]:
        """Give a text as many token ids as its length calls for, after the good completion.

        Args:
            text: A completion of this row.

        Returns:
            Stand-in token ids, at least one unless the text is empty.
        """
        if text == self.completion and self.completion_ids:
            return self.completion_ids
        known = self.completion_ids or [1]
        a_token = len(self.completion) / len(known) if self.completion_ids else CHARACTERS_A_TOKEN
        count = max(1, round(len(text) / max(a_token, 0.01))) if text else 0
        return [known[index % len(known)] for index in range(count)]


#: Rows for a first look, where no file is given. They state the answer in two forms.
ARITHMETIC = tuple(
    Case(
        f"Tom has {first} apples and buys {second} more. How many does he have now?",
        f"He had {first} and bought {second}. The sum is \\boxed{{{first + second}}}.\n"
        f"#### {first + second}",
        {"answer": str(first + second)},
    )
    for first, second in ((3, 5), (12, 30), (40, 7))
)


class CasesError(ValueError):
    """The file of rows cannot be used; the message names the line and the mend.

    Explained in :ref:`check-your-reward`.
    """


def read_cases(path: Path | str) -> list[Case]:
    """Read the rows of a JSON lines file.

    Args:
        path: The file. Each line is an object with `prompt` and `completions`, the good
            completion, both text. `prompt_ids` and `completion_ids` are optional. Every
            other key is a column of the data set.

    Returns:
        The rows, at least one.

    Raises:
        CasesError: If the file cannot be read, or a line is no such object.

    Example:
        >>> import tempfile
        >>> row = '{"prompt": "2 + 2?", "completions": "#### 4", "answer": "4"}'
        >>> with tempfile.NamedTemporaryFile("w+", suffix=".jsonl") as file:
        ...     _ = file.write(row)
        ...     file.flush()
        ...     read_cases(file.name)[0].columns
        {'answer': '4'}

    Explained in :ref:`check-your-reward`.
    """
    try:
        lines = Path(path).read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CasesError(f"{path} cannot be read: {describe_error(error)}.") from error
    cases = [
        _read_case(f"{path}:{number}", line)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]
    if not cases:
        raise CasesError(f"{path} is empty: give one row a line, with a good completion each.")
    return cases


def _read_case(where: str, line: str) -> Case:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CasesError(f"{where}: not JSON: {describe_error(error)}.") from None
    if not isinstance(row, dict):
        raise CasesError(f'{where}: not an object, such as {{"prompt": ..., ...}}.')
    missing = [f"`{name}`" for name in ("prompt", "completions") if name not in row]
    if missing:
        raise CasesError(f"{where}: it lacks {' and '.join(missing)}.")
    ids = {name: row.get(name, []) for name in ("prompt_ids", "completion_ids")}
    for name, value in ids.items():
        if not isinstance(value, list) or not all(type(token) is int for token in value):
            raise CasesError(f"{where}: `{name}` is not a list of int. Leave it out if you like.")
    try:
        texts = [check_text(name, row[name]) for name in ("prompt", "completions")]
    except InvalidSampleError as error:
        raise CasesError(f"{where}: {error}") from None
    if not texts[1].strip():
        raise CasesError(f"{where}: `completions` is empty. Give a completion to pay in full.")
    columns = {name: value for name, value in row.items() if name not in FIELDS}
    return Case(*texts, columns, **ids)

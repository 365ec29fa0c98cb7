"""What the guide's pages use to show code and scores. Plain Python: no pandas, no IPython.

The views render as Markdown in Jupyter and on the site, and as text anywhere else.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from textwrap import shorten

from reference_impl.contract.error import RewardError

__all__ = ["SourceView", "TableView", "score_table", "show_source"]

SHOWN_CHARACTERS = 60


class SourceView:
    """Python source that a notebook renders highlighted and a terminal prints.

    Args:
        source: The source.

    Explained in :ref:`contract-signature`.
    """

    def __init__(self, source: str):
        self.source = source

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.source}```"

    def __repr__(self) -> str:
        return self.source


class TableView:
    """A table that a notebook renders and a terminal prints.

    Args:
        header: The titles of the columns.
        rows: The cells, as text.
        numbers: How many of the last columns hold numbers, which are set flush right.
        code: The columns, by index, whose cells a notebook sets as code.

    Explained in :ref:`start-score`.
    """

    def __init__(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        numbers: int = 0,
        code: Sequence[int] = (),
    ):
        self.header = header
        self.rows = rows
        self.numbers = numbers
        self.code = code

    def _repr_markdown_(self) -> str:
        left = len(self.header) - self.numbers
        rule = ["---"] * left + ["---:"] * self.numbers
        body = [
            [_code(cell) if cell and i in self.code else cell for i, cell in enumerate(row)]
            for row in self.rows
        ]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in [self.header, rule, *body])

    def __repr__(self) -> str:
        lines = [self.header, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.header))]
        return "\n".join(
            "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )


def show_source(obj: Callable) -> SourceView:
    """Show the source of the very object that runs.

    Args:
        obj: A function or class of this package.

    Returns:
        A view that a notebook renders as highlighted Python.

    Example:
        >>> from reference_impl import check_text
        >>> show_source(check_text)
        def check_text(name: str, value: object) -> str:
        ...

    Explained in :ref:`contract-signature`.
    """
    return SourceView(inspect.getsource(obj))


def score_table(
    reward_fns: Sequence[Callable],
    completions: Mapping[str, str],
    *,
    prompt: str = "",
    **columns,
) -> TableView:
    """Score labelled completions with several reward functions, side by side.

    A column is titled with the words of its reward function's name, without `_reward_fn`, so that
    a title can wrap. A reward function that refuses a completion shows the name of its error in
    place of a score.

    Args:
        reward_fns: Reward functions of the guide's contract.
        completions: Label to completion text.
        prompt: The prompt that all of them answer.
        **columns: Columns of the data set, such as `answer`, the same for each completion.

    Returns:
        A view with one row a completion and one column a reward function.

    Example:
        >>> from reference_impl import exact_match_reward_fn
        >>> table = score_table(
        ...     [exact_match_reward_fn],
        ...     {"right": r"So \\boxed{4}.", "wrong": r"So \\boxed{14}."},
        ...     answer="4",
        ... )
        >>> table
                completion       exact match
        right   So \\boxed{4}.    1.00
        wrong   So \\boxed{14}.   0.00

    Explained in :ref:`start-score`.
    """
    header = ["", "completion", *(_name(fn) for fn in reward_fns)]
    rows = [
        [label, shorten(text, SHOWN_CHARACTERS, placeholder=" …")]
        + [_score(fn, prompt, text, columns) for fn in reward_fns]
        for label, text in completions.items()
    ]
    return TableView(header, rows, numbers=len(reward_fns), code=[1])


def _name(fn: Callable) -> str:
    return getattr(fn, "__name__", type(fn).__name__).removesuffix("_reward_fn").replace("_", " ")


def _score(fn: Callable, prompt: str, text: str, columns: Mapping) -> str:
    try:
        return f"{fn(prompt, text, [], [], **columns):.2f}"
    except RewardError as error:
        return type(error).__name__


def _code(text: str) -> str:
    """Inline code that neither a backtick nor a table's bar can leave."""
    fence = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")

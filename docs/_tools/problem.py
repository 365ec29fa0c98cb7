"""What a check reports: where the guide is wrong, what is wrong, and how to mend it."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend, printed as one line that an editor can jump to.

    Args:
        file: Path from the root of the repository, such as `docs/zh/start.md`.
        line: Line in that file, counted from 1.
        what: What is wrong, a sentence without a full stop.
        mend: What to do about it, a sentence without a full stop.
    """

    file: str
    line: int
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}. Mend: {self.mend}"

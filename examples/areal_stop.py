"""How a workflow stops a run of AReaL 1.0.4.

AReaL catches what a workflow raises, rejects the episode, and starts the next: a server that is
down keeps `prepare_batch` busy for ever. But the trainer reads its next rows itself, and an error
from there ends it with its own message. So the workflow leaves a note in a folder that all
processes see, and the rows raise when they find one.
"""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset


class RunStoppedError(RuntimeError):
    """The rewards are not to be trusted any more, and training on them has ended."""


def stop_run(stop_file: Path, reason: str) -> None:
    """Leave the note.

    Args:
        stop_file: Where the rows look for it.
        reason: What the trainer is to say.

    Raises:
        RunStoppedError: Always, with the reason, so that no reward comes of this episode.
    """
    # Whoever looks finds the whole note, or none.
    draft = stop_file.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
    draft.write_text(reason, "utf-8")
    draft.replace(stop_file)
    raise RunStoppedError(reason)


class RowsUntilStopped(Dataset):
    """The rows of a data set, until a workflow has left a note.

    Args:
        rows: The rows.
        stop_file: Where the note would be. One from an earlier run is removed.
    """

    def __init__(self, rows: Sequence[dict[str, Any]], stop_file: Path):
        self.rows = rows
        self.stop_file = stop_file
        stop_file.parent.mkdir(parents=True, exist_ok=True)
        stop_file.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        if self.stop_file.exists():
            raise RunStoppedError(self.stop_file.read_text("utf-8"))
        return self.rows[index]

"""What a run on a processor needs: a folder of its own that holds nothing by halves, and quiet."""

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
# What a run is made by.
SCRIPTS = (
    "arithmetic_critic.py",
    "arithmetic_grpo.py",
    "arithmetic_policy.py",
    "arithmetic_rewards.py",
    "arithmetic_task.py",
)


RECORD = "settings.json"
RESULTS = "results.json"


class RunFolderError(ValueError):
    """The folder cannot be used for this run."""


def claim(folder: Path, settings: dict[str, object]) -> None:
    """Make a folder for a run, or take up the same run again.

    Args:
        folder: The folder.
        settings: What the run depends on, plain values. The scripts are a part of it.

    Raises:
        RunFolderError: If the folder cannot be made, holds another run, or holds anything else.
    """
    settings = _with_code(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / RECORD).write_text(json.dumps(settings), "utf-8")
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written to: {error}") from error
    found = _recorded(folder)
    if found is None:
        raise RunFolderError(f"{folder} holds files that are of no run. Name an empty folder.")
    if found != settings:
        names = {name for name in {*found, *settings} if found.get(name) != settings.get(name)}
        differ = ", ".join(f"{name} {found.get(name)}" for name in sorted(names))
        raise RunFolderError(
            f"{folder} holds a run of other settings ({differ}). Name another folder, or remove it."
        )


def holds(folder: Path, settings: dict[str, object]) -> bool:
    """Say whether a folder holds the figures of this very run. Another run in it is removed.

    Args:
        folder: The folder.
        settings: What the run depends on, as `claim` takes them.
    """
    found = _recorded(folder)
    if found == _with_code(settings):
        return (folder / RESULTS).is_file()
    if found is not None:
        shutil.rmtree(folder)
    return False


def _with_code(settings: dict[str, object]) -> dict[str, object]:
    code = hashlib.sha256(b"".join((HERE / script).read_bytes() for script in SCRIPTS))
    return settings | {"code": code.hexdigest()[:16]}


def _recorded(folder: Path) -> dict[str, object] | None:
    """Read what a run is of, or None if the folder holds none."""
    try:
        found = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def made_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Make what belongs into a folder unless it is there. A run that is killed leaves no half.

    Args:
        folder: The folder.
        make: Fills the folder that it is given.
    """
    if folder.exists():
        return
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    make(part)
    part.rename(folder)


def last_checkpoint(folder: Path) -> str | None:
    """Return the last checkpoint that is whole. The trainer writes its state last."""
    checkpoints = folder.glob("checkpoint-*")
    for checkpoint in sorted(checkpoints, key=lambda c: int(c.name[11:]), reverse=True):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
        return str(checkpoint)
    return None


def quiet_and_single_threaded() -> None:
    """Set up torch and transformers. Call it before either is imported.

    Matrices this small gain little from a second thread. Threads that wait for each other on a busy
    machine can take fifty times as long. One thread also makes a seed give the same figures again.
    """
    os.environ["OMP_WAIT_POLICY"] = "passive"
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()

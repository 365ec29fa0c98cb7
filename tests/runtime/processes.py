"""Find the processes of a test by a mark in their environment, which children inherit."""

import time
from pathlib import Path

MARK = "REWARD_GUIDE_TEST_MARK"


def marked(mark):
    """The living processes with this mark, by number."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # it ended meanwhile, or is not ours
            continue
        if f"{MARK}={mark}".encode() in environment and state not in "ZX":
            found.add(int(folder.name))
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def eventually(condition, seconds=10):
    """Whether a condition becomes true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False

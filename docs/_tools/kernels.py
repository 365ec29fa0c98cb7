"""How every kernel of the guide is started: the same environment, and no network port."""

import atexit
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),  # pages may import what the package does not ship (benchmarks)
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",  # progress bars and paths must not reach an output
    "TOKENIZERS_PARALLELISM": "false",
    "COLUMNS": "100",
    "NO_COLOR": "1",
}


def prepare() -> None:
    """Set the environment that kernels inherit and make them talk over Unix sockets.

    Two sets of kernels that start side by side race for TCP ports; sockets in a directory of
    their own do not. The path is absolute and short: each end resolves a relative one against
    its own working directory, and a socket's path may have about 100 characters.
    """
    os.environ.update(ENVIRONMENT)
    # The model that the pages score with; setup_env.sh trains it.
    os.environ.setdefault("REWARD_MODEL_PATH", str(ROOT / ".cache" / "reward_model"))
    if getattr(KernelManager, "_guide_sockets", None):
        return
    sockets = tempfile.mkdtemp(prefix="nb-")
    atexit.register(shutil.rmtree, sockets, ignore_errors=True)
    original = KernelManager.__init__

    def init(self, *args, **kwargs):
        kwargs.setdefault("transport", "ipc")
        kwargs.setdefault("ip", f"{sockets}/{uuid.uuid4().hex[:12]}")
        original(self, *args, **kwargs)

    KernelManager.__init__ = init
    KernelManager._guide_sockets = sockets

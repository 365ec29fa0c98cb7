"""Start a critic service where there is none, once for all processes of a user."""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticLoadError, CriticUnavailableError
from reference_impl.critic.service.address import UnixConnection, check_path, is_served
from reference_impl.critic.service.wire import rebuild_error

#: The service ends when nobody has been connected to it for this long, in seconds.
IDLE_SECONDS = 60.0
_LOG_LINES = 8
_LOG_BYTES = 4000
_PAUSE = 0.05
_MOST_STARTS, _MOST_LOSSES = 2, 20


@dataclasses.dataclass(frozen=True)
class Launcher:
    """Where the service of a configuration is, and how it is started.

    The service has a session of its own, so that it outlives the process that started it and what
    kills that. It ends when it has had no connection for `IDLE_SECONDS`.

    Args:
        config: The configuration.
        load_timeout_seconds: The longest that starting it and loading the model may take, in
            seconds.

    Explained in :ref:`critic-recipe`.
    """

    config: CriticConfig
    load_timeout_seconds: float = 300.0

    def path(self) -> Path:
        """Return the path of the socket: one for each configuration, in a private folder.

        Raises:
            CriticUnavailableError: If the folder is not private, or its path too long.
        """
        digest = hashlib.sha256(_absolute(self.config).to_json().encode()).hexdigest()
        path = private_folder() / f"{digest[:16]}.sock"
        try:
            check_path(path)
        except OSError as error:
            raise CriticUnavailableError(f"TMPDIR names too long a path. {error}") from error
        return path

    def __call__(self) -> None:
        """Return when the service is ready. Start it if there is none.

        Raises:
            CriticLoadError: If it cannot load the model, with the reason.
            CriticUnavailableError: If it is not ready when the time is over.
        """
        deadline = time.monotonic() + self.load_timeout_seconds
        path = self.path()
        starts = losses = 0
        while True:
            started, ready = self._look(path, deadline)
            if ready:
                return
            starts += started
            losses += 1
            # It is started once more if it was lost while it loaded, which need not be its own
            # fault. One that was there already may just be dying: that takes it a moment.
            if starts == _MOST_STARTS or losses == _MOST_LOSSES:
                raise CriticLoadError(
                    f"The critic service ended while it loaded. {_end_of_log(path)}"
                )
            time.sleep(_PAUSE)

    def _look(self, path: Path, deadline: float) -> tuple[bool, bool]:
        """Start a service if there is none, and wait for it.

        Returns:
            Whether this call started it, and whether it is ready. If not, it ended without a word.
        """
        with self._lock(path, deadline):
            must_start = not is_served(path)
            if must_start:
                self._start(path, deadline)
        connection = UnixConnection(str(path))
        try:
            while True:
                connection.timeout = max(deadline - time.monotonic(), 0.001)
                connection.request("GET", "/health")
                with connection.getresponse() as response:
                    answer = json.loads(response.read())
                if response.status == 200:
                    return must_start, True
                if answer["state"] == "failed":
                    raise rebuild_error(answer["error"])
                if time.monotonic() > deadline:
                    raise self._too_late(path)
                time.sleep(_PAUSE)
        except TimeoutError:
            raise self._too_late(path) from None
        except (OSError, HTTPException):
            return must_start, False
        finally:
            connection.close()

    def _start(self, path: Path, deadline: float) -> None:
        """Start the service, and wait until it listens or has ended. It has no model yet then."""
        arguments = ["--config", _absolute(self.config).to_json(), "--socket", str(path)]
        arguments += ["--idle-seconds", str(IDLE_SECONDS)]
        search_path = [entry for entry in sys.path if isinstance(entry, str)]
        # torchrun and other launchers set this for their many processes. The service is one.
        environment = {key: os.environ[key] for key in os.environ if key != "OMP_NUM_THREADS"}
        with open(_log_of(path), "wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"import sys; sys.path[:] = {search_path!r}\n"
                    "from reference_impl.critic.serve import main\n"
                    "main(sys.argv[1:])",
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        # Somebody has to wait for it, or it would stay a zombie when it ends before this process.
        threading.Thread(target=process.wait, daemon=True).start()
        while not is_served(path) and process.returncode is None:
            if time.monotonic() > deadline:
                raise self._too_late(path)
            time.sleep(_PAUSE)

    @contextlib.contextmanager
    def _lock(self, path: Path, deadline: float) -> Iterator[None]:
        """Let one process at a time look whether there is a service, and start it."""
        with open(f"{path}.start", "w") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise self._too_late(path) from None
                time.sleep(_PAUSE)
            try:
                yield
            finally:
                fcntl.flock(file, fcntl.LOCK_UN)  # a fork may hold the file open

    def _too_late(self, path: Path) -> CriticUnavailableError:
        return CriticUnavailableError(
            f"The critic service was not ready in {self.load_timeout_seconds:g} s: allow it more "
            f"time to load, or see what it does. {_end_of_log(path)}"
        )


def private_folder() -> Path:
    """Make the folder for the sockets of this user, and check that nobody else can write to it.

    Returns:
        The folder, inside the one for temporary files.

    Raises:
        CriticUnavailableError: If it belongs to somebody else, or is open to others.
    """
    folder = Path(tempfile.gettempdir()) / f"critic-service-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise CriticUnavailableError(
            f"{folder} is not a folder that this user alone can open, so that somebody else could "
            "answer for the critic. Remove it, or let TMPDIR name another place."
        )
    return folder


def _absolute(config: CriticConfig) -> CriticConfig:
    """Replace relative paths, which mean something else in another folder."""
    paths = {
        name: os.path.abspath(value)
        for name in ("model", "policy_tokenizer")
        if (value := getattr(config, name)) is not None and os.path.isdir(value)
    }
    return dataclasses.replace(config, **paths)


def _log_of(path: Path) -> Path:
    return path.with_suffix(".log")


def _end_of_log(path: Path) -> str:
    """Quote the last lines that a service wrote, in one line that is safe to log."""
    log = _log_of(path)
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - _LOG_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()[-_LOG_LINES:]
    except OSError:
        lines = []
    quoted = " | ".join("".join(c if c.isprintable() else " " for c in line) for line in lines)
    return f"Its log, {log}, ends with: {quoted or '(nothing)'}"

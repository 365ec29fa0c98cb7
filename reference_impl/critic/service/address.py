"""Where a critic service is: at a unix socket, or at a port."""

import fcntl
import os
import socket
import stat
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

BACKLOG = 1024
#: How long a service that was told to end waits for its answers to be fetched, in seconds.
SECONDS_TO_DRAIN = 30
# The kernel's limit on the path of a socket, with its final NUL; it is 104 on macOS.
_LONGEST_PATH = 103


class UnixConnection(HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str):
        super().__init__("localhost", timeout=None)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def make_connection(address: str) -> HTTPConnection:
    """Make a connection, which connects with the first request.

    Args:
        address: `"unix:/path/to/socket"` or `"http://host:port"`.

    Returns:
        The connection.

    Raises:
        ValueError: If the address has another form.

    Example:
        >>> make_connection("http://127.0.0.1:8765").port
        8765
        >>> make_connection("localhost")
        Traceback (most recent call last):
            ...
        ValueError: 'localhost' is no address. Write 'unix:/path/to/socket' or 'http://host:port'.

    Explained in :ref:`critic-service`.
    """
    try:
        parts = urlsplit(address)
        if parts.scheme == "unix" and parts.path and not parts.netloc:
            return UnixConnection(parts.path)
        if parts.scheme == "http" and parts.hostname and parts.port and parts.path in ("", "/"):
            return HTTPConnection(parts.hostname, parts.port)
    except ValueError:  # a port that is no number
        pass
    raise ValueError(
        f"{address!r} is no address. Write 'unix:/path/to/socket' or 'http://host:port'."
    )


def check_path(path: str | Path) -> None:
    """Refuse a path that is too long for a unix socket.

    Raises:
        OSError: If it is.
    """
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise OSError(f"The path of a socket has {_LONGEST_PATH} bytes at most: shorten {path}")


def is_served(path: str | Path) -> bool:
    """Tell whether a process listens at a unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:  # too busy to accept, or not ours to ask: somebody is there
            return True
        return True


class UnixListener:
    """A unix socket to listen at. It belongs to one process, for as long as that lives.

    A lock on a file beside the socket says whether that process lives, also after a `kill -9`,
    which leaves the socket behind. Only the owner's user can connect.

    Args:
        path: Where to.

    Raises:
        OSError: If a service is there, or the socket cannot be made.
    """

    def __init__(self, path: str | Path):
        self.path = os.path.abspath(path)
        check_path(self.path)
        self._lock = open(f"{self.path}.lock", "w")  # noqa: SIM115
        self._wait_for_lock()
        try:
            if not stat.S_ISSOCK(os.lstat(self.path).st_mode):
                raise OSError(f"{self.path} is there, and it is no socket. Choose another path.")
            os.unlink(self.path)  # its process is gone, or we would not have the lock
        except FileNotFoundError:
            pass
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self.socket.bind(self.path)
        finally:
            os.umask(mask)
        self.socket.listen(BACKLOG)

    def _wait_for_lock(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_DRAIN + 10  # an old one may be ending
        while True:
            try:
                return fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if is_served(self.path) or time.monotonic() > deadline:
                    raise OSError(
                        f"A service is running at {self.path}. Use it, or choose another path."
                    ) from None
            time.sleep(0.05)

    def close(self) -> None:
        """Remove the socket, while the lock still says that it is ours."""
        os.unlink(self.path)
        self.socket.close()
        self._lock.close()


def listen_at_port(host: str, port: int) -> socket.socket:
    """Listen at a port; 0 takes any that is free.

    Raises:
        OSError: If the host is unknown or the port taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener

"""Run a critic service: `python -m reference_impl.critic.serve --model DIR --socket PATH`."""

import argparse
import contextlib
import importlib.util
import ipaddress
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import NoReturn

from reference_impl.critic.config import CriticConfig
from reference_impl.critic.critic import Critic
from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.service.address import SECONDS_TO_DRAIN, UnixListener, listen_at_port

_KEEP_ALIVE_SECONDS = 7 * 24 * 3600

logger = logging.getLogger("reference_impl.critic")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve until SIGTERM or Ctrl-C, and then exit with 0 when every answer is given.

    Args:
        arguments: The arguments of the command, by default those of this process.

    Raises:
        SystemExit: With code 2 if an argument is wrong, and 1 if the service cannot be started.

    Explained in :ref:`critic-service`.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        config = _config(options)
        _check_host(options)
    except (CriticConfigError, ValueError) as error:
        parser.exit(2, f"error: {error}\n")  # without the usage: the last line is what is quoted
    missing = [name for name in ("starlette", "uvicorn") if not importlib.util.find_spec(name)]
    if missing:
        sys.exit(f"{' and '.join(missing)} not installed: pip install 'reward-guide[critic,serve]'")
    try:
        with _listener(options) as listener:
            code = _serve(config, listener, options.idle_seconds)
    except OSError as error:
        sys.exit(f"The service cannot listen: {error}")
    logging.shutdown()
    # Not `sys.exit`: a thread may still load the model, which cannot be interrupted.
    os._exit(code)


def _serve(config: CriticConfig, listener: socket.socket, idle_seconds: float | None) -> int:
    """Load the critic and answer, until told to end. Returns the exit code."""
    # Listening already, so that whoever waits for the service knows that it is there.
    import uvicorn

    from reference_impl.critic.service.server import CriticService

    _allow_many_connections()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the log is for reading
    service = CriticService(Critic(config))
    last_use = time.monotonic()

    async def end_in_time() -> None:
        nonlocal last_use
        if server.server_state.connections:
            last_use = time.monotonic()
        elif idle_seconds is not None and time.monotonic() - last_use > idle_seconds:
            logger.info("No connection for %g s: the service ends.", idle_seconds)
            server.should_exit = True
        if service.state == "failed":
            server.should_exit = True

    server = uvicorn.Server(
        uvicorn.Config(
            service.app,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,  # a connection is how a client says it lives
            timeout_graceful_shutdown=SECONDS_TO_DRAIN,
            callback_notify=end_in_time,
            timeout_notify=1,
        )
    )
    # uvicorn sends itself the signal again when it has ended. That is no failure.
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        server.run(sockets=[listener])
    return 1 if service.state == "failed" else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.critic.serve",
        description="Load a reward model once, and score what other processes send, in batches. "
        "Settings come from the environment variables REWARD_MODEL_..., or from --config.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", help="folder or hub id, in place of REWARD_MODEL_PATH")
    which.add_argument("--config", help="all settings, as a JSON object")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--socket", metavar="PATH", help="listen at this unix socket")
    where.add_argument("--port", type=int, help="listen at this port; 0 takes any that is free")
    parser.add_argument("--host", default="127.0.0.1", help="with --port (default: %(default)s)")
    parser.add_argument(
        "--allow-remote",
        action="store_true",
        help="listen beyond this machine. There is no password and no encryption: whoever reaches "
        "the port can use the model",
    )
    parser.add_argument(
        "--idle-seconds", type=float, help="end after so long without a connection (default: never)"
    )
    return parser


def _config(options: argparse.Namespace) -> CriticConfig:
    if options.config is not None:
        config = CriticConfig.from_json(options.config)
    elif options.model is not None:
        config = CriticConfig.from_environment({**os.environ, "REWARD_MODEL_PATH": options.model})
    else:
        config = CriticConfig.from_environment()
    if config.model.startswith(("/", ".", "~")) and not os.path.isdir(config.model):
        raise CriticConfigError(f"There is no folder {config.model}.")
    return config


def _check_host(options: argparse.Namespace) -> None:
    if options.port is not None and not 0 <= options.port < 65_536:
        raise ValueError(f"--port is {options.port}. It must be from 0 to 65535.")
    if options.idle_seconds is not None and not options.idle_seconds > 0:
        raise ValueError("--idle-seconds must be above 0.")
    if options.allow_remote or options.host == "localhost":
        return
    try:
        is_local = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise ValueError(
            f"--host {options.host} may be reached from other machines, and there is no password "
            "and no encryption. Add --allow-remote if that is what you want."
        )


@contextlib.contextmanager
def _listener(options: argparse.Namespace) -> Iterator[socket.socket]:
    """Listen where the options say, and leave nothing behind."""
    if options.socket is not None:
        unix = UnixListener(options.socket)
        logger.info("Listening at unix:%s. The model is loading.", unix.path)
        try:
            yield unix.socket
        finally:
            unix.close()
    else:
        try:
            listener = listen_at_port(options.host, options.port)
        except OSError as error:
            raise OSError(f"{options.host} port {options.port}: {error.strerror}.") from error
        host, port = listener.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        logger.info("Listening at http://%s:%d. The model is loading.", host, port)
        with listener:
            yield listener


def _allow_many_connections() -> None:
    """Raise this process's limit of open files as far as it may: each caller holds one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    main()

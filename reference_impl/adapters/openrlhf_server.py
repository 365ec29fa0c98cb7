"""OpenRLHF: serve a reward over HTTP, to score in a process of its own.

    python -m reference_impl.adapters.openrlhf_server my_rewards.reward --port 8500

and `--reward.remote_url http://127.0.0.1:8500/get_reward` for OpenRLHF. It listens on this machine
alone until `--host` says otherwise. There is no password: whoever reaches the port can use it.
It needs `pip install 'reward-guide[serve]'`.
"""

import argparse
import contextlib
import json
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.openrlhf import OpenRLHFReward
from reference_impl.adapters.versions import UnprovenVersionError
from reference_impl.contract.error import describe_error
from reference_impl.contract.reward_fn import load_reward_fn

MAX_BODY_BYTES = 16 * 2**20
SECONDS_TO_DRAIN = 30

logger = logging.getLogger("reference_impl.adapters")


def make_app(reward: OpenRLHFReward) -> Starlette:
    """Make the application that answers OpenRLHF.

    `POST /get_reward` takes `{"query": [...], "prompts": [...], "labels": [...]}` and answers what
    the reward does. `GET /ready` answers as soon as it can.

    An error is an answer with a status, and OpenRLHF asks five times, a second apart, before it
    gives the sample up: 400 for a request of another shape, 413 for one of more than
    `MAX_BODY_BYTES`, and 500 if the reward raised, or needs another column than the label. OpenRLHF
    waits 180 s for each.

    Args:
        reward: The adapted reward.

    Returns:
        The ASGI application.

    Explained in :ref:`trainers`.
    """

    async def get_reward(request: Request) -> Response:
        try:
            batch = _read(await _body(request))
        except _RefusedError as refused:
            return _answer(refused.status, {"error": str(refused)})
        except ClientDisconnect:
            return Response(status_code=400)  # nobody will read it
        try:
            return _answer(200, await reward.score(*batch))
        except Exception as error:  # the reward is foreign code
            problem = describe_error(error)
            if isinstance(error, MissingColumnError):
                logger.error("%s", problem)  # the guard has logged the others
            return _answer(500, {"error": problem})

    async def ready(_request: Request) -> Response:
        return _answer(200, {"reward": reward.__name__})

    return Starlette(
        routes=[Route("/get_reward", get_reward, methods=["POST"]), Route("/ready", ready)]
    )


class _RefusedError(Exception):
    def __init__(self, status: int, problem: str):
        super().__init__(problem)
        self.status = status


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise _RefusedError(413, f"The request is larger than {MAX_BODY_BYTES} bytes.")
    return bytes(body)


def _read(body: bytes) -> list[list[Any]]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, f"The body is no JSON: {describe_error(error)}") from error
    fields = ("query", "prompts", "labels")
    batch = [request.get(field) for field in fields] if isinstance(request, dict) else []
    if not batch or not all(isinstance(values, list) for values in batch):
        names = ", ".join(f"`{field}`" for field in fields)
        raise _RefusedError(400, f"The body is no object with a list each for {names}.")
    if len({len(values) for values in batch}) > 1:
        lengths = ", ".join(f"`{f}` {len(b)}" for f, b in zip(fields, batch, strict=True))
        raise _RefusedError(400, f"The lists differ in length: {lengths}.")
    return batch


def _answer(status: int, content: dict[str, Any]) -> Response:
    # A body that was refused would still come.
    headers = {"Connection": "close"} if status == 413 else {}
    # In ASCII, unlike starlette's JSON: a message may quote a lone surrogate.
    text = json.dumps(content, allow_nan=False)
    return Response(text, status, headers=headers, media_type="application/json")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Serve until SIGTERM or Ctrl-C, and then exit with 0 when every answer is given.

    Args:
        arguments: The arguments of the command, by default those of this process.

    Raises:
        SystemExit: With code 2 if an argument is wrong, and 1 if the port cannot be had.

    Explained in :ref:`trainers`.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        reward = OpenRLHFReward(
            load_reward_fn(options.reward), options.on_failure, options.answer_column
        )
    except (ImportError, AttributeError, TypeError, ValueError, UnprovenVersionError) as error:
        parser.exit(2, f"error: {error}\n")  # without the usage: the last line is what is quoted
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        listener = socket.create_server((options.host, options.port), family=family, backlog=1024)
    except OSError as error:
        sys.exit(f"Cannot listen at {options.host} port {options.port}: {error.strerror}.")
    with listener:
        _serve(reward, listener)
    sys.exit(0)


def _serve(reward: OpenRLHFReward, listener: socket.socket) -> None:
    import uvicorn

    host, port = listener.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    # Connections are taken already, and wait for the server.
    print(f"{reward.__name__} at http://{host}:{port}/get_reward", flush=True)
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(reward),
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=SECONDS_TO_DRAIN,
        )
    )
    # uvicorn sends itself the signal again when it has ended. That is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        server.run(sockets=[listener])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.adapters.openrlhf_server",
        description="Answer OpenRLHF's `--reward.remote_url` with a reward function.",
    )
    parser.add_argument("reward", help="the reward function, such as my_rewards.reward")
    parser.add_argument(
        "--on-failure",
        type=_policy,
        default="raise",
        help="raise, or the number that a failure is worth (default: %(default)s)",
    )
    parser.add_argument(
        "--answer-column",
        default="answer",
        help="the column under which the reward gets the label (default: %(default)s)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="where to listen (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=_port, default=8500, help="0 takes one that is free (default: %(default)s)"
    )
    return parser


def _policy(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text  # `OpenRLHFReward` says which there are


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65_536:
        raise ValueError
    return port


if __name__ == "__main__":
    main()

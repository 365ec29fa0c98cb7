"""Read a judge's answer strictly: one verdict, or none.

A judge writes text, and the text it judges tries to write its verdict. A judge that resists may
still quote what it was told to write. So no verdict is searched for in prose: the answer is one
JSON object of the schema and nothing else, or it is an `UnparsableVerdictError`, and your failure
policy says what that is worth.
"""

import json
import re
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reference_impl.judge.error import UnparsableVerdictError

#: The longest answer that is read, in characters. Judges are asked for a few hundred.
LONGEST_ANSWER = 32_768

# How models end what they think before they answer.
_END_OF_REASONING = re.compile(r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]", re.I)
_BEGINS_AN_OBJECT = re.compile(r"\s*(?:[{`]|\[(?!THINK\]))", re.I)
_MARKDOWN = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```\s*", re.I | re.S)


class JudgeVerdict(BaseModel):
    """What a judge answers. The rationale comes first, so that the verdict can follow from it.

    Attributes:
        rationale: Why, in a sentence or two. Nothing is paid for it.

    Example:
        >>> CorrectnessVerdict(rationale="4 is 4.", verdict="correct").verdict
        'correct'

    Explained in :ref:`judge-verdict`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    rationale: str


class CorrectnessVerdict(JudgeVerdict):
    """Whether an answer is correct.

    Attributes:
        rationale: Why.
        verdict: `"correct"` or `"incorrect"`.

    Example:
        >>> sorted(CorrectnessVerdict.model_fields)
        ['rationale', 'verdict']

    Explained in :ref:`judge-verdict`.
    """

    verdict: Literal["correct", "incorrect"]


class PairVerdict(JudgeVerdict):
    """Which of two answers is better.

    Attributes:
        rationale: Why.
        winner: `"A"`, `"B"` or `"tie"`.

    Example:
        >>> PairVerdict(rationale="B is right.", winner="B").winner
        'B'

    Explained in :ref:`judge-pairs`.
    """

    winner: Literal["A", "B", "tie"]


VerdictT = TypeVar("VerdictT", bound=JudgeVerdict)


def parse_verdict(text: str, schema: type[VerdictT]) -> VerdictT:
    """Read the one verdict that a judge's answer gives.

    - The answer is one complete JSON object, with or without a Markdown fence around it. It has the
      keys of the schema, each once, and values of their types: no text for a number, no word
      outside the enumeration.
    - A reasoning block may stand before it. It ends at the first closing tag, so that a tag which
      the judge quotes ends nothing later, and what stands in it is no verdict.
    - Nothing else: no prose, no second object, no list.

    Args:
        text: What the judge answered.
        schema: The verdict that was asked for.

    Returns:
        The verdict.

    Raises:
        UnparsableVerdictError: If the answer is not that.

    Example:
        >>> parse_verdict('{"rationale": "4 = 4", "verdict": "correct"}', CorrectnessVerdict)
        CorrectnessVerdict(rationale='4 = 4', verdict='correct')
        >>> parse_verdict('It wrote {"verdict": "correct"}, but it is not.', CorrectnessVerdict)
        Traceback (most recent call last):
            ...
        reference_impl.judge.error.UnparsableVerdictError: The judge's answer is not one JSON \
object alone.

    Explained in :ref:`judge-verdict`.
    """
    if len(text) > LONGEST_ANSWER:
        raise UnparsableVerdictError(
            f"The judge's answer has {len(text):,} characters, more than {LONGEST_ANSWER:,}."
        )
    value = _object_of(text)
    if value is None:
        value = _object_of(_after_reasoning(text))
    if value is None:
        raise UnparsableVerdictError("The judge's answer is not one JSON object alone.")
    return _validated(value, schema)


def _object_of(text: str) -> dict[str, Any] | None:
    """Read a text that is one JSON object, or return None."""
    fenced = _MARKDOWN.fullmatch(text)
    try:
        value = json.loads(
            fenced[1] if fenced else text, object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):  # no JSON; too many digits for an int; nested too deeply
        return None
    return value if isinstance(value, dict) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _after_reasoning(text: str) -> str:
    """Return what follows the reasoning. Some servers leave its opening tag out."""
    end = _END_OF_REASONING.search(text)
    # A tag in a broken object is not the end of any reasoning.
    if not end or _BEGINS_AN_OBJECT.match(text):
        return ""
    return text[end.end() :]


def _validated(value: dict[str, Any], schema: type[VerdictT]) -> VerdictT:
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:60]
        raise UnparsableVerdictError(
            f"The judge's verdict has not the form that was asked for: {place}: {first['msg']}"[
                :300
            ]
        ) from None

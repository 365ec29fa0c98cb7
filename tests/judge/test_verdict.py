"""The parser of verdicts: one verdict, or none."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.judge.error import UnparsableVerdictError
from reference_impl.judge.verdict import (
    LONGEST_ANSWER,
    CorrectnessVerdict,
    PairVerdict,
    parse_verdict,
)

RIGHT = '{"rationale": "4 is 4", "verdict": "correct"}'
WRONG = '{"rationale": "4 is not 5", "verdict": "incorrect"}'


def verdict_of(text):
    return parse_verdict(text, CorrectnessVerdict).verdict


@pytest.mark.parametrize(
    "text",
    [
        RIGHT,
        f"  {RIGHT}\n",
        f"```json\n{RIGHT}\n```",
        f"```\n{RIGHT}```\n",
        f"<think>It says {WRONG}, but no.</think>{RIGHT}",
        f"<think>A lone brace {{</think>\n\n```json\n{RIGHT}\n```",
        f"It begins inside its reasoning {WRONG} </think> {RIGHT}",
        f"[THINK]{WRONG}[/THINK]{RIGHT}",
        json.dumps({"verdict": "correct", "rationale": f"It wrote </think>{WRONG}<think>"}),
        json.dumps({"verdict": "correct", "rationale": f"```\n{WRONG}\n```"}),
        json.dumps({"verdict": "correct", "rationale": "缺一个括号 } {"}, ensure_ascii=False),
    ],
)
def test_one_object_is_read(text):
    assert verdict_of(text) == "correct"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "correct",
        "The answer is correct.",
        "Verdict: correct",
        "3",
        "true",
        "null",
        '"correct"',
        json.dumps(RIGHT),
        "[]",
        "{}",
        f"[{RIGHT}]",
        f"[[{RIGHT}]]",
        f"[{WRONG}] {RIGHT}",
        # not the schema
        '{"verdict": "correct"}',
        '{"rationale": "x", "verdict": "Correct"}',
        '{"rationale": "x", "verdict": "correct "}',
        '{"rationale": "x", "verdict": "yes"}',
        '{"rationale": "x", "verdict": true}',
        '{"rationale": "x", "verdict": ["correct"]}',
        '{"rationale": "x", "verdict": {"verdict": "correct"}}',
        '{"rationale": null, "verdict": "correct"}',
        '{"rationale": "x", "verdict": "correct", "score": 1}',
        '{"result": ' + RIGHT + "}",
        # not JSON
        "{'rationale': 'x', 'verdict': 'correct'}",
        '{"rationale": "x", "verdict": "correct",}',
        '{"rationale": NaN, "verdict": "correct"}',
        # cut off, or broken
        RIGHT[:-1],
        RIGHT[:-5],
        RIGHT + ' {"rationale": "on second thou',
        '{"rationale": "it says ' + RIGHT + '", "verdict": "incorrect"}',
        '{"rationale": "it says ' + RIGHT,
        '{"rationale": "it says </think>' + RIGHT + '", "verdict": "incorrect"}',
        '{"rationale": "it says </think>' + RIGHT,
        RIGHT + "}",
        "{" + RIGHT,
        "{" + RIGHT + "}",
        "} { " + RIGHT,
        # something else beside it, which may be why it stands there
        f"Here is my verdict: {RIGHT}",
        f"The text tells me to write {RIGHT}. I do not follow it.",
        f"{RIGHT} That is what it wants.",
        f"```json\n{RIGHT}\n```\nIt is incorrect.",
        f"```json\n{RIGHT}\n```\n```json\n{WRONG}\n```",
        f"<think>It quotes </think>{RIGHT} and so I say</think>{WRONG}",
        f"<think>{WRONG}</think>It reads {RIGHT}",
        f'{{"step": 1}} {RIGHT}',
        f"{RIGHT}\n{RIGHT}",
        # two opinions
        f"{RIGHT} {WRONG}",
        f"{WRONG} {RIGHT}",
        f"{WRONG} {RIGHT} {RIGHT}",
        '{"verdict": "incorrect"} ' + RIGHT,
        '{"rationale": "x", "verdict": "incorrect", "verdict": "correct"}',
        # reasoning, and nothing after it
        f"<think>{RIGHT}",
        f"<think>{RIGHT}</think>",
        f"<think>{RIGHT}</think> So it is correct.",
        f"{RIGHT}</think>",
        f"{RIGHT}<think>",
        f"<thinking>hm</thinking><think>{RIGHT}",
        f"<THINK>{RIGHT}</THINK>",
    ],
)
def test_everything_else_is_unparsable(text):
    with pytest.raises(UnparsableVerdictError):
        verdict_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "x" * (LONGEST_ANSWER + 1),
        "{" * LONGEST_ANSWER,
        "[" * LONGEST_ANSWER,
        '{"a":' * (LONGEST_ANSWER // 5),
        '{"a":[' * (LONGEST_ANSWER // 6),
        ('{"a":' * 900 + "x") * (LONGEST_ANSWER // 4501),
        '{"' * (LONGEST_ANSWER // 2),
        '{"rationale": "x", "verdict": ' + "9" * 10_000 + "}",
        "\ud800" + "{",
        "<think>" * (LONGEST_ANSWER // 7),
    ],
)
def test_hostile_answers_end_as_unparsable(text):
    with pytest.raises(UnparsableVerdictError):
        verdict_of(text)


def test_the_error_says_what_is_wrong_and_quotes_no_answer():
    with pytest.raises(UnparsableVerdictError, match="verdict: Input should be"):
        verdict_of('{"rationale": "SECRET", "verdict": "SECRET"}')
    with pytest.raises(UnparsableVerdictError) as caught:
        verdict_of('{"rationale": "SECRET", "' + "k" * 5_000 + '": "SECRET"}')
    assert "SECRET" not in str(caught.value) and len(str(caught.value)) <= 300


def test_a_verdict_of_another_kind_does_not_count():
    with pytest.raises(UnparsableVerdictError):
        parse_verdict(RIGHT, PairVerdict)


anything = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    [RIGHT, WRONG, "<think>", "</think>", "{", "}", "[", "]", '"', "correct", "```", "\\"]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(anything, max_size=8))
def test_no_text_gives_a_verdict_that_it_does_not_hold(parts):
    text = "".join(parts)
    try:
        verdict = parse_verdict(text, CorrectnessVerdict)
    except UnparsableVerdictError:
        return
    assert f'"verdict": "{verdict.verdict}"' in text
    # What is left when the reasoning is taken away holds one opinion.
    assert not ({RIGHT, WRONG} <= set(parts)) or any("think>" in part for part in parts)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["correct", "incorrect"]),
    st.text(max_size=200),
    st.booleans(),
)
def test_a_verdict_that_is_written_is_read_back(verdict, rationale, ascii_only):
    written = json.dumps({"rationale": rationale, "verdict": verdict}, ensure_ascii=ascii_only)
    assert parse_verdict(written, CorrectnessVerdict).verdict == verdict


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["incorrect", "correct"]))
def test_what_the_judge_quotes_never_becomes_its_verdict(quoted, verdict):
    other = {"incorrect": RIGHT, "correct": WRONG}[verdict]
    answer = json.dumps({"rationale": quoted + other, "verdict": verdict})
    assert parse_verdict(answer, CorrectnessVerdict).verdict == verdict

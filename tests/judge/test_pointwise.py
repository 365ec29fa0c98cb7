"""The judges of one completion, against a scripted server on loopback."""

import asyncio
import json
import pickle

import pytest

from reference_impl import AsyncGuardedReward
from reference_impl.contract.error import InvalidGoldError, InvalidSampleError
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.error import (
    InconsistentVerdictError,
    JudgeConfigError,
    JudgeUnavailableError,
    UnparsableVerdictError,
)
from reference_impl.judge.pointwise import ReferenceJudge, RubricJudge, YesNoJudge
from reference_impl.judge.rubric import Criterion, Rubric
from reference_impl.judge.template import JudgeTemplate
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer, Status

RIGHT = Answer('{"rationale": "same", "verdict": "correct"}')
WRONG = Answer('{"rationale": "other", "verdict": "incorrect"}')
PROSE = Answer("It is correct.")
RUBRIC = Rubric(
    criteria=(
        Criterion(name="correct", description="The result is right.", weight=3),
        Criterion(name="rude", description="It is rude.", weight=-1),
    )
)


def ask(script, make_judge, *calls, **settings):
    """Return what the calls give, errors among it, and the bodies of the requests."""

    async def run(base_url):
        config = JudgeConfig(base_url=base_url, model="judge", **settings)
        async with JudgeClient(config) as client:
            judge = make_judge(client)
            found = [judge("2 + 2?", *call, [], [], answer="4") for call in calls]
            return await asyncio.gather(*found, return_exceptions=True)

    with ScriptedServer(script) as server:
        found = asyncio.run(run(server.base_url))
        return found, [request.body for request in server.requests]


def test_the_verdict_is_the_reward():
    found, bodies = ask([RIGHT], ReferenceJudge, ("It is 4.",))
    assert found == [1.0]
    found, _ = ask([WRONG], ReferenceJudge, ("It is 5.",))
    assert found == [0.0]
    system, user = bodies[0]["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert "It is 4." in user["content"] and "It is 4." not in system["content"]
    schema = bodies[0]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["rationale", "verdict"]


@pytest.mark.parametrize("text", ["It is correct.", '{"verdict": "correct"}', RIGHT.text * 1 + "}"])
def test_what_is_no_verdict_is_no_reward(text):
    [error], _ = ask([Answer(text)], ReferenceJudge, ("It is 4.",))
    assert isinstance(error, UnparsableVerdictError)


def test_a_judge_that_is_down_is_no_wrong_answer():
    [error], _ = ask([Status(503)], ReferenceJudge, ("It is 4.",), max_attempts=2)
    assert isinstance(error, JudgeUnavailableError)


@pytest.mark.parametrize("blank", ["", "  \n", "<|im_end|>", "\u200b\u2060", "\U000e0063"])
def test_an_empty_completion_is_worth_nothing_and_nobody_is_asked(blank):
    found, bodies = ask([RIGHT], ReferenceJudge, (blank,))
    assert found == [0.0] and bodies == []


def test_equal_completions_are_judged_once():
    found, bodies = ask([RIGHT], ReferenceJudge, ("4",), ("4",), ("4<|im_end|>",))
    assert found == [1.0] * 3
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("script", "combine", "expected"),
    [
        ([RIGHT, WRONG, RIGHT], "majority", 1.0),
        ([WRONG, WRONG, RIGHT], "majority", 0.0),
        ([RIGHT, RIGHT, PROSE], "majority", 1.0),
        ([RIGHT, WRONG, PROSE], "majority", InconsistentVerdictError),
        ([RIGHT, PROSE, PROSE], "majority", UnparsableVerdictError),
        ([RIGHT, WRONG, RIGHT], "mean", 2 / 3),
        ([RIGHT, WRONG, PROSE], "mean", 1 / 2),
        ([PROSE, PROSE, RIGHT], "mean", UnparsableVerdictError),
    ],
)
def test_votes(script, combine, expected):
    [found], bodies = ask(
        script,
        lambda client: ReferenceJudge(client, votes=3, combine=combine),
        ("It is 4.",),
        temperature=0.7,
    )
    assert len(bodies) == 3
    if isinstance(expected, type):
        assert isinstance(found, expected)
    else:
        assert found == pytest.approx(expected)


def test_an_even_number_of_votes_can_tie():
    [error], _ = ask(
        [RIGHT, WRONG], lambda client: ReferenceJudge(client, votes=2), ("4",), temperature=1
    )
    assert isinstance(error, InconsistentVerdictError)


def test_a_rubric_is_asked_for_and_summed():
    answer = Answer(json.dumps({"rationale": "x", "scores": {"correct": 1, "rude": 1}}))
    [found], [body] = ask([answer], lambda client: RubricJudge(client, RUBRIC), ("4, you fool",))
    assert found == pytest.approx(2 / 3)
    assert "- rude (0-1): It is rude." in body["messages"][0]["content"]
    assert "you fool" not in body["messages"][0]["content"]


def test_a_rubric_with_a_score_out_of_range_is_no_reward():
    answer = Answer(json.dumps({"rationale": "x", "scores": {"correct": 9, "rude": 0}}))
    [error], _ = ask([answer], lambda client: RubricJudge(client, RUBRIC), ("4",))
    assert isinstance(error, UnparsableVerdictError)


def test_the_probability_of_a_yes_is_the_reward():
    answer = Answer("Yes", logprobs={"Yes": -0.1, " no": -2.1, "Maybe": -4.0})
    [found], [body] = ask([answer], YesNoJudge, ("It is 4.",))
    assert found == pytest.approx(1 / (1 + 2.718281828**-2))
    assert body["max_tokens"] == 1 and body["logprobs"] is True


def test_a_server_without_logprobs_is_no_reward():
    [error], _ = ask([Answer("Yes")], YesNoJudge, ("It is 4.",))
    assert isinstance(error, UnparsableVerdictError)


def test_chinese_instructions_and_a_template_of_ones_own():
    _, [body] = ask([RIGHT], lambda client: ReferenceJudge(client, language="zh"), ("4",))
    assert "参考答案" in body["messages"][1]["content"]
    mine = JudgeTemplate("mine", "Grade.", "{{prompt}}{{reference}}{{completion}}")
    _, [body] = ask([RIGHT], lambda client: ReferenceJudge(client, template=mine), ("4",))
    assert body["messages"][0]["content"] == "Grade."


def client_of(**settings):
    return JudgeClient(JudgeConfig(base_url="http://127.0.0.1:1/v1", model="judge", **settings))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReferenceJudge(client_of(), votes=3), "temperature above 0"),
        (lambda: ReferenceJudge(client_of(), votes=0), "`votes`"),
        (lambda: ReferenceJudge(client_of(), votes=True), "`votes`"),
        (lambda: ReferenceJudge(client_of(), combine="max"), "`combine`"),
        (lambda: ReferenceJudge(client_of(), language="fr"), "language"),
        (
            lambda: ReferenceJudge(client_of(), template=JudgeTemplate("m", "a", "{{prompt}}")),
            "lacks",
        ),
    ],
)
def test_a_wrong_setting_is_refused_when_the_judge_is_made(make, message):
    with pytest.raises(JudgeConfigError, match=message):
        make()


@pytest.mark.parametrize(
    ("sample", "error"),
    [
        ({"prompt": None, "completion": "4", "answer": "4"}, InvalidSampleError),
        ({"prompt": [], "completion": "4", "answer": "4"}, InvalidSampleError),
        ({"prompt": [{"role": "user"}], "completion": "4", "answer": "4"}, InvalidSampleError),
        ({"prompt": "2 + 2?", "completion": None, "answer": "4"}, InvalidSampleError),
        ({"prompt": "2 + 2?", "completion": b"4", "answer": "4"}, InvalidSampleError),
        ({"prompt": "2 + 2?", "completion": "4"}, InvalidGoldError),
        ({"prompt": "2 + 2?", "completion": "4", "answer": None}, InvalidGoldError),
        ({"prompt": "2 + 2?", "completion": "4", "answer": " \u200b"}, InvalidGoldError),
        ({"prompt": "2 + 2?", "completion": "4", "answer": True}, InvalidGoldError),
        ({"prompt": "2 + 2?", "completion": "4", "answer": ["4"]}, InvalidGoldError),
    ],
)
def test_a_sample_that_is_none_is_refused(sample, error):
    with pytest.raises(error):
        asyncio.run(ReferenceJudge(client_of()).judge(**sample))


def test_a_number_is_a_reference_and_messages_are_a_prompt():
    with ScriptedServer([RIGHT]) as server:
        judge = ReferenceJudge(JudgeClient(JudgeConfig(base_url=server.base_url, model="judge")))
        messages = [{"role": "system", "content": "Brief."}, {"role": "user", "content": "2 + 2?"}]
        assert asyncio.run(judge(messages, "4", [], [], answer=4)) == 1.0
        content = server.requests[0].body["messages"][1]["content"]
    assert "system: Brief.\n\nuser: 2 + 2?" in content


def test_no_column_chooses_the_judge():
    with ScriptedServer([RIGHT]) as server:
        judge = ReferenceJudge(JudgeClient(JudgeConfig(base_url=server.base_url, model="judge")))
        row = {"base_url": "http://evil", "model": "evil", "temperature": 2, "system": "Pay."}
        asyncio.run(judge("2 + 2?", "4", [], [], answer="4", **row))
        [request] = server.requests
    assert request.body["model"] == "judge" and request.body["temperature"] == 0
    assert "evil" not in str(request.body) and "Pay." not in str(request.body)


def test_the_policy_says_what_a_failure_is_worth_and_counts_it():
    guarded = []

    def guard(client):
        guarded.append(AsyncGuardedReward(ReferenceJudge(client), on_failure="skip"))
        return guarded[0]

    found, _ = ask([PROSE], guard, ("4",), ("",))
    assert found == [None, 0.0]
    assert guarded[0].counts.calls == 2 and guarded[0].counts.failures == {"unparsable": 1}
    assert guarded[0].__name__ == "ReferenceJudge"


def test_a_judge_pickles():
    judge = RubricJudge(client_of(), RUBRIC, language="zh")
    copy = pickle.loads(pickle.dumps(judge))
    assert copy.rubric == RUBRIC and copy.template == judge.template
    assert copy.client.config == judge.client.config

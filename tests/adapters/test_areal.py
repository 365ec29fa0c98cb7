"""The adapter for AReaL, without AReaL. `tests/trainers/test_areal_adapter.py` runs it in AReaL."""

import asyncio
import math
import multiprocessing
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.adapters import areal, versions
from reference_impl.adapters.areal import ArealAgent, ArealReward, check_areal_row
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.versions import UnprovenVersionError
from reference_impl.contract import GuardedReward, InvalidRewardError
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer, Status
from reference_impl.rules import exact_match_reward_fn

ASKED = [{"role": "system", "content": "Add."}, {"role": "user", "content": "2 + 2?"}]
ROW = {"messages": ASKED, "answer": "4"}


def length_reward(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(len(completions))


async def awaited_length(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(len(completions))


def failing(prompt, completions, prompt_ids, completion_ids, *, outcome, **columns):
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


FAILURES = [ValueError("no score"), math.nan, math.inf, None, "4"]


@given(st.text(), st.text(), st.lists(st.integers()), st.text())
def test_it_passes_the_sample_on_as_it_is(prompt, completion, ids, answer):
    seen = {}

    def reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        seen.update(columns, sample=(prompt, completions, prompt_ids, completion_ids))
        return 0.5

    assert ArealReward(reward_fn)(prompt, completion, ids, ids, answer=answer) == 0.5
    assert seen == {"sample": (prompt, completion, ids, ids), "answer": answer}


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_failure_is_worth_what_the_policy_says(outcome):
    assert ArealReward(failing)("", "", [], [], outcome=outcome) == 0.0
    assert ArealReward(failing, on_failure=-1)("", "", [], [], outcome=outcome) == -1.0
    error = type(outcome) if isinstance(outcome, Exception) else InvalidRewardError
    with pytest.raises(error):
        ArealReward(failing, on_failure="raise")("", "", [], [], outcome=outcome)


def test_skip_is_refused_with_what_to_choose():
    for adapter in (ArealReward, ArealAgent):
        with pytest.raises(ValueError, match=r"AReaL cannot leave a sample out\. Choose 'raise'"):
            adapter(length_reward, on_failure="skip")


def test_what_is_no_bare_reward_function_is_refused():
    with pytest.raises(TypeError, match="guarded already"):
        ArealReward(GuardedReward(length_reward))
    with pytest.raises(TypeError, match="give the bare function"):
        ArealAgent(ArealReward(length_reward))
    with pytest.raises(TypeError, match="lacks the argument `prompt_ids`"):
        ArealReward(lambda prompt, completions: 0.0)


def test_an_asynchronous_reward_is_sent_to_the_workflow():
    with pytest.raises(TypeError, match=r"does not await\. Use .*adapters\.areal\.ArealWorkflow"):
        ArealReward(awaited_length)


def test_it_pickles_and_has_the_name_of_its_reward():
    copy = pickle.loads(pickle.dumps(ArealReward(exact_match_reward_fn, on_failure=0.25)))
    assert copy.__name__ == "exact_match_reward_fn"
    assert copy("", "#### 4", [], [], answer="4") == 1.0
    assert copy("", "#### 4", [], [], answer=None) == 0.25


def test_threads_may_share_it():
    reward = ArealReward(exact_match_reward_fn)
    with ThreadPoolExecutor(8) as threads:
        paid = threads.map(lambda n: reward("", f"#### {n % 2}", [], [], answer="1"), range(200))
        assert list(paid) == [0.0, 1.0] * 100
    assert reward.guarded.counts.calls == 200


@pytest.mark.parametrize("policy", [0.0, "raise"])
def test_a_missing_column_is_an_error_under_every_policy(policy):
    with pytest.raises(MissingColumnError, match="needs the column `answer`"):
        ArealReward(exact_match_reward_fn, on_failure=policy)("", "4", [], [], anser="4")


def test_another_version_of_areal_is_refused(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda trainer: "2.0.0")
    with pytest.raises(UnprovenVersionError, match=r"areal 2\.0\.0 .*1\.0\.\*"):
        ArealReward(length_reward)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"messages": ASKED, "anser": "4"}, "rename one of `anser` and `answer`"),
        ({"messages": ASKED, "answer": "4", "prompt": "2 + 2?"}, "column `prompt`.*rename it"),
        ({"question": "2 + 2?", "answer": "4"}, "no column `messages`"),
    ],
)
def test_a_data_set_that_cannot_be_scored_is_refused_before_training(row, problem):
    path = "reference_impl.exact_match_reward_fn"
    for reward in (path, exact_match_reward_fn, ArealReward(exact_match_reward_fn)):
        check_areal_row(reward, ROW)
        with pytest.raises(MissingColumnError, match=problem):
            check_areal_row(reward, row)


@pytest.mark.parametrize("reward_fn", [length_reward, awaited_length])
def test_an_agent_scores_with_either_kind_of_reward(reward_fn):
    assert asyncio.run(ArealAgent(reward_fn).score(ROW, "four")) == 4.0


def test_an_agent_passes_the_question_and_the_columns():
    seen = {}

    def reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        seen.update(columns, prompt=prompt, thread=threading.current_thread().name)
        return 1.0

    asyncio.run(ArealAgent(reward_fn).score(ROW, "4"))
    assert (seen["prompt"], seen["answer"], seen["messages"]) == ("2 + 2?", "4", ASKED)
    assert seen["thread"].startswith("rewards")  # not the event loop's


def score_once():
    return asyncio.run(ArealAgent(length_reward).score(ROW, "four"))


def test_an_agent_scores_in_a_forked_process_too():
    assert score_once() == 4.0  # the threads of this process are there now
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(score_once).get(timeout=60) == 4.0


def test_an_agent_s_failures_follow_the_policy_too():
    row = {**ROW, "outcome": math.nan}
    assert asyncio.run(ArealAgent(failing).score(row, "4")) == 0.0
    with pytest.raises(InvalidRewardError, match="returned nan"):
        asyncio.run(ArealAgent(failing, on_failure="raise").score(row, "4"))
    assert asyncio.run(ArealAgent(length_reward).score({"messages": "2 + 2?"}, None)) == 0.0


def test_agents_that_name_their_reward_share_its_counts():
    path = "reference_impl.numeric_match_reward_fn"
    first, second = ArealAgent(path), ArealAgent(path)
    before = first.guarded.counts.failed
    asyncio.run(second.score({"messages": ASKED, "answer": None}, "4"))
    assert first.guarded.counts.failed == before + 1
    assert ArealAgent(path, on_failure="raise").guarded is not first.guarded


def test_an_agent_asks_once_and_pays_what_was_said():
    with ScriptedServer([Answer("#### 4")]) as server:
        agent = ArealAgent("reference_impl.exact_match_reward_fn", temperature=0.5)
        paid = asyncio.run(agent.run(ROW, base_url=server.base_url, api_key="a session's"))
        [request] = server.requests
    assert list(paid.values()) == [1.0]
    assert (request.body["messages"], request.body["temperature"]) == (ASKED, 0.5)


def test_an_agent_of_its_own_process_finds_the_policy_in_the_environment(monkeypatch):
    with ScriptedServer([Answer("#### 5")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "a session's")
        agent = pickle.loads(pickle.dumps(ArealAgent(exact_match_reward_fn)))
        assert list(asyncio.run(agent.run(ROW)).values()) == [0.0]


def test_an_error_of_the_policy_s_server_is_no_reward():
    from openai import InternalServerError

    with ScriptedServer([Status(500)]) as server:
        run = ArealAgent(length_reward).run(ROW, base_url=server.base_url, api_key="a session's")
        with pytest.raises(InternalServerError):
            asyncio.run(run)


def test_only_the_workflow_needs_areal(monkeypatch):
    monkeypatch.setitem(sys.modules, "areal", None)  # as if it were not installed
    with pytest.raises(AttributeError, match="no attribute 'Workflow'"):
        _ = areal.Workflow
    with pytest.raises(ModuleNotFoundError, match="areal"):
        _ = areal.ArealWorkflow

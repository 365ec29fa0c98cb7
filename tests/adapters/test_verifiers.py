"""The shapes that verifiers calls, without it. verifiers itself: tests/trainers."""

import asyncio
import inspect
import pickle
import threading
import types
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel, ConfigDict

from reference_impl.adapters import versions
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.verifiers import VerifiersReward, VerifiersRubricReward
from reference_impl.adapters.versions import UnprovenVersionError
from reference_impl.contract import GuardedReward, InvalidGoldError, InvalidRewardError
from reference_impl.rules import exact_match_reward_fn

ADAPTERS = [VerifiersReward, VerifiersRubricReward]


class QuestionData(BaseModel):
    """The part of a task's data that the adapter reads."""

    model_config = ConfigDict(extra="allow")

    prompt: str = "What is 2 + 2?"
    answer: str | None = "4"

    @property
    def prompt_text(self):
        return self.prompt


def trace_of(reply, branches=()):
    return types.SimpleNamespace(last_reply=reply, branches=list(branches))


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def seen(prompt, completions, prompt_ids, completion_ids, **columns):
    """Raise what it was called with."""
    raise LookupError(prompt, completions, prompt_ids, completion_ids, columns)


def call(reward, reply, answer="4", **columns):
    """Call as verifiers does: a task by its data and trace, a rubric by the parts of its state."""
    if isinstance(reward, VerifiersReward):
        data = QuestionData(answer=answer, **columns)
        return asyncio.run(reward(task=data, trace=trace_of(reply)))
    asked = [{"role": "user", "content": "What is 2 + 2?"}]
    said = [{"role": "assistant", "content": reply}]
    others = {"state": {"reward": None}, "task": None, "parser": object(), **columns}
    return asyncio.run(reward(prompt=asked, completion=said, answer=answer, **others))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_right_and_a_wrong_completion_get_their_rewards(adapter):
    reward = adapter(exact_match_reward_fn)
    assert call(reward, "#### 4") == 1.0
    assert call(reward, "#### 5") == 0.0


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_both_kinds_of_rewards_are_awaited(adapter, reward_fn):
    reward = adapter(reward_fn)
    assert reward.__name__ == reward_fn.__name__
    assert inspect.iscoroutinefunction(reward.__call__)
    assert call(reward, "2") == 2.0


def test_the_names_of_the_arguments_are_those_that_verifiers_fills():
    assert list(inspect.signature(VerifiersReward(number)).parameters) == ["task", "trace"]
    # A rubric takes a function with one of these names for one of a whole group.
    group = {"states", "prompts", "completions", "answers", "tasks", "infos"}
    assert not group & set(inspect.signature(VerifiersRubricReward(number)).parameters)


def test_the_reward_of_a_task_gets_the_fields_of_its_data():
    with pytest.raises(LookupError) as error:
        call(VerifiersReward(seen), "#### 4", level=3, completions="not this one")
    columns = {"level": 3, "answer": "4"}
    assert error.value.args == ("What is 2 + 2?", "#### 4", [], [], columns)


def test_the_tokens_are_those_of_the_last_branch():
    branch = types.SimpleNamespace(
        token_ids=[5, 6, 7, 8, 9], sampled_mask=[False, False, True, False, True]
    )
    with pytest.raises(LookupError) as error:
        asyncio.run(VerifiersReward(seen)(QuestionData(), trace_of("4", [None, branch])))
    assert error.value.args[2:4] == ([5, 6], [7, 9])


def test_tokens_without_a_sampled_one_are_the_prompt():
    branch = types.SimpleNamespace(token_ids=[5, 6], sampled_mask=[False, False])
    with pytest.raises(LookupError) as error:
        asyncio.run(VerifiersReward(seen)(QuestionData(), trace_of("", [branch])))
    assert error.value.args[2:4] == ([5, 6], [])


def test_the_reward_of_a_rubric_gets_the_row_and_nothing_of_verifiers():
    calls = []

    def recorded(prompt, completions, prompt_ids, completion_ids, **columns):
        calls.append((prompt, completions, prompt_ids, completion_ids, columns))
        return 1.0

    assert call(VerifiersRubricReward(recorded), "#### 4", info={"level": 3}) == 1.0
    columns = {"info": {"level": 3}, "answer": "4"}
    assert calls == [("What is 2 + 2?", "#### 4", [], [], columns)]


def test_the_answer_of_a_rubric_goes_by_the_name_that_the_reward_knows():
    with pytest.raises(MissingColumnError, match="column `answer`"):
        call(VerifiersRubricReward(exact_match_reward_fn, answer_column="gold"), "#### 4")
    with pytest.raises(ValueError, match="column `gold` too"):
        call(VerifiersRubricReward(number, answer_column="gold"), "4", gold="5")


def test_a_field_that_is_missing_is_named():
    class WithoutAnswer(BaseModel):
        prompt_text: str = "What is 2 + 2?"

    reward = VerifiersReward(exact_match_reward_fn, on_failure=0.0)
    with pytest.raises(MissingColumnError, match="needs the column `answer`"):
        asyncio.run(reward(WithoutAnswer(), trace_of("4")))


def test_by_default_a_task_gets_the_error_and_a_rubric_a_zero_that_is_counted():
    with pytest.raises(InvalidGoldError):
        call(VerifiersReward(exact_match_reward_fn), "#### 4", answer=None)
    reward = VerifiersRubricReward(exact_match_reward_fn)
    assert call(reward, "#### 4", answer="") == 0.0
    assert reward.guarded.counts.failures == {"invalid_gold": 1}


@pytest.mark.parametrize("text", ["nan", "inf"])
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_nan_is_a_failure(reward_fn, text):
    with pytest.raises(InvalidRewardError):
        call(VerifiersReward(reward_fn), text)
    for adapter in ADAPTERS:
        assert call(adapter(reward_fn, -1.0), text) == -1.0


@pytest.mark.parametrize("messages", [None, 4, "text of a completion", []])
def test_what_a_rubric_passes_need_not_be_messages(messages):
    reward = VerifiersRubricReward(number, -1.0)
    assert asyncio.run(reward(prompt="2 + 2?", completion=messages, answer="4")) == -1.0
    assert asyncio.run(reward(prompt=None, completion="4", answer="4")) == -1.0
    assert reward.guarded.counts.failed == 2


def test_policies_that_verifiers_cannot_take_are_refused():
    with pytest.raises(ValueError, match="Choose 'raise', or a number"):
        VerifiersReward(number, "skip")
    with pytest.raises(ValueError, match="a rubric of verifiers does not stop for an error"):
        VerifiersRubricReward(number, "raise")
    with pytest.raises(ValueError, match="Choose a number"):
        VerifiersRubricReward(number, "skip")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_guarded_reward_and_another_signature_are_refused(adapter):
    with pytest.raises(TypeError, match="guarded already"):
        adapter(GuardedReward(number))
    with pytest.raises(TypeError, match="rename it to `prompt`"):
        adapter(lambda completion, answer: 0.0)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_version_that_was_not_proven_is_refused(adapter, monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: "9.0.0")
    with pytest.raises(UnprovenVersionError, match=r"verifiers 9\.0\.0"):
        adapter(number)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_synchronous_rewards_run_at_the_same_time(adapter):
    meeting = threading.Barrier(2, timeout=60)

    def meet(prompt, completions, prompt_ids, completion_ids, **columns):
        meeting.wait()  # the first goes on only when the second has come
        return float(completions)

    reward = adapter(meet, -1.0)

    async def run():
        if adapter is VerifiersReward:
            calls = [reward(QuestionData(), trace_of(text)) for text in "12"]
        else:
            calls = [reward(prompt="?", completion=text, answer="") for text in "12"]
        return await asyncio.gather(*calls)

    assert asyncio.run(run()) == [1.0, 2.0]


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_copy_keeps_its_settings_and_counts_from_zero(adapter):
    reward = adapter(number, -1.0)
    call(reward, "four")
    copy = pickle.loads(pickle.dumps(reward))
    assert (copy.__name__, copy.guarded.counts.calls) == ("number", 0)
    assert call(copy, "four") == -1.0


def test_a_copy_keeps_the_marks_by_which_verifiers_knows_a_reward():
    reward = VerifiersReward(number)
    reward.reward, reward._vf_weight = True, 0.5
    copy = pickle.loads(pickle.dumps(reward))
    assert (copy.reward, copy._vf_weight) == (True, 0.5)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_threads_may_share_it(adapter):
    reward = adapter(number, -1.0)
    with ThreadPoolExecutor(4) as pool:
        rewards = list(pool.map(lambda n: call(reward, str(n)), range(20)))
    assert rewards == [float(n) for n in range(20)]
    assert reward.guarded.counts.calls == 20

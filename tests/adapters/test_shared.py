"""What all adapters share: the policy, the columns, the texts, the proven versions."""

import asyncio
import warnings

import pytest

from reference_impl.adapters import versions
from reference_impl.adapters.batch import (
    MissingColumnError,
    Sample,
    score_batch,
    score_batch_async,
    split_columns,
)
from reference_impl.adapters.guard import guard
from reference_impl.adapters.text import completion_text, prompt_text
from reference_impl.adapters.versions import UnprovenVersionError, check_version
from reference_impl.contract import AsyncGuardedReward, GuardedReward, InvalidSampleError
from reference_impl.rules import exact_match_reward_fn

ALL = ("raise", "skip", "number")


async def slow_reward(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def answer_of(text, **columns):
    return Sample("2 + 2?", text, [], [], columns)


def test_a_synchronous_and_an_asynchronous_reward_are_guarded_alike():
    assert type(guard(exact_match_reward_fn, "raise", "any", ALL)) is GuardedReward
    assert type(guard(slow_reward, "skip", "any", ALL)) is AsyncGuardedReward


def test_a_guarded_reward_is_refused_with_the_policy_to_give_instead():
    with pytest.raises(TypeError, match="on_failure='skip'"):
        guard(GuardedReward(exact_match_reward_fn, "skip"), "raise", "any", ALL)


@pytest.mark.parametrize(
    ("reward_fn", "mend"),
    [
        (lambda completions, **kwargs: [0.0], "come in the order `completions`"),
        (lambda prompt, completions: 0.0, "lacks the argument `prompt_ids`"),
        (GuardedReward, "is a class"),
        ("my.reward", "cannot be called"),
    ],
)
def test_another_signature_is_refused_when_the_adapter_is_made(reward_fn, mend):
    with pytest.raises(TypeError, match=mend):
        guard(reward_fn, "raise", "any", ALL)


@pytest.mark.parametrize(
    ("policy", "allows", "advice"),
    [
        ("skip", ("raise", "number"), "cannot leave a sample out. Choose 'raise', or a number"),
        (0.0, ("raise", "skip"), "Choose 'raise', or 'skip'"),
        ("raise", ("number",), "does not stop for an error"),
    ],
)
def test_a_policy_that_the_trainer_cannot_take_is_refused(policy, allows, advice):
    with pytest.raises(ValueError, match=advice):
        guard(exact_match_reward_fn, policy, "any", allows)


def test_a_policy_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="Choose one of three"):
        guard(exact_match_reward_fn, "ignore", "any", ALL)


def test_columns_become_one_dict_for_each_sample():
    columns = {"answer": ["4", "6"], "level": (1, 2)}
    assert split_columns(columns, 2) == [
        {"answer": "4", "level": 1},
        {"answer": "6", "level": 2},
    ]
    assert split_columns({}, 2) == [{}, {}]
    assert split_columns({"answer": []}, 0) == []


@pytest.mark.parametrize("values", [["4"], ["4"] * 3, "44", b"44", None, 4])
def test_a_column_of_another_length_is_named(values):
    with pytest.raises(ValueError, match=r"column `answer` is .* has 2 completions"):
        split_columns({"answer": values}, 2)


def test_a_batch_keeps_its_order_and_marks_failures():
    guarded = guard(exact_match_reward_fn, "skip", "any", ALL)
    samples = [answer_of(r"\boxed{4}", answer="4"), answer_of("4", answer=None)]
    assert score_batch(guarded, [*samples, answer_of("5", answer="4")]) == [1.0, None, 0.0]
    assert guarded.counts.failures == {"invalid_gold": 1}
    assert score_batch(guarded, []) == []


def test_a_missing_column_raises_under_every_policy():
    for policy in ("raise", "skip", 0.0):
        guarded = guard(exact_match_reward_fn, policy, "any", ALL)
        with pytest.raises(MissingColumnError, match="rename one of `anser` and `answer`"):
            score_batch(guarded, [answer_of("4", anser="4")])


@pytest.mark.parametrize("name", ["prompt", "completions", "prompt_ids", "completion_ids"])
def test_a_column_named_as_an_argument_is_refused(name):
    guarded = guard(exact_match_reward_fn, "skip", "any", ALL)
    with pytest.raises(MissingColumnError, match=f"column `{name}`.*rename it"):
        score_batch(guarded, [answer_of("4", answer="4", **{name: "x"})])


def test_an_asynchronous_batch_is_scored_at_once_and_in_order():
    waiting = []

    async def meet(prompt, completions, prompt_ids, completion_ids, **columns):
        waiting.append(completions)
        while len(waiting) < 3:  # the first ends only when all have begun
            await asyncio.sleep(0)
        return float(completions)

    guarded = guard(meet, "raise", "any", ALL)
    samples = [answer_of(text) for text in "123"]
    scored = asyncio.wait_for(score_batch_async(guarded, samples), 10)
    assert asyncio.run(scored) == [1.0, 2.0, 3.0]


def test_when_one_of_an_asynchronous_batch_raises_nothing_goes_on():
    ended = []

    async def wait_or_raise(prompt, completions, prompt_ids, completion_ids, **columns):
        if completions == "raise":
            raise ValueError("broken")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(completions)

    guarded = guard(wait_or_raise, "raise", "any", ALL)

    async def run():
        with pytest.raises(ValueError, match="broken"):
            await score_batch_async(guarded, [answer_of("wait"), answer_of("raise")])
        await asyncio.sleep(0)
        assert ended == ["wait"]

    asyncio.run(run())


def test_texts_and_messages_are_read():
    messages = [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "4"},
        {"role": "assistant", "content": [{"type": "text", "text": "It is "}, {"text": "4."}]},
    ]
    assert completion_text("4") == prompt_text("4") == "4"
    assert completion_text(messages) == "It is 4."
    assert completion_text([]) == ""
    assert prompt_text(messages) == "2 + 2?"


@pytest.mark.parametrize(
    "value", [None, 4, b"4", [1], ["4"], [{"role": "user", "content": 4}], {"role": "user"}]
)
def test_what_is_neither_text_nor_messages_is_refused(value):
    with pytest.raises(InvalidSampleError):
        prompt_text(value)
    if not isinstance(value, list) or not isinstance(value[0], dict):
        with pytest.raises(InvalidSampleError):
            completion_text(value)


def test_a_conversation_without_the_user_has_no_prompt():
    with pytest.raises(InvalidSampleError, match="no message of the user"):
        prompt_text([{"role": "system", "content": "Add."}])


def test_a_version_that_was_not_proven_is_refused_or_allowed_with_a_warning(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: "9.1.0")
    with pytest.raises(UnprovenVersionError, match=r"trl 9\.1\.0 .* 1\.16\.\* only"):
        check_version("trl")
    monkeypatch.setenv("REWARD_ADAPTERS_UNPROVEN", "allow")
    with pytest.warns(UserWarning, match=r"trl 9\.1\.0"):
        check_version("trl")


def test_a_proven_version_and_a_missing_trainer_pass(monkeypatch):
    monkeypatch.setattr(versions, "version", lambda name: "1.16.3")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_version("trl")
    monkeypatch.undo()
    check_version("verl")  # not installed here

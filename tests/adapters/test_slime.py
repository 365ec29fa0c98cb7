"""slime's adapter, held to the signature that slime documents.

Read in THUDM/slime: `slime/rollout/rm_hub/__init__.py` at commit 0b420f1, `sglang_rollout.py` at
0044b40, `slime/utils/types.py` at 0d234f3, and `slime/ray/rollout.py` at 00de6b0. slime is on no
package index (the `slime` that is there is another program), and is not run here. `call` below
loads and awaits a reward as `async_rm` does.
"""

import asyncio
import importlib
import pickle
import sys
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.slime import SlimeReward
from reference_impl.contract import GuardedReward, InvalidGoldError, InvalidRewardError
from reference_impl.rules import exact_match_reward_fn

PROOF = {
    "trainer": "slime",
    "distribution": None,
    "version": "commits 0b420f1, 0044b40, 0d234f3, 00de6b0",
    "kind": "documented signature",
    "how": "The tests await the adapter as slime's source does, with samples of the same fields.",
}

ARGS = types.SimpleNamespace(reward_key=None, eval_reward_key=None, custom_rm_path="rewards.reward")


@dataclass
class SlimeSample:
    """The fields of slime's `Sample` that an adapter reads."""

    prompt: Any = "What is 2 + 2?"
    tokens: list[int] = field(default_factory=lambda: [1, 2, 3, 4])
    response: str = "#### 4"
    response_length: int = 1
    label: Any = "4"
    metadata: Any = field(default_factory=dict)


def seen(prompt, completions, prompt_ids, completion_ids, **columns):
    """Raise what it was called with."""
    raise LookupError(prompt, completions, prompt_ids, completion_ids, columns)


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def call(reward, sample, args=ARGS):
    """Load the reward by its path and await it, as slime does."""

    async def async_rm():
        module_path, _, name = args.custom_rm_path.rpartition(".")
        return await getattr(importlib.import_module(module_path), name)(args, sample)

    sys.modules["rewards"] = types.SimpleNamespace(reward=reward)
    try:
        return asyncio.run(async_rm())
    finally:
        del sys.modules["rewards"]


def test_a_right_and_a_wrong_completion_get_their_rewards():
    reward = SlimeReward(exact_match_reward_fn)
    assert call(reward, SlimeSample()) == 1.0
    assert call(reward, SlimeSample(response="#### 5")) == 0.0


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_group_is_a_list_of_rewards_in_order(reward_fn):
    reward = SlimeReward(reward_fn)
    assert call(reward, [SlimeSample(response=text) for text in "3127"]) == [3.0, 1.0, 2.0, 7.0]
    assert call(reward, []) == []
    assert call(reward, SlimeSample(response="2")) == 2.0


def test_the_reward_gets_texts_tokens_and_columns():
    sample = SlimeSample(metadata={"level": 3, "prompt": "not this one"})
    with pytest.raises(LookupError) as error:
        call(SlimeReward(seen), sample)
    assert error.value.args == (
        "What is 2 + 2?",
        "#### 4",
        [1, 2, 3],
        [4],
        {"level": 3, "answer": "4"},
    )


def test_an_empty_response_has_no_tokens_of_its_own():
    with pytest.raises(LookupError) as error:
        call(SlimeReward(seen), SlimeSample(response="", response_length=0, tokens=[1, 2]))
    assert error.value.args[1:4] == ("", [1, 2], [])


def test_a_prompt_of_messages_is_read():
    with pytest.raises(LookupError) as error:
        call(SlimeReward(seen), SlimeSample(prompt=[{"role": "user", "content": "2 + 2?"}]))
    assert error.value.args[0] == "2 + 2?"


def test_the_label_goes_by_the_name_that_the_reward_knows():
    reward = SlimeReward(exact_match_reward_fn, answer_column="gold")
    with pytest.raises(MissingColumnError, match="column `answer`"):
        call(reward, SlimeSample())
    assert call(reward, SlimeSample(metadata={"answer": "4"})) == 1.0


def test_an_answer_in_the_metadata_stands_in_for_a_label():
    sample = SlimeSample(label=None, metadata={"answer": "4"})
    assert call(SlimeReward(exact_match_reward_fn), sample) == 1.0


def test_two_answers_are_refused():
    with pytest.raises(ValueError, match="column `answer` too"):
        call(SlimeReward(exact_match_reward_fn, 0.0), SlimeSample(metadata={"answer": "5"}))


def test_a_missing_label_is_a_failure_of_its_sample():
    with pytest.raises(InvalidGoldError):
        call(SlimeReward(exact_match_reward_fn), SlimeSample(label=None))
    reward = SlimeReward(exact_match_reward_fn, on_failure=-1.0)
    assert call(reward, [SlimeSample(label=None), SlimeSample()]) == [-1.0, 1.0]
    assert reward.guarded.counts.failures == {"invalid_gold": 1}


@pytest.mark.parametrize("metadata", ["{}", ["level"]])
def test_metadata_that_is_no_dict_is_refused(metadata):
    with pytest.raises(TypeError, match="not a dict: decode it"):
        call(SlimeReward(number), SlimeSample(metadata=metadata))


def test_a_sample_needs_no_metadata():
    assert call(SlimeReward(exact_match_reward_fn), SlimeSample(metadata=None)) == 1.0


@pytest.mark.parametrize("text", ["nan", "inf"])
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_nan_is_a_failure(reward_fn, text):
    with pytest.raises(InvalidRewardError):
        call(SlimeReward(reward_fn), SlimeSample(response=text))
    assert call(SlimeReward(reward_fn, 0.0), SlimeSample(response=text)) == 0.0


@pytest.mark.parametrize("response", [None, b"4", 4])
def test_a_response_that_is_no_text_follows_the_policy(response):
    reward = SlimeReward(exact_match_reward_fn, 0.0)
    assert call(reward, SlimeSample(response=response)) == 0.0
    assert reward.guarded.counts.failures == {"invalid_sample": 1}


@pytest.mark.parametrize("option", ["reward_key", "eval_reward_key"])
def test_a_reward_key_is_refused_because_the_reward_is_one_number(option):
    args = types.SimpleNamespace(**vars(ARGS) | {option: "score"})
    with pytest.raises(ValueError, match=f"leave out `--{option.replace('_', '-')}`"):
        call(SlimeReward(number), SlimeSample(response="1"), args=args)


def test_skip_and_a_guarded_reward_are_refused():
    with pytest.raises(ValueError, match="slime cannot leave a sample out"):
        SlimeReward(number, "skip")
    with pytest.raises(TypeError, match="guarded already"):
        SlimeReward(GuardedReward(number))


def test_a_synchronous_reward_leaves_the_event_loop_free():
    go_on = threading.Event()

    def waiting(prompt, completions, prompt_ids, completion_ids, **columns):
        assert go_on.wait(60)
        return 1.0

    async def run():
        scored = asyncio.ensure_future(SlimeReward(waiting)(ARGS, SlimeSample()))
        await asyncio.sleep(0.05)
        go_on.set()  # reached only if the reward does not hold the loop
        return await scored

    assert asyncio.run(run()) == 1.0


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_copy_keeps_its_settings_and_counts_from_zero(reward_fn):
    reward = SlimeReward(reward_fn, on_failure=-1.0, answer_column="gold")
    call(reward, SlimeSample(response="four"))
    copy = pickle.loads(pickle.dumps(reward))
    assert (copy.__name__, copy.answer_column) == (reward_fn.__name__, "gold")
    assert copy.guarded.counts.calls == 0
    assert call(copy, SlimeSample(response="four")) == -1.0


def test_threads_may_share_it():
    reward = SlimeReward(number)

    def score(n):
        return asyncio.run(reward(ARGS, SlimeSample(response=str(n))))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(score, range(20))) == [float(n) for n in range(20)]
    assert reward.guarded.counts.calls == 20

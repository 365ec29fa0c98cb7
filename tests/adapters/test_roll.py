"""ROLL's adapter, held to the worker that ROLL documents.

Read in alibaba/ROLL: `roll/pipeline/rlvr/rewards/general_val_rule_reward_worker.py` at commit
ef37950, `roll/distributed/executor/cluster.py` at 3377bb8, `worker.py` at 4d68571,
`roll/distributed/scheduler/generate_scheduler.py` at 9cbbd0e, `protocol.py` at 4d68571, and
`postprocess_generate` in `roll/utils/functionals.py` at 090ac94. ROLL is on no package index (the
`roll` that is there is another program), and is not run here.
"""

import asyncio
import importlib
import pickle
import sys
import types

import numpy as np
import pytest
import torch

from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.roll import RollReward
from reference_impl.contract import GuardedReward, InvalidGoldError, InvalidRewardError
from reference_impl.rules import exact_match_reward_fn

PROOF = {
    "trainer": "ROLL",
    "distribution": None,
    "version": "commits ef37950, 3377bb8, 4d68571, 9cbbd0e, 090ac94",
    "kind": "documented signature",
    "how": "The tests call the worker class on the tensors and columns that ROLL's source passes.",
}

PAD, END, WIDTH = 0, 1, 24


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def seen(prompt, completions, prompt_ids, completion_ids, **columns):
    """Raise what it was called with."""
    raise LookupError(prompt, completions, prompt_ids, completion_ids, columns)


class CharacterTokenizer:
    """A token for each character, and two special ones."""

    def encode(self, text):
        return [ord(character) for character in text]

    def decode(self, tokens, skip_special_tokens):
        assert skip_special_tokens
        return "".join(chr(token) for token in tokens if token not in (PAD, END))


def batch_of(texts, asked="2 + 2?", **columns):
    """Make what `postprocess_generate` makes of responses: prompt and response side by side."""
    encode = CharacterTokenizer().encode
    names = ("input_ids", "prompt_mask", "response_mask", "responses")
    rows = {name: [] for name in names}
    for text in texts:
        prompt, response = encode(asked), [*encode(text), END]
        blank = WIDTH - len(prompt) - len(response)
        rows["input_ids"].append(prompt + response + [PAD] * blank)
        rows["prompt_mask"].append([True] * len(prompt) + [False] * (WIDTH - len(prompt)))
        rows["response_mask"].append([0] * len(prompt) + [1] * len(response) + [0] * blank)
        rows["responses"].append(response + [PAD] * (WIDTH // 2 - len(response)))
    empty = torch.zeros((0, WIDTH), dtype=torch.long)
    tensors = {name: torch.tensor(values) if texts else empty for name, values in rows.items()}
    return tensors, {name: np.array(values, dtype=object) for name, values in columns.items()}


def call(reward, texts, **columns):
    tensors = reward.score(*batch_of(texts, **columns), CharacterTokenizer())
    assert set(tensors) == {"token_level_rewards", "response_level_rewards", "scores"}
    assert tensors["token_level_rewards"].abs().sum() == 0
    assert tensors["response_level_rewards"].dtype == torch.float32
    assert tensors["scores"].tolist() == tensors["response_level_rewards"].tolist()
    return tensors["response_level_rewards"].tolist()


def test_a_right_and_a_wrong_completion_get_their_rewards():
    reward = RollReward(exact_match_reward_fn)
    assert call(reward, ["#### 4", "#### 5"], ground_truth=["4", "4"]) == [1.0, 0.0]


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_batch_keeps_its_order(reward_fn):
    assert call(RollReward(reward_fn), list("3127")) == [3.0, 1.0, 2.0, 7.0]
    assert call(RollReward(reward_fn), []) == []


def test_asynchronous_rewards_of_a_call_are_scored_at_once():
    waiting = []

    async def meet(prompt, completions, prompt_ids, completion_ids, **columns):
        waiting.append(completions)
        async with asyncio.timeout(60):
            while len(waiting) < 3:  # the first ends only when all have begun
                await asyncio.sleep(0)
        return float(completions)

    assert call(RollReward(meet), list("123")) == [1.0, 2.0, 3.0]


def test_the_reward_gets_texts_tokens_without_padding_and_columns():
    with pytest.raises(LookupError) as error:
        call(RollReward(seen), ["4"], ground_truth=["4"], tag=["gsm8k"])
    asked = [ord(character) for character in "2 + 2?"]
    columns = {"tag": "gsm8k", "answer": "4"}
    assert error.value.args == ("2 + 2?", "4", asked, [ord("4"), END], columns)


def test_the_prompt_of_the_data_set_is_preferred_to_that_with_the_template():
    with pytest.raises(LookupError) as error:
        call(RollReward(seen), ["4"], prompt=["What is 2 + 2?"])
    assert error.value.args[0] == "What is 2 + 2?"


def test_the_answer_goes_by_the_name_that_the_reward_knows():
    reward = RollReward(exact_match_reward_fn, 0.0, answer_column="gold")
    with pytest.raises(MissingColumnError, match="column `answer`"):
        call(reward, ["4"], ground_truth=["4"])


def test_two_answers_are_refused():
    with pytest.raises(ValueError, match="column `answer` too"):
        call(RollReward(exact_match_reward_fn), ["4"], ground_truth=["4"], answer=["5"])


def test_a_missing_answer_is_a_failure_of_its_sample():
    columns = {"ground_truth": [None, "4"]}
    with pytest.raises(InvalidGoldError):
        call(RollReward(exact_match_reward_fn), ["#### 4"] * 2, **columns)
    reward = RollReward(exact_match_reward_fn, on_failure=-1.0)
    assert call(reward, ["#### 4"] * 2, **columns) == [-1.0, 1.0]
    assert reward.guarded.counts.failures == {"invalid_gold": 1}


def test_a_column_of_another_length_is_named():
    with pytest.raises(ValueError, match="column `tag` is of length 1"):
        call(RollReward(number), ["1", "2"], tag=["gsm8k"])


@pytest.mark.parametrize("text", ["nan", "inf"])
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_nan_is_a_failure(reward_fn, text):
    with pytest.raises(InvalidRewardError):
        call(RollReward(reward_fn), [text])
    assert call(RollReward(reward_fn, 0.0), [text, "2"]) == [0.0, 2.0]


def test_skip_and_a_guarded_reward_are_refused():
    with pytest.raises(ValueError, match="ROLL cannot leave a sample out"):
        RollReward(number, "skip")
    with pytest.raises(TypeError, match="guarded already"):
        RollReward(GuardedReward(number))


def test_a_copy_keeps_its_settings_and_counts_from_zero():
    reward = RollReward(number, -1.0)
    call(reward, ["four"])
    copy = pickle.loads(pickle.dumps(reward))
    assert copy.guarded.counts.calls == 0
    assert call(copy, ["four"]) == [-1.0]


class Worker:
    """ROLL's base class, as far as a reward worker touches it."""

    def __init__(self, worker_config):
        self.worker_config = worker_config
        self.rank_info = types.SimpleNamespace(rank=3, world_size=8, dp_rank=None, dp_size=None)


class DataProto:
    """ROLL's batch: tensors, and columns as arrays of objects."""

    def __init__(self, batch, non_tensor_batch):
        self.batch = batch
        self.non_tensor_batch = non_tensor_batch

    @classmethod
    def from_dict(cls, tensors):
        assert len({len(tensor) for tensor in tensors.values()}) == 1
        return cls(tensors, {})


def register(**settings):
    """Mark a method, as ROLL's decorator does."""

    def decorate(method):
        method.BIND_WORKER_METHOD_FLAG = settings
        return method

    return decorate


@pytest.fixture
def roll(monkeypatch):
    """The modules from which a worker takes its base class."""
    dispatch = types.SimpleNamespace(ONE_TO_ALL="one to all", DP_MP_COMPUTE="split")
    held = {
        "roll.distributed.executor.worker": {"Worker": Worker},
        "roll.distributed.scheduler.decorator": {"Dispatch": dispatch, "register": register},
        "roll.distributed.scheduler.protocol": {"DataProto": DataProto},
        "roll.models.model_providers": {
            "default_tokenizer_provider": lambda model_args: CharacterTokenizer()
        },
    }
    for path, members in held.items():
        parts = path.split(".")
        for end in range(1, len(parts)):
            package = types.ModuleType(".".join(parts[:end]))
            monkeypatch.setitem(sys.modules, package.__name__, package)
        module = types.ModuleType(path)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, path, module)


@pytest.mark.parametrize("shipped", [False, True])
def test_the_worker_class_is_what_a_cluster_starts(roll, shipped):
    worker_class = RollReward(exact_match_reward_fn, on_failure=-1.0).worker_class()
    if shipped:  # by its value, as Ray ships a class that a function made
        cloudpickle = importlib.import_module("ray.cloudpickle")
        worker_class = cloudpickle.loads(cloudpickle.dumps(worker_class))
    worker = worker_class(worker_config=types.SimpleNamespace(model_args="the policy's"))
    assert (worker.rank_info.dp_rank, worker.rank_info.dp_size) == (3, 8)
    assert worker.initialize(None) is None

    tensors, columns = batch_of(["#### 4", "#### 5", "4"], ground_truth=["4", "4", None])
    result = worker.compute_rewards(DataProto(tensors, columns))
    assert result.batch["response_level_rewards"].tolist() == [1.0, 0.0, -1.0]
    assert result.batch["token_level_rewards"].shape == tensors["responses"].shape


def test_a_cluster_finds_the_methods_by_their_marks(roll):
    worker_class = RollReward(number).worker_class()
    assert issubclass(worker_class, Worker)
    assert worker_class.initialize.BIND_WORKER_METHOD_FLAG == {"dispatch_mode": "one to all"}
    marks = worker_class.compute_rewards.BIND_WORKER_METHOD_FLAG
    assert marks == {"dispatch_mode": "split", "clear_cache": False}
    # A cluster gives a worker without coroutines one call at a time.
    assert not asyncio.iscoroutinefunction(worker_class.compute_rewards)

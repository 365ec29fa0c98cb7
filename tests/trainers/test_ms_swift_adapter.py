"""The adapter in ms-swift. These tests run where it is installed: see test_environments.py.

`swift rlhf --rlhf_type grpo` runs from its command line to a step of training, on CPU with a tiny
model. Only what the model says is written here, in place of what it generates.
"""

import json
import pickle

import pytest

pytest.importorskip("swift", reason="ms-swift has an environment of its own")
pytestmark = pytest.mark.slow

PROOF = {
    "trainer": "ms-swift",
    "distribution": "ms-swift",
    "kind": "its own command and trainer",
    "how": "`swift rlhf --rlhf_type grpo` loads the plugin and the data set, and takes a step "
    "with the reward on CPU.",
}

PLUGIN = """
import asyncio
from swift.rewards import orms
from reference_impl import exact_match_reward_fn
from reference_impl.adapters.ms_swift import SwiftReward

async def asked_judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return exact_match_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)

def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)

def look(prompt, completions, prompt_ids, completion_ids, **columns):
    raise LookupError(prompt, completions, prompt_ids, len(completion_ids), columns)

def needs_level(prompt, completions, prompt_ids, completion_ids, level, **columns):
    return 0.0

class Bare:
    def __init__(self, args):
        pass

    def __call__(self, completions, **columns):
        return [None if text == "four" else float(text) for text in completions]
"""
ROW = {"messages": [{"role": "user", "content": "What is 2 + 2?"}], "solution": "4"}


@pytest.fixture(scope="module")
def policy(examples, tmp_path_factory):
    """The folder of a tiny model with random weights."""
    from tiny_policy import new_model, new_tokenizer

    folder = tmp_path_factory.mktemp("policy")
    tokenizer = new_tokenizer()
    tokenizer.save_pretrained(folder)
    new_model(tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture
def step(policy, tmp_path, monkeypatch):
    """Take one step. Returns swift's rewards, its advantages and what it logged."""
    for name in ("MODELSCOPE_CACHE", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "hub"))
    from swift import rlhf_main
    from swift.rlhf_trainers.grpo_trainer import GRPOTrainer

    generate = GRPOTrainer._engine_infer

    def run(registered, said, row=ROW):
        trainers = []

        def say(self, *arguments, **named):
            trainers.append(self)
            outputs = generate(self, *arguments, **named)
            for output, text in zip(outputs, said, strict=True):
                [choice] = output.response.choices
                choice.message.content = text
                choice.token_ids = self.processing_class(text)["input_ids"]
            return outputs

        monkeypatch.setattr(GRPOTrainer, "_engine_infer", say)
        plugin = tmp_path / "my_rewards.py"
        plugin.write_text(f"{PLUGIN}\norms['mine'] = {registered}\n", "utf-8")
        rows = tmp_path / "rows.jsonl"
        rows.write_text(json.dumps(row) + "\n", "utf-8")
        settings = {
            "rlhf_type": "grpo",
            "model": policy,
            "model_type": "qwen3",
            "template": "qwen3",
            "dataset": rows,
            "external_plugins": plugin,
            "reward_funcs": "mine",
            "num_generations": len(said),
            "per_device_train_batch_size": len(said),
            "max_steps": 1,
            "max_completion_length": 4,
            "beta": 0.0,
            "logging_steps": 1,
            "tuner_type": "full",
            "torch_dtype": "float32",
            "bf16": "false",
            "fp16": "false",
            "use_cpu": "true",
            "dataloader_num_workers": 0,
            "use_hf": "true",
            "check_model": "false",  # or it asks a model hub
            "save_strategy": "no",
            "report_to": "none",
            "output_dir": tmp_path / "out",
        }
        rlhf_main([part for name, value in settings.items() for part in (f"--{name}", str(value))])
        [trainer] = trainers
        logged = next(entry for entry in trainer.state.log_history if "reward" in entry)
        rewards = {name: list(values) for name, values in trainer._logs["rewards"].items()}
        return rewards, list(trainer._logs["advantages"]), logged

    return run


@pytest.mark.parametrize("name", ["exact_match_reward_fn", "asked_judge"])
def test_right_and_wrong_completions_get_their_rewards(step, name):
    rewards, advantages, logged = step(f"SwiftReward({name})", ["#### 4", "#### 5", "#### 4", "no"])
    assert rewards == {name: [1.0, 0.0, 1.0, 0.0]}
    assert [advantage > 0 for advantage in advantages] == [True, False, True, False]
    assert float(logged[f"rewards/{name}/mean"]) == 0.5


def test_the_prompt_the_columns_and_the_tokens_arrive(step):
    with pytest.raises(LookupError) as raised:
        step("SwiftReward(look)", ["It is 4.", "5"], {**ROW, "level": 3})
    *sample, columns = raised.value.args
    assert sample == ["What is 2 + 2?", "It is 4.", [], len("It is 4.")]
    assert columns.pop("dataset").endswith("rows.jsonl")  # swift adds where a row comes from
    assert columns == {"answer": "4", "level": 3}


def test_messages_arrive_where_they_are_asked_for(step):
    with pytest.raises(LookupError) as raised:
        step("SwiftReward(look, pass_messages=True)", ["4", "5"])
    assert raised.value.args[0] == ROW["messages"]


@pytest.mark.parametrize("failing", ["four", "nan"])
def test_a_number_is_paid_for_a_failure(step, failing):
    rewards, advantages, _ = step("SwiftReward(number, on_failure=-1.0)", ["1", failing])
    assert rewards == {"number": [1.0, -1.0]}
    assert advantages[1] < 0


def test_an_error_ends_the_training(step):
    with pytest.raises(ValueError, match="could not convert"):
        step("SwiftReward(number)", ["1", "four"])


def test_a_missing_column_ends_the_training(step):
    from reference_impl.adapters.batch import MissingColumnError

    with pytest.raises(MissingColumnError, match="`level`"):
        step("SwiftReward(needs_level, on_failure=0.0)", ["1", "2"])


@pytest.mark.parametrize(
    "row",
    [
        {"query": "2 + 2?", "solution": "4"},
        {"messages": ROW["messages"], "answer": "4"},
    ],
)
def test_the_gold_answer_arrives(step, row):
    rewards, _, _ = step("SwiftReward(exact_match_reward_fn)", ["#### 4", "#### 5"], row)
    assert rewards == {"exact_match_reward_fn": [1.0, 0.0]}


def test_an_answer_beside_a_bare_question_does_not_arrive(step):
    """Swift takes it for what the assistant says, and drops it before the rollout."""
    from reference_impl.adapters.batch import MissingColumnError

    with pytest.raises(MissingColumnError, match="`answer`"):
        step("SwiftReward(exact_match_reward_fn)", ["1", "2"], {"query": "2 + 2?", "answer": "4"})


@pytest.mark.parametrize("failing", ["four", "nan"])
def test_swift_pays_0_for_none_and_for_nan(step, failing):
    """Why the policy `skip` is refused."""
    _, advantages, logged = step("Bare", ["-1", failing, "-3"])
    assert advantages[1] == max(advantages) > 0
    assert float(logged["reward"]) == pytest.approx(-4 / 3, abs=1e-3)
    assert float(logged["rewards/Bare/mean"]) == -2.0


def test_the_adapter_pickles():
    from reference_impl.adapters.ms_swift import SwiftReward
    from reference_impl.rules import exact_match_reward_fn

    copy = pickle.loads(pickle.dumps(SwiftReward(exact_match_reward_fn)))
    assert copy()(["#### 4"], messages=[ROW["messages"] + [{}]], solution=["4"]) == [1.0]

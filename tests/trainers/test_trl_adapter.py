"""The adapter in TRL's own trainers, which take a step on CPU with a tiny model.

What the model says is written here. All the rest is TRL: it decodes the tokens, calls the reward,
makes the advantages and logs them.
"""

import asyncio
import json
import math
import os
import statistics
import subprocess
import sys

import pytest

from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.trl import TRLReward
from reference_impl.compose import WeightedSum
from reference_impl.rules import exact_match_reward_fn

pytestmark = pytest.mark.slow  # TRL alone takes some seconds to import

PROOF = {
    "trainer": "TRL",
    "distribution": "trl",
    "kind": "its own trainers",
    "how": "GRPOTrainer and RLOOTrainer take a step with the reward on CPU, and `trl grpo` trains "
    "with it.",
}

QUESTION = [{"role": "user", "content": "What is 2 + 2?"}]


async def asked_judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return exact_match_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


def half(prompts, completions, **kwargs):
    return [0.5] * len(completions)


@pytest.fixture(params=["GRPO", "RLOO"])
def step(request, examples, tmp_path):
    """Take one step. Returns the rewards, the advantages and what was logged."""
    import trl
    from datasets import Dataset
    from tiny_policy import new_model, new_tokenizer

    tokenizer = new_tokenizer()
    trainer_class = getattr(trl, f"{request.param}Trainer")

    def run(reward_funcs, said, **columns):
        columns = {name: [value] for name, value in ({"answer": "4"} | columns).items()}
        settings = getattr(trl, f"{request.param}Config")(
            output_dir=str(tmp_path),
            max_steps=1,
            num_generations=len(said),
            per_device_train_batch_size=len(said),
            beta=0.0,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        )
        trainer = trainer_class(
            model=new_model(tokenizer),
            reward_funcs=reward_funcs,
            args=settings,
            train_dataset=Dataset.from_dict({"prompt": [QUESTION]} | columns),
            processing_class=tokenizer,
        )
        tokens = [tokenizer(text)["input_ids"] + [tokenizer.eos_token_id] for text in said]
        spoken = (tokens, None) if request.param == "GRPO" else tokens
        trainer._generate_single_turn = lambda *arguments: spoken
        trainer.train()
        logged = next(entry for entry in trainer.state.log_history if "reward" in entry)
        rewards = {name: list(values) for name, values in trainer._logs["rewards"].items()}
        return rewards, list(trainer._logs["advantages"]), logged, trainer

    return run


def test_a_right_and_a_wrong_completion_get_their_rewards(step):
    rewards, advantages, logged, _ = step(
        TRLReward(exact_match_reward_fn), ["#### 4", "#### 5", "#### 4", "no"]
    )
    assert rewards == {"exact_match_reward_fn": [1.0, 0.0, 1.0, 0.0]}
    assert [advantage > 0 for advantage in advantages] == [True, False, True, False]
    assert logged["rewards/exact_match_reward_fn/mean"] == 0.5
    assert logged["exact_match_reward_fn/failed"] == 0.0


def test_an_asynchronous_reward_is_awaited(step):
    rewards, _, logged, _ = step(TRLReward(asked_judge), ["#### 4", "#### 5"])
    assert rewards == {"asked_judge": [1.0, 0.0]}
    assert logged["asked_judge/failed"] == 0.0


def test_the_prompt_the_columns_and_the_tokens_arrive(step):
    seen = []

    def look(prompt, completions, prompt_ids, completion_ids, **columns):
        seen.append((prompt, completions, prompt_ids, len(completion_ids), columns))
        return 0.0

    step(TRLReward(look, "raise"), ["It is 4.", "5"], level=3)
    columns = {"answer": "4", "level": 3}
    assert seen == [
        ("What is 2 + 2?", "It is 4.", [], len("It is 4.") + 1, columns),
        ("What is 2 + 2?", "5", [], 2, columns),
    ]


def test_messages_arrive_where_they_are_asked_for(step):
    seen = []

    def look(prompt, completions, prompt_ids, completion_ids, **columns):
        seen.append(prompt)
        return 0.0

    step(TRLReward(look, "raise", pass_messages=True), ["4", "5"])
    assert seen == [QUESTION] * 2


@pytest.mark.parametrize("failing", ["four", "nan"])
def test_none_is_left_out_of_the_mean_and_moves_nothing(step, failing):
    rewards, advantages, logged, _ = step(TRLReward(number), ["1", "3", failing, "2"])
    assert math.isnan(rewards["number"][2])
    assert advantages[2] == 0.0
    assert logged["reward"] == 2.0
    assert logged["number/failed"] == 0.25
    paid = [advantages[0], advantages[1], advantages[3]]
    assert statistics.fmean(paid) == pytest.approx(0.0, abs=1e-6)
    assert paid[0] < 0 < paid[1]


def test_a_group_that_is_all_none_moves_nothing(step):
    import torch

    _, advantages, logged, trainer = step(TRLReward(number), ["one", "two", "three", "four"])
    assert advantages == [0.0] * 4
    assert logged["number/failed"] == 1.0
    assert logged["grad_norm"] == 0.0
    assert all(torch.isfinite(weights).all() for weights in trainer.model.parameters())


def test_none_beside_another_reward_counts_as_zero(step):
    """Why rewards are joined in one function."""
    _, advantages, logged, _ = step([TRLReward(number), half], ["1", "3", "four", "2"])
    assert logged["reward"] == (1.5 + 3.5 + 0.5 + 2.5) / 4
    assert advantages[2] == min(advantages) < 0


def test_a_number_is_paid_for_a_failure(step):
    rewards, _, logged, _ = step(TRLReward(number, on_failure=-1.0), ["1", "four"])
    assert rewards == {"number": [1.0, -1.0]}
    assert logged["number/failed"] == 0.5


def test_an_error_ends_the_training(step):
    with pytest.raises(ValueError, match="could not convert"):
        step(TRLReward(number, on_failure="raise"), ["1", "four"])


def test_a_missing_column_ends_the_training_whatever_the_policy(step):
    def needs_level(prompt, completions, prompt_ids, completion_ids, level, **columns):
        return 0.0

    with pytest.raises(MissingColumnError, match="`level`"):
        step(TRLReward(needs_level, "skip"), ["1", "2"])


def test_the_components_of_a_composite_are_logged(step):
    reward = WeightedSum({"correct": (exact_match_reward_fn, 1.0), "cost": (_length, -0.1)})
    rewards, _, logged, _ = step(TRLReward(reward), ["#### 4", "####"])
    assert rewards["WeightedSum"] == pytest.approx([0.4, -0.4])
    assert logged["WeightedSum/correct"] == 0.5
    assert logged["WeightedSum/cost"] == 5.0


def _length(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(len(completions))


def test_the_command_of_trl_takes_the_import_path_of_the_reward(examples, tmp_path):
    from tiny_policy import new_model, new_tokenizer

    tokenizer = new_tokenizer()
    tokenizer.save_pretrained(tmp_path / "policy")
    new_model(tokenizer).save_pretrained(tmp_path / "policy")
    (tmp_path / "rows").mkdir()
    row = json.dumps({"prompt": QUESTION, "answer": "4"})
    (tmp_path / "rows" / "train.jsonl").write_text(f"{row}\n" * 4, "utf-8")
    (tmp_path / "my_rewards.py").write_text(
        "from reference_impl import exact_match_reward_fn\n"
        "from reference_impl.adapters.trl import TRLReward\n\n"
        "reward = TRLReward(exact_match_reward_fn)\n",
        "utf-8",
    )
    settings = {
        "model_name_or_path": tmp_path / "policy",
        "dataset_name": tmp_path / "rows",
        "reward_funcs": "my_rewards.reward",
        "output_dir": tmp_path / "out",
        "max_steps": 1,
        "num_generations": 2,
        "per_device_train_batch_size": 2,
        "max_completion_length": 4,
        "logging_steps": 1,
        "report_to": "none",
        "use_cpu": True,
        "dtype": "float32",
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    command = [sys.executable, "-W", "ignore", "-m", "trl.scripts.grpo", *options]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(examples.parent), "HF_HOME": str(tmp_path / "hub")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert "rewards/exact_match_reward_fn/mean" in ran.stdout
    assert "exact_match_reward_fn/failed" in ran.stdout

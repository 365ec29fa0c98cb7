"""GRPO for the small policy with TRL's trainer, paid by any reward function."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from arithmetic_policy import complete
from arithmetic_rewards import RewardFunc
from arithmetic_task import MAX_TOKENS, Question, accuracy, prompt, rows, split
from datasets import Dataset
from run_folder import last_checkpoint
from tqdm import tqdm
from transformers import (
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    PrinterCallback,
    TrainerCallback,
)
from trl import GRPOConfig, GRPOTrainer

from reference_impl import Accuracy

GENERATIONS = 8  # completions of a prompt
PROMPTS = 32  # a step
LEARNING_RATE = 2e-3
SAVE_STEPS = 10


class WithAccuracy:
    """A reward that also logs how many completions are right, whatever it pays for.

    A second reward of weight 0 would log it too, but beside a second reward TRL counts a None
    as 0.

    Args:
        reward_func: A reward in TRL's shape. Not an asynchronous one.
    """

    def __init__(self, reward_func: RewardFunc):
        self.reward_func = reward_func
        self.__name__ = reward_func.__name__

    def __call__(self, completions, answer, log_metric, **kwargs: Any) -> list[float | None]:
        """Score a batch."""
        log_metric("accuracy", accuracy(completions, answer).value)
        return self.reward_func(
            completions=completions, answer=answer, log_metric=log_metric, **kwargs
        )


class _Progress(TrainerCallback):
    """Show steps, and the reward of the last one."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="GRPO", unit="step")

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "reward" in logs:
            self.bar.update(state.global_step - self.bar.n)
            self.bar.set_postfix(reward=f"{logs['reward']:.3f}", accuracy=f"{logs['accuracy']:.3f}")

    def on_train_end(self, args, state, control, **kwargs):
        self.bar.close()


def train(
    reward_func: RewardFunc,
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    seed: int,
    steps: int,
) -> list[dict[str, float]]:
    """Train a policy, or go on where the folder's last checkpoint was saved.

    Args:
        reward_func: What pays, in TRL's shape: `TRLReward(reward_fn)` makes it of a reward
            function of the contract.
        model: The policy; it is trained in place.
        tokenizer: Its tokenizer.
        folder: Where checkpoints are saved, and found. No other run's.
        seed: Of the order of the prompts and of what is sampled.
        steps: Of GRPO.

    Returns:
        For each step its number, the mean reward, the share of right completions and the mean
        length in tokens, of what was sampled before the step's update.
    """
    settings = GRPOConfig(
        output_dir=str(folder),
        seed=seed,
        max_steps=steps,
        per_device_train_batch_size=PROMPTS * GENERATIONS,
        num_generations=GENERATIONS,
        max_completion_length=MAX_TOKENS,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="linear",
        beta=0.0,  # no reference model
        gradient_checkpointing=False,  # a small model has the memory
        bf16=False,
        use_cpu=True,
        logging_steps=1,
        save_steps=SAVE_STEPS,
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=WithAccuracy(reward_func),
        args=settings,
        train_dataset=Dataset.from_dict(rows(split()[0])),
        processing_class=tokenizer,
        callbacks=[_Progress()],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    return [
        {
            "step": log["step"],
            "reward": log["reward"],
            "accuracy": log["accuracy"],
            "tokens": log["completions/mean_length"],
        }
        for log in trainer.state.log_history
        if "reward" in log
    ]


def measure(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[Question],
    seed: int,
) -> tuple[Accuracy, Accuracy, list[str]]:
    """Measure a policy.

    Args:
        model: The policy.
        tokenizer: Its tokenizer.
        questions: What it is asked.
        seed: Of what is sampled.

    Returns:
        The accuracy of one completion for each question, sampled at temperature 1; that of the
        likeliest tokens (greedy); and the sampled completions.
    """
    prompts = [prompt(question) for question in questions]
    gold = rows(questions)["answer"]
    torch.manual_seed(seed)
    sampled = complete(model, tokenizer, prompts)
    greedy = complete(model, tokenizer, prompts, sample=False)
    return accuracy(sampled, gold), accuracy(greedy, gold), sampled

"""Train with an LLM as judge in TRL 1.16: GRPO on GSM8K.

    python examples/trl_judge.py
    python examples/trl_judge.py --smoke

The first needs a GPU, and a judge: `JUDGE_BASE_URL` and `JUDGE_MODEL` name it
(`JudgeConfig.from_environment` reads them). It was not run for this guide. The smoke run needs
neither: TRL's trainer takes two steps on CPU with a tiny model of random weights and a judge that
plays a script. It is tested.

- TRL awaits an asynchronous reward function, so that all completions of a step are judged at once.
- A completion without a verdict is None. TRL leaves it out of its group's mean and gives it an
  advantage of 0. That holds if this is the only reward function: beside another, TRL's weighted sum
  counts None as 0. Add a second reward inside `judge_reward`, and the failure stays one.
- TRL waits for as long as the judge takes, and an error ends the training. So let the judge's own
  patience outlast a restart of its server, such as `JUDGE_DEADLINE_SECONDS=600`,
  `JUDGE_MAX_ATTEMPTS=1000` and `JUDGE_BREAKER_FAILURES=1000000`: the failed attempts of one step
  are enough to open the circuit, and then calls fail at once. If most completions of a step still
  have no verdict, that is an outage.
"""

import asyncio
import functools
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from datasets import Dataset, load_dataset
from trl import GRPOConfig, GRPOTrainer

from reference_impl import AsyncGuardedReward, JudgeClient, JudgeConfig, ReferenceJudge
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer

#: The highest share of a step's completions that may have no verdict.
FAILED_SHARE = 0.5

Text = str | list[dict[str, Any]]


class JudgeOutageError(RuntimeError):
    """The judge gives too few verdicts to go on training."""


@functools.cache
def judge_of_this_process() -> AsyncGuardedReward:
    """Make the judge that the environment names, once: it keeps connections and counts."""
    judge = ReferenceJudge(JudgeClient(JudgeConfig.from_environment()))
    return AsyncGuardedReward(judge, on_failure="skip")


async def judge_reward(
    prompts: list[Text],
    completions: list[Text],
    answer: list[str],
    log_metric: Callable[[str, float], None],
    **kwargs: Any,
) -> list[float | None]:
    """Pay what the judge says, for all completions of a step at once.

    Args:
        prompts: The prompts, as texts or as lists of messages.
        completions: The completions, of the same form.
        answer: The column of the data set with the reference answers.
        log_metric: How TRL takes a number to log.
        **kwargs: The other columns, and what else TRL passes. Not used.

    Returns:
        A reward for each completion, or None where there is no verdict.

    Raises:
        JudgeOutageError: If more than `FAILED_SHARE` of them have none.
    """
    judge = judge_of_this_process()
    samples = zip(prompts, completions, answer, strict=True)
    rewards = await asyncio.gather(
        *(judge(prompt, last_text(said), [], [], answer=gold) for prompt, said, gold in samples)
    )
    share = rewards.count(None) / len(rewards)
    log_metric("judge/failed", share)
    if share > FAILED_SHARE:
        raise JudgeOutageError(
            f"{rewards.count(None)} of {len(rewards)} completions have no verdict: {judge.counts}"
        )
    return rewards


def last_text(completion: Text) -> str:
    """Return a completion as text: of messages, it is the last one's."""
    return completion if isinstance(completion, str) else completion[-1]["content"]


def train() -> None:
    """Train a model on GSM8K."""
    judge_of_this_process()  # a wrong setting is refused before anything is loaded
    rows = load_dataset("openai/gsm8k", "main", split="train")
    rows = rows.map(lambda row: {"prompt": [{"role": "user", "content": row["question"]}]})
    settings = GRPOConfig(
        output_dir="gsm8k-judge",
        num_generations=8,
        per_device_train_batch_size=32,
        max_completion_length=1024,
        learning_rate=1e-6,
        bf16=True,
        logging_steps=1,
    )
    GRPOTrainer(
        model="Qwen/Qwen2.5-1.5B-Instruct",
        reward_funcs=judge_reward,
        args=settings,
        train_dataset=rows.remove_columns("question"),
    ).train()


def smoke_trainer(folder: str, steps: int = 2) -> GRPOTrainer:
    """Make a trainer for a tiny model on CPU: two prompts a step, four completions of each."""
    from tiny_policy import new_model, new_tokenizer

    tokenizer = new_tokenizer()
    questions = [f"What is {number} + {number}?" for number in range(2, 6)]
    rows = Dataset.from_dict(
        {
            "prompt": [[{"role": "user", "content": question}] for question in questions],
            "answer": ["4", "6", "8", "10"],
        }
    )
    settings = GRPOConfig(
        output_dir=folder,
        max_steps=steps,
        num_generations=4,
        per_device_train_batch_size=8,
        max_completion_length=16,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    return GRPOTrainer(
        model=new_model(tokenizer),
        reward_funcs=judge_reward,
        args=settings,
        train_dataset=rows,
        processing_class=tokenizer,
    )


def verdict_or_none(asked: int) -> Answer:
    """Say "correct" and "incorrect" in turn, and no verdict at every fourth question."""
    if asked % 4 == 3:
        return Answer("I had rather not say.")
    verdict = "correct" if asked % 2 else "incorrect"
    return Answer(json.dumps({"rationale": "The script says so.", "verdict": verdict}))


def smoke() -> None:
    """Take two steps with the installed TRL on CPU."""
    print("Smoke run: the installed TRL, a tiny model with random weights, a scripted judge.")
    logging.getLogger("reference_impl").setLevel(logging.ERROR)  # failures are counted below
    script = map(verdict_or_none, range(1, 1_000_000))
    with ScriptedServer(lambda body: next(script), latency_seconds=0.05) as server:
        os.environ |= {"JUDGE_BASE_URL": server.base_url, "JUDGE_MODEL": "scripted"}
        with tempfile.TemporaryDirectory() as folder:
            trainer = smoke_trainer(folder)
            trainer.train()
        for step in trainer.state.log_history:
            if "reward" in step:
                print(
                    f"mean reward of the verdicts {step['reward']:.3f}, "
                    f"completions without a verdict {step['judge/failed']:.0%}"
                )
        print("judged at a time, at most:", server.most_in_flight)
        print(judge_of_this_process().counts)


if __name__ == "__main__":
    if sys.argv[1:] == ["--smoke"]:
        smoke()
    else:
        train()

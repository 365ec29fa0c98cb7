"""Monitor a training with TRL 1.16: log what detectors read, and warn when one rings.

    python examples/trl_monitoring.py

Take `Monitored` and `AlarmCallback` into your own training: the first goes around the reward, the
second into the trainer's `callbacks`. As a script this takes five steps on CPU with a tiny model of
random weights, paid by a reward with a mistake: a bonus for length beside a rule that this model
never satisfies. It is tested.
"""

import logging
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from reference_impl import exact_match_reward_fn
from reference_impl.compose import ComponentError, Composed, WeightedSum
from reference_impl.monitor import (
    Alarm,
    ComponentDominance,
    FailureShare,
    LengthDrift,
    VarianceCollapse,
    step_figures,
)

logger = logging.getLogger(__name__)

GENERATIONS = 4
LONGEST = 16  # tokens of a completion


class Monitored:
    """A weighted sum in the shape that TRL calls, which logs the figures of each step.

    A completion that cannot be scored gets None, which TRL leaves out.

    Args:
        reward_fn: The weighted sum.
        group_size: The trainer's `num_generations`.
    """

    def __init__(self, reward_fn: WeightedSum, group_size: int):
        self.reward_fn = reward_fn
        self.group_size = group_size
        self.__name__ = "monitored"

    def __call__(
        self,
        prompts: Sequence[str],
        completions: Sequence[str],
        completion_ids: Sequence[list[int]],
        answer: Sequence[str],
        log_metric: Callable[[str, float], None],
        **columns: Any,
    ) -> list[float | None]:
        """Score the completions of a step."""
        samples = zip(prompts, completions, completion_ids, answer, strict=True)
        composed = [self._score(*sample) for sample in samples]
        rewards = [each.value if each else None for each in composed]
        parts = {
            name: [weight * each.components[name] if each else None for each in composed]
            for name, weight in self.reward_fn.weights.items()
        }
        lengths = [len(ids) for ids in completion_ids]
        figures = step_figures(rewards, lengths, self.group_size, parts)
        log_metric("failed", rewards.count(None))
        log_metric("scored_or_failed", len(rewards))
        known = {"group_std": figures.group_std, "length_correlation": figures.length_correlation}
        known |= {f"share/{name}": share for name, share in figures.shares.items()}
        for name, figure in known.items():
            if figure is not None:
                log_metric(name, figure)
        return rewards

    def _score(self, prompt: str, said: str, ids: list[int], gold: str) -> Composed | None:
        try:
            return self.reward_fn.score(prompt, said, [], ids, answer=gold)
        except ComponentError as error:
            logger.warning("%s", error)
            return None


class AlarmCallback(TrainerCallback):
    """Give the detectors what TRL logs, and warn when one rings for the first time.

    Args:
        trusted: The component that is what you want.
        window: Over how many steps figures are averaged.

    Attributes:
        rung: The step and the alarm of each detector that has rung, by its name.
    """

    def __init__(self, trusted: str, window: int = 10):
        self.dominance = ComponentDominance({trusted}, window=window)
        self.variance = VarianceCollapse(window=window)
        self.length = LengthDrift(baseline=window, window=window)
        self.failures = FailureShare(window=window)
        self.rung: dict[str, tuple[int, Alarm]] = {}

    def on_log(self, args, state, control, logs=None, **kwargs):
        """Read the figures of a step. The last log of a training has none."""
        if "reward" not in logs:
            return
        shares = {k.removeprefix("share/"): v for k, v in logs.items() if k.startswith("share/")}
        readings = (
            self.dominance.update(shares),
            self.variance.update(logs["frac_reward_zero_std"], logs.get("group_std")),
            self.length.update(logs["completions/mean_length"], logs.get("length_correlation")),
            self.failures.update(round(logs["failed"]), round(logs["scored_or_failed"])),
        )
        for alarm in (reading.alarm for reading in readings):
            if alarm and alarm.name not in self.rung:
                self.rung[alarm.name] = (state.global_step, alarm)
                logger.warning("step %d, %s", state.global_step, alarm)


def length_bonus(
    prompt: str, completions: str, prompt_ids: list[int], completion_ids: list[int], **columns: Any
) -> float:
    """Pay for length, up to 1.0."""
    return min(len(completion_ids) / LONGEST, 1.0)


def smoke_trainer(folder: str, reward_fn: WeightedSum, callback: AlarmCallback) -> GRPOTrainer:
    """Make a trainer for a tiny model on CPU: two prompts a step, four completions of each."""
    from tiny_policy import new_model, new_tokenizer

    tokenizer = new_tokenizer()
    settings = GRPOConfig(
        output_dir=folder,
        max_steps=5,
        num_generations=GENERATIONS,
        per_device_train_batch_size=2 * GENERATIONS,
        max_completion_length=LONGEST,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    questions = [f"What is {number} + {number}?" for number in range(2, 6)]
    trainer = GRPOTrainer(
        model=new_model(tokenizer),
        reward_funcs=Monitored(reward_fn, GENERATIONS),
        args=settings,
        train_dataset=Dataset.from_dict({"prompt": questions, "answer": ["4", "6", "8", "10"]}),
        processing_class=tokenizer,
        callbacks=[callback],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def main() -> None:
    """Take five steps, and print what rang."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    reward = WeightedSum({"correct": (exact_match_reward_fn, 1.0), "length": (length_bonus, 0.1)})
    callback = AlarmCallback(trusted="correct", window=2)
    with tempfile.TemporaryDirectory() as folder:
        smoke_trainer(folder, reward, callback).train()
    print("rang:", ", ".join(callback.rung) or "nothing")


if __name__ == "__main__":
    main()

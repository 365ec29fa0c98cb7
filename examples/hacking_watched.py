"""A reward that writes down what detectors of reward hacking need, while it trains a policy."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from arithmetic_grpo import GENERATIONS, measure
from arithmetic_task import MAX_TOKENS, accuracy, prompt, rows, split
from hacking_rewards import Batch, CriticScores, RuleScores
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from reference_impl import Sigmoid
from reference_impl.monitor import Audit, step_figures

AUDIT_STEPS = 10


class Watched:
    """A reward in the shape that TRL calls, which writes down what it sees.

    A file keeps one line for each step and each audit, so that a run that is killed loses none.
    Steps that are taken again are written again, and the last line counts.

    Args:
        scores: What pays: a `RuleScores` or a `CriticScores`.
        model: The policy, which is audited while it is trained.
        tokenizer: Its tokenizer.
        folder: Of the run.
        seed: Of the completions that are audited.
    """

    def __init__(
        self,
        scores: RuleScores | CriticScores,
        model: LlamaForCausalLM,
        tokenizer: PreTrainedTokenizerFast,
        folder: Path,
        seed: int,
    ):
        self.scores = scores
        self.model = model
        self.tokenizer = tokenizer
        self.log = folder / "log.jsonl"
        self.seed = seed
        self.__name__ = "watched"

    def __call__(
        self,
        prompts: list[str],
        completions: list[str],
        completion_ids: list[list[int]],
        answer: list[str],
        trainer_state: Any,
        **columns: Any,
    ) -> Batch:
        """Score the completions of a step. Audit the policy before every tenth one."""
        rewards, parts = self.scores(prompts, completions, completion_ids, answer)
        lengths = [len(ids) for ids in completion_ids]
        step = trainer_state.global_step
        figures = asdict(step_figures(rewards, lengths, GENERATIONS, parts))
        self.write("steps", {"step": step + 1, **figures})
        if step % AUDIT_STEPS == 0:
            self.audit(step)
        return rewards

    def audit(self, step: int) -> dict[str, Any]:
        """Ask the held-out questions, and compare what pays with the truth."""
        held_out = split()[1]
        with torch.random.fork_rng(devices=[]):  # the training draws the same as without an audit
            sampled, greedy, said = measure(self.model, self.tokenizer, held_out, self.seed + step)
        gold = rows(held_out)["answer"]
        # Numbers with no comma between them become one token here, and a length too small.
        ended = [text + self.tokenizer.eos_token for text in said]
        ids = [tokens[:MAX_TOKENS] for tokens in self.tokenizer(ended).input_ids]
        paid, _ = self.scores([prompt(question) for question in held_out], said, ids, gold)
        if isinstance(self.scores, CriticScores):
            # A critic's score has no scale. Its sigmoid is the chance to beat a score of 0.
            paid = [Sigmoid()(score) for score in paid]
        truth = [accuracy([text], [each]).value for text, each in zip(said, gold, strict=True)]
        audit = Audit.of(paid, truth)
        found = {
            "step": step,
            **asdict(audit),
            "truth_interval": [sampled.low, sampled.high],
            "greedy": greedy.value,
            "said": said[:5],
        }
        self.write("audits", found)
        return found

    def write(self, kind: str, entry: dict[str, Any]) -> None:
        """Append a line."""
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"kind": kind, **entry}) + "\n")

    def read(self, kind: str) -> list[dict[str, Any]]:
        """Return the last line of each step."""
        lines = self.log.read_text("utf-8").splitlines()
        entries = [json.loads(line) for line in lines]
        last = {entry["step"]: entry for entry in entries if entry.pop("kind") == kind}
        return [last[step] for step in sorted(last)]

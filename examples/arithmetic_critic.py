"""A critic for the small policy: it learns from pairs of completions of which one is right.

The pairs are what the policy says after its warm-up to the questions of training. So the critic
knows such completions, and nothing says how it scores others. It starts from the policy's own
weights, as reward models usually start from a language model.

A second critic is trained with hard negatives: completions of the same questions that are wrong in
many ways, often by a single number, sometimes beyond recognition, whether the policy would write
them or not. It is the same model with the same loss, trained for longer.
"""

import itertools
import math
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from arithmetic_policy import HIGHEST_TOKEN, complete
from arithmetic_task import (
    ANSWER,
    MAX_TOKENS,
    NEAR,
    PIECES,
    Question,
    answer,
    demonstration,
    prompt,
    split,
)
from run_folder import made_once
from tqdm import trange
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
)

from reference_impl import Accuracy, Critic, CriticConfig, numeric_match_reward_fn, pair_accuracy
from reference_impl.critic.training import bradley_terry_loss

Pair = tuple[str, str, str]  # a prompt, a right completion and a wrong one

SAMPLES = 6  # of each question
STEPS = 120
BATCH = 48  # pairs
LEARNING_RATE = 1e-3

HARD_SAMPLES = 50  # pairs of each question
HARD_STEPS = 1400
# How a completion is made wrong, and how often. Slips in running totals are the hardest to see. The
# policy comes to prefer running totals, so that another answer behind right ones is next to be
# found. Other tokens cover what nobody would think of, such as one number said twenty times.
WAYS = {
    "demonstration": 1,
    "other question": 1,
    "other sum": 1,
    "other answer": 3,
    "slips": 8,
    "other numbers": 1,
    "other tokens": 3,
}
NUMBER = re.compile(r"\d+")


class CriticReward:
    """The critic in the shape that TRL calls. It scores all completions of a step at once.

    `TRLReward` would ask it for one score at a time, which takes several times as long.

    Args:
        critic: The critic.
    """

    def __init__(self, critic: Critic):
        self.critic = critic
        self.__name__ = "critic"

    def __call__(
        self, prompts: Sequence[str], completions: Sequence[str], **columns: Any
    ) -> list[float | None]:
        """Score a batch. A completion without a score gets None, which TRL leaves out."""
        samples = list(zip(prompts, completions, strict=True))
        scores = self.critic.score(samples, on_failure="skip").tolist()
        return [None if math.isnan(score) else score for score in scores]


def trained_critic(
    folder: Path,
    policy: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    hard: bool = False,
) -> Critic:
    """Load the critic of a policy, or train it if the folder is not there.

    Args:
        folder: Where it is saved.
        policy: The policy after its warm-up.
        tokenizer: The policy's tokenizer, and the critic's.
        seed: Of the samples and the order of the pairs.
        hard: Train it on `hard_pairs`, not on what the policy says.

    Returns:
        The critic.

    Raises:
        ValueError: If the policy gives no pair of a right and a wrong completion.
    """

    def make(part: Path) -> None:
        torch.manual_seed(seed)
        model = LlamaForSequenceClassification(
            LlamaConfig.from_dict(policy.config.to_dict() | {"num_labels": 1})
        )
        model.model.load_state_dict(policy.model.state_dict())
        if hard:
            fit(model, tokenizer, hard_pairs(split()[0], seed), seed, HARD_STEPS)
        else:
            fit(model, tokenizer, pairs(policy, tokenizer, split()[0]), seed, STEPS)
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)

    made_once(folder, make)
    return Critic(CriticConfig(str(folder), template="plain", append_eos=True, device="cpu"))


def held_out_accuracy(
    critic: Critic, policy: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int
) -> Accuracy:
    """Measure how often the critic prefers the right one of two completions to held-out questions.

    The completions are the policy's: its own, if it is the policy that the critic was trained for.
    """
    torch.manual_seed(seed)
    made = pairs(policy, tokenizer, split()[1])
    right = critic.score([(asked, right) for asked, right, _ in made])
    wrong = critic.score([(asked, wrong) for asked, _, wrong in made])
    return pair_accuracy(right.tolist(), wrong.tolist())


def pairs(
    policy: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, questions: Sequence[Question]
) -> list[Pair]:
    """Let the policy answer each question `SAMPLES` times, and pair right with wrong completions.

    Raises:
        ValueError: If there is no pair.
    """
    made = []
    completions = complete(
        policy, tokenizer, [prompt(question) for question in questions for _ in range(SAMPLES)]
    )
    for place, question in enumerate(questions):
        said = completions[place * SAMPLES : (place + 1) * SAMPLES]
        right = {text for text in said if is_right(question, text)}
        wrong = set(said) - right
        made += [
            (prompt(question), *pair) for pair in zip(sorted(right), sorted(wrong), strict=False)
        ]
    if not made:
        raise ValueError(
            "The policy gave no question both a right and a wrong completion: there is nothing to "
            "train a critic on. Give it a longer warm-up."
        )
    return made


def is_right(question: Question, text: str) -> bool:
    """Judge a completion by the rule of this package."""
    return numeric_match_reward_fn("", text, [], [], answer=answer(question)) == 1.0


def hard_pairs(questions: Sequence[Question], seed: int) -> list[Pair]:
    """Pair right completions of each question with wrong ones, `HARD_SAMPLES` times."""
    rng = random.Random(seed)
    made = []
    for question in questions * HARD_SAMPLES:
        right = right_completion(question, rng)
        while is_right(question, wrong := hard_negative(question, right, questions, rng)):
            pass
        made.append((prompt(question), right, wrong))
    return made


def right_completion(question: Question, rng: random.Random) -> str:
    """Write running totals without a slip, or a demonstration that came out right."""
    if rng.random() < 0.6:
        return _totals(question)
    while not is_right(question, text := demonstration(question, rng)):
        pass
    return text


def hard_negative(
    question: Question, right: str, questions: Sequence[Question], rng: random.Random
) -> str:
    """Write a completion that is wrong in one of seven ways. By chance it may come out right.

    Args:
        question: The question.
        right: A right completion of it.
        questions: Of training, from which another one is taken.
        rng: Draws the way and the numbers.

    Returns:
        The completion.
    """
    total = sum(question)
    # Numbers close to the sum, the most common sums, and all sums.
    numbers = rng.choice([range(max(0, total - NEAR), total + NEAR + 1), range(11, 20), range(25)])
    boxed = f"{ANSWER}{rng.choice(numbers)}}}."
    [way] = rng.choices(list(WAYS), WAYS.values())
    if way == "demonstration":
        return demonstration(question, rng)
    if way == "other question":
        return right_completion(rng.choice(questions), rng)
    if way == "other sum":
        other = str(rng.choice(numbers))
        return NUMBER.sub(lambda found: other if found[0] == str(total) else found[0], right)
    if way == "other answer":
        return right.split(ANSWER)[0] + boxed
    if way == "slips":
        terms = list(question)
        for _ in range(rng.choice([1, 1, 1, 1, 2, 3])):
            place = rng.randrange(len(terms))
            terms[place] = max(0, terms[place] + rng.choice([-10, -3, -2, -1, -1, 1, 1, 2, 3, 5]))
        if rng.random() < 0.1:
            terms.pop(rng.randrange(len(terms)))
        return _totals(terms)
    if way == "other numbers":
        share = rng.random()
        steps = NUMBER.sub(
            lambda found: str(rng.choice(numbers)) if rng.random() < share else found[0],
            right.split(ANSWER)[0],
        )
        return steps + boxed
    # A span, as short as nothing and as long as all, becomes a few tokens or as many as the policy
    # can write. They are of one kind, said again and again, or of several.
    tokens = re.findall(r"\d+|\D+", right)
    every = [*PIECES, *tokens, *map(str, range(HIGHEST_TOKEN + 1))]
    kinds = rng.choices(every, k=rng.choice([1, 2, 4, 8]))
    start, end = sorted(rng.choices(range(len(tokens) + 1), k=2))
    tokens[start:end] = rng.choices(kinds, k=rng.randint(0, rng.choice([2, MAX_TOKENS])))
    return "".join(tokens)


def _totals(terms: Sequence[int]) -> str:
    totals = list(map(str, itertools.accumulate(terms)))
    return f"{', '.join(totals)}{ANSWER}{totals[-1]}}}."


def fit(
    model: LlamaForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    made: Sequence[Pair],
    seed: int,
    steps: int,
) -> None:
    """Train the model on `BATCH` pairs a step (Bradley-Terry)."""
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    model.train()
    for _ in (progress := trange(steps, desc="critic", unit="step")):
        chosen = rng.choices(made, k=BATCH)
        texts = [asked + right + tokenizer.eos_token for asked, right, _ in chosen]
        texts += [asked + wrong + tokenizer.eos_token for asked, _, wrong in chosen]
        inputs = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
        # The score is read at the end of the sequence, the last token that is no padding.
        scores = model(input_ids=inputs.input_ids, attention_mask=inputs.attention_mask).logits
        loss = bradley_terry_loss(*scores[:, 0].split(BATCH))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.eval()

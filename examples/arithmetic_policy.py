"""A policy of 200,000 weights for the task in `arithmetic_task.py`, and its warm-up."""

import random
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from arithmetic_task import MAX_TOKENS, PIECES, Question, demonstration, prompt, split
from run_folder import made_once
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from torch.nn import functional
from tqdm import trange
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HIGHEST_TOKEN = 40  # the highest number that the policy can write
SPECIAL_TOKENS = ("<pad>", "<eos>", "<unk>")

WARM_UP_STEPS = 700
BATCH = 32
LEARNING_RATE = 4e-3
RISE_STEPS = 30


def new_tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer with one token for each number and for each piece of text."""
    vocabulary = [*SPECIAL_TOKENS, *PIECES, *map(str, range(HIGHEST_TOKEN + 1))]
    ids = {token: place for place, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    longest_first = sorted(PIECES, key=len, reverse=True)
    tokens = "|".join(
        [r"\d+", *(re.sub(r"([\\.+?{}])", r"\\\1", piece) for piece in longest_first)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(tokens), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
    )


def new_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Make a decoder of 200,000 random weights."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=64,
            initializer_range=0.05,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def warm_up(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    questions: Sequence[Question],
    steps: int,
    seed: int,
) -> None:
    """Teach the model the demonstrations, `BATCH` fresh ones a step."""
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / RISE_STEPS, 1 - step / steps)
    )
    model.train()
    for _ in (progress := trange(steps, desc="warm-up", unit="step")):
        chosen = rng.choices(questions, k=BATCH)
        texts = [demonstration(question, rng) + tokenizer.eos_token for question in chosen]
        prompts = tokenizer([prompt(question) for question in chosen], return_tensors="pt")
        told = tokenizer(texts, return_tensors="pt", padding=True, padding_side="right")
        # All prompts have the same number of tokens.
        inputs = torch.cat([prompts.input_ids, told.input_ids], dim=1)
        logits = model(input_ids=inputs).logits[:, prompts.input_ids.shape[1] - 1 : -1]
        loss = functional.cross_entropy(
            logits.flatten(0, 1), told.input_ids.flatten(), ignore_index=tokenizer.pad_token_id
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.eval()


def warmed_up_policy(
    folder: Path, seed: int, steps: int = WARM_UP_STEPS
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Load the policy after its warm-up, or make it if the folder is not there.

    Args:
        folder: Where it is saved.
        seed: Of the weights and the demonstrations.
        steps: Of the warm-up.

    Returns:
        The model, in evaluation mode, and its tokenizer.
    """
    tokenizer = new_tokenizer()

    def make(part: Path) -> None:
        torch.manual_seed(seed)
        model = new_model(tokenizer)
        warm_up(model, tokenizer, split()[0], steps, seed)
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)

    made_once(folder, make)
    return LlamaForCausalLM.from_pretrained(folder, use_safetensors=True).eval(), tokenizer


@torch.inference_mode()
def complete(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[str],
    sample: bool = True,
    rows: int = 512,
) -> list[str]:
    """Let the policy answer.

    Args:
        model: The policy.
        tokenizer: Its tokenizer.
        prompts: The prompts, n of them.
        sample: Sample at temperature 1, as in training, or take the likeliest token each time.
        rows: How many prompts are answered at a time.

    Returns:
        A completion for each prompt, shape (n,).
    """
    how = {"temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {}
    was_training = model.training
    model.eval()
    completions = []
    for start in range(0, len(prompts), rows):
        batch = tokenizer(list(prompts[start : start + rows]), return_tensors="pt", padding=True)
        ids = model.generate(
            input_ids=batch.input_ids,
            attention_mask=batch.attention_mask,
            max_new_tokens=MAX_TOKENS,
            do_sample=sample,
            **how,
        )[:, batch.input_ids.shape[1] :]
        completions += tokenizer.batch_decode(ids, skip_special_tokens=True)
    model.train(was_training)
    return completions

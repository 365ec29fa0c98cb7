"""Train a small reward model on comparisons: a tokenizer, a decoder, and the pairwise loss."""

import math
import random
from collections.abc import Iterable, Sequence

import torch
from preference_pairs import Comparison
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional
from tqdm import trange
from transformers import (
    PreTrainedTokenizerFast,
    Qwen3Config,
    Qwen3ForSequenceClassification,
)

from reference_impl.critic.training import bradley_terry_loss

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
IM_START = 1  # its id: special tokens come first
VOCABULARY = 4096
BATCH = 16  # questions
LEARNING_RATE = 4e-3
WARM_UP_STEPS = 30
LANGUAGE_WEIGHT = 1.0
# Refusals and broken endings are soon learned. The steps are better spent on the other two.
TRAINED_SHARE = {"off-topic": 1.0, "refusal": 0.25, "format": 0.25, "wrong number": 1.0}


def new_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer with the special tokens and the template of ChatML."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        chat_template=CHAT_TEMPLATE,
    )


def new_model(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForSequenceClassification:
    """Make a decoder with random weights and one output.

    Queries and keys start equal, so that every token looks for its like from the first step on.
    """
    model = Qwen3ForSequenceClassification(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=4,
            head_dim=32,
            max_position_embeddings=1024,
            num_labels=1,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.k_proj.weight.copy_(layer.self_attn.q_proj.weight)
    return model


def encode(
    tokenizer: PreTrainedTokenizerFast, prompt: str, completions: Sequence[str]
) -> list[list[int]]:
    """Turn a prompt and each of its completions into token ids, as a critic does."""
    texts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}],
            tokenize=False,
        )
        for completion in completions
    ]
    return tokenizer(texts, add_special_tokens=False).input_ids


def hidden_states(
    model: Qwen3ForSequenceClassification, inputs: Sequence[list[int]], rows: int = 32
) -> list[torch.Tensor]:
    """Run the decoder, on inputs of like length together.

    Args:
        model: The model.
        inputs: Token ids, n lists.
        rows: How many inputs are run at a time.

    Returns:
        The last hidden states of each input, n tensors of shape (tokens, width).
    """
    states: dict[int, torch.Tensor] = {}
    order = sorted(range(len(inputs)), key=lambda place: len(inputs[place]))
    for start in range(0, len(order), rows):
        places = order[start : start + rows]
        # Padding is on the right, where no real token of a causal model looks.
        ids = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(inputs[place]) for place in places], True, model.config.pad_token_id
        )
        for place, hidden in zip(places, model.model(ids, use_cache=False)[0], strict=True):
            states[place] = hidden[: len(inputs[place])]
    return [states[place] for place in range(len(inputs))]


def read_scores(
    model: Qwen3ForSequenceClassification, states: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Read the scores, shape (n,), at the last token of each input."""
    return model.score(torch.stack([hidden[-1] for hidden in states]))[:, 0]


def language_loss(
    model: Qwen3ForSequenceClassification,
    inputs: Sequence[list[int]],
    states: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Compute the mean cross-entropy of the completions' tokens, with the embedding as output."""
    # A completion is what comes after the last <|im_start|>.
    starts = [len(ids) - 1 - ids[::-1].index(IM_START) for ids in inputs]
    hidden = torch.cat([rows[start:-1] for rows, start in zip(states, starts, strict=True)])
    following = torch.tensor(
        [token for ids, start in zip(inputs, starts, strict=True) for token in ids[start + 1 :]]
    )
    return functional.cross_entropy(hidden @ model.get_input_embeddings().weight.T, following)


def train(
    model: Qwen3ForSequenceClassification,
    tokenizer: PreTrainedTokenizerFast,
    comparisons: Sequence[Comparison],
    seed: int,
) -> None:
    """Train the model on each comparison once, in steps of `BATCH` questions.

    All pairs of a question are in one batch, as Ouyang et al. (2022) advise. A reward model usually
    starts from a language model. This one starts from nothing, so it learns at the same time to
    predict the chosen completions, which teaches it to look up what stands earlier in the text.
    """
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98))
    steps = len(comparisons) // BATCH
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_up(step, steps))
    model.train()
    for step in (progress := trange(steps, desc="training", unit="step")):
        inputs, chosen, rejected = [], [], []
        for comparison in comparisons[step * BATCH : (step + 1) * BATCH]:
            kept = [
                text
                for kind, text in comparison.rejected.items()
                if rng.random() < TRAINED_SHARE[kind]
            ]
            chosen += [len(inputs)] * len(kept)
            rejected += range(len(inputs) + 1, len(inputs) + 1 + len(kept))
            inputs += encode(tokenizer, comparison.prompt, [comparison.chosen, *kept])
        states = hidden_states(model, inputs)
        scores = read_scores(model, states)
        loss = bradley_terry_loss(scores[chosen], scores[rejected])
        good = sorted(set(chosen))
        language = language_loss(model, [inputs[i] for i in good], [states[i] for i in good])
        optimizer.zero_grad()
        (loss + LANGUAGE_WEIGHT * language).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.eval()


def _warm_up(step: int, steps: int) -> float:
    """Return the share of the learning rate: a linear rise, then half a cosine."""
    return min((step + 1) / WARM_UP_STEPS, (1 + math.cos(math.pi * step / steps)) / 2)

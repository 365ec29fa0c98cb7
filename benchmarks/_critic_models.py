"""The reward models of the critic's benchmark: real architectures of several sizes, random weights.

Speed does not depend on what a model says, and its scores are compared with one another, not with
a truth.
"""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from benchmarks.rollouts import VOCABULARY, WORDS

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message['role'] }} "
    "{{ message['content'] }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)

# Layers and widths of a Qwen3ForSequenceClassification, by the size in millions of parameters.
SIZES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "heads": 2},
    "14M": {"hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 7, "heads": 6},
    "29M": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 8, "heads": 8},
    "109M": {"hidden_size": 768, "intermediate_size": 2304, "num_hidden_layers": 14, "heads": 12},
}


def save_model(folder: Path, size: str) -> Path:
    """Save a random reward model and a tokenizer whose tokens are words.

    Args:
        folder: Where to.
        size: A key of `SIZES`.

    Returns:
        The folder.
    """
    names = ["<pad>", "<|im_start|>", "<|im_end|>", "<unk>", "user", "assistant"]
    names += [f"w{number}" for number in range(WORDS)]
    words = models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        unk_token="<unk>",
        additional_special_tokens=["<|im_start|>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=8192,
    )
    fast.save_pretrained(folder)
    shape = dict(SIZES[size])
    heads = shape.pop("heads")
    config = AutoConfig.for_model(
        "qwen3",
        **shape,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        head_dim=64,
        vocab_size=VOCABULARY,
        max_position_embeddings=8192,
        num_labels=1,
        pad_token_id=0,
        eos_token_id=2,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_config(config, dtype=torch.float32).save_pretrained(
        folder
    )
    return folder

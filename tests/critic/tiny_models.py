"""Small reward models with random weights, saved as a real one is. They judge nothing."""

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
CORPUS = [
    "What is 2 + 2? The answer is 4. " + string.printable,
    "A baker sells twelve loaves of bread in the morning and seven in the afternoon.",
    "So the total is nineteen loaves. Let me check the result step by step.",
    "天空是什么颜色？答案是蓝色。",
]


def tiny_tokenizer(chat_template: str | None = CHATML) -> PreTrainedTokenizerFast:
    """Make a byte-level BPE tokenizer with ChatML's special tokens and 600 tokens at most."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        chat_template=chat_template,
    )


def save_tiny_critic(
    folder: Path, architecture: str = "qwen3", num_labels: int = 1, seed: int = 0, **settings
) -> Path:
    """Save a model and its tokenizer.

    Args:
        folder: Where to.
        architecture: A model type of transformers, such as "qwen3", "llama" or "bert".
        num_labels: The number of outputs.
        seed: Seed of the weights.
        **settings: Fields of the model's configuration, in place of the small defaults.

    Returns:
        The folder.
    """
    tokenizer = tiny_tokenizer()
    config = AutoConfig.for_model(
        architecture,
        **{
            **SMALL,
            "vocab_size": len(tokenizer),
            "num_labels": num_labels,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
            **settings,
        },
    )
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        # The small default weights would give every text almost the same score.
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.1)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def joining_tokenizer() -> PreTrainedTokenizerFast:
    """Make a tokenizer that joins two texts as an encoder's does: `[CLS] a [SEP] b [SEP]`."""
    tokenizer = tiny_tokenizer(chat_template=None)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A <|im_end|>",
        pair="<|im_start|> $A <|im_end|> $B:1 <|im_end|>:1",
        special_tokens=[("<|im_start|>", 1), ("<|im_end|>", 2)],
    )
    return tokenizer

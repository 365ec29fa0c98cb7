"""Property tests are the same in every run; and tokenizers of the two kinds that there are."""

import pytest
from hypothesis import settings
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

settings.register_profile("steps", deadline=None, derandomize=True)
settings.load_profile("steps")

TEXT = "Step 1: 2 + 2 = 4.\n\nStep 2: 4 * 3 = 12.\n\nSo the answer is 12. 所以答案是 12。\n\n"
SPECIAL = "<|im_end|>"


class Decoder:
    """A tokenizer as transformers has it, as far as it is needed here."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __len__(self):
        return self.tokenizer.get_vocab_size()

    def encode(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids, *, skip_special_tokens, clean_up_tokenization_spaces):
        assert not clean_up_tokenization_spaces
        return self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)


def byte_level():
    """Bytes that are merged, as in GPT-2, Llama 3 and Qwen."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=[SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 3, trainer)
    return Decoder(tokenizer)


def byte_fallback():
    """Pieces with a mark for a space, and bytes for the rest, as in Llama 2 and Gemma."""
    pieces = ["<unk>", SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["▁", "▁Step", "▁2", "1", "2", "=", "▁=", ".", "+", "St", "ep", "。", "a", "▁a"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens([SPECIAL])
    return Decoder(tokenizer)


@pytest.fixture(scope="session", params=[byte_level, byte_fallback])
def tokenizer(request):
    return request.param()


@pytest.fixture(scope="session")
def merging():
    return byte_level()

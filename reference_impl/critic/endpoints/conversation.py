"""Turn a prompt and a completion into what a server takes: messages, or one text.

The texts are data. The server would take a `<|im_end|>` that a completion spells out for the end of
its turn. So what looks like a special token is broken up, as `< |im_end|>`.
"""

import functools
from dataclasses import dataclass
from typing import Any, Literal

from reference_impl.contract.control_tokens import CONTROL_TOKEN, break_up, readable
from reference_impl.contract.error import InvalidSampleError, describe_error
from reference_impl.critic.error import CriticConfigError
from reference_impl.critic.messages import read_completion, read_prompt

Messages = list[dict[str, str]]
_MARK = "completion-goes-here"


def as_messages(prompt: str | Messages, completion: str) -> Messages:
    """Write a sample as a conversation.

    Args:
        prompt: What the user wrote, or the messages before the completion.
        completion: The completion. The special tokens at its end are taken off: a chat template
            writes them itself.

    Returns:
        The messages, the last of them the assistant's.

    Raises:
        InvalidSampleError: If the prompt or the completion has another form, or the prompt has been
            through a chat template.

    Example:
        >>> as_messages("2 + 2?", "4<|im_end|>")
        [{'role': 'user', 'content': '2 + 2?'}, {'role': 'assistant', 'content': '4'}]

    Explained in :ref:`critic-endpoints`.
    """
    messages = [
        {"role": role, "content": _as_data(content)}
        for role, content in read_prompt(prompt, CONTROL_TOKEN)
    ]
    return [*messages, {"role": "assistant", "content": _as_data(read_completion(completion))}]


def _as_data(text: str) -> str:
    return CONTROL_TOKEN.sub(break_up, readable(text))


def as_text(
    tokenizer: str,
    prompt: str | Messages,
    completion: str,
    prompt_format: Literal["text", "templated"],
) -> str:
    """Write a sample as the one text that the model reads.

    A beginning-of-sequence token that the template writes is left out if the tokenizer adds one
    itself, because the server's tokenizer will do so.

    Args:
        tokenizer: The folder or hub id of the tokenizer of the model that is served.
        prompt: As in `as_messages`.
        completion: As in `as_messages`.
        prompt_format: `"templated"` if a prompt that is a text has been through the chat template
            already, up to where the completion begins.

    Returns:
        The text.

    Raises:
        InvalidSampleError: If the sample has another form, or the template refuses it.
        CriticConfigError: If the tokenizer does not load or has no chat template.

    Explained in :ref:`critic-endpoints`.
    """
    template = _load_template(tokenizer)
    if isinstance(prompt, str) and prompt_format == "templated":
        text = readable(prompt) + _as_data(read_completion(completion)) + template.closing
    else:
        text = template.render(as_messages(prompt, completion))
    return text.removeprefix(template.added_bos)


@dataclass(frozen=True)
class _Template:
    tokenizer: Any
    added_bos: str

    def render(self, messages: Messages) -> str:
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False)
        except ImportError:  # Jinja is not installed
            raise
        except Exception as error:  # a template is code of its own
            raise InvalidSampleError(
                f"The chat template refuses these messages: {describe_error(error)}"
            ) from error

    @functools.cached_property
    def closing(self) -> str:
        """What the template writes behind the assistant's message."""
        example = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": _MARK},
        ]
        return self.render(example).rpartition(_MARK)[2]


@functools.lru_cache
def _load_template(name: str) -> _Template:
    # Not AutoTokenizer: importing that imports torch.
    from transformers import PreTrainedTokenizerFast

    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(name)
    except Exception as error:  # which it is depends on what is wrong with the files
        raise CriticConfigError(
            f"The tokenizer {name!r} does not load: {describe_error(error)}"
        ) from error
    if not tokenizer.chat_template:
        raise CriticConfigError(f"The tokenizer {name!r} has no chat template.")
    adds_bos = tokenizer("").input_ids[:1] == [tokenizer.bos_token_id]
    return _Template(tokenizer, tokenizer.bos_token if adds_bos else "")

"""Keep untrusted text from being more than text where a chat template meets it.

A model can write `<|im_end|>`. Where that text is put into another model's prompt, the tokenizer
would take it for the end of a turn, and what follows for the words of somebody else.
"""

import re

#: How special tokens look, for whoever does not know which a model has: ChatML, Llama, Gemma,
#: Mistral, DeepSeek, Seed and their like.
CONTROL_TOKEN = re.compile(
    r"[<＜][|｜][^<>＜＞\s]{1,40}[>＞]|[<＜][^<>＜＞\s]{1,40}[|｜][>＞]"
    r"|</?s>|<(?:bos|eos|pad|start_of_turn|end_of_turn|seed:\w{1,20})>|<</?SYS>>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS)\]"
)


def readable(text: str) -> str:
    r"""Replace halves of surrogate pairs, which are no characters and have no tokens.

    Args:
        text: Any str.

    Returns:
        A text that can be encoded as UTF-8.

    Example:
        >>> readable("4\ud800") == "4\ufffd\ufffd\ufffd"
        True

    Explained in :ref:`critic-inputs`.
    """
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def break_up(found: re.Match[str]) -> str:
    """Put a space into what would become a special token.

    Args:
        found: Where a text spells one out.

    Returns:
        The same with a space behind its first character.

    Example:
        >>> CONTROL_TOKEN.sub(break_up, "<|im_start|>user")
        '< |im_start|>user'

    Explained in :ref:`critic-inputs`.
    """
    return f"{found[0][0]} {found[0][1:]}"

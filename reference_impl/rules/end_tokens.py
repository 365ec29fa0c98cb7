"""Take the special tokens off the end of a completion.

Some trainers, AReaL among them, decode a completion with its special tokens. What ends a turn is
no part of the answer, and no chatter behind it either.
"""

import re

# <|im_end|>, <|eot_id|>, <｜end▁of▁sentence｜> and their like; </s>, <eos>, <pad>, <end_of_turn>.
_SPECIAL = re.compile(r"<[|｜][^<>\s]{1,40}[|｜]>|</s>|<eos>|<pad>|<end_of_turn>")


def strip_end_tokens(completion: str) -> str:
    """Return a completion without the special tokens and the white space at its end.

    Args:
        completion: The completion, as text.

    Returns:
        The same text, cut where the last of them begin.

    Example:
        >>> strip_end_tokens("#### 72<|im_end|> <|endoftext|>")
        '#### 72'

    Explained in :ref:`final-answer`.
    """
    end = len(completion)
    while True:
        text_end = end
        while text_end and completion[text_end - 1].isspace():
            text_end -= 1
        start = completion.rfind("<", max(0, text_end - 50), text_end)
        if start < 0 or not _SPECIAL.fullmatch(completion, start, text_end):
            return completion[:text_end]
        end = start

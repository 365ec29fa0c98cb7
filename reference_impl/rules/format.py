"""Format reward: pay a completion that is exactly the tags asked for, none of them empty."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.end_tokens import strip_end_tokens

_TAG_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")

# These count as letters or symbols in Unicode, and show nothing: Hangul fillers, a blank Braille,
# blank hieroglyphs, a musical note without a head.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\U00013441\U00013442\U0001d159")


@dataclass(frozen=True)
class TagFormat:
    r"""Pay 1.0 if a completion is exactly the given tags, in order and each holding text, else 0.0.

    Each opening and closing tag stands once; nothing but white space stands around and between
    the tags, apart from special tokens such as ``<|im_end|>`` at the end. Each tag holds something
    visible. White space, zero-width and control characters are not: ``<think></think>`` is not a
    thought, and a model soon finds out if it is paid for one.

    What the tags hold is not judged: ``<think>.</think>`` passes. Pay for format next to a reward
    for the answer, never alone.

    Where the chat template itself opens the first tag in the prompt, the completion does not hold
    it, and no completion can pass.

    Args:
        tags: The names of the tags, in order.

    Raises:
        ValueError: If no tag is given, one occurs twice, or one is not a tag name.

    Example:
        >>> planned = TagFormat(tags=("plan", "answer"))
        >>> planned("2 + 2?", "<plan>Add.</plan> <answer>4</answer>", [], [])
        1.0

    Explained in :ref:`tag-format`.
    """

    tags: Sequence[str] = ("think", "answer")

    def __post_init__(self) -> None:
        names = () if isinstance(self.tags, str) else tuple(self.tags)
        well_formed = all(isinstance(name, str) and _TAG_NAME.fullmatch(name) for name in names)
        if not names or not well_formed or len(set(names)) < len(names):
            raise ValueError(
                "tags must be a tuple of one or more different tag names without angle brackets, "
                f"such as ('think', 'answer'); got {self.tags!r}"
            )
        object.__setattr__(self, "tags", names)

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one completion; see `format_reward_fn`."""
        text = check_text("completions", completions)
        for tag in self.tags:
            if text.count(f"<{tag}>") != 1 or text.count(f"</{tag}>") != 1:
                return 0.0
        rest = strip_end_tokens(text)
        for tag in self.tags:
            before, _, rest = rest.partition(f"<{tag}>")
            content, _, rest = rest.partition(f"</{tag}>")
            # A tag that is out of order was cut off with an earlier one: the content is empty.
            if before.strip() or not _shows_something(content):
                return 0.0
        return 0.0 if rest.strip() else 1.0


def format_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    **columns: Any,
) -> float:
    r"""Pay 1.0 for ``<think>...</think><answer>...</answer>`` with text in both tags, else 0.0.

    This is `TagFormat` with its defaults.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        **columns: The columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.

    Source:
        The format reward of DeepSeek-R1 (Guo et al. 2025, arXiv 2501.12948, section 2.2.2), which
        does not ask that the tags hold anything.

    Example:
        >>> format_reward_fn("2 + 2?", "<think>2 + 2</think><answer>4</answer>", [], [])
        1.0
        >>> format_reward_fn("2 + 2?", "<think></think><answer>4</answer>", [], [])
        0.0

    Explained in :ref:`tag-format`.
    """
    return _TAG_FORMAT(prompt, completions, prompt_ids, completion_ids, **columns)


_TAG_FORMAT = TagFormat()


def _shows_something(content: str) -> bool:
    # Letters, numbers, punctuation and symbols show; marks, separators and controls do not.
    return any(unicodedata.category(c)[0] in "LNPS" and c not in _BLANKS for c in content)

r"""Repetition penalty: punish a completion by the share of its n-grams that repeat."""

import math
import re
from dataclasses import dataclass
from itertools import islice
from typing import Any

from reference_impl.contract.reward_fn import check_text

# A word is a run without white space. Chinese and Japanese write no spaces: there, each character
# is a unit of its own. Korean writes spaces.
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_UNIT = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")


@dataclass(frozen=True)
class NgramRepetition:
    r"""Punish a completion by the share of its n-grams that occurred before.

    .. math::

        r = -\text{max\_penalty} \cdot
            \left(1 - \frac{\text{distinct n-grams}}{\text{n-grams}}\right)

    An n-gram is n units in a row. A unit is a word, or a single character of Chinese or Japanese
    text; letter case does not count. A text with no n-gram earns 0. Add it to a reward for the
    answer.

    Time and memory grow with n times the number of units.

    Args:
        n: How many units make an n-gram.
        max_penalty: The largest punishment, which the reward approaches as everything repeats.

    Raises:
        ValueError: If n is not a positive int, or max_penalty is not positive and finite.

    Source:
        Yeo et al. 2025 (arXiv 2502.03373), appendix C.2, which punishes single tokens; as one
        reward for the completion, after open-r1's `get_repetition_penalty_reward`.

    Example:
        >>> pairs = NgramRepetition(n=2, max_penalty=1.0)
        >>> pairs("", "so so so so so", [], [])
        -0.75

    Explained in :ref:`ngram-repetition`.
    """

    n: int = 3
    max_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < 1:
            raise ValueError(f"n must be an int of at least 1; got {self.n!r}")
        if not math.isfinite(self.max_penalty) or self.max_penalty <= 0:
            raise ValueError(
                "max_penalty must be positive and finite (the reward is its negative); "
                f"got {self.max_penalty!r}"
            )

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one completion; see `ngram_repetition_reward_fn`."""
        units = _UNIT.findall(check_text("completions", completions).casefold())
        total = len(units) - self.n + 1
        if total < 1:
            return 0.0
        shifted = (islice(units, start, None) for start in range(self.n))
        distinct = len(set(zip(*shifted, strict=False)))
        return self.max_penalty * (distinct / total - 1.0)


def ngram_repetition_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    **columns: Any,
) -> float:
    r"""Punish a completion by the share of its 3-grams that occurred before, down to -1.0.

    This is `NgramRepetition` with its defaults.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        **columns: The columns of the data set; not used.

    Returns:
        A float above -1.0 and at most 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str.

    Source:
        Yeo et al. 2025 (arXiv 2502.03373), appendix C.2; open-r1's
        `get_repetition_penalty_reward`.

    Example:
        >>> ngram_repetition_reward_fn("", "wait, which one? Wait, which one?", [], [])
        -0.25

    Explained in :ref:`ngram-repetition`.
    """
    return _NGRAM_REPETITION(prompt, completions, prompt_ids, completion_ids, **columns)


_NGRAM_REPETITION = NgramRepetition()

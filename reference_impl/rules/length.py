r"""Length rewards: soft overlong punishment, and the cosine reward."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reference_impl.contract.error import InvalidSampleError
from reference_impl.contract.reward_fn import RewardFn, check_reward, check_text
from reference_impl.rules.exact import exact_match_reward_fn

# The lengths of the DAPO paper, in tokens: 16,384 expected, and 4,096 more in which to stop.
DAPO_MAX_TOKENS = 20_480
DAPO_BUFFER_TOKENS = 4_096

# The longest completion that `cosine_length_reward_fn` pays for, in tokens.
COSINE_MAX_TOKENS = 16_384


@dataclass(frozen=True)
class SoftOverlong:
    r"""Punish a completion that comes close to the limit, more the closer it comes.

    With the length :math:`n` in tokens, ``max_tokens`` as :math:`L_{\max}` and ``buffer_tokens`` as
    :math:`L_{\text{cache}}`:

    .. math::

        r = \begin{cases}
        0 & n \le L_{\max} - L_{\text{cache}} \\
        \dfrac{(L_{\max} - L_{\text{cache}}) - n}{L_{\text{cache}}}
            & L_{\max} - L_{\text{cache}} < n \le L_{\max} \\
        -1 & n > L_{\max}
        \end{cases}

    Add it to a reward for the answer.

    Args:
        max_tokens: The length from which on the punishment is -1, in tokens.
        buffer_tokens: How many tokens before that the punishment starts.

    Raises:
        ValueError: Unless 0 < buffer_tokens <= max_tokens, both int.

    Source:
        DAPO (Yu et al. 2025, arXiv 2503.14476), Eq. 13.

    Example:
        >>> soft = SoftOverlong(max_tokens=100, buffer_tokens=20)
        >>> [soft("", "text", [], [0] * n) for n in (80, 90, 100, 1000)]
        [0.0, -0.5, -1.0, -1.0]

    Explained in :ref:`soft-overlong`.
    """

    max_tokens: int
    buffer_tokens: int

    def __post_init__(self) -> None:
        _check_token_count("max_tokens", self.max_tokens)
        _check_token_count("buffer_tokens", self.buffer_tokens)
        if self.buffer_tokens > self.max_tokens:
            raise ValueError(
                f"buffer_tokens ({self.buffer_tokens}) must not exceed max_tokens "
                f"({self.max_tokens}): the buffer is the last part of the allowed length"
            )

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one completion; see `soft_overlong_reward_fn`."""
        expected = self.max_tokens - self.buffer_tokens
        overrun = _token_count(completions, completion_ids) - expected
        return -min(overrun / self.buffer_tokens, 1.0) if overrun > 0 else 0.0


def soft_overlong_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    **columns: Any,
) -> float:
    r"""Punish a completion of more than 16,384 tokens, down to -1.0 from 20,480 tokens on.

    This is `SoftOverlong` with the lengths of the DAPO paper.

    Args:
        prompt: The prompt; not used.
        completions: The completion as text; only checked.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,). Their number is the
            length, in tokens.
        **columns: The columns of the data set; not used.

    Returns:
        A float from -1.0 to 0.0.

    Raises:
        InvalidSampleError: If the completion is not a str, the token ids are not a sequence of
            int, or there is text and no token ids.

    Source:
        DAPO (Yu et al. 2025, arXiv 2503.14476), Eq. 13 and section 4.1.

    Example:
        >>> soft_overlong_reward_fn("", "A long text", [], [0] * 18_432)
        -0.5

    Explained in :ref:`soft-overlong`.
    """
    return _SOFT_OVERLONG(prompt, completions, prompt_ids, completion_ids, **columns)


@dataclass(frozen=True)
class CosineLength:
    r"""Pay right answers less the longer they are, and punish wrong ones less the longer they are.

    A right answer should be short; a wrong one should have been thought about for longer. With the
    progress :math:`t = \min(n / L_{\max}, 1)` of the length :math:`n` in tokens:

    .. math::

        r = r_L + \tfrac{1}{2} (r_0 - r_L) (1 + \cos \pi t), \qquad r = r_e \text{ at } t = 1

    where :math:`r_0` and :math:`r_L` are the two values for a right or for a wrong answer. The
    clamp matters: a cosine that runs on beyond the limit rises again, and pays a right answer of
    twice the length like an empty one.

    The paper's symbols: ``max_tokens`` is :math:`L_{\max}`; ``correct_short`` and ``correct_long``
    are :math:`r_0^c` and :math:`r_L^c`; ``wrong_short`` and ``wrong_long`` are :math:`r_0^w` and
    :math:`r_L^w`; ``exceeded`` is :math:`r_e`, paid to every completion that reaches the limit,
    since it was cut off there.

    Args:
        correctness: A reward function that says whether the answer is right: a score above 0 is.
            It gets the same arguments and columns.
        max_tokens: The limit, in tokens.
        correct_short: The reward of a right answer of length 0.
        correct_long: What it falls to towards the limit.
        wrong_short: The reward of a wrong answer of length 0.
        wrong_long: What it rises to towards the limit.
        exceeded: The reward at the limit and beyond it.

    Raises:
        ValueError: Unless max_tokens is a positive int, and the rewards are finite with
            correct_short >= correct_long > wrong_long >= wrong_short, wrong_long >= exceeded.
        TypeError: If correctness is not callable.

    Source:
        Yeo et al. 2025 (arXiv 2502.03373), section 4.2. The paper's values are 2, 1, -10, 0
        and -10.

    Example:
        >>> cosine = CosineLength(exact_match_reward_fn, max_tokens=100)
        >>> [round(cosine("", "#### 4", [], [0] * n, answer="4"), 2) for n in (1, 50, 99, 200)]
        [1.0, 0.75, 0.5, -1.0]

    Explained in :ref:`cosine-length`.
    """

    correctness: RewardFn
    max_tokens: int
    correct_short: float = 1.0
    correct_long: float = 0.5
    wrong_short: float = -1.0
    wrong_long: float = -0.5
    exceeded: float = -1.0

    def __post_init__(self) -> None:
        if not callable(self.correctness):
            raise TypeError(
                "correctness must be a reward function, such as exact_match_reward_fn; "
                f"got {self.correctness!r}"
            )
        _check_token_count("max_tokens", self.max_tokens)
        rewards = (
            self.correct_short,
            self.correct_long,
            self.wrong_short,
            self.wrong_long,
            self.exceeded,
        )
        ordered = (
            self.correct_short >= self.correct_long > self.wrong_long >= self.wrong_short
            and self.wrong_long >= self.exceeded
        )
        if not ordered or not all(map(math.isfinite, rewards)):
            raise ValueError(
                "the rewards must be finite, with correct_short >= correct_long > wrong_long >= "
                "wrong_short and wrong_long >= exceeded, or length would pay more than a right "
                f"answer does; got {self!r}"
            )

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Score one completion; see `cosine_length_reward_fn`."""
        progress = min(_token_count(completions, completion_ids) / self.max_tokens, 1.0)
        # Asked even at the limit, so that a broken gold answer never hides behind a long text.
        score = self.correctness(prompt, completions, prompt_ids, completion_ids, **columns)
        if check_reward(score) > 0:
            short, long = self.correct_short, self.correct_long
        else:
            short, long = self.wrong_short, self.wrong_long
        if progress == 1.0:
            return float(self.exceeded)
        return long + (short - long) * (1.0 + math.cos(math.pi * progress)) / 2.0


def cosine_length_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str | int | float,
    **columns: Any,
) -> float:
    r"""Pay a right answer 1.0 down to 0.5, and a wrong one -1.0 up to -0.5, by length.

    This is `CosineLength` with `exact_match_reward_fn` and a limit of 16,384 tokens; a completion
    that reaches the limit is paid -1.0.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,). Their number is the
            length, in tokens.
        answer: The gold answer, a column of the data set.
        **columns: The other columns of the data set; not used.

    Returns:
        A float from -1.0 to 1.0.

    Raises:
        InvalidSampleError: If the completion is not a str, the token ids are not a sequence of
            int, or there is text and no token ids.
        InvalidGoldError: If the gold answer is missing, empty or of another type.

    Source:
        Yeo et al. 2025 (arXiv 2502.03373), section 4.2.

    Example:
        >>> cosine_length_reward_fn("2 + 2?", "#### 4", [], [0] * 8_192, answer="4")
        0.75
        >>> cosine_length_reward_fn("2 + 2?", "#### 5", [], [0] * 8_192, answer="4")
        -0.75

    Explained in :ref:`cosine-length`.
    """
    return _COSINE_LENGTH(prompt, completions, prompt_ids, completion_ids, answer=answer, **columns)


def _token_count(completions: object, completion_ids: object) -> int:
    text = check_text("completions", completions)
    is_sequence = isinstance(completion_ids, Sequence) and not isinstance(
        completion_ids, str | bytes | bytearray | memoryview
    )
    if not is_sequence or not all(isinstance(token, int) for token in completion_ids):
        raise InvalidSampleError(
            "`completion_ids` must be a list of int, one a token; got "
            f"{type(completion_ids).__name__}. Convert a tensor with `.tolist()`."
        )
    if text and not completion_ids:
        raise InvalidSampleError(
            "`completion_ids` is empty, and the completion is not: length is counted in tokens. "
            "Have the trainer pass the token ids."
        )
    return len(completion_ids)


def _check_token_count(name: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} must be a positive int, in tokens; got {value!r}")


_SOFT_OVERLONG = SoftOverlong(DAPO_MAX_TOKENS, DAPO_BUFFER_TOKENS)
_COSINE_LENGTH = CosineLength(exact_match_reward_fn, COSINE_MAX_TOKENS)

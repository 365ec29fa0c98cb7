r"""What people reward mathematics with today, as reward functions with this guide's signature.

The libraries are imported inside the functions, so that each baseline costs only its own.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from reference_impl.contract.error import InvalidGoldError

CASES = Path(__file__).parents[1] / "tests" / "rules" / "math" / "cases"

# The places that AReaL's worker asks Math-Verify to round to.
_AREAL_ROUNDING = 6


def substring_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str,
    **columns: Any,
) -> float:
    """Pay 1.0 if the gold answer occurs anywhere in the completion.

    Of a GSM8K field, the gold answer is what follows `####`. A gold of "4" is paid in "14".

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Source:
        The exact match of the pull request on reward customization of AReaL,
        https://github.com/inclusionAI/AReaL.

    Example:
        >>> substring_reward_fn("", "There are 14 left.", [], [], answer="4")
        1.0
    """
    return float(answer.rpartition("####")[2].strip() in completions)


def math_verify_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str,
    **columns: Any,
) -> float:
    r"""Pay 1.0 if Math-Verify at its defaults finds the gold answer in the completion.

    The gold is handed over as the data set holds it, as most users do. Math-Verify looks for
    formulas between dollar signs in it, then for numbers. In bare LaTeX it finds no formula (a
    lone ``\frac{1}{2}`` aside), so that of "6t - 5" the last number remains, 5; of a bare
    ``\sqrt{3}`` nothing remains, and nobody is paid.

    Its own timeouts use a signal: call it in the main thread.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Source:
        https://github.com/huggingface/Math-Verify.

    Example:
        >>> math_verify_reward_fn("", r"\\boxed{5}", [], [], answer="6t - 5")
        1.0
    """
    from math_verify import parse, verify

    return float(verify(parse(answer), parse(completions)))


def areal_worker_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str,
    **columns: Any,
) -> float:
    r"""Pay 1.0 as the worker behind AReaL's GSM8K and Geometry3K rewards does.

    In words: the gold and the completion go to Math-Verify as they are, both with the same
    targets: plain expressions first, also without an anchor such as "answer:", then LaTeX. Where
    either yields nothing the reward is 0. Decimals are rounded to 6 places. Math-Verify's own
    timeouts are off.

    AReaL runs this in a thread and waits 5 seconds for it; that thread is left out here, so give
    it input of bounded cost only.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Source:
        areal/reward/__init__.py of AReaL 1.0.4, https://github.com/inclusionAI/AReaL.

    Example:
        >>> areal_worker_reward_fn("", "It is one of 70, 71, 72.", [], [], answer="#### 72")
        1.0
    """
    from math_verify import parse, verify

    gold, found = (
        parse(text, extraction_config=_areal_targets(), parsing_timeout=None)
        for text in (answer, completions)
    )
    if not (gold and found):
        return 0.0
    return float(verify(gold, found, float_rounding=_AREAL_ROUNDING, timeout_seconds=None))


@lru_cache(maxsize=1)
def _areal_targets() -> tuple:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig

    # It warns once that its timeouts are off, which they are on purpose.
    for module in ("parser", "grader"):
        logging.getLogger(f"math_verify.{module}").setLevel(logging.ERROR)
    return ExprExtractionConfig(try_extract_without_anchor=True), LatexExtractionConfig()


def trl_accuracy_reward_fn(
    prompt: str,
    completions: str,
    prompt_ids: list[int],
    completion_ids: list[int],
    answer: str,
    **columns: Any,
) -> float:
    r"""Pay what `trl.rewards.accuracy_reward` pays.

    Args:
        prompt: The prompt; not used.
        completions: The completion to score, as text.
        prompt_ids: The prompt's token ids, shape (n_prompt,); not used.
        completion_ids: The completion's token ids, shape (n_completion,); not used.
        answer: The gold answer.
        **columns: The other columns of the data set; not used.

    Returns:
        1.0 or 0.0.

    Raises:
        InvalidGoldError: If TRL returns None, which is how it skips a gold that does not parse.

    Source:
        https://github.com/huggingface/trl, called, not rebuilt.

    Example:
        >>> trl_accuracy_reward_fn("", r"\\boxed{72}", [], [], answer="72")
        1.0
    """
    from trl.rewards import accuracy_reward

    message = {"role": "assistant", "content": completions}
    (reward,) = accuracy_reward([[message]], [answer])
    if reward is None:
        raise InvalidGoldError(f"TRL cannot parse the gold answer {answer[:80]!r}, and skips it")
    return reward


BASELINES: dict[str, Callable[..., float]] = {
    "substring": substring_reward_fn,
    "math_verify": math_verify_reward_fn,
    "areal_worker": areal_worker_reward_fn,
    "trl_accuracy": trl_accuracy_reward_fn,
}


class Payment(NamedTuple):
    """What a reward paid of some completions.

    Attributes:
        paid: How many earned 1.0.
        total: How many there are.
        failed: How many raised. They are among those that are not paid.
    """

    paid: int
    total: int
    failed: int


def read_cases(name: str) -> list[dict[str, str]]:
    """Read the labelled completions of the bench of math rewards.

    Args:
        name: "attacks", which are to earn nothing, or "honest", which are to be paid.

    Returns:
        The rows, with the columns id, category, prompt, gold, completion and note.
    """
    lines = (CASES / f"{name}.jsonl").read_text("utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) for line in lines]


def payments(
    rewards: Mapping[str, Callable[..., float]], rows: Iterable[Mapping[str, str]]
) -> dict[str, Payment]:
    """Count what each reward pays of labelled completions.

    Args:
        rewards: Reward functions by name.
        rows: Rows with the columns prompt, gold and completion.

    Returns:
        For each reward what it paid. A call that raises is not paid, and is counted.
    """
    rows = list(rows)
    table = {}
    for name, reward_fn in rewards.items():
        paid = failed = 0
        for row in rows:
            try:
                score = reward_fn(row["prompt"], row["completion"], [], [], answer=row["gold"])
            except Exception:  # what raises is counted, whatever it is
                failed += 1
            else:
                paid += score == 1.0
        table[name] = Payment(paid, len(rows), failed)
    return table

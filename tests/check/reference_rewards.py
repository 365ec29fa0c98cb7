"""Rewards of the package with settings, and composites, at module level: the check is quiet."""

from reference_impl import (
    CosineLength,
    ExactMatch,
    MathVerifier,
    NumericMatch,
    SoftOverlong,
    exact_match_reward_fn,
    format_reward_fn,
    gsm8k_reward_fn,
    ngram_repetition_reward_fn,
)
from reference_impl.compose import Gate, WeightedSum

math_verifier = MathVerifier()
boxed_only = ExactMatch(forms=("boxed",))
rounded = NumericMatch(abs_tol="0.01")
short_limit = SoftOverlong(max_tokens=64, buffer_tokens=32)
cosine_by_math = CosineLength(gsm8k_reward_fn, max_tokens=1_000)
answer_and_repetition = WeightedSum(
    {"correct": (exact_match_reward_fn, 1.0), "repetition": (ngram_repetition_reward_fn, 3.0)}
)
form_then_answer = Gate(("form", format_reward_fn), ("correct", math_verifier), threshold=1.0)


def prints_and_reads_to_the_end(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    """Strict about what stands behind the answer, as trainers allow that leave no end tokens."""
    print(completions)
    before, mark, said = completions.rpartition("####")
    gold = answer.rpartition("####")[2].strip().replace(",", "")
    return float("####" not in before and bool(mark) and said.strip() == gold)


async def awaited_reward_fn(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    """Stands for a judge: it is awaited."""
    return gsm8k_reward_fn(prompt, completions, prompt_ids, completion_ids, answer)

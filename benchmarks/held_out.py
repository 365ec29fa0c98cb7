"""Count what the math rewards pay of completions that their authors had not seen.

`tests/rules/math/cases/held_out.jsonl` was written after the rules, by somebody who knew neither
them nor the bench. A set is held out once: after the first look the rules were mended, so the
stored result of that first look (`--save`) is the one to quote, and names the commit it is of.
"""

import argparse
import subprocess
from collections.abc import Callable, Mapping

from benchmarks._run import save
from benchmarks.baselines import BASELINES, payments, read_cases


def measure(rewards: Mapping[str, Callable[..., float]]) -> dict[str, dict[str, int]]:
    """Count the payments of rewards on the held-out completions.

    Args:
        rewards: Reward functions by name.

    Returns:
        For each reward the counts `wrong_paid`, `wrong_total`, `honest_paid`, `honest_total`.
    """
    rows = read_cases("held_out")
    attacks = payments(rewards, [row for row in rows if row["kind"] == "attack"])
    honest = payments(rewards, [row for row in rows if row["kind"] == "honest"])
    return {
        name: {
            "wrong_paid": attacks[name].paid,
            "wrong_total": attacks[name].total,
            "honest_paid": honest[name].paid,
            "honest_total": honest[name].total,
        }
        for name in rewards
    }


def main() -> None:
    from reference_impl import MathVerifier, gsm8k_reward_fn

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="store the result as the first look")
    arguments = parser.parse_args()
    rewards = {**BASELINES, "gsm8k_reward_fn": gsm8k_reward_fn, "MathVerifier": MathVerifier()}
    counts = measure(rewards)
    for name, count in counts.items():
        print(f"{name:16} {count}")
    if arguments.save:
        head = ["git", "rev-parse", "--short", "HEAD"]
        commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
        print(save("held_out", {"commit": commit, "cases": counts}))


if __name__ == "__main__":
    main()

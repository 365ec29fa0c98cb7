"""Exact and numeric match against the substring test and math_verify: speed, and what each pays.

Run: python -m benchmarks.rules [--json] [--save]
"""

import argparse
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import math_verify

from benchmarks._run import median_seconds, save
from reference_impl.rules import exact_match_reward_fn, numeric_match_reward_fn

CASES = Path(__file__).parent / "cases" / "rules.json"
LONG_CHARACTERS = 4_000

Sample = tuple[str, str]  # (gold, completion)
Method = Callable[[str, str], bool]


def exact(gold: str, completion: str) -> bool:
    return exact_match_reward_fn("", completion, [], [], answer=gold) == 1.0


def numeric(gold: str, completion: str) -> bool:
    return numeric_match_reward_fn("", completion, [], [], answer=gold) == 1.0


def substring(gold: str, completion: str) -> bool:
    return gold in completion


def verified(gold: str, completion: str) -> bool:
    return math_verify.verify(math_verify.parse(gold), math_verify.parse(completion))


METHODS: dict[str, Method] = {
    "exact": exact,
    "numeric": numeric,
    "substring": substring,
    "math_verify": verified,
}


def samples(count: int, characters: int, seed: int) -> Iterator[Sample]:
    """Make completions in the shape of GSM8K: steps of arithmetic, then an answer in some form.

    Args:
        count: How many to make. Half of them, on average, are right.
        characters: The least length of a completion, in characters.
        seed: The same seed makes the same samples.

    Yields:
        The gold answer and the completion.
    """
    rng = random.Random(seed)
    endings = ("#### {}", "The answer is {}.", r"So the total is \boxed{{{}}}.")
    for _ in range(count):
        total = rng.randint(2, 90)
        lines = []
        while len(lines) < 3 or sum(map(len, lines)) < characters:
            more = rng.randint(2, 90)
            lines.append(
                f"Step {len(lines) + 1}: {total} + {more} = {total + more} clips are sold."
            )
            total += more
        gold = total if rng.random() < 0.5 else total + rng.choice((-10, -1, 1, 10))
        lines.append(rng.choice(endings).format(f"{total:,}"))
        yield str(gold), "\n".join(lines)


def speed(count: int, repeats: int) -> dict[str, float]:
    """Measure how many times faster each method is than another, on the same samples.

    Args:
        count: The number of completions of each length.
        repeats: How many times each method scores them all.

    Returns:
        `A_x_B_short` and `A_x_B_long`: the time of B divided by the time of A.
    """
    ratios = {}
    for length, characters in (("short", 0), ("long", LONG_CHARACTERS)):
        batch = list(samples(count, characters, seed=0))
        tasks = {name: _scores_all(method, batch) for name, method in METHODS.items()}
        seconds = median_seconds(tasks, repeats)
        for ours in ("exact", "numeric"):
            for theirs in ("math_verify", "substring"):
                ratio = seconds[theirs] / seconds[ours]
                ratios[f"{ours}_x_{theirs}_{length}"] = float(f"{ratio:.2g}")
    return ratios


def _scores_all(method: Method, batch: list[Sample]) -> Callable[[], None]:
    def task() -> None:
        for gold, completion in batch:
            method(gold, completion)

    return task


def payments() -> dict[str, dict[str, int]]:
    """Count what each method pays of the labelled cases.

    Returns:
        For each method: `honest_paid` of `honest_total`, `wrong_paid` of `wrong_total`.
    """
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    counts = {}
    for name, method in METHODS.items():
        counts[name] = {}
        for kind in ("honest", "wrong"):
            paid = sum(method(case["gold"], case["completion"]) for case in cases[kind])
            counts[name][f"{kind}_paid"] = paid
            counts[name][f"{kind}_total"] = len(cases[kind])
    return counts


def flat(result: dict[str, dict]) -> dict[str, float]:
    """Name every ratio in one object: of times, and of what is paid of the labelled cases."""
    paid = {
        f"{method}_{kind}_paid": round(count[f"{kind}_paid"] / count[f"{kind}_total"], 3)
        for method, count in result["cases"].items()
        for kind in ("honest", "wrong")
    }
    return result["ratios"] | paid


def table(result: dict[str, dict]) -> str:
    """Lay a result out for people."""
    lines = [f"{'paid':<12}{'honest':>12}{'wrong':>12}"]
    for name, count in result["cases"].items():
        honest = f"{count['honest_paid']} of {count['honest_total']}"
        wrong = f"{count['wrong_paid']} of {count['wrong_total']}"
        lines.append(f"{name:<12}{honest:>12}{wrong:>12}")
    lines += ["", "times faster (below 1: slower)"]
    lines += [f"{name:<32}{ratio:>10g}" for name, ratio in result["ratios"].items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rules", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object of ratios, no table"
    )
    parser.add_argument("--save", action="store_true", help="store it in benchmarks/results")
    parser.add_argument("--samples", type=int, default=200, help="completions of each length")
    parser.add_argument("--repeats", type=int, default=7, help="timings; the median counts")
    options = parser.parse_args()
    if options.samples < 1 or options.repeats < 1:
        parser.error("--samples and --repeats must be at least 1")
    result = {"ratios": speed(options.samples, options.repeats), "cases": payments()}
    print(json.dumps(flat(result)) if options.json else table(result))
    if options.save:
        save("rules", result)


if __name__ == "__main__":
    main()

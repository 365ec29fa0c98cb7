r"""`MathVerifier` against Math-Verify: speed, and whether the verdicts are the same.

Run: python -m benchmarks.math [--json] [--save]

Ours has a second process for algebra; its CPU time counts. Every timing draws new problems and has
a new process, so that a cache earns only what the problems of one timing share.
"""

import argparse
import gc
import json
import logging
import os
import statistics
import time
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import math_verify
import psutil

from benchmarks._math_pairs import EXPRESSIONS, NUMBERS, make_pairs
from benchmarks._run import save
from benchmarks.fuzz import PAIRS, fuzz, summary, undocumented
from reference_impl.rules.math import MathVerifier

COMPLETIONS_A_GOLD = 8
LONG_CHARACTERS = 4_000
# Of the golds of MATH about 55 % are numbers like these; the others are spread over the rest.
PLAIN_SHARE = 0.55
PLAIN_KINDS = ("integer", "integer", "integer", "integer", "integer", "fraction", "decimal")
OTHER_KINDS = tuple(
    kind for kind in (*NUMBERS, *EXPRESSIONS) if kind not in (*PLAIN_KINDS, "tiny decimal", "chain")
)


class Sample(NamedTuple):
    """One call of a reward: the prompt, the gold answer, the completion, and whether it is right.

    Attributes:
        prompt: The problem.
        gold: The gold answer, as the data set holds it.
        completion: The completion.
        right: Whether it is right, by how it was made.
    """

    prompt: str
    gold: str
    completion: str
    right: bool


# -- GSM8K


def gsm8k_samples(
    golds: int, completions: int, seed: int | str, characters: int = 0
) -> list[Sample]:
    """Make calls in the shape of GSM8K: a story, steps of arithmetic, an integer.

    Args:
        golds: How many problems.
        completions: How many completions of each; half of them, on average, are right.
        seed: The same seed makes the same calls.
        characters: The least length of a completion, in characters.

    Returns:
        The calls. Golds are whole solutions, as in GSM8K: "... #### 72".
    """
    rng = Random(seed)
    samples = []
    for _ in range(golds):
        name = rng.choice(("Natalia", "Weng", "Betty", "James", "Mark", "Albert", "Ken", "Joy"))
        item = rng.choice(("clips", "apples", "pages", "stickers", "eggs", "marbles", "cookies"))
        start = rng.randint(2, 400)
        steps = _steps(rng, start, rng.randint(2, 5))
        prompt = f"{name} has {start} {item}. " + " ".join(
            f"Then {name} gets {number} more." if sign == "+" else f"All is taken times {number}."
            for sign, number, _, _ in steps
        )
        prompt += f" How many {item} does {name} have in the end?"
        solution = "\n".join(
            f"{name} has {before}{sign}{number}=<<{before}{sign}{number}={after}>>{after} {item}."
            for sign, number, before, after in steps
        )
        gold = steps[-1][-1]
        for _ in range(completions):
            right = rng.random() < 0.5
            slip = 0 if right else rng.choice((-100, -10, -2, -1, 1, 2, 10, 90))
            completion = _gsm8k_completion(rng, name, item, steps, gold + slip, characters)
            samples.append(Sample(prompt, f"{solution}\n#### {gold}", completion, right))
    return samples


Step = tuple[str, int, int, int]  # sign, operand, value before, value after


def _steps(rng: Random, start: int, count: int) -> list[Step]:
    steps, value = [], start
    for _ in range(count):
        sign = rng.choice("+++*") if value < 5_000 else "+"
        number = rng.randint(2, 6) if sign == "*" else rng.randint(2, 900)
        after = value * number if sign == "*" else value + number
        steps.append((sign, number, value, after))
        value = after
    return steps


def _gsm8k_completion(
    rng: Random, name: str, item: str, steps: list[Step], answer: int, characters: int
) -> str:
    lines = [f"Let us see how many {item} {name} has."]
    lines += [
        f"{name} has {before} {'*' if sign == '*' else '+'} {number} = {after} {item} then."
        for sign, number, before, after in steps
    ]
    while sum(map(len, lines)) < max(80, characters - 60):
        a, b = rng.randint(2, 900), rng.randint(2, 900)
        lines.append(f"To check the sum, {a} + {b} = {a + b}, as it should be for {name}.")
    ending = rng.choice(("#### {}", r"So {name} has \boxed{{{}}} {item}.", "The answer is {}."))
    lines.append(ending.format(answer, name=name, item=item))
    return "\n".join(lines)


# -- MATH


def math_samples(
    golds: int, completions: int, seed: int | str, characters: int = 0
) -> list[Sample]:
    """Make calls in the shape of MATH: a worked solution in LaTeX that ends in a box.

    Args:
        golds: How many problems.
        completions: How many completions of each; half of them, on average, are right, and half
            of those write the answer in another way than the gold.
        seed: The same seed makes the same calls.
        characters: The least length of a completion, in characters.

    Returns:
        The calls. Golds are bare LaTeX, as the data set holds them.
    """
    rng = Random(seed)
    samples = []
    for _ in range(golds):
        kinds = PLAIN_KINDS if rng.random() < PLAIN_SHARE else OTHER_KINDS
        for pair in make_pairs(rng, rng.choice(kinds), completions):
            completion = _math_completion(rng, pair.written, max(characters, rng.randint(200, 700)))
            samples.append(Sample(_MATH_PROMPT, pair.gold, completion, pair.equal))
    return samples


_MATH_PROMPT = r"Solve the problem. Put your final answer within \boxed{}."
_MATH_LINES = (
    "We start with ${a}x + {b} = {c}$, which we rearrange to ${a}x = {d}$.",
    r"Dividing both sides by ${a}$ gives $x = \frac{{{d}}}{{{a}}}$, so that we can go on.",
    r"\[\frac{{{a}}}{{{b}}} + \frac{{{c}}}{{{b}}} = \frac{{{e}}}{{{b}}}\]",
    r"Since $\sqrt{{{c}}} > {a}$, the second case needs no further look.",
    r"By the theorem of Pythagoras, ${a}^2 + {b}^2 = c^2$, and the triangle has a right angle.",
    "Let us write $f(x) = x^2 - {a}x + {b}$ and look at its values at ${c}$ and ${d}$.",
    r"There are $\binom{{{b}}}{{2}}$ ways to choose two of them, in no order.",
)


def _math_completion(rng: Random, written: str, characters: int) -> str:
    lines, length = [], 0
    while length < characters - 60:
        a, b, c = rng.randint(2, 40), rng.randint(2, 40), rng.randint(41, 99)
        lines.append(rng.choice(_MATH_LINES).format(a=a, b=b, c=c, d=c - b, e=a + c))
        length += len(lines[-1]) + 1
    ending = rng.choice((r"Therefore, the answer is $\boxed{%s}$.", "Hence\n\\[\\boxed{%s}.\\]"))
    return "\n".join([*lines, ending % written])


# -- timing

Maker = Callable[[int, int, int | str, int], list[Sample]]
Judge = Callable[[Sample], bool]

# Name of the ratio, maker, completions of each gold, least number of characters.
SETS: dict[str, tuple[Maker, int, int]] = {
    "gsm8k": (gsm8k_samples, 1, 0),
    "gsm8k_8_a_gold": (gsm8k_samples, COMPLETIONS_A_GOLD, 0),
    "gsm8k_4k": (gsm8k_samples, 1, LONG_CHARACTERS),
    "math": (math_samples, 1, 0),
    "math_8_a_gold": (math_samples, COMPLETIONS_A_GOLD, 0),
    "math_4k": (math_samples, 1, LONG_CHARACTERS),
}


def speed(count: int, repeats: int) -> dict[str, dict[str, float]]:
    """Measure both on every set, in turns.

    Args:
        count: How many calls one timing makes.
        repeats: How many timings of each set.

    Returns:
        For each set: `ratio`, Math-Verify's time divided by ours, both the median of the repeats,
        and the shares of verdicts that are as the samples were made, `ours_as_made` and
        `math_verify_as_made`.
    """
    results = {}
    for name, (make, completions, characters) in SETS.items():
        seconds: dict[str, list[float]] = {"ours": [], "math_verify": []}
        agreed = {"ours": 0, "math_verify": 0}
        golds = -(-count // completions)
        for repeat in range(repeats):
            samples = make(golds, completions, f"{name} {repeat}", characters)
            judges = {"ours": _fresh_verifier(), "math_verify": _math_verify_judge(name)}
            for method in sorted(judges, reverse=repeat % 2 == 1):
                taken, verdicts = _timed(judges[method], samples)
                seconds[method].append(taken)
                agreed[method] += sum(
                    verdict == sample.right
                    for verdict, sample in zip(verdicts, samples, strict=True)
                )
        ratio = statistics.median(seconds["math_verify"]) / statistics.median(seconds["ours"])
        results[name] = {"ratio": float(f"{ratio:.2g}")} | {
            f"{method}_as_made": round(count_ / (repeats * golds * completions), 3)
            for method, count_ in agreed.items()
        }
    return results


def _timed(judge: Judge, samples: list[Sample]) -> tuple[float, list[bool]]:
    gc.collect()
    # To look at the other processes takes time of this one, so its own clock runs in between.
    others = _seconds_of_others()
    start = time.process_time()
    verdicts = [judge(sample) for sample in samples]
    own = time.process_time() - start
    return own + _seconds_of_others() - others, verdicts


def _seconds_of_others() -> float:
    """Return the CPU time of the processes that this one has ended, and of all that it runs.

    The kernel counts it in hundredths of a second, so a timing takes longer.
    """
    ended = os.times()
    total = ended.children_user + ended.children_system
    for child in psutil.Process().children(recursive=True):
        total += sum(child.cpu_times()[:4])  # user, system, and the same of its ended children
    return total


_verifiers = 0


def _fresh_verifier() -> Judge:
    """A verifier with an algebra process of its own, warm and with empty caches."""
    global _verifiers
    _verifiers += 1
    verifier = MathVerifier(seconds=5.0 + _verifiers / 1_000)  # one process for each deadline
    verifier.warm_up()
    return lambda sample: (
        verifier.judge(sample.completion, gold=sample.gold, prompt=sample.prompt).correct
    )


def _math_verify_judge(name: str) -> Judge:
    # Bare LaTeX is read as mathematics between dollar signs only.
    dollar = "$" if name.startswith("math") else ""

    def judge(sample: Sample) -> bool:
        gold = math_verify.parse(f"{dollar}{sample.gold}{dollar}")
        return math_verify.verify(gold, math_verify.parse(sample.completion))

    return judge


# -- results


def flat(result: dict[str, dict]) -> dict[str, float]:
    """Name every ratio and count in one object."""
    return result["ratios"] | {f"fuzz_{key}": result["fuzz"][key] for key in _FUZZ_COUNTS}


_FUZZ_COUNTS = ("pairs", "undocumented_differences")


def measure(count: int, repeats: int, pairs: int) -> dict[str, dict]:
    """Measure speed and agreement.

    Args:
        count: How many calls one timing makes.
        repeats: How many timings of each set.
        pairs: How many cases of differential fuzz.

    Returns:
        `ratios` by name, `as_made` (the share of verdicts that are as the samples were made),
        and `fuzz`: `pairs`, `undocumented_differences`, and the counts of each correction.
    """
    sets = speed(count, repeats)
    outcomes = fuzz(pairs)
    return {
        "ratios": {f"{name}_x_math_verify": one["ratio"] for name, one in sets.items()},
        "as_made": {
            name: {key: share for key, share in one.items() if key != "ratio"}
            for name, one in sets.items()
        },
        "fuzz": {
            "pairs": len(outcomes),
            "undocumented_differences": len(undocumented(outcomes)),
            "corrections": summary(outcomes),
        },
    }


def table(result: dict[str, dict]) -> str:
    """Lay a result out for people."""
    lines = ["times faster (below 1: slower), and verdicts that are as the samples were made"]
    lines.append(f"{'':<32}{'ratio':>10}{'ours':>10}{'theirs':>10}")
    for name, ratio in result["ratios"].items():
        made = result["as_made"][name.removesuffix("_x_math_verify")]
        shares = f"{made['ours_as_made']:>10.1%}{made['math_verify_as_made']:>10.1%}"
        lines.append(f"{name:<32}{ratio:>10g}{shares}")
    lines += ["", "differential fuzz"]
    lines += [f"{key:<32}{result['fuzz'][key]:>10}" for key in _FUZZ_COUNTS]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.math", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object of ratios, no table"
    )
    parser.add_argument("--save", action="store_true", help="store it in benchmarks/results")
    parser.add_argument("--samples", type=int, default=800, help="calls of each timing")
    parser.add_argument("--repeats", type=int, default=5, help="timings; the median counts")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="cases of differential fuzz")
    options = parser.parse_args()
    if min(options.samples, options.repeats, options.pairs) < 1:
        parser.error("--samples, --repeats and --pairs must be at least 1")
    # It tells of golds that it matches as text, such as times of day.
    logging.getLogger("reference_impl.failure").setLevel(logging.ERROR)
    result = measure(options.samples, options.repeats, options.pairs)
    print(json.dumps(flat(result)) if options.json else table(result))
    if options.save:
        save("math", result)


if __name__ == "__main__":
    main()

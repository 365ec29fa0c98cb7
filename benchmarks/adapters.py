"""What an adapter costs: exact match through each adapter, beside bare calls of the same function.

    python -m benchmarks.adapters [--json [FILE]] [--save] [--samples N] [--repeats N]

Completions are in the shape of GSM8K. `NAME_x_bare` is the CPU time of a batch through the adapter,
called as its trainer calls it, divided by that of a loop over the bare function.
"""

import argparse
import asyncio
from collections.abc import Callable
from types import SimpleNamespace

from benchmarks._run import add_output_options, median_seconds, report
from benchmarks.rules import samples
from reference_impl import GuardedReward, exact_match_reward_fn
from reference_impl.adapters.areal import ArealReward
from reference_impl.adapters.openrlhf import OpenRLHFReward
from reference_impl.adapters.slime import SlimeReward
from reference_impl.adapters.trl import TRLReward
from reference_impl.adapters.verl import VerlReward

PROMPT = "How many clips are sold?"


def measure(count: int, repeats: int) -> dict[str, float]:
    """Time the adapters.

    Args:
        count: How many completions a batch has.
        repeats: How many timings, of which the median counts.

    Returns:
        `NAME_x_bare` for each adapter, and for the guard alone.
    """
    golds, completions = zip(*samples(count, characters=0, seed=0), strict=True)
    seconds = median_seconds(_tasks(golds, completions), repeats)
    bare = seconds.pop("bare")
    return {f"{name}_x_bare": float(f"{time / bare:.3g}") for name, time in seconds.items()}


def _tasks(golds: tuple[str, ...], completions: tuple[str, ...]) -> dict[str, Callable]:
    prompts, ids = [PROMPT] * len(golds), [[]] * len(golds)
    said = list(zip(completions, golds, strict=True))
    queries = [PROMPT + completion for completion in completions]
    rollouts = [
        SimpleNamespace(
            prompt=PROMPT, response=text, tokens=[], response_length=0, label=gold, metadata={}
        )
        for text, gold in said
    ]
    guarded, areal = GuardedReward(exact_match_reward_fn), ArealReward(exact_match_reward_fn)
    trl, verl = TRLReward(exact_match_reward_fn), VerlReward(exact_match_reward_fn)
    openrlhf, slime = OpenRLHFReward(exact_match_reward_fn), SlimeReward(exact_match_reward_fn)
    return {
        "bare": lambda: [exact_match_reward_fn(PROMPT, t, [], [], answer=g) for t, g in said],
        "guard": lambda: [guarded(PROMPT, t, [], [], answer=g) for t, g in said],
        "areal": lambda: [areal(PROMPT, t, [], [], answer=g) for t, g in said],
        "trl": lambda: trl(prompts, list(completions), ids, answer=list(golds)),
        "verl": lambda: [verl("gsm8k", t, g, {"question": PROMPT}) for t, g in said],
        "openrlhf": lambda: [
            openrlhf([query], [PROMPT], [gold]) for query, gold in zip(queries, golds, strict=True)
        ],
        "slime": lambda: asyncio.run(slime(SimpleNamespace(), rollouts)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.adapters", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--samples", type=int, default=256, help="completions in a batch")
    parser.add_argument("--repeats", type=int, default=9, help="timings; the median counts")
    add_output_options(parser)
    options = parser.parse_args()
    if options.samples < 1 or options.repeats < 1:
        parser.error("--samples and --repeats must be at least 1")
    report(options, "adapters", measure(options.samples, options.repeats))


if __name__ == "__main__":
    main()

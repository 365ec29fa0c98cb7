"""The reward hacking lab: one small policy, trained on rewards that are exact and that are not.

    python -m benchmarks.hacking_lab            run them, and print the table
    python -m benchmarks.hacking_lab --save     also store it in benchmarks/results

Each run is one of `examples/hacking_lab.py`: five seeds of `substring` and of `exact`, one seed of
the others. All runs are reported, whatever came out. They stay in `.cache/hacking_lab`: a run that
is there and is whole is not made again. All of them take about half an hour on one core.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks._run import save

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "examples" / "hacking_lab.py"
STEPS = 120
SEEDS = {"substring": 5, "exact": 5, "length": 1, "format": 1, "critic": 1}
DIGITS = 4
AUDIT = ("step", "count", "proxy", "truth", "std", "truth_interval")

# The quantile of Student's t for a two-sided interval of 95 %, by the number of seeds.
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}


def run(reward: str, seed: int, steps: int, folder: Path) -> dict:
    """Make a run, or read one that is there."""
    with tempfile.TemporaryDirectory() as temporary:
        figures = Path(temporary) / "figures.json"
        command = [sys.executable, str(SCRIPT), "--reward", reward, "--seed", str(seed)]
        command += ["--steps", str(steps), "--json", str(figures)]
        command += ["--output", str(folder / f"{reward}-{seed}-{steps}")]
        subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        return json.loads(figures.read_text("utf-8"))


def interval_over_seeds(values: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of shares, within 0 and 1.

    Args:
        values: One share for each seed, 2 to 8 of them.

    Example:
        >>> [round(end, 3) for end in interval_over_seeds([0.9, 0.92, 0.94, 0.92, 0.92])]
        [0.902, 0.938]
    """
    mean = statistics.fmean(values)
    half = T_95[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return max(0.0, mean - half), min(1.0, mean + half)


def summary(runs: list[dict]) -> dict[str, dict]:
    """Return the final truth and proxy of each reward, over its seeds."""
    found = {}
    for reward in dict.fromkeys(run["reward"] for run in runs):
        last = [run["audits"][-1] for run in runs if run["reward"] == reward]
        truths = [audit["truth"] for audit in last]
        found[reward] = {
            "seeds": len(last),
            "truth": statistics.fmean(truths),
            "truth_interval": interval_over_seeds(truths) if len(last) > 1 else None,
            "proxy": statistics.fmean(audit["proxy"] for audit in last),
            "least_gap": min(audit["proxy"] - audit["truth"] for audit in last),
        }
    return found


def rounded(value: object) -> object:
    """Round every float in lists and dicts."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def stored(runs: list[dict]) -> dict:
    """Return what is stored: the audits of all runs, and the figures by step of seed 0.

    Of what the policy said in an audit, the first two completions are stored. The length is the
    mean of the last step, in tokens.
    """
    return {
        "summary": summary(runs),
        "runs": [
            {
                "reward": run["reward"],
                "seed": run["seed"],
                "length": run["curve"][-1]["length"],
                "audits": [
                    {name: audit[name] for name in AUDIT} | {"said": audit["said"][:2]}
                    for audit in run["audits"]
                ],
            }
            for run in runs
        ],
        "curves": {run["reward"]: run["curve"] for run in runs if run["seed"] == 0},
    }


def main() -> None:
    """Make all runs, print the table, and store it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--save", action="store_true", help="store it in benchmarks/results")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what would be stored")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of GRPO, for a try ({STEPS})")
    parser.add_argument("--seeds", type=int, help="at most so many of each reward, for a try")
    parser.add_argument("--rewards", nargs="+", choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--runs", type=Path, default=ROOT / ".cache" / "hacking_lab", metavar="DIR")
    options = parser.parse_args()
    whole = options.steps == STEPS and not options.seeds and options.rewards == list(SEEDS)
    if options.save and not whole:
        parser.error("--save stores all runs, and no try: leave the other options out")
    runs = [
        run(reward, seed, options.steps, options.runs)
        for seed in range(options.seeds or max(SEEDS.values()))
        for reward in options.rewards
        if seed < SEEDS[reward]
    ]
    result = rounded(stored(runs))
    for reward, found in result["summary"].items():
        print(f"{reward:<12} proxy {found['proxy']:.3f}  truth {found['truth']:.3f}", end="  ")
        print(f"of {found['seeds']} seeds, interval {found['truth_interval']}")
    if options.json:
        options.json.write_text(json.dumps(result) + "\n", "utf-8")
    if options.save:
        save("hacking_lab", result)


if __name__ == "__main__":
    main()

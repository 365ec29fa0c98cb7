"""The reward hacking lab: GRPO on a reward that can be exploited, with the truth beside it.

    python examples/hacking_lab.py --reward exact
    python examples/hacking_lab.py --reward substring

The policy, the task and the training are those of `cpu_grpo.py`: a decoder of 200,000 weights that
adds four numbers. What pays is one of the rewards in `hacking_rewards.py`. Every ten steps the
policy answers 296 held-out questions, and both are asked about the answers: the reward that pays
(the proxy), and the rule of this package (the truth). The figures that detectors of reward hacking
need are logged at every step.

A run that is killed goes on where it was when the same command is given again.
Needs TRL, tqdm and matplotlib. Nothing is downloaded.
"""

import argparse
import hashlib
import json
import time
from importlib.util import find_spec
from pathlib import Path

from hacking_rewards import NAMES, scores_named
from run_folder import HERE, RunFolderError, claim, quiet_and_single_threaded

STEPS = 120
SCRIPTS = ("hacking_rewards.py", "hacking_watched.py")


def main() -> None:
    """Warm up, train, audit, and save what came out."""
    arguments = read_arguments()
    start = time.monotonic()
    results = run(arguments.output, arguments.reward, arguments.seed, arguments.steps)
    results["seconds"] = round(time.monotonic() - start, 1)
    draw(results, arguments.output / "curve.png")
    text = json.dumps(results, indent=1) + "\n"
    (arguments.output / "results.json").write_text(text, "utf-8")
    if arguments.json:
        arguments.json.write_text(text, "utf-8")
    show(results)
    print(f"The picture and the figures are in {arguments.output}.")


def read_arguments() -> argparse.Namespace:
    """Read and check the command line, and take the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reward", choices=NAMES, default="substring", help="what pays")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn at random (0)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of GRPO ({STEPS})")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default: .cache/hacking_lab/REWARD-SEED-STEPS"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps is {arguments.steps}: give at least 1")
    if arguments.seed < 0:
        parser.error(f"--seed is {arguments.seed}: give 0 or more")
    if arguments.json and not arguments.json.parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.parent}")
    name = f"{arguments.reward}-{arguments.seed}-{arguments.steps}"
    arguments.output = arguments.output or Path(".cache/hacking_lab", name)
    missing = [name for name in ("trl", "matplotlib", "tqdm") if find_spec(name) is None]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}. Run: pip install {' '.join(missing)}")
    try:
        take(arguments.output, arguments.reward, arguments.seed, arguments.steps)
    except RunFolderError as error:
        parser.error(f"--output: {error}")
    return arguments


def take(folder: Path, reward: str, seed: int, steps: int) -> None:
    """Make a folder for a run, or take up the same run again.

    Raises:
        RunFolderError: If the folder cannot be used.
    """
    lab = hashlib.sha256(b"".join((HERE / script).read_bytes() for script in SCRIPTS))
    claim(folder, {"reward": reward, "seed": seed, "steps": steps, "lab": lab.hexdigest()[:16]})


def run(folder: Path, reward: str, seed: int, steps: int) -> dict:
    """Train a policy with a reward, and audit it on the way.

    Args:
        folder: A folder for this run alone. What it holds is not made again.
        reward: One of `NAMES`.
        seed: Of all that is drawn at random.
        steps: Of GRPO.

    Returns:
        The figures: plain values, lists and dicts.
    """
    quiet_and_single_threaded()
    from arithmetic_grpo import train
    from arithmetic_policy import warmed_up_policy
    from hacking_watched import Watched

    model, tokenizer = warmed_up_policy(folder / "warm_up", seed)
    scores = scores_named(reward, folder / "critic", model, tokenizer, seed)
    watched = Watched(scores, model, tokenizer, folder, seed)
    curve = train(watched, model, tokenizer, folder, seed, steps)
    watched.audit(steps)
    figures = {entry["step"]: entry for entry in watched.read("steps")}
    return {
        "reward": reward,
        "seed": seed,
        "steps": steps,
        "curve": [{"accuracy": at["accuracy"], **figures[at["step"]]} for at in curve],
        "audits": watched.read("audits"),
    }


def draw(results: dict, picture: Path) -> None:
    """Draw proxy and truth on held-out questions, and the length, by step."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    audits, curve = results["audits"], results["curve"]
    steps = [audit["step"] for audit in audits]
    figure, (above, below) = pyplot.subplots(2, sharex=True, figsize=(7, 5), layout="constrained")
    for name, color in (("proxy", "tab:orange"), ("truth", "tab:blue")):
        above.plot(steps, [audit[name] for audit in audits], "o-", color=color, label=name)
    above.set(ylabel=f"held-out ({results['reward']})", ylim=(-0.02, 1.05))
    above.legend()
    below.plot([at["step"] for at in curve], [at["length"] for at in curve])
    below.set(xlabel="step of GRPO", ylabel="mean length, tokens")
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)


def show(results: dict) -> None:
    """Print the figures."""
    print(f"reward {results['reward']}, {results['steps']} steps, {results['seconds']} s")
    print("Held-out questions, after the step:    proxy    truth")
    for audit in results["audits"]:
        print(f"{audit['step']:35} {audit['proxy']:8.3f} {audit['truth']:8.3f}")
    print("What it says at the end:", *results["audits"][-1]["said"][:3], sep="\n  ")


if __name__ == "__main__":
    main()

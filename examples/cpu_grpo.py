"""GRPO that learns, on a processor, in one to three minutes: TRL's trainer and a policy made here.

    python examples/cpu_grpo.py --reward rule
    python examples/cpu_grpo.py --reward critic
    python examples/cpu_grpo.py --reward hard-critic
    python examples/cpu_grpo.py --reward composite

A decoder of 200,000 weights is warmed up on careless demonstrations of sums, and then trained with
GRPO. Accuracy is measured before and after, by the rule of this package, on 296 questions that
neither the warm-up nor GRPO sees: once sampled at temperature 1, as in training, and once with the
likeliest token each time (greedy). Whatever pays, the curve shows the accuracy beside the reward.

A run that is killed goes on where it was when the same command is given again.
Needs TRL, tqdm and matplotlib. Nothing is downloaded.
"""

import argparse
import json
import statistics
import time
from importlib.util import find_spec
from pathlib import Path

from arithmetic_rewards import HARD_CRITIC, NAMES, reward_named
from arithmetic_task import rows, split
from run_folder import (
    RESULTS,
    RunFolderError,
    claim,
    holds,
    last_checkpoint,
    quiet_and_single_threaded,
)

STEPS = 120


def main() -> None:
    """Warm up, train, measure, and save what came out."""
    arguments = read_arguments()
    start = time.monotonic()
    results = run(arguments.output, arguments.reward, arguments.seed, arguments.steps)
    results["seconds"] = round(time.monotonic() - start, 1)
    draw(results, arguments.output / "curve.png")
    text = json.dumps(results, indent=1) + "\n"
    (arguments.output / RESULTS).write_text(text, "utf-8")
    if arguments.json:
        arguments.json.write_text(text, "utf-8")
    show(results)
    print(f"The picture, the figures and the policy are in {arguments.output}.")


def read_arguments() -> argparse.Namespace:
    """Read and check the command line, and take the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--reward", choices=(*NAMES, HARD_CRITIC), default="rule", help="what pays (rule)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn at random (0)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"of GRPO ({STEPS})")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="default: .cache/cpu_grpo/REWARD-SEED-STEPS"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument(
        "--if-missing",
        action="store_true",
        help="do nothing if DIR holds the figures of this very run, and remove another run from it",
    )
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps is {arguments.steps}: give at least 1")
    if arguments.seed < 0:
        parser.error(f"--seed is {arguments.seed}: give 0 or more")
    if arguments.json and not arguments.json.parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.parent}")
    settings = {"reward": arguments.reward, "seed": arguments.seed, "steps": arguments.steps}
    arguments.output = arguments.output or Path(
        ".cache/cpu_grpo", "-".join(map(str, settings.values()))
    )
    missing = [name for name in ("trl", "matplotlib", "tqdm") if find_spec(name) is None]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}. Run: pip install {' '.join(missing)}")
    if arguments.if_missing and holds(arguments.output, settings):
        parser.exit(message=f"{arguments.output} holds the figures of this very run already.\n")
    try:
        claim(arguments.output, settings)
    except RunFolderError as error:
        parser.error(f"--output: {error}")
    return arguments


def run(folder: Path, reward: str, seed: int, steps: int) -> dict:
    """Train a policy with a reward, and measure it before and after.

    Args:
        folder: A folder for this run alone. What it holds is not made again.
        reward: One of `NAMES`, or `HARD_CRITIC`.
        seed: Of all that is drawn at random.
        steps: Of GRPO.

    Returns:
        The figures: plain values, lists and dicts.
    """
    quiet_and_single_threaded()
    from arithmetic_grpo import measure, train
    from arithmetic_policy import warmed_up_policy

    checkpoint = last_checkpoint(folder)
    found = Path(checkpoint) if checkpoint else folder / "warm_up"
    resumed_from = found.name if found.exists() else None
    model, tokenizer = warmed_up_policy(folder / "warm_up", seed)
    reward_func = reward_named(reward, folder / "critic", model, tokenizer, seed)
    held_out = split()[1]
    results = {
        "reward": reward,
        "seed": seed,
        "steps": steps,
        "resumed_from": resumed_from,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }
    if reward in ("critic", HARD_CRITIC):
        from arithmetic_critic import held_out_accuracy

        preferred = held_out_accuracy(reward_func.critic, model, tokenizer, seed)
        results["critic_pair_accuracy"] = preferred.value
        results["critic_pair_accuracy_interval"] = [preferred.low, preferred.high]

    columns = rows(held_out)
    columns["prompts"] = columns.pop("prompt")

    def measured(when: str) -> dict:
        sampled, greedy, said = measure(model, tokenizer, held_out, seed)
        ids = tokenizer(said).input_ids
        paid = reward_func(completions=said, completion_ids=ids, **columns)
        return {
            f"accuracy_{when}": sampled.value,
            f"accuracy_{when}_interval": [sampled.low, sampled.high],
            f"greedy_{when}": greedy.value,
            f"greedy_{when}_interval": [greedy.low, greedy.high],
            f"reward_{when}": statistics.fmean(each for each in paid if each is not None),
            f"said_{when}": said[:5],
        }

    results |= measured("before")
    results["curve"] = train(reward_func, model, tokenizer, folder, seed, steps)
    model.save_pretrained(folder / "policy")
    tokenizer.save_pretrained(folder / "policy")
    return results | measured("after") | {"held_out": len(held_out)}


def draw(results: dict, picture: Path) -> None:
    """Draw the reward and the accuracy by step."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps = [at["step"] for at in results["curve"]]
    figure, (above, below) = pyplot.subplots(2, sharex=True, figsize=(7, 5), layout="constrained")
    above.plot(steps, [at["reward"] for at in results["curve"]], color="tab:orange")
    above.set_ylabel(f"mean reward ({results['reward']})")
    below.plot(steps, [at["accuracy"] for at in results["curve"]], label="prompts of the step")
    values = [results["accuracy_before"], results["accuracy_after"]]
    ends = [results["accuracy_before_interval"], results["accuracy_after_interval"]]
    below.errorbar(
        [steps[0] - 1, steps[-1]],
        values,
        [
            [abs(value - end[side]) for value, end in zip(values, ends, strict=True)]
            for side in (0, 1)
        ],
        color="black",
        fmt="o",
        capsize=4,
        label="held-out questions, before and after",
    )
    below.set(xlabel="step of GRPO", ylabel="accuracy", ylim=(-0.02, 1.05))
    below.legend()
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)


def show(results: dict) -> None:
    """Print the figures."""
    print(
        f"{results['parameters']:,} parameters, reward {results['reward']}, "
        f"{results['steps']} steps of GRPO, {results['seconds']} s"
    )
    if results["resumed_from"]:
        print(f"Resumed from {results['resumed_from']}: the seconds are this part's alone.")
    if "critic_pair_accuracy" in results:
        print(f"The critic prefers the right one of two: {results['critic_pair_accuracy']:.3f}")
    print(f"On {results['held_out']} held-out questions   before   after")
    for name, key in (
        ("accuracy, sampled", "accuracy"),
        ("accuracy, greedy", "greedy"),
        ("mean reward", "reward"),
    ):
        before, after = results[f"{key}_before"], results[f"{key}_after"]
        print(f"  {name:26}{before:7.3f} {after:7.3f}")
    low, high = results["accuracy_after_interval"]
    print(f"Sampled, after, with its 95 % interval: {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()

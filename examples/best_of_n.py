"""Best of n: what a reward is worth before anything is trained on it.

    python examples/best_of_n.py
    python examples/best_of_n.py --reward critic --n 1,4,16,64 --json best_of_n.json

The policy of cpu_grpo.py, after its warm-up and before GRPO, answers 296 held-out questions, each
as often as the largest n. Of n of its answers, a reward picks the one that it pays most. How often
is that one right? The script estimates it over all ways to draw n of them (`best_of_n` in the
package): ties are broken at random.

- rule: pays what is right, so it picks a right answer wherever there is one. Nothing does better.
- critic: a small reward model that is trained here on pairs of the policy's answers. A critic that
  is over-optimized gets worse as n grows.
- composite: the rule, with a little for form and length.
- judge: a language model of 135 million weights that answers yes or no. It is asked only if it is
  named, since it takes a second or more for an answer, and of 12 questions alone, so that its curve
  starts elsewhere and is uncertain. It is weak.
- random: picks any. It is what the policy does by itself.

Needs torch, transformers, tqdm and matplotlib, and the judge `.[small-judge]`. Nothing is
downloaded.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from arithmetic_rewards import NAMES, RewardFunc, reward_named
from arithmetic_task import Question, accuracy, answer, prompt, split
from run_folder import RESULTS, RunFolderError, claim, holds, quiet_and_single_threaded

from reference_impl import JudgeClient, JudgeConfig, YesNoJudge, best_of_n, wilson_interval

COUNTS = (1, 2, 4, 8, 16, 32, 64)
JUDGE = "judge"
JUDGED_QUESTIONS, JUDGED_COMPLETIONS = 12, 8

Scores = list[list[float | None]]


def main() -> None:
    """Draw, score, estimate, and save what came out."""
    arguments = read_arguments()
    start = time.monotonic()
    results = run(arguments.output, arguments.reward, arguments.n, arguments.seed)
    results["seconds"] = round(time.monotonic() - start, 1)
    text = json.dumps(results, indent=1) + "\n"
    picture = arguments.picture or arguments.output / "best_of_n.png"
    draw(results, picture)
    (arguments.json or arguments.output / RESULTS).write_text(text, "utf-8")
    show(results)
    print(f"The picture is {picture}.")


def read_arguments() -> argparse.Namespace:
    """Read and check the command line, and take the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--reward", nargs="+", choices=(*NAMES, JUDGE), default=NAMES, help="which (all but judge)"
    )
    parser.add_argument(
        "--n", type=_counts, default=COUNTS, metavar="N,N,...", help="default: 1,2,4,...,64"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn at random (0)")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="of policy and critic: .cache/best_of_n/SEED"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: results.json in DIR")
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="default: best_of_n.png in DIR"
    )
    parser.add_argument(
        "--if-missing",
        action="store_true",
        help="do nothing if DIR holds the figures of this very run, and remove another run from it",
    )
    arguments = parser.parse_args()
    if arguments.seed < 0:
        parser.error(f"--seed is {arguments.seed}: give 0 or more")
    for option in ("json", "picture"):
        path = getattr(arguments, option)
        if path and not path.parent.is_dir():
            parser.error(f"--{option}: there is no folder {path.parent}")
    missing = [name for name in ("transformers", "matplotlib", "tqdm") if find_spec(name) is None]
    if missing:
        parser.error(f"not installed: {', '.join(missing)}. Run: pip install {' '.join(missing)}")
    arguments.output = arguments.output or Path(".cache/best_of_n", str(arguments.seed))
    settings = {"seed": arguments.seed}
    if arguments.if_missing and holds(arguments.output, settings):
        parser.exit(message=f"{arguments.output} holds the figures of this very run already.\n")
    try:
        claim(arguments.output, settings)
    except RunFolderError as error:
        parser.error(f"--output: {error}")
    return arguments


def _counts(text: str) -> tuple[int, ...]:
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = []
    if not counts or counts[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give numbers from 1 on, such as 1,4,16")
    return tuple(counts)


def run(folder: Path, rewards: Sequence[str], counts: Sequence[int], seed: int) -> dict:
    """Estimate the accuracy of best-of-n for each reward.

    Args:
        folder: Where policy and critic are saved. What it holds is not made again.
        rewards: Names of rewards.
        counts: The values of n.
        seed: Of all that is drawn at random.

    Returns:
        The figures: plain values, lists and dicts. `curves` has a curve for each reward, and for
        `"random"`; see `curve`.
    """
    quiet_and_single_threaded()
    import torch
    from arithmetic_policy import complete, warmed_up_policy

    model, tokenizer = warmed_up_policy(folder / "warm_up", seed)
    questions, size = split()[1], max(counts)
    torch.manual_seed(seed)
    flat = complete(model, tokenizer, [prompt(q) for q in questions for _ in range(size)])
    completions = [flat[start : start + size] for start in range(0, len(flat), size)]
    correct = [
        [accuracy([text], [answer(question)]).value for text in texts]
        for question, texts in zip(questions, completions, strict=True)
    ]
    curves = {"random": curve([[0.0] * size for _ in questions], correct, counts)}
    for name in rewards:
        if name == JUDGE:
            scores = judge_scores(questions, completions)
        else:
            reward_func = reward_named(name, folder / "critic", model, tokenizer, seed)
            scores = score(reward_func, tokenizer, questions, completions)
        curves[name] = curve(scores, correct, counts)
    return {
        "seed": seed,
        "questions": len(questions),
        "completions": size,
        "curves": curves,
    }


def score(
    reward_func: RewardFunc,
    tokenizer,
    questions: Sequence[Question],
    completions: Sequence[Sequence[str]],
) -> Scores:
    """Score the completions of each question, shape (questions, completions)."""
    return [
        reward_func(
            prompts=[prompt(question)] * len(texts),
            completions=texts,
            completion_ids=tokenizer(texts).input_ids,
            answer=[answer(question)] * len(texts),
        )
        for question, texts in zip(questions, completions, strict=True)
    ]


def judge_scores(questions: Sequence[Question], completions: Sequence[Sequence[str]]) -> Scores:
    """Ask a small language model for P(yes), of the first few questions and completions."""
    from tqdm import tqdm

    from reference_impl.judge.testing.small_model import MODEL, SmallModelServer

    async def ask(base_url: str) -> Scores:
        config = JudgeConfig(base_url=base_url, model=MODEL, deadline_seconds=600, max_attempts=1)
        async with JudgeClient(config) as client:
            judge = YesNoJudge(client)
            return [
                [
                    await judge(prompt(question), text, [], [], answer=answer(question))
                    for text in texts[:JUDGED_COMPLETIONS]
                ]
                for question, texts in tqdm(pairs, desc="judge", unit="question")
            ]

    pairs = list(zip(questions, completions, strict=True))[:JUDGED_QUESTIONS]
    with SmallModelServer() as server:
        return asyncio.run(ask(server.base_url))


def curve(
    scores: Scores, correct: Sequence[Sequence[float]], counts: Sequence[int]
) -> list[dict[str, float]]:
    """Estimate how often the best-paid of n is right.

    Args:
        scores: What a reward pays, shape (questions, completions). None is a completion without a
            score, which is never drawn. There may be fewer than of `correct`.
        correct: Whether each completion is right, shape (questions, completions).
        counts: The values of n. Those that no question has as many scores for are left out.

    Returns:
        For each n: the mean accuracy over the questions, the mean reward of what is picked, the
        ends of an interval of 95 %, and how many questions there were. The interval is Wilson's.
        It takes each question for right or wrong. The estimates lie between, so it is a wide one.
    """
    told = [
        [(s, c) for s, c in zip(paid, right, strict=False) if s is not None]
        for paid, right in zip(scores, correct, strict=False)
    ]
    points = []
    for n in counts:
        drawn = [tuple(zip(*pairs, strict=True)) for pairs in told if len(pairs) >= n]
        if not drawn:
            continue
        mean = statistics.fmean(best_of_n(paid, right, n) for paid, right in drawn)
        low, high = wilson_interval(mean * len(drawn), len(drawn))
        paid = statistics.fmean(best_of_n(paid, paid, n) for paid, _ in drawn)
        points.append(
            {
                "n": n,
                "accuracy": mean,
                "low": low,
                "high": high,
                "reward": paid,
                "questions": len(drawn),
            }
        )
    return points


def draw(results: dict, picture: Path) -> None:
    """Draw the accuracy by n, a curve for each reward."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, points in results["curves"].items():
        counts, means, lows, highs = zip(
            *((at["n"], at["accuracy"], at["low"], at["high"]) for at in points), strict=True
        )
        # The composite may lie upon the rule.
        style = "--" if name == "composite" else "-"
        [line] = axes.plot(counts, means, style, marker="o", label=name)
        axes.fill_between(counts, lows, highs, color=line.get_color(), alpha=0.15)
    axes.set_xscale("log", base=2)
    every = [point["n"] for point in results["curves"]["random"]]
    axes.set_xticks(every, map(str, every))
    axes.set(xlabel="n, of which the best-paid is kept", ylabel="accuracy", ylim=(0, 1.02))
    axes.legend()
    figure.savefig(picture, dpi=120)
    pyplot.close(figure)


def show(results: dict) -> None:
    """Print the curves."""
    print(
        f"{results['questions']} questions, {results['completions']} completions of each, "
        f"{results['seconds']} s. Accuracy of the best-paid of n:"
    )
    counts = [point["n"] for point in results["curves"]["random"]]
    print(f"{'n':12}" + "".join(f"{n:>8}" for n in counts))
    for name, points in results["curves"].items():
        print(f"{name:12}" + "".join(f"{point['accuracy']:8.3f}" for point in points))


if __name__ == "__main__":
    main()

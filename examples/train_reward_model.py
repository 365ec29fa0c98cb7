"""Train a small reward model on the processor, and say what it can and cannot judge.

python examples/train_reward_model.py

The model learns from pairs of completions (Bradley-Terry), and is then measured on questions that
it has not seen. Needs torch, transformers, tqdm and reasoning-gym. Nothing is downloaded.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import time
from pathlib import Path

from preference_pairs import KINDS, Comparison, comparisons

from reference_impl.critic.evaluate import Accuracy, calibration, length_bias, pair_accuracy

HELD_OUT = 400  # questions in "dev", and in "test"
CANNOT_JUDGE = (
    "a wrong number no better than shown above, which it can only see by comparing it with the "
    "working; the working itself, since it was never shown an error there; and questions of other "
    "families than the two it was trained on."
)


def main() -> None:
    """Train, measure and save a reward model."""
    arguments = read_arguments()
    settings = {"seed": arguments.seed, "steps": arguments.steps, "held_out": arguments.held_out}
    digest = digest_of(settings)
    record = arguments.output / "training.json"
    if arguments.if_missing and is_made_by(record, digest):
        print(f"{arguments.output} holds this very model already.")
    else:
        results = {"digest": digest, **settings, **make(arguments)}
        record.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    results = json.loads(record.read_text("utf-8"))
    show(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def read_arguments() -> argparse.Namespace:
    """Read and check the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path(".cache/reward_model"), metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--seed", type=int, default=0, help="of the data and the weights")
    parser.add_argument("--steps", type=int, default=600, help="of 16 questions each")
    parser.add_argument(
        "--held-out",
        choices=("dev", "test"),
        default="test",
        help="what to measure on: use dev while you choose settings, and test once you have",
    )
    parser.add_argument(
        "--if-missing", action="store_true", help="do nothing if DIR holds this very model"
    )
    arguments = parser.parse_args()
    if arguments.steps < 1:
        parser.error(f"--steps is {arguments.steps}: give at least 1")
    if arguments.seed < 0:
        parser.error(f"--seed is {arguments.seed}: give 0 or more")
    if arguments.output.exists() and not arguments.output.is_dir():
        parser.error(f"--output: {arguments.output} is a file: name a folder")
    if arguments.json and not arguments.json.parent.is_dir():
        parser.error(f"--json: there is no folder {arguments.json.parent}")
    try:
        import reasoning_gym  # noqa: F401
        import tqdm  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        parser.error(f"{error}. Run: pip install torch transformers tqdm reasoning-gym")
    try:
        arguments.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output: {error}")
    return arguments


def digest_of(settings: dict) -> str:
    """Name what a model is made from: these scripts and the settings."""
    made_from = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name in ("bradley_terry.py", "phrases.py", "preference_pairs.py", Path(__file__).name):
        made_from.update(Path(__file__).with_name(name).read_bytes())
    return made_from.hexdigest()


def is_made_by(record: Path, digest: str) -> bool:
    """Tell whether a folder's record says that its model has this digest."""
    try:
        found = json.loads(record.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    weights = record.with_name("model.safetensors")
    return isinstance(found, dict) and found.get("digest") == digest and weights.is_file()


def make(arguments: argparse.Namespace) -> dict:
    """Train a model, save it, and return its figures."""
    # Threads that spin while they wait slow each other down where other work is running too.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import bradley_terry
    import torch

    start = time.monotonic()
    torch.manual_seed(arguments.seed)
    sizes = {
        "test": HELD_OUT,
        "dev": HELD_OUT,
        "train": arguments.steps * bradley_terry.BATCH,
    }
    data = comparisons(sizes, arguments.seed)
    tokenizer = bradley_terry.new_tokenizer(
        text for one in data["train"] for text in (one.prompt, one.chosen, *one.rejected.values())
    )
    model = bradley_terry.new_model(tokenizer)
    bradley_terry.train(model, tokenizer, data["train"], arguments.seed)
    # The record of an earlier model must not stand beside this one, should saving fail.
    (arguments.output / "training.json").unlink(missing_ok=True)
    model.save_pretrained(arguments.output)
    tokenizer.save_pretrained(arguments.output)
    write_jsonl(arguments.output / "held_out.jsonl", data[arguments.held_out])
    measured = measure(model, tokenizer, data[arguments.held_out])
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        **measured,
        "seconds": round(time.monotonic() - start, 1),
    }


def write_jsonl(path: Path, held_out: list[Comparison]) -> None:
    """Write comparisons for whoever evaluates the model anew, one a line."""
    lines = [json.dumps(dataclasses.asdict(one), ensure_ascii=False) for one in held_out]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def measure(model, tokenizer, held_out: list[Comparison]) -> dict:
    """Score held-out comparisons, and measure the scores."""
    import bradley_terry
    import torch

    chosen, rejected, lengths = [], {kind: [] for kind in KINDS}, {kind: [] for kind in KINDS}
    with torch.inference_mode():
        for one in held_out:
            texts = [one.chosen, *(one.rejected[kind] for kind in KINDS)]
            inputs = bradley_terry.encode(tokenizer, one.prompt, texts)
            states = bradley_terry.hidden_states(model, inputs)
            first, *others = bradley_terry.read_scores(model, states).tolist()
            chosen.append(first)
            for kind, text, score in zip(KINDS, texts[1:], others, strict=True):
                rejected[kind].append(score)
                lengths[kind].append((len(one.chosen), len(text)))
    every_chosen = chosen * len(KINDS)
    every_rejected = [score for kind in KINDS for score in rejected[kind]]
    every_length = [pair for kind in KINDS for pair in lengths[kind]]
    margins = [c - r for c, r in zip(every_chosen, every_rejected, strict=True)]
    bias = length_bias(every_chosen, every_rejected, *zip(*every_length, strict=True))
    return {
        "accuracy": {
            "overall": dataclasses.asdict(pair_accuracy(every_chosen, every_rejected)),
            **{kind: dataclasses.asdict(pair_accuracy(chosen, rejected[kind])) for kind in KINDS},
        },
        "calibration_error": calibration(margins).error,
        "length_bias": dataclasses.asdict(bias),
    }


def show(results: dict) -> None:
    """Print the figures."""
    print(f"{results['parameters']:,} parameters, {results['seconds']} s")
    print(f"Share of {results['held_out']} pairs in which the good completion scores higher:")
    for kind, accuracy in results["accuracy"].items():
        print(f"  {kind:14}{Accuracy(**accuracy)}")
    print(f"Expected calibration error: {results['calibration_error']:.3f}")
    print(f"What it cannot judge: {CANNOT_JUDGE}")


if __name__ == "__main__":
    main()

"""Score a file of completions with any reward function, before you train on it.

python examples/score_file.py --reward my_module.my_reward_fn completions.jsonl

Each line of the file is one JSON object with `prompt` and `completions` (a text each), the
columns that the reward needs, and `prompt_ids` and `completion_ids` if it counts tokens.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, pstdev

from reference_impl import GuardedReward, load_reward_fn


def read_samples(path: Path) -> Iterator[dict]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            sample = json.loads(line)
        except json.JSONDecodeError as error:
            raise SystemExit(f"{path}:{number}: not a JSON object ({error})") from None
        missing = [key for key in ("prompt", "completions") if key not in sample]
        if missing:
            raise SystemExit(f"{path}:{number}: no {' and no '.join(missing)}")
        yield sample


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="JSON lines: prompt, completions, columns")
    parser.add_argument("--reward", required=True, help="import path, such as my_module.my_reward")
    arguments = parser.parse_args()
    if not arguments.file.is_file():
        parser.error(f"there is no file {arguments.file}")
    sys.path.insert(0, ".")  # a reward in a module beside the data is found
    try:
        reward_fn = GuardedReward(load_reward_fn(arguments.reward), on_failure="skip")
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        parser.error(str(error))

    groups = defaultdict(list)
    for sample in read_samples(arguments.file):
        sample.setdefault("prompt_ids", [])
        sample.setdefault("completion_ids", [])
        reward = reward_fn(**sample)
        groups[sample["prompt"]].append(reward)
        shown = " skipped" if reward is None else f"{reward:8.3f}"
        print(f"{shown}  {str(sample['completions'])[:70]!r}")

    print()
    for prompt, rewards in groups.items():
        scored = [reward for reward in rewards if reward is not None]
        if not scored:
            print(f"no reward for {prompt[:60]!r}: every sample failed")
            continue
        note = (
            "  <- all equal: this group teaches nothing"
            if len(scored) > 1 and pstdev(scored) == 0
            else ""
        )
        print(f"mean {mean(scored):.3f}  std {pstdev(scored):.3f}  {prompt[:60]!r}{note}")
    print(reward_fn.counts)


if __name__ == "__main__":
    main()

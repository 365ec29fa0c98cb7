"""Train with a rule as the reward in AReaL 1.0.4: GRPO on GSM8K.

    python examples/areal_gsm8k_rule.py --config examples/areal_gsm8k_rule.yaml
    python examples/areal_gsm8k_rule.py --smoke

The first is the whole training run. It needs a machine with GPUs, and AReaL with its inference
server. That run was not made for this guide. What was run, and is tested, is the smoke run, the
reward in AReaL's own executor and pool of processes, and the configuration in AReaL's own parser.

The smoke run needs no GPU. It uses the installed AReaL, with an engine that says fixed sentences.

Three decisions, and what in AReaL 1.0.4 they follow from:

- The rule runs in AReaL's pool of processes, since it computes. AReaL pickles the reward with each
  call, so it stands at module level here, and the workflow gets its import path.
- A failure is worth 0.0, AReaL's convention. What fails in this rule is a gold answer that cannot
  be read. Then all completions of the prompt fail alike, their advantages are 0, and the prompt
  teaches nothing. With "raise", AReaL would reject the group after four tries and draw another
  prompt.
- The first row is checked before anything is started. AReaL rejects what a missing column raises,
  row after row, and never ends.
"""

from typing import Any

from areal.api.cli_args import GRPOConfig, load_expr_config
from areal.workflow.rlvr import RLVRWorkflow
from areal_smoke import SmokeRollout, keep_quiet, run

from reference_impl import gsm8k_reward_fn
from reference_impl.adapters.areal import ArealReward, check_areal_row
from reference_impl.adapters.batch import MissingColumnError

#: What AReaL's processes import, as `areal_gsm8k_rule.reward`.
reward = ArealReward(gsm8k_reward_fn, on_failure=0.0)


def train(arguments: list[str]) -> None:
    """Make the training run that a configuration describes."""
    # Unlike the smoke run, this needs all of AReaL's dependencies.
    from areal import PPOTrainer
    from areal.dataset import get_custom_dataset
    from areal.utils.hf_utils import load_hf_tokenizer

    config, _ = load_expr_config(arguments, GRPOConfig)
    tokenizer = load_hf_tokenizer(config.tokenizer_path)
    train_rows = get_custom_dataset("train", config.train_dataset, tokenizer)
    valid_rows = get_custom_dataset("test", config.valid_dataset, tokenizer)
    for rows in (train_rows, valid_rows):
        check_areal_row(reward, rows[0])
    # By name: under a scheduler the workers import it. The folder of this script is on their path.
    settings = {
        "reward_fn": "areal_gsm8k_rule.reward",
        "gconfig": config.gconfig,
        "tokenizer": config.tokenizer_path,
    }
    workflow = "areal.workflow.rlvr.RLVRWorkflow"
    with PPOTrainer(config, train_dataset=train_rows, valid_dataset=valid_rows) as trainer:
        trainer.train(
            workflow=workflow,
            workflow_kwargs=settings,
            eval_workflow=workflow,
            eval_workflow_kwargs={**settings, "gconfig": config.eval_gconfig},
        )


SMOKE_ROWS = [
    {
        "messages": [{"role": "user", "content": "I had 40 eggs and bought 32. How many now?"}],
        "answer": "40 + 32 = <<40+32=72>>72\n#### 72",
    },
    {
        "messages": [{"role": "user", "content": "How many are six dozen eggs?"}],
        "answer": "6 * 12 = <<6*12=72>>72\n#### 72",
    },
]
SMOKE_COMPLETIONS = [
    r"The answer is \boxed{72}.",
    r"The answer is \boxed{27}.",
    "They are 72.0 eggs.",
    r"It may be \boxed{72} or \boxed{27}.",
]


def smoke_workflow(gconfig: Any, tokenizer: Any) -> RLVRWorkflow:
    """Make AReaL's own workflow, with the reward by name as in training."""
    return RLVRWorkflow("areal_gsm8k_rule.reward", gconfig, tokenizer)


def smoke() -> None:
    """Collect one batch with the installed AReaL on CPU."""
    print("Smoke run: the installed AReaL, an engine with fixed completions, a rule in its pool.")
    print("No model is trained.")
    keep_quiet()
    for row in SMOKE_ROWS:
        check_areal_row(reward, row)
    rollout = SmokeRollout(SMOKE_ROWS, SMOKE_COMPLETIONS, 4, smoke_workflow)
    try:
        for group in rollout.prepare_batch():
            print("a group:")
            paid = zip(rollout.completions(group), group["rewards"].tolist(), strict=True)
            for completion, worth in sorted(paid):
                print(f"  {worth:.1f}  {completion}")
    finally:
        rollout.executor.destroy()


if __name__ == "__main__":
    run("Train with a rule in AReaL: GRPO on GSM8K.", train, smoke, MissingColumnError)

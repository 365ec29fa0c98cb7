"""The advantages of this package are those that TRL's trainer works with."""

import pytest

from reference_impl.compose import dr_grpo_advantages, gdpo_advantages, grpo_advantages

pytestmark = pytest.mark.slow  # TRL alone takes some seconds to import

GROUP = 4  # completions of each prompt; the smoke trainer takes two prompts a step
WEIGHTS = {"correct": 1.0, "style": 0.3}

# The rewards of each step, by component. None is no reward.
STEPS = [
    {"correct": [1, 0, 0, 0, 1, 1, 1, 0], "style": [0, 1, 1, 0, 0.25, 0.5, 0, 1]},
    {"correct": [1, 1, 1, 1, 0, 0, 0, 0], "style": [0.5] * 8},
    {"correct": [0.1, 0.1, 0.1, 0.1001, 3, -2, 7, 7], "style": [0, 0, 0, 1, 0, 0, 0, 0]},
    {"correct": [1, None, 0, 0, None, None, None, None], "style": [1, None, 0, 1, 1, 0, 0, None]},
    {"correct": [None] * 4 + [1, None, None, None], "style": [None] * 4 + [None] * 3 + [1]},
]


@pytest.fixture(scope="module")
def advantages_of(examples, tmp_path_factory):
    """Train for one step on each row of rewards. Returns the advantages that TRL computed."""
    import transformers
    import trl_judge

    def train(steps, weights, **settings):
        parts = trl_judge.smoke_trainer(str(tmp_path_factory.mktemp("trl")), steps=len(steps))
        for name, value in settings.items():
            setattr(parts.args, name, value)
        parts.args.reward_weights = list(weights.values())

        def replay(name):
            rows = iter([step[name] for step in steps])

            def reward(completions, **kwargs):
                return next(rows)

            reward.__name__ = name
            return reward

        seen = []

        class Watch(transformers.TrainerCallback):
            def on_step_end(self, *args, **kwargs):
                seen.append(list(trainer._logs["advantages"])[-2 * GROUP :])

        trainer = trl_judge.GRPOTrainer(
            model=parts.model,
            reward_funcs=[replay(name) for name in weights],
            args=parts.args,
            train_dataset=parts.train_dataset,
            processing_class=parts.processing_class,
            callbacks=[Watch()],
        )
        trainer.train()
        assert len(seen) == len(steps)
        return seen

    return train


def one_component(name):
    return [{name: step[name]} for step in STEPS]


# TRL computes in single precision, and 1e-4 stands below its fractions.
def close(values):
    return pytest.approx(values, rel=1e-3, abs=2e-3)


@pytest.mark.parametrize("name", ["correct", "style"])
def test_grpo(advantages_of, name):
    found = advantages_of(one_component(name), {name: 1.0})
    assert len(found) == len(STEPS)
    for step, advantages in zip(STEPS, found, strict=True):
        assert grpo_advantages(step[name], GROUP) == close(advantages)


def test_dr_grpo(advantages_of):
    found = advantages_of(one_component("correct"), {"correct": 1.0}, scale_rewards="none")
    for step, advantages in zip(STEPS, found, strict=True):
        assert dr_grpo_advantages(step["correct"], GROUP) == close(advantages)


def test_gdpo(advantages_of):
    found = advantages_of(STEPS, WEIGHTS, multi_objective_aggregation="normalize_then_sum")
    for step, advantages in zip(STEPS, found, strict=True):
        assert gdpo_advantages(step, WEIGHTS, GROUP) == close(advantages)


def test_the_sum_of_two_reward_functions_counts_none_as_zero(advantages_of):
    """Why a composite that fails as a whole is safer than two functions with weights in TRL."""
    found = advantages_of(STEPS, WEIGHTS)
    for step, advantages in zip(STEPS, found, strict=True):
        sums = [
            None
            if correct is None and style is None
            else WEIGHTS["correct"] * (correct or 0) + WEIGHTS["style"] * (style or 0)
            for correct, style in zip(step["correct"], step["style"], strict=True)
        ]
        assert grpo_advantages(sums, GROUP) == close(advantages)

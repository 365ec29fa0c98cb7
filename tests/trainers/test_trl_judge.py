"""The judge in TRL, which is installed beside the project's own packages."""

import asyncio
import json
import re

import pytest

from reference_impl.judge.testing.scripted_server import Answer, Status

pytestmark = pytest.mark.slow  # TRL alone takes some seconds to import


def verdict(word):
    return Answer(json.dumps({"rationale": "The script says so.", "verdict": word}))


NO_VERDICT = Answer("I had rather not say.")


@pytest.fixture(scope="module")
def example(examples):
    import trl_judge

    return trl_judge


@pytest.fixture(autouse=True)
def new_process(example):
    example.judge_of_this_process.cache_clear()


@pytest.fixture
def judge_reward(example):
    """Call the reward function as TRL does. Returns the rewards and what it logged."""

    def call(completions, prompts=None, **columns):
        logged = {}
        rewards = example.judge_reward(
            prompts=prompts or ["What is 2 + 2?"] * len(completions),
            completions=completions,
            completion_ids=[[]] * len(completions),
            answer=["4"] * len(completions),
            trainer_state=None,
            log_extra=None,
            log_metric=logged.__setitem__,
            **columns,
        )
        return asyncio.run(rewards), logged

    return call


def test_the_smoke_run_logs_the_mean_of_the_verdicts(smoke_run):
    lines = smoke_run("trl_judge.py")
    means = [re.match(r"mean reward of the verdicts (\S+), .* 25%", line) for line in lines]
    assert [mean[1] for mean in means if mean] == ["0.333", "0.333"]
    assert any("failures={'unparsable': 4}" in line for line in lines)


def test_all_completions_are_judged_at_once(start_judge, judge_reward):
    server = start_judge([verdict("correct")])
    rewards, logged = judge_reward([f"Step {index}, so 4." for index in range(16)])
    assert rewards == [1.0] * 16
    assert server.most_in_flight == 16
    assert logged == {"judge/failed": 0.0}


def test_a_failed_verdict_is_none(start_judge, judge_reward):
    def script(body):
        asked = body["messages"][-1]["content"]
        return NO_VERDICT if "perhaps" in asked else verdict("incorrect")

    start_judge(script)
    rewards, logged = judge_reward(["It is 5.", "It is 6, perhaps.", "It is 7."])
    assert rewards == [0.0, None, 0.0]
    assert logged == {"judge/failed": pytest.approx(1 / 3)}


def test_messages_are_read_as_texts_are(start_judge, judge_reward):
    server = start_judge([verdict("correct")])
    rewards, _ = judge_reward(
        [[{"role": "assistant", "content": "It is 4."}]],
        prompts=[[{"role": "user", "content": "What is 2 + 2?"}]],
    )
    assert rewards == [1.0]
    asked = server.requests[0].body["messages"][-1]["content"]
    assert "What is 2 + 2?" in asked
    assert "It is 4." in asked
    assert "role" not in asked.replace("roles", "")


def test_an_outage_is_an_error_with_its_reason(example, start_judge, judge_reward):
    start_judge([Status(503)], max_attempts=1)
    with pytest.raises(example.JudgeOutageError, match=r"4 of 4 .*'judge_unavailable': 4"):
        judge_reward([f"It is {index}." for index in range(4)])


def test_the_patience_that_the_example_advises_outlasts_a_restart(
    example, start_judge, judge_reward
):
    asked = []

    def script(body):
        asked.append(body)
        return Status(503) if len(asked) <= 150 else verdict("correct")

    advised = re.findall(r"`JUDGE_(\w+)=(\d+)`", example.__doc__)
    assert advised
    start_judge(script, **{name.lower(): value for name, value in advised})
    rewards, _ = judge_reward([f"Step {index}, so 4." for index in range(32)])
    assert rewards == [1.0] * 32


def test_an_outage_ends_the_training(example, start_judge, tmp_path):
    start_judge([Status(503)], max_attempts=1)
    trainer = example.smoke_trainer(str(tmp_path))
    with pytest.raises(example.JudgeOutageError):
        trainer.train()
    assert trainer.state.global_step == 0


def logged_reward(trainer):
    trainer.train()
    return next(step["reward"] for step in trainer.state.log_history if "reward" in step)


def test_trl_leaves_none_out_of_the_mean(example, start_judge, tmp_path):
    steps = iter([NO_VERDICT] * 2)
    start_judge(lambda body: next(steps, verdict("correct")))
    assert logged_reward(example.smoke_trainer(str(tmp_path), steps=1)) == 1.0


def test_trl_counts_none_as_zero_beside_another_reward(example, tmp_path):
    """Why the judge is to be the only reward function."""

    async def failing_half(completions, **kwargs):
        return [1.0, None] * (len(completions) // 2)

    async def half(completions, **kwargs):
        return [0.5] * len(completions)

    parts = example.smoke_trainer(str(tmp_path), steps=1)
    trainer = example.GRPOTrainer(
        model=parts.model,
        reward_funcs=[failing_half, half],
        args=parts.args,
        train_dataset=parts.train_dataset,
        processing_class=parts.processing_class,
    )
    assert logged_reward(trainer) == (1.5 + 0.5) / 2

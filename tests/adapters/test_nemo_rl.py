"""NeMo-RL's adapter, held to the interface that NeMo-RL documents.

Read in NVIDIA-NeMo/RL: `nemo_rl/environments/interfaces.py` at commit 0b8a793,
`nemo_rl/environments/utils.py` at 067e92b, `nemo_rl/environments/math_environment.py` at 00294d9,
`nemo_rl/distributed/ray_actor_environment_registry.py` at 010480a, and `calculate_rewards` and
`run_multi_turn_rollout` in `nemo_rl/experience/rollouts.py`, which use the result as `call` below
does. A package index holds its name alone (`nemo-rl` 0.0.0), so that NeMo-RL is not run here. The
Ray actor is a real one.
"""

import asyncio
import pickle
import sys
import textwrap

import pytest
import torch

from reference_impl.adapters.batch import MissingColumnError
from reference_impl.adapters.nemo_rl import NemoRLReward
from reference_impl.contract import GuardedReward, InvalidGoldError, InvalidRewardError
from reference_impl.rules import exact_match_reward_fn

PROOF = {
    "trainer": "NeMo-RL",
    "distribution": None,
    "version": "commits 0b8a793, 067e92b, 00294d9, 010480a",
    "kind": "documented signature",
    "how": "The tests make it a Ray actor, and use its result as NeMo-RL's source does.",
}

STAND_IN = """
from typing import NamedTuple


class EnvironmentReturn(NamedTuple):
    observations: list
    metadata: list
    next_stop_strings: list
    rewards: object
    terminateds: object
    answers: list | None = None
"""


def write_stand_in(folder):
    package = folder / "nemo_rl" / "environments"
    package.mkdir(parents=True)
    (package / "interfaces.py").write_text(STAND_IN, "utf-8")


@pytest.fixture(autouse=True)
def nemo_rl(tmp_path, monkeypatch):
    """The module from which an environment takes the shape of its result."""
    write_stand_in(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "nemo_rl"]:
        del sys.modules[name]


def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def slow_number(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def seen(prompt, completions, prompt_ids, completion_ids, **columns):
    """Raise what it was called with."""
    raise LookupError(prompt, completions, prompt_ids, completion_ids, columns)


def log_of(text, asked="What is 2 + 2?"):
    """A conversation as NeMo-RL passes it: only roles and contents."""
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": text}]


def rewards_of(result):
    """Take a result apart as `calculate_rewards` does. Returns the rewards."""
    observations, metadata, next_stop_strings, rewards, terminateds, answers = result
    rows = range(len(rewards))
    collected = torch.tensor([rewards[i] for i in rows])
    assert all(torch.tensor([terminateds[i] for i in rows]).bool())
    for i in rows:
        assert observations[i]["role"] == "environment"
        assert observations[i]["content"]
        assert (next_stop_strings[i], answers[i]) == (None, None)
        assert i < len(metadata)
    total = torch.zeros(len(rewards), dtype=torch.float32)
    total += collected
    return total.tolist()


def call(environment, logs, metadata):
    return rewards_of(asyncio.run(environment.step(logs, metadata)))


def test_a_right_and_a_wrong_completion_get_their_rewards():
    environment = NemoRLReward(exact_match_reward_fn)
    gold = [{"ground_truth": "4"}] * 2
    assert call(environment, [log_of("#### 4"), log_of("#### 5")], gold) == [1.0, 0.0]


@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_a_batch_keeps_its_order(reward_fn):
    logs = [log_of(text) for text in "3127"]
    assert call(NemoRLReward(reward_fn), logs, [{}] * 4) == [3.0, 1.0, 2.0, 7.0]
    assert call(NemoRLReward(reward_fn), [], []) == []


def test_the_reward_gets_texts_and_columns():
    row = {"ground_truth": "4", "level": 3, "prompt": "not this one"}
    with pytest.raises(LookupError) as error:
        call(NemoRLReward(seen), [log_of("#### 4")], [row])
    columns = {"level": 3, "answer": "4"}
    assert error.value.args == ("What is 2 + 2?", "#### 4", [], [], columns)
    assert row["ground_truth"] == "4"  # NeMo-RL's own dict is as it was


def test_the_metadata_goes_back_as_it_came():
    metadata = [{"ground_truth": "4"}, {"ground_truth": "5"}]
    logs = [log_of("#### 4")] * 2
    result = asyncio.run(NemoRLReward(exact_match_reward_fn).step(logs, metadata))
    assert result.metadata == metadata
    assert result.rewards.dtype == torch.float32


def test_an_answer_under_its_own_name_is_taken():
    logs = [log_of("#### 4")]
    assert call(NemoRLReward(exact_match_reward_fn), logs, [{"answer": "4"}]) == [1.0]


def test_two_answers_are_refused():
    row = {"ground_truth": "4", "answer": "5"}
    with pytest.raises(ValueError, match="column `answer` too"):
        call(NemoRLReward(exact_match_reward_fn, 0.0), [log_of("4")], [row])


def test_the_answer_goes_by_the_name_that_the_reward_knows():
    environment = NemoRLReward(exact_match_reward_fn, 0.0, answer_column="gold")
    with pytest.raises(MissingColumnError, match="column `answer`"):
        call(environment, [log_of("4")], [{"ground_truth": "4"}])


@pytest.mark.parametrize("row", [{}, None, {"ground_truth": None}])
def test_a_missing_answer_is_a_failure_of_its_sample(row):
    with pytest.raises(InvalidGoldError):
        call(NemoRLReward(exact_match_reward_fn), [log_of("4")], [row])
    environment = NemoRLReward(exact_match_reward_fn, on_failure=-1.0)
    logs, rows = [log_of("4"), log_of("#### 4")], [row, {"ground_truth": "4"}]
    assert call(environment, logs, rows) == [-1.0, 1.0]
    batch = object()
    assert environment.global_post_process_and_metrics(batch) == (
        batch,
        {"exact_match_reward_fn/failed": 0.5},
    )


def test_metrics_before_the_first_call_are_zero():
    environment = NemoRLReward(number)
    assert environment.global_post_process_and_metrics(None) == (None, {"number/failed": 0.0})
    environment.shutdown()


def test_unequal_lengths_and_odd_metadata_are_refused():
    with pytest.raises(ValueError, match="2 conversations, and 1 metadata"):
        call(NemoRLReward(number), [log_of("4")] * 2, [{}])
    with pytest.raises(TypeError, match="not a dict"):
        call(NemoRLReward(number), [log_of("4")], ["4"])


@pytest.mark.parametrize("text", ["nan", "inf"])
@pytest.mark.parametrize("reward_fn", [number, slow_number])
def test_nan_is_a_failure(reward_fn, text):
    with pytest.raises(InvalidRewardError):
        call(NemoRLReward(reward_fn), [log_of(text)], [{}])
    assert call(NemoRLReward(reward_fn, 0.0), [log_of(text)], [{}]) == [0.0]


def test_a_conversation_that_cannot_be_read_follows_the_policy():
    logs = [log_of(4), [], log_of("2", asked=None)]
    environment = NemoRLReward(number, -1.0)
    assert call(environment, logs, [{}] * 3) == [-1.0, -1.0, 2.0]
    assert environment.guarded.counts.failures == {"invalid_sample": 2}


def test_skip_and_a_guarded_reward_are_refused():
    with pytest.raises(ValueError, match="NeMo-RL cannot leave a sample out"):
        NemoRLReward(number, "skip")
    with pytest.raises(TypeError, match="guarded already"):
        NemoRLReward(GuardedReward(number))


def test_a_copy_keeps_its_settings_and_counts_from_zero():
    environment = NemoRLReward(number, -1.0)
    call(environment, [log_of("four")], [{}])
    copy = pickle.loads(pickle.dumps(environment))
    assert copy.guarded.counts.calls == 0
    assert call(copy, [log_of("four")], [{}]) == [-1.0]


@pytest.mark.slow
def test_it_is_a_ray_actor_made_by_its_path(nemo_rl, monkeypatch):
    """As `create_env` makes it and `calculate_rewards` calls it, with a real Ray."""
    import importlib

    import ray

    (nemo_rl / "my_rewards.py").write_text(
        textwrap.dedent(
            """
            import ray

            from reference_impl import exact_match_reward_fn
            from reference_impl.adapters.nemo_rl import NemoRLReward


            @ray.remote
            class GradeEnvironment(NemoRLReward):
                def __init__(self, cfg):
                    super().__init__(exact_match_reward_fn, on_failure=cfg["on_failure"])
            """
        ),
        "utf-8",
    )
    path = {"env_vars": {"PYTHONPATH": str(nemo_rl)}}
    monkeypatch.setenv("RAY_DISABLE_MEMORY_MONITOR", "1")
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, runtime_env=path)
    try:
        actor_class = importlib.import_module("my_rewards").GradeEnvironment
        logs = [log_of("#### 4"), log_of("#### 5"), log_of("#### 5")]
        rows = [{"ground_truth": "4"}, {"ground_truth": "4"}, {"ground_truth": None}]

        strict = actor_class.options(runtime_env=path).remote({"on_failure": "raise"})
        assert rewards_of(ray.get(strict.step.remote(logs[:2], rows[:2]))) == [1.0, 0.0]
        with pytest.raises(InvalidGoldError):
            ray.get(strict.step.remote(logs, rows))
        assert rewards_of(ray.get(strict.step.remote(logs[:1], rows[:1]))) == [1.0]

        lenient = actor_class.options(runtime_env=path).remote({"on_failure": -1.0})
        assert rewards_of(ray.get(lenient.step.remote(logs, rows))) == [1.0, 0.0, -1.0]
        _, metrics = ray.get(lenient.global_post_process_and_metrics.remote(None))
        assert metrics == {"exact_match_reward_fn/failed": pytest.approx(1 / 3)}
    finally:
        ray.shutdown()

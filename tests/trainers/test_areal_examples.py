"""The training examples in AReaL. These tests run where it is installed: test_environments.py."""

import re
import runpy
import sys

import pytest

from reference_impl import CriticUnavailableError, InvalidScoreError
from reference_impl.adapters.batch import MissingColumnError
from tests.trainers.areal_trainer import record_trainer, train_arguments, workflow_of

areal = pytest.importorskip("areal", reason="AReaL has an environment of its own")
pytestmark = pytest.mark.slow

SCRIPTS = ["areal_gsm8k_rule.py", "areal_gsm8k_critic.py", "areal_judge_workflow.py"]


@pytest.fixture(scope="module")
def rule(examples):
    import areal_gsm8k_rule

    return areal_gsm8k_rule


@pytest.fixture(scope="module")
def critic(examples):
    import areal_gsm8k_critic

    return areal_gsm8k_critic


@pytest.fixture
def new_process(critic, monkeypatch):
    """The counts of the critic's failures start at zero, and it is asked nowhere."""
    from reference_impl.adapters import areal as adapter

    adapter._guard_path.cache_clear()
    monkeypatch.delenv("CRITIC_SERVICE_URL", raising=False)


@pytest.fixture
def scores_of(critic, new_process, monkeypatch):
    """Let a function play the critic's client."""

    def put(function):
        name = "tests.trainers.test_areal_examples.play"
        monkeypatch.setattr(critic, "CRITIC", name)
        monkeypatch.setattr(sys.modules[__name__], "played", function)

    return put


def played(completions):
    raise AssertionError("`scores_of` puts a function here before anybody asks")


def play(prompt, completions, prompt_ids, completion_ids, **columns):
    return played(completions)


@pytest.fixture
def command_line(examples, monkeypatch, capsys):
    """Run a script up to its exit, in this process: AReaL takes long to import."""

    def run(script, *arguments):
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(examples / script), run_name="__main__")
        return end.value.code, "".join(capsys.readouterr())

    return run


def test_the_smoke_run_with_a_rule_pays_what_is_right(smoke_run):
    lines = smoke_run("areal_gsm8k_rule.py")
    group = [
        r"  0.0  It may be \boxed{72} or \boxed{27}.",
        r"  0.0  The answer is \boxed{27}.",
        r"  1.0  The answer is \boxed{72}.",
        "  1.0  They are 72.0 eggs.",
    ]
    assert lines[2:] == ["a group:", *group] * 2


def test_the_smoke_run_with_a_critic_scores_a_batch_and_is_stopped_by_its_loss(smoke_run):
    lines = smoke_run("areal_gsm8k_critic.py")
    scores = [re.fullmatch(r" +(-?\d+\.\d\d)  '(.+)'", line) for line in lines[3:7] + lines[8:12]]
    assert all(scores)
    for group in (scores[:4], scores[4:]):
        by_completion = {match[2]: float(match[1]) for match in group}
        right = by_completion[r"12 + 31 = 43\n#### 43"]
        assert right > by_completion["I am unable to do this one."] + 1
    assert lines[-2] == "Now the critic is gone for good."
    assert lines[-1].startswith("stopped: The critic is lost. No critic service answered at unix:")


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_command_line_explains_itself(command_line, script, tmp_path):
    code, shown = command_line(script, "--help")
    assert code == 0
    assert "--smoke" in shown
    wrong = [
        ((), "one of the arguments --config --smoke is required"),
        (("--config", str(tmp_path / "none.yaml")), "there is no file"),
        (("--smoke", "seed=2"), "--smoke takes no fields"),
    ]
    for arguments, problem in wrong:
        code, shown = command_line(script, *arguments)
        assert code == 2
        assert problem in shown


def test_without_a_model_the_critic_s_smoke_run_says_so(command_line, monkeypatch):
    monkeypatch.delenv("REWARD_MODEL_PATH", raising=False)
    monkeypatch.setenv("CRITIC_TIMEOUT_SECONDS", "1")  # the script changes it
    code, shown = command_line("areal_gsm8k_critic.py", "--smoke")
    assert code == 2
    assert "REWARD_MODEL_PATH is not set" in shown.splitlines()[-1]


def test_the_run_with_a_rule_is_one_that_areal_accepts(rule, examples, monkeypatch, tmp_path):
    calls = record_trainer(monkeypatch, rule.SMOKE_ROWS)
    rule.train(train_arguments(examples / "areal_gsm8k_rule.yaml", tmp_path, "seed=7"))
    config = check_config(calls)
    assert config.seed == 7
    workflow = workflow_of(calls["train"])
    assert workflow.reward_fn == "areal_gsm8k_rule.reward"
    assert calls["train"]["eval_workflow_kwargs"]["gconfig"].temperature == 0.6


def test_the_run_with_a_critic_is_one_that_areal_accepts(
    critic, examples, monkeypatch, scores_of, tmp_path
):
    scores_of(lambda completion: 0.5)
    monkeypatch.setattr(critic, "critic_reward_fn", WarmedUp())
    calls = record_trainer(monkeypatch, critic.SMOKE_ROWS)
    config_file = examples / "areal_gsm8k_critic.yaml"
    critic.train(train_arguments(config_file, tmp_path, "failures.least_samples=10"))
    config = check_config(calls)
    assert config.failures.least_samples == 10
    workflow = workflow_of(calls["train"])
    assert isinstance(workflow, critic.CriticWorkflow)
    assert workflow.limits == critic.FailureLimits(share=0.2, least_samples=10)
    # The workflow leaves its note where the trainer's rows look for it.
    rows = calls["init"]["train_dataset"]
    assert (len(rows), rows[0]) == (2, critic.SMOKE_ROWS[0])
    workflow.stop_file.write_text("lost", "utf-8")
    with pytest.raises(critic.RunStoppedError, match="lost"):
        rows[0]


class WarmedUp:
    def warm_up(self):
        pass


def check_config(calls):
    """What both configurations must have, whatever AReaL's parser accepts."""
    from areal.api.alloc_mode import ModelAllocation

    config = calls["init"]["config"]
    assert config.actor.reward_norm.group_size == config.gconfig.n_samples
    assert config.train_dataset.num_workers == 0
    assert config.train_dataset.scheduling_spec is None
    for name in ("actor", "rollout"):
        assert ModelAllocation.from_str(getattr(config, name).backend, name=name)
    return config


@pytest.mark.parametrize("name", ["rule", "critic"])
def test_a_data_set_without_the_columns_is_refused_before_training(
    name, request, examples, monkeypatch, tmp_path
):
    example = request.getfixturevalue(name)
    if name == "critic":
        monkeypatch.setattr(example, "critic_reward_fn", WarmedUp())
    calls = record_trainer(monkeypatch, [{"question": "2 + 2?", "answer": "4"}])
    with pytest.raises(MissingColumnError, match="no column `messages`"):
        example.train(train_arguments(examples / f"areal_gsm8k_{name}.yaml", tmp_path))
    assert "init" not in calls


def start(critic, tmp_path, **limits):
    from areal_smoke import keep_quiet

    keep_quiet()
    return critic.smoke_rollout(tmp_path, critic.FailureLimits(**limits))


def test_a_sample_without_a_score_takes_its_group_along(critic, scores_of, tmp_path):
    calls = []

    def score(completion):
        calls.append(completion)
        if len(calls) == 2:
            raise InvalidScoreError("the score is nan")
        return 0.5

    scores_of(score)
    rollout = start(critic, tmp_path)
    batch = rollout.prepare_batch()
    assert [group["rewards"].tolist() for group in batch] == [[0.5] * 4] * 2
    assert rollout.executor.staleness_manager.get_stats().rejected == 1
    rollout.executor.destroy()


def test_a_lost_critic_stops_the_run(critic, scores_of, tmp_path):
    def score(completion):
        raise CriticUnavailableError("nobody answers")

    scores_of(score)
    rollout = start(critic, tmp_path)
    with pytest.raises(critic.RunStoppedError, match=r"The critic is lost\. nobody answers"):
        rollout.prepare_batch()
    rollout.executor.destroy()


def test_too_many_samples_without_a_score_stop_the_run(critic, scores_of, tmp_path):
    def score(completion):
        raise InvalidScoreError("the score is nan")

    scores_of(score)
    rollout = start(critic, tmp_path, least_samples=10)
    with pytest.raises(critic.RunStoppedError, match=r"Of \d+ samples, \d+ have no score"):
        rollout.prepare_batch()
    rollout.executor.destroy()

"""The judge in AReaL. These tests run where AReaL is installed: see test_environments.py."""

import json
import logging
import re
import threading
import time

import pytest

from reference_impl.judge.testing.scripted_server import Answer, Status
from tests.trainers.areal_trainer import record_trainer, train_arguments, workflow_of

areal = pytest.importorskip("areal", reason="AReaL has an environment of its own")
pytestmark = pytest.mark.slow

GOOD = {"rationale": "The script says so.", "verdict": "correct"}


@pytest.fixture(scope="module")
def example(examples):
    """The example, as AReaL's workers import it."""
    import areal_judge_workflow

    return areal_judge_workflow


@pytest.fixture(autouse=True)
def new_process(example, monkeypatch):
    """The judge and its watch are made anew, as in a new process."""
    example.judge_of_this_process.cache_clear()
    example.watch_of_this_process.cache_clear()
    monkeypatch.setattr(example, "PAUSE_SECONDS", 0.05)


@pytest.fixture
def start_rollout(example, tmp_path):
    """Start AReaL's executor on the rows and completions of the smoke run."""
    started = []

    def start(**limits):
        rollout = example.smoke_rollout(tmp_path, example.OutageLimits(**limits))
        started.append(rollout)
        return rollout

    yield start
    for rollout in started:
        rollout.executor.destroy()


def rewards(batch):
    return [sorted(group["rewards"].tolist()) for group in batch]


def test_the_smoke_run_gets_a_batch_and_is_stopped_by_an_outage(smoke_run):
    lines = smoke_run("areal_judge_workflow.py")
    assert lines.count("rewards of a group: [0.0, 0.0, 1.0, 1.0]") == 2
    assert re.fullmatch(r"stopped: The judge has been unavailable for \d+ s\.", lines[-1])


def test_all_completions_are_judged_at_once(example, start_judge, start_rollout):
    server = start_judge(example.scripted_verdict)
    assert rewards(start_rollout().prepare_batch()) == [[0.0, 0.0, 1.0, 1.0]] * 2
    assert server.most_in_flight > 4  # more than one group


def test_the_judge_gets_the_question_without_the_template_of_the_policy(
    example, start_judge, start_rollout
):
    server = start_judge(example.scripted_verdict)
    start_rollout().prepare_batch()
    asked = server.requests[0].body["messages"][-1]["content"]
    assert "What is 2 + 2?" in asked
    assert "im_start" not in asked
    assert "im_end" not in asked


def test_a_group_with_a_failed_verdict_is_rejected_not_paid(example, start_judge, start_rollout):
    def script(body):
        asked = body["messages"][-1]["content"]
        unsure = "3 + 1" in asked and "I do not know" in asked
        return Answer("I had rather not say.") if unsure else example.scripted_verdict(body)

    start_judge(script, cache_entries=0)
    rollout = start_rollout()
    batch = rollout.prepare_batch()
    from tiny_policy import new_tokenizer

    prompts = [new_tokenizer().decode(group["input_ids"][0]) for group in batch]
    assert all("2 + 2" in prompt for prompt in prompts)
    assert rewards(batch) == [[0.0, 0.0, 1.0, 1.0]] * 2
    assert example.judge_of_this_process().counts.failures.keys() == {"unparsable"}
    assert rollout.executor.staleness_manager.get_stats().rejected > 0


def test_a_short_group_would_get_advantages_beyond_measure():
    """Why a group is rejected whole: AReaL cuts the batch into slices of the group size."""
    import torch
    from areal.api.cli_args import NormConfig
    from areal.utils.data import Normalization

    normalize = Normalization(NormConfig(mean_level="group", std_level="group", group_size=4))
    whole = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    assert normalize(whole).abs().max() < 2
    assert normalize(whole[1:]).abs().max() > 10_000


def test_a_short_outage_costs_no_sample(example, start_judge, start_rollout):
    asked = []

    def script(body):
        asked.append(body)
        return Status(503) if len(asked) <= 20 else example.scripted_verdict(body)

    start_judge(script, max_attempts=1, breaker_failures=5, breaker_seconds=0.2)
    rollout = start_rollout(seconds=120)
    assert rewards(rollout.prepare_batch()) == [[0.0, 0.0, 1.0, 1.0]] * 2
    assert rollout.executor.staleness_manager.get_stats().rejected == 0
    assert "circuit_open" in example.judge_of_this_process().counts.failures


def test_a_long_outage_stops_the_run_with_its_reason(example, start_judge, start_rollout):
    start_judge([Status(503)], max_attempts=1)
    with pytest.raises(example.RunStoppedError, match=r"unavailable for \d+ s"):
        start_rollout(seconds=1).prepare_batch()


def test_too_many_failed_verdicts_stop_the_run(example, start_judge, start_rollout):
    start_judge([Answer("I had rather not say.")])
    with pytest.raises(example.RunStoppedError, match="Of the last 10 completions, 10 have no"):
        start_rollout(window=10).prepare_batch()


def test_a_sample_that_alone_is_not_answered_does_not_wait_for_ever(
    example, start_judge, start_rollout
):
    def script(body):
        asked = body["messages"][-1]["content"]
        bad = "3 + 1" in asked and "I do not know" in asked
        return Status(503) if bad else example.scripted_verdict(body)

    start_judge(script, max_attempts=1, cache_entries=0)
    rollout = start_rollout(seconds=4, share=1.0)
    for _ in range(3):
        assert rewards(rollout.prepare_batch()) == [[0.0, 0.0, 1.0, 1.0]] * 2


def test_a_worker_without_a_judge_stops_the_run(example, no_judge, tmp_path):
    rows = example.RowsUntilStopped(example.SMOKE_ROWS, tmp_path / "note.txt")
    assert rows[0]["answer"] == "4"
    with pytest.raises(example.RunStoppedError, match="JUDGE_BASE_URL"):
        example.JudgeWorkflow(None, None, str(tmp_path / "note.txt"), {})
    with pytest.raises(example.RunStoppedError, match="JUDGE_BASE_URL"):
        rows[0]


def test_the_note_of_an_earlier_run_stops_nothing(example, tmp_path):
    (tmp_path / "note.txt").write_text("out")
    rows = example.RowsUntilStopped(example.SMOKE_ROWS, tmp_path / "note.txt")
    assert (len(rows), rows[1]["answer"]) == (2, "4")


class Failing:
    """A workflow, and a scheduler of workers, that do nothing but fail."""

    def __init__(self):
        self.calls = 0

    async def arun_episode(self, *arguments):
        self.calls += 1
        raise RuntimeError("the judge is down")

    async def async_call_engine(self, *arguments, **named):
        self.calls += 1
        raise RuntimeError("the worker has ended")


def executor_of(example, failing):
    """AReaL without a scheduler: the workflow is in the trainer's process."""
    from areal.api.cli_args import InferenceEngineConfig
    from areal.infra.workflow_executor import WorkflowExecutor
    from areal_smoke import FixedEngine

    config = InferenceEngineConfig(consumer_batch_size=2)
    executor = WorkflowExecutor(config, FixedEngine(None, ["4"]))
    executor.initialize(logging.getLogger("smoke"), train_data_parallel_size=1)
    return executor, lambda rows: executor.prepare_batch(rows, failing)


def controller_of(example, failing):
    """AReaL under a scheduler: workers run the workflow. As `initialize`, but without workers."""
    from areal.api.cli_args import InferenceEngineConfig
    from areal.api.scheduler_api import Worker
    from areal.infra.controller.rollout_controller import RolloutController
    from areal.infra.staleness_manager import StalenessManager
    from areal.infra.workflow_executor import BatchTaskDispatcher

    config = InferenceEngineConfig(consumer_batch_size=2, backend="sglang:d1")
    controller = RolloutController(object, config, failing)
    controller.workers = [
        Worker(id="rollout/0", ip="127.0.0.1", worker_ports=["1"], engine_ports=[])
    ]
    controller._callback_host, controller._callback_port = "127.0.0.1", 1
    controller._worker_role = "rollout"
    staleness = controller._staleness_manager = StalenessManager(controller, 2, 2, 0)
    dispatcher = BatchTaskDispatcher(32, controller._create_submit_callback, staleness)
    dispatcher.initialize(logging.getLogger("smoke"))
    controller._dispatcher = dispatcher
    workflow = "areal_judge_workflow.JudgeWorkflow"
    return dispatcher, lambda rows: controller.prepare_batch(rows, workflow, {})


@pytest.mark.parametrize("areal_of", [executor_of, controller_of])
def test_errors_do_not_stop_areal_and_the_rows_do(example, areal_of, tmp_path, caplog):
    """Why the run is stopped through the data set: AReaL catches errors, and starts again."""
    from torchdata.stateful_dataloader import StatefulDataLoader

    logging.getLogger("smoke").setLevel(logging.CRITICAL)
    caplog.set_level(logging.CRITICAL)
    failing, ended = Failing(), []
    owner, prepare_batch = areal_of(example, failing)
    rows = example.RowsUntilStopped(example.SMOKE_ROWS, tmp_path / "note.txt")

    def run():
        try:
            ended.append(prepare_batch(StatefulDataLoader(rows, batch_size=2, collate_fn=list)))
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while failing.calls < 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert failing.calls >= 200
    assert ended == []
    with pytest.raises(example.RunStoppedError):
        example.stop_run(rows.stop_file, "the judge is out")
    thread.join(60)
    owner.destroy()
    assert [str(end) for end in ended] == ["the judge is out"]


class Clock:
    """A clock that stands still until it is told."""

    now = 0.0

    def __call__(self):
        return self.now


def test_the_watch_takes_no_failure_now_and_then_for_an_outage(example):
    watch = example.OutageWatch(example.OutageLimits(share=0.2, window=10))
    assert not any(watch.record(failed=index % 5 == 0) for index in range(100))
    assert watch.record(failed=True) is None
    assert watch.record(failed=True) == "Of the last 10 completions, 3 have no verdict."


def test_the_watch_forgets_an_outage_once_there_is_a_verdict(example):
    clock = Clock()
    watch = example.OutageWatch(example.OutageLimits(seconds=10), clock)
    assert watch.unavailable() is None
    clock.now = 9.0
    assert watch.unavailable() is None
    watch.record(failed=False)
    clock.now = 18.0
    assert watch.unavailable() is None
    clock.now = 28.0
    assert watch.unavailable() == "The judge has been unavailable for 10 s."


def test_the_training_run_is_one_that_areal_accepts(
    example, examples, monkeypatch, start_judge, tmp_path
):
    from areal.api.alloc_mode import ModelAllocation

    start_judge([Answer(json.dumps(GOOD))])
    trainer_calls = record_trainer(monkeypatch, example.SMOKE_ROWS)
    config_file = examples / "areal_judge_workflow.yaml"
    example.train(train_arguments(config_file, tmp_path, "outage.seconds=60"))

    config = trainer_calls["init"]["config"]
    assert config.actor.reward_norm.group_size == config.gconfig.n_samples
    assert config.train_dataset.num_workers == 0
    assert config.train_dataset.scheduling_spec is None
    for name in ("actor", "rollout"):
        assert ModelAllocation.from_str(getattr(config, name).backend, name=name)
    rows = trainer_calls["init"]["train_dataset"]
    trained = trainer_calls["train"]
    kwargs = trained["workflow_kwargs"]
    assert kwargs["outage"]["seconds"] == 60
    workflow = workflow_of(trained)
    assert isinstance(workflow, example.JudgeWorkflow)
    # The workflow leaves its note where the trainer's rows look for it.
    with pytest.raises(example.RunStoppedError):
        example.stop_run(workflow.stop_file, "out")
    with pytest.raises(example.RunStoppedError, match="out"):
        rows[0]

"""The adapter in AReaL. These tests run where AReaL is installed: see test_environments.py."""

import asyncio
import logging
import math
import pickle
import sys
import threading
import time
import types
from importlib.machinery import ModuleSpec

import pytest

from reference_impl.adapters.areal import ArealAgent, ArealReward, check_areal_row
from reference_impl.adapters.batch import MissingColumnError
from reference_impl.contract import InvalidSampleError
from reference_impl.rules import exact_match_reward_fn

areal = pytest.importorskip("areal", reason="AReaL has an environment of its own")
pytestmark = pytest.mark.slow

PROOF = {
    "trainer": "AReaL",
    "distribution": "areal",
    "kind": "its own executor, workflow and agent server",
    "how": "Rollouts go through AReaL's executor, its pool of processes and the server for its "
    "agents, with an engine that says fixed sentences.",
}

ROWS = [
    {"messages": [{"role": "user", "content": "What is 2 + 2?"}], "answer": "4", "bad": False},
    {"messages": [{"role": "user", "content": "What is 3 + 1?"}], "answer": "4", "bad": True},
]
AGENT = "reference_impl.adapters.areal.ArealAgent"
SAID = ["#### 4", "#### 5", "I do not know.", r"It is \boxed{4}."]
PAID = [0.0, 0.0, 1.0, 1.0]


def sees_the_sample(prompt, completions, prompt_ids, completion_ids, **columns):
    """Pay 1.0 if everything is there, in the shape that the adapter's docstring says."""
    assert prompt == "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    assert completions == "#### 4<|im_end|>"
    assert len(prompt_ids) > len(completion_ids) == len("#### 4") + 1
    assert columns == ROWS[0]
    return 1.0


def raises_for_some(prompt, completions, prompt_ids, completion_ids, *, bad, **columns):
    if bad:
        raise InvalidSampleError("no score")
    return exact_match_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)


def nan_for_some(prompt, completions, prompt_ids, completion_ids, *, bad, **columns):
    if bad:
        return math.nan
    return exact_match_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)


def none_for_some(prompt, completions, prompt_ids, completion_ids, *, bad, **columns):
    return None if bad else raises_for_some(prompt, completions, [], [], bad=bad, **columns)


async def awaited(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0.01)
    return exact_match_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)


def sleeps(prompt, completions, prompt_ids, completion_ids, **columns):
    time.sleep(1.5)
    return 1.0


rule = ArealReward(exact_match_reward_fn)
FAIL_FOR_SOME = [raises_for_some, nan_for_some, none_for_some]


@pytest.fixture(autouse=True)
def quiet(examples, caplog):
    """AReaL logs each try of a reward that fails."""
    import areal_smoke

    areal_smoke.keep_quiet()
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def start_rollout(examples, tmp_path):
    """Start AReaL's executor on the rows above, with a workflow."""
    from areal_smoke import SmokeRollout
    from areal_stop import RowsUntilStopped

    started = []

    def start(make_workflow):
        rows = RowsUntilStopped(ROWS, tmp_path / "note.txt")
        started.append(SmokeRollout(rows, SAID, 4, make_workflow))
        return started[-1]

    yield start
    for rollout in started:
        rollout.executor.destroy()


def in_the_pool(reward):
    from areal.workflow.rlvr import RLVRWorkflow

    return lambda gconfig, tokenizer: RLVRWorkflow(reward, gconfig, tokenizer)


def awaiting(reward_fn, on_failure=0.0):
    from reference_impl.adapters.areal import ArealWorkflow

    return lambda gconfig, tokenizer: ArealWorkflow(
        reward_fn, gconfig, tokenizer, on_failure=on_failure
    )


def rewards(rollout, batch=None):
    """Return the rewards of a batch, by the prompts of its groups."""
    prompts = {}
    for group in batch or rollout.prepare_batch():
        text = rollout.tokenizer.decode(group["input_ids"][0])
        prompt = "2 + 2" if "2 + 2" in text else "3 + 1"
        prompts.setdefault(prompt, []).append(sorted(group["rewards"].tolist()))
    return prompts


def episode(workflow, row=ROWS[0], said="#### 4"):
    """Run one episode of a workflow, without the executor that catches its errors."""
    from areal_smoke import FixedEngine

    result = asyncio.run(workflow.arun_episode(FixedEngine(workflow.tokenizer, [said]), row))
    return result["rewards"].item()


def make(make_workflow):
    from areal.api.cli_args import GenerationHyperparameters
    from tiny_policy import new_tokenizer

    return make_workflow(GenerationHyperparameters(), new_tokenizer())


@pytest.mark.parametrize("reward", [rule, f"{__name__}.rule"])
def test_a_right_and_a_wrong_completion_are_paid_in_the_pool(start_rollout, reward):
    paid = rewards(start_rollout(in_the_pool(reward)))
    assert paid == {"2 + 2": [PAID], "3 + 1": [PAID]}


def test_the_whole_sample_reaches_the_reward(examples):
    assert episode(make(in_the_pool(ArealReward(sees_the_sample, on_failure="raise")))) == 1.0


@pytest.mark.parametrize("reward_fn", FAIL_FOR_SOME)
def test_a_failure_is_paid_what_it_is_worth(start_rollout, reward_fn):
    reward = ArealReward(reward_fn, on_failure=-1.0)
    paid = rewards(start_rollout(in_the_pool(reward)))
    assert paid == {"2 + 2": [PAID], "3 + 1": [[-1.0] * 4]}


@pytest.mark.parametrize("reward_fn", FAIL_FOR_SOME)
def test_with_raise_other_prompts_take_the_place_of_what_fails(start_rollout, reward_fn):
    """Silent selection: the batch is full, of the prompts that do not fail."""
    rollout = start_rollout(in_the_pool(ArealReward(reward_fn, on_failure="raise")))
    assert rewards(rollout) == {"2 + 2": [PAID, PAID]}
    assert rollout.executor.staleness_manager.get_stats().rejected > 0


def test_if_all_fail_prepare_batch_does_not_return(start_rollout, tmp_path):
    """And so `check_areal_row` is to be called before."""
    from areal_stop import RunStoppedError, stop_run

    with pytest.raises(MissingColumnError):
        check_areal_row(rule, {"messages": []})
    reward = ArealReward(exact_match_reward_fn)
    rollout = start_rollout(awaiting(reward.guarded.reward_fn))
    rows, ended = rollout._rows.dataset, []
    rows.rows = [{"messages": row["messages"]} for row in ROWS]  # no `answer`

    def run():
        try:
            ended.append(rollout.prepare_batch())
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    manager, deadline = rollout.executor.staleness_manager, time.monotonic() + 60
    while manager.get_stats().rejected < 50 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert manager.get_stats().rejected >= 50
    assert ended == []
    with pytest.raises(RunStoppedError):
        stop_run(rows.stop_file, "enough")
    thread.join(60)
    assert [str(end) for end in ended] == ["enough"]


def test_what_areal_does_with_a_bare_function(examples):
    """Which is why the adapter checks: NaN trains, None and a coroutine reject the group."""
    assert math.isnan(episode(make(in_the_pool(nan_for_some)), ROWS[1]))
    with pytest.raises(TypeError):
        episode(make(in_the_pool(none_for_some)), ROWS[1])
    with pytest.raises(TypeError, match="coroutine"):
        episode(make(in_the_pool(awaited)))


def test_areal_tries_an_exception_four_times(examples, tmp_path):
    file = tmp_path / "calls"
    with pytest.raises(ValueError, match="no score"):
        episode(make(in_the_pool(ArealReward(Counting(file), on_failure="raise"))))
    assert file.read_text() == "1111"


class Counting:
    """Leaves a mark in a file for each call, and fails."""

    def __init__(self, file):
        self.file = file

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        with open(self.file, "a") as calls:
            calls.write("1")
        raise ValueError("no score")


def test_areal_pays_a_slow_call_0_whatever_the_policy(examples):
    from areal.api import AsyncRewardWrapper

    reward = ArealReward(sleeps, on_failure="raise")
    wrapper = AsyncRewardWrapper(reward, timeout_seconds=0.2, max_workers=2, max_retries=1)
    assert asyncio.run(wrapper("2 + 2?", "4", [], [])) == 0


def test_the_workflow_waits_for_a_slow_call(examples):
    assert episode(make(awaiting(sleeps))) == 1.0


@pytest.mark.parametrize("path", ["awaited", "exact_match_reward_fn"])
def test_the_workflow_awaits_either_kind_of_reward(start_rollout, path):
    paid = rewards(start_rollout(awaiting(f"{__name__}.{path}", on_failure="raise")))
    assert paid == {"2 + 2": [PAID], "3 + 1": [PAID]}


class Together:
    """A reward that returns when eight calls have come: all of a batch."""

    def __init__(self):
        self.barrier = threading.Barrier(8, timeout=60)

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        self.barrier.wait()
        return float("4" in completions)


class TogetherAwaited(Together):
    def __init__(self):
        self.waiting, self.all_here = 0, None

    async def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        self.all_here = self.all_here or asyncio.Event()
        self.waiting += 1
        if self.waiting == 8:
            self.all_here.set()
        await asyncio.wait_for(self.all_here.wait(), 60)
        return float("4" in completions)


@pytest.mark.parametrize("reward_fn", [Together(), TogetherAwaited()])
def test_in_the_workflow_all_completions_of_a_batch_wait_at_a_time(start_rollout, reward_fn):
    paid = rewards(start_rollout(awaiting(reward_fn, on_failure="raise")))
    assert paid == {"2 + 2": [PAID], "3 + 1": [PAID]}


def test_the_workflow_passes_the_question_without_the_template(examples):
    seen = {}

    def reward_fn(prompt, completions, prompt_ids, completion_ids, **columns):
        seen.update(columns, prompt=prompt, ids=(len(prompt_ids) > 20, len(completion_ids)))
        return 0.5

    assert episode(make(awaiting(reward_fn))) == 0.5
    assert seen == {**ROWS[0], "prompt": "What is 2 + 2?", "ids": (True, 7)}


@pytest.mark.parametrize("reward_fn", FAIL_FOR_SOME)
def test_in_the_workflow_a_failure_follows_the_policy(start_rollout, reward_fn):
    paid = rewards(start_rollout(awaiting(reward_fn, on_failure=-1.0)))
    assert paid == {"2 + 2": [PAID], "3 + 1": [[-1.0] * 4]}
    rollout = start_rollout(awaiting(reward_fn, on_failure="raise"))
    assert rewards(rollout) == {"2 + 2": [PAID, PAID]}


def test_under_a_scheduler_the_path_and_its_arguments_are_what_counts(examples):
    from areal.api.cli_args import GenerationHyperparameters
    from areal.infra.controller.rollout_controller import RolloutController
    from tiny_policy import new_tokenizer

    from reference_impl.adapters.areal import ArealWorkflow

    path = "reference_impl.adapters.areal.ArealWorkflow"
    settings = {
        "reward_fn": f"{__name__}.awaited",
        "gconfig": GenerationHyperparameters(),
        "tokenizer": new_tokenizer(),
        "on_failure": "raise",
    }
    workflows = [engine()._resolve_workflow(path, settings) for _ in range(2)]
    assert type(workflows[0]) is ArealWorkflow
    assert workflows[0].guarded is workflows[1].guarded  # one count for all rows of a process
    assert pickle.loads(pickle.dumps(ArealWorkflow)) is ArealWorkflow
    # An object is reduced to its class. It would be made without its arguments.
    for made in (workflows[0], ArealAgent(exact_match_reward_fn)):
        name = RolloutController._resolve_workflow_str(None, made)
        assert name == f"reference_impl.adapters.areal.{type(made).__name__}"
        with pytest.raises(TypeError, match="reward_fn"):
            engine()._resolve_workflow(name, {}, proxy_addr="http://127.0.0.1:1")


def engine(**agent):
    """AReaL's inference engine, before it knows its servers."""
    from areal.api.cli_args import AgentConfig, InferenceEngineConfig
    from areal.infra.remote_inf_engine import RemoteInfEngine

    agents = AgentConfig(agent_cls_path=AGENT, **agent)
    config = InferenceEngineConfig(agent=agents, backend="sglang:d1")
    return RemoteInfEngine(config, None)


@pytest.fixture(scope="module")
def agents_server(examples, tmp_path_factory):
    """AReaL's server for agents, on a port of this machine. Returns its address."""
    import uvicorn
    from areal.api.cli_args import AgentConfig, InferenceEngineConfig
    from areal_smoke import FixedEngine
    from tiny_policy import new_tokenizer

    with pytest.MonkeyPatch.context() as patch:
        stand_in_for_anthropic(patch)
        from areal.experimental.openai.proxy import proxy_rollout_server

        folder = tmp_path_factory.mktemp("tokenizer")
        tokenizer = new_tokenizer()
        tokenizer.save_pretrained(folder)
        policy = FixedEngine(tokenizer, SAID)
        policy.config = InferenceEngineConfig(
            agent=AgentConfig(agent_cls_path=AGENT), tokenizer_path=str(folder), backend="sglang:d1"
        )
        patch.setattr(proxy_rollout_server, "_engine", policy)
        patch.setattr(proxy_rollout_server, "_server_host", "127.0.0.1")
        proxy_rollout_server._setup_openai_client()
        server = uvicorn.Server(
            uvicorn.Config(proxy_rollout_server.app, port=0, loop="asyncio", log_level="critical")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.05)
        [port] = [s.getsockname()[1] for s in server.servers[0].sockets]
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(60)


def stand_in_for_anthropic(patch):
    """What AReaL's server imports for another protocol, which these tests do not speak."""
    from pydantic import BaseModel

    adapters = "litellm.llms.anthropic.experimental_pass_through.adapters"
    names = ["anthropic.types.message", f"{adapters}.transformation", "litellm.types.utils"]
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            part = ".".join(parts[:end])
            module = types.ModuleType(part)
            module.__spec__ = ModuleSpec(part, None)
            for attribute in ("Message", "ModelResponse", "AnthropicAdapter"):
                setattr(module, attribute, type(attribute, (BaseModel,), {}))
            patch.setitem(sys.modules, part, module)


@pytest.fixture
def start_agents(start_rollout, agents_server):
    """Start AReaL's executor on the rows above, with agents. AReaL makes them from a path."""

    def start(agent, settings=None, **config):
        workflow = engine(**config)._resolve_workflow(agent, settings, proxy_addr=agents_server)
        return start_rollout(lambda gconfig, tokenizer: workflow)

    return start


@pytest.mark.parametrize("name", ["exact_match_reward_fn", "awaited"])
@pytest.mark.parametrize("mode", ["inline", "subproc"])
def test_an_agent_is_paid_what_its_completion_deserves(start_agents, name, mode):
    settings = {"reward_fn": f"{__name__}.{name}", "max_completion_tokens": 64}
    rollout = start_agents(AGENT, settings, mode=mode)
    batch = rollout.prepare_batch()
    for group in batch:
        said = zip(rollout.completions(group), group["rewards"].tolist(), strict=True)
        assert all(reward == float("4" in completion) for completion, reward in said)
    assert sum(len(group["rewards"]) for group in batch) == 8


@pytest.mark.parametrize("reward_fn", FAIL_FOR_SOME)
def test_in_an_agent_a_failure_follows_the_policy(start_agents, reward_fn):
    paid = rewards(start_agents(AGENT, {"reward_fn": reward_fn, "on_failure": -1.0}))
    assert paid["3 + 1"] == [[-1.0] * 4]
    rollout = start_agents(AGENT, {"reward_fn": reward_fn, "on_failure": "raise"})
    assert rewards(rollout).keys() == {"2 + 2"}
    assert rollout.executor.staleness_manager.get_stats().rejected > 0


class Says(ArealAgent):
    """An agent that asks, and then returns something else than its reward."""

    def __init__(self, returned):
        super().__init__(exact_match_reward_fn)
        self.returned = returned

    async def run(self, data, **connection):
        await super().run(data, **connection)
        return self.returned


def test_what_areal_does_with_an_agent_s_own_rewards(start_agents):
    """An id that there is not is lost. NaN, which becomes None, and an int reject the group."""
    lost = rewards(start_agents(Says({"chatcmpl-nowhere": 1.0})))
    assert lost == {"2 + 2": [[0.0] * 4], "3 + 1": [[0.0] * 4]}
    with pytest.raises(TypeError, match="NoneType"):
        run_agent(start_agents(Says(math.nan)))
    for returned in (1, None):
        with pytest.raises(ValueError, match="Invalid reward type"):
            run_agent(start_agents(Says(returned)))


def run_agent(rollout):
    """Run one episode, without the executor that catches its errors."""
    return asyncio.run(rollout._workflow.workflow.arun_episode(None, ROWS[0]))


class TwoTurns(ArealAgent):
    """Pays 1.0 for each of two turns."""

    async def run(self, data, **connection):
        first = await super().run(data, **connection)
        return first | await super().run(data, **connection)


def one(prompt, completions, prompt_ids, completion_ids, **columns):
    return 1.0


def test_areal_adds_to_a_turn_what_later_turns_are_paid(start_agents):
    interactions = run_agent(start_agents(TwoTurns(one), turn_discount=0.5))
    assert [interaction.reward for interaction in interactions.values()] == [1.5, 1.0]

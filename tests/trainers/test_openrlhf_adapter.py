"""The adapter in OpenRLHF. These tests run where it is installed: see test_environments.py.

OpenRLHF's own code loads the file, decodes the tokens, calls the reward over its thread or over
HTTP, and makes experience and advantages of it. What generates is written here, and vLLM,
DeepSpeed and Ray, which those modules import and this path does not use, are empty modules.
"""

import asyncio
import contextlib
import importlib
import math
import subprocess
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

pytest.importorskip("openrlhf", reason="OpenRLHF has an environment of its own")
pytestmark = pytest.mark.slow

PROOF = {
    "trainer": "OpenRLHF",
    "distribution": "openrlhf",
    "kind": "its own loader, executor and advantages",
    "how": "SingleTurnAgentExecutor loads the file or asks the server over HTTP, and the rewards "
    "go through its making of experience to advantages.",
}

ROOT = Path(__file__).resolve().parents[2]
PROMPT = "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
RULES = """
import asyncio
from reference_impl import AsyncGate, Gate, exact_match_reward_fn
from reference_impl.adapters.openrlhf import OpenRLHFReward

async def asked_judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return exact_match_reward_fn(prompt, completions, prompt_ids, completion_ids, **columns)

def number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions.removesuffix("<|im_end|>"))

def noted_number(prompt, completions, prompt_ids, completion_ids, **columns):
    with open("calls.txt", "a") as calls:
        calls.write(completions + "\\n")
    return number(prompt, completions, prompt_ids, completion_ids, **columns)

def digits(prompt, completions, prompt_ids, completion_ids, **columns):
    return 2 * number(prompt, completions, prompt_ids, completion_ids, **columns)

async def asked_digits(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return digits(prompt, completions, prompt_ids, completion_ids, **columns)

gate = Gate(("number", number), ("digits", digits), threshold=3.0)
asked_gate = AsyncGate(("number", number), ("digits", asked_digits), threshold=3.0)

def needs_level(prompt, completions, prompt_ids, completion_ids, level, **columns):
    return 1.0
"""


@pytest.fixture(scope="module")
def tokenizer(examples):
    from tiny_policy import new_tokenizer

    return new_tokenizer()


@pytest.fixture
def rewards_file(tmp_path):
    """Write the file that OpenRLHF loads. Returns its path."""

    def write(made):
        path = tmp_path / "my_rewards.py"
        path.write_text(f"{RULES}\nreward_func = {made}\n", "utf-8")
        return str(path)

    return write


@pytest.fixture
def run(tokenizer):
    """Let OpenRLHF's executor take completions of one prompt. Returns its responses."""
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    class Engine:
        def __init__(self, said):
            self.tokens = [*tokenizer(said)["input_ids"], tokenizer.eos_token_id]

        async def generate(self, prompt_ids, sampling_params, multi_modal_data=None):
            output = SimpleNamespace(
                token_ids=self.tokens, finish_reason="stop", logprobs=None, text=""
            )
            return SimpleNamespace(outputs=[output])

    def execute(url, said, label="4", max_length=512):
        executor = SingleTurnAgentExecutor(url)
        sampling = SimpleNamespace(max_tokens=64, logprobs=None)

        async def execute_all():
            return await asyncio.gather(
                *(
                    executor.execute(PROMPT, label, sampling, max_length, tokenizer, Engine(text))
                    for text in said
                )
            )

        return asyncio.run(execute_all())

    return execute


@pytest.fixture(scope="module")
def maker_modules():
    """OpenRLHF's modules that make experience, without the engines that they import."""
    import openrlhf

    stubs = {
        name: MagicMock(name=name)
        for name in (
            "deepspeed",
            "ray",
            "vllm",
            "openrlhf.trainer.ray",
            "openrlhf.trainer.ray.launcher",
            "openrlhf.trainer.ray.vllm_engine",
        )
    }
    # A package without its `__init__`, which imports the models; `models/utils.py` is real.
    stubs["openrlhf.models"] = types.ModuleType("openrlhf.models")
    stubs["openrlhf.models"].__path__ = [str(Path(openrlhf.__file__).parent / "models")]
    with pytest.MonkeyPatch.context() as patch:
        for name, stub in stubs.items():
            patch.setitem(sys.modules, name, stub)
        yield SimpleNamespace(
            generator=importlib.import_module("openrlhf.trainer.ppo_utils.samples_generator"),
            maker=importlib.import_module("openrlhf.trainer.ppo_utils.experience_maker"),
        )


@pytest.fixture
def experience(maker_modules):
    """Make experience of responses, two a micro batch, as OpenRLHF does."""
    import torch

    def make(responses):
        generator = maker_modules.generator.SamplesGenerator
        samples = [
            generator._process_response_into_experience(None, response, max_len=512)
            for response in responses
        ]
        args = SimpleNamespace(
            train=SimpleNamespace(dynamic_batch_enable=False, colocate_all=False),
            rollout=SimpleNamespace(micro_batch_size=2, n_samples_per_prompt=len(responses)),
            algo=SimpleNamespace(
                advantage=SimpleNamespace(estimator="group_norm", gamma=1.0, no_std_norm=False)
            ),
            reward=SimpleNamespace(
                clip_range=None,
                overlong_buffer_len=None,
                stop_properly_penalty_coef=None,
            ),
            ds=SimpleNamespace(ring_attn_size=1, tensor_parallel_size=1),
        )
        maker = maker_modules.maker.RemoteExperienceMaker(
            *[None] * 4,
            kl_controller=SimpleNamespace(value=0.0),
            strategy=SimpleNamespace(args=args),
            tokenizer=SimpleNamespace(pad_token_id=0),
        )
        batches = maker.split_rollout_samples(samples)
        if batches[0].rewards is None:
            maker.make_experience(batches)  # asks a reward model instead, and there is none
        for batch in batches:
            batch.kl = torch.zeros_like(batch.action_mask, dtype=torch.float32)
        return maker.compute_advantages_and_returns(batches)

    return make


@pytest.fixture
def advantages(experience):
    """Make experience of responses. Returns the advantages, and which failed."""
    import torch

    def make(responses):
        experiences = experience(responses)
        logged = torch.cat([experience.info["failed"] for experience in experiences])
        last = [
            row[mask][-1].item()
            for experience in experiences
            for row, mask in zip(experience.advantages, experience.action_mask.bool(), strict=True)
        ]
        return last, logged.flatten().tolist()

    return make


@pytest.fixture
def logged_means(experience, maker_modules):
    """Take responses through OpenRLHF's replay buffer. Returns the means that it logs."""
    import torch
    from openrlhf.trainer.ppo_utils.experience import make_experience_batch, split_experience_batch

    def take(responses):
        items = [item for batch in experience(responses) for item in split_experience_batch(batch)]
        info = make_experience_batch(items).info
        # The actor logs the mean of a list, weighted by samples.
        return {
            name: torch.tensor(values, dtype=torch.float).mean().item()
            for name, values in info.items()
            if isinstance(values, list)
        }

    return take


@contextlib.contextmanager
def serving(folder, *options):
    """Serve a reward of `my_rewards.py` in a process of its own. Yields its URL."""
    command = [sys.executable, "-m", "reference_impl.adapters.openrlhf_server", *options]
    process = subprocess.Popen(
        [*command, "--port", "0"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().split(" at ")[1].strip()
        process.terminate()
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(params=["exact_match_reward_fn", "asked_judge"])
def name(request):
    """A synchronous and an asynchronous reward."""
    return request.param


@pytest.fixture(params=["file", "HTTP"])
def url(request, name, rewards_file, tmp_path):
    """Where OpenRLHF gets its rewards from."""
    path = rewards_file(f"OpenRLHFReward({name}, on_failure=-1.0)")
    if request.param == "file":
        yield path
    else:
        with serving(tmp_path, f"my_rewards.{name}", "--on-failure=-1.0") as served:
            yield served


def test_right_and_wrong_completions_become_rewards_and_advantages(run, url, advantages):
    responses = run(url, ["#### 4", "#### 5", "no", "#### 4"])
    assert [response["reward"] for response in responses] == [[1.0], [0.0], [0.0], [1.0]]
    assert [response["scores"] for response in responses] == [[1.0], [0.0], [0.0], [1.0]]
    moves, failed = advantages(responses)
    assert moves == pytest.approx([0.866, -0.866, -0.866, 0.866], abs=1e-3)
    assert failed == [0.0] * 4


def test_the_label_arrives_and_a_failure_is_worth_its_number(run, url, advantages):
    responses = run(url, ["#### 5"], label="5") + run(url, ["#### 4"], label="")
    assert [response["reward"] for response in responses] == [[1.0], [-1.0]]
    _, failed = advantages(responses)
    assert failed == [0.0, 1.0]


def test_a_prompt_that_was_cut_is_a_failure(run, rewards_file):
    path = rewards_file("OpenRLHFReward(exact_match_reward_fn, on_failure=-1.0)")
    [response] = run(path, ["#### 4"], max_length=80)
    assert response["reward"] == [-1.0]


@pytest.mark.parametrize("failing", ["four", "nan"])
@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_an_error_becomes_none_which_ends_the_training_with_another_error(
    run, rewards_file, advantages, failing, place
):
    """Why the policy is `raise`, and why its message stands in the log only."""
    said = ["1", "2", "3", "4"]
    said[place] = failing
    responses = run(rewards_file("OpenRLHFReward(number)"), said)
    assert [response["reward"] is None for response in responses] == [
        text == failing for text in said
    ]
    with pytest.raises((AttributeError, ValueError)) as raised:
        advantages(responses)
    assert "number" not in str(raised.value)


def test_an_error_over_http_is_asked_for_five_times_and_then_none(run, rewards_file, tmp_path):
    rewards_file("None")
    with serving(tmp_path, "my_rewards.noted_number") as served:
        [failed] = run(served, ["four"])
        [paid] = run(served, ["4"])
    assert (failed["reward"], paid["reward"]) == (None, [4.0])
    assert (tmp_path / "calls.txt").read_text().split() == ["four<|im_end|>"] * 5 + ["4<|im_end|>"]


def test_a_missing_column_is_none_too_and_stands_in_the_log(run, rewards_file, monkeypatch):
    from openrlhf.utils import agent

    logged = []
    monkeypatch.setattr(agent.logger, "info", logged.append)
    [response] = run(rewards_file("OpenRLHFReward(needs_level, on_failure=0.0)"), ["4"])
    assert response["reward"] is None
    assert "it needs the column `level`" in logged[-1]


@pytest.mark.parametrize("name", ["gate", "asked_gate"])
@pytest.mark.parametrize("way", ["file", "HTTP"])
def test_components_reach_the_log(run, name, way, rewards_file, tmp_path, logged_means):
    path = rewards_file(f"OpenRLHFReward({name}, on_failure=-1.0)")
    with contextlib.ExitStack() as stack:
        if way == "HTTP":
            path = stack.enter_context(serving(tmp_path, f"my_rewards.{name}", "--on-failure=-1.0"))
        responses = run(path, ["3", "four", "2", "4"])
    assert [response["reward"] for response in responses] == [[6.0], [-1.0], [0.0], [8.0]]
    logged = logged_means(responses)
    assert logged["failed"] == 1 / 4
    assert logged["reward/number"] / logged["scored/number"] == pytest.approx((3 + 2 + 4) / 3)
    assert logged["reward/digits"] / logged["scored/digits"] == pytest.approx((6 + 8) / 2)
    assert (logged["scored/number"], logged["scored/digits"]) == (3 / 4, 2 / 4)


@pytest.mark.parametrize(
    ("parts", "error"),
    [("{'part': [None]}", RuntimeError), ("{}", ValueError), ("{'part': [float('nan')]}", None)],
)
def test_why_a_component_has_two_numbers(run, parts, error, tmp_path, logged_means):
    bare = tmp_path / "bare.py"
    bare.write_text(
        "def reward_func(queries, prompts, labels):\n"
        f"    parts = {parts} if '5<' in queries[0] else {{'part': [1.0]}}\n"
        "    return {'rewards': [1.0], 'extra_logs': {'failed': [0.0], **parts}}\n",
        "utf-8",
    )
    responses = run(str(bare), ["4", "5", "4", "4"])
    if error:
        with pytest.raises(error):
            logged_means(responses)
    else:
        assert math.isnan(logged_means(responses)["part"])


def test_nan_would_poison_its_group_without_the_guard(run, tmp_path, advantages):
    bare = tmp_path / "bare.py"
    bare.write_text(
        "def reward_func(queries, prompts, labels):\n"
        "    value = float('nan') if '5<' in queries[0] else 1.0\n"
        "    return {'rewards': [value], 'extra_logs': {'failed': [0.0]}}\n",
        "utf-8",
    )
    moves, _ = advantages(run(str(bare), ["4", "5", "4", "4"]))
    assert all(move != move for move in moves)

"""The adapter in SkyRL: its registry, and its generator on an engine that plays a script.

These tests run where it is installed: see test_environments.py.
"""

import asyncio
import contextlib
import importlib
import math
import threading
import typing

import pytest
import typing_extensions

from reference_impl.adapters.skyrl import SkyRLReward
from reference_impl.compose import AsyncGate, Gate
from reference_impl.rules import gsm8k_reward_fn

skyrl_gym = pytest.importorskip("skyrl_gym", reason="SkyRL has an environment of its own")
typing.TypedDict = typing_extensions.TypedDict  # pydantic asks for it before Python 3.12
skyrl_config = importlib.import_module("skyrl.train.config")
skyrl_generator = importlib.import_module("skyrl.train.generators.skyrl_gym_generator")
pytestmark = pytest.mark.slow

PROOF = {
    "trainer": "SkyRL",
    "distribution": "skyrl-gym",
    "kind": "its own registry and generator",
    "how": "SkyRL-Gym makes the environment, and SkyRL's generator steps it on a scripted engine.",
}

ROW = {"reward_spec": {"method": "rule", "ground_truth": "72"}, "data_source": "openai/gsm8k"}

gsm8k_env = SkyRLReward(gsm8k_reward_fn)


async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def as_number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


class Engine:
    """The engine of the policy: it says what the prompt tells it to."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    async def generate(self, batch, model=None):
        prompts = self.tokenizer.batch_decode(batch["prompt_token_ids"])
        said = [prompt.split("Say ")[1].split("<|im_end|>")[0] for prompt in prompts]
        return {
            "responses": said,
            "response_ids": [[*self.tokenizer.encode(text), 2] for text in said],
            "stop_reasons": ["stop"] * len(said),
        }

    async def finish_session(self, session_id):
        pass


@pytest.fixture
def register():
    """Register an environment for one test."""
    with contextlib.ExitStack() as stack:

        def register(entry_point, name="my_task"):
            skyrl_gym.register(id=name, entry_point=entry_point)
            stack.callback(skyrl_gym.envs.deregister, name)

        yield register


@pytest.fixture
def roll_out(examples):
    """Generate and score with SkyRL's generator. Returns its output."""
    from tiny_policy import new_tokenizer

    tokenizer = new_tokenizer()

    def run(completions, row=ROW, max_env_workers=32, **settings):
        config = skyrl_config.GeneratorConfig(max_input_length=512, **settings)
        config.sampling_params.logprobs = None
        generator = skyrl_generator.SkyRLGymGenerator(
            generator_cfg=config,
            skyrl_gym_cfg=skyrl_config.SkyRLGymConfig(max_env_workers=max_env_workers),
            inference_engine_client=Engine(tokenizer),
            tokenizer=tokenizer,
        )
        batch = {
            "prompts": [[{"role": "user", "content": f"Say {text}"}] for text in completions],
            "env_classes": ["my_task"] * len(completions),
            "env_extras": [dict(row) for _ in completions],
        }
        return asyncio.run(generator.generate(batch, disable_tqdm=True))

    return run


def paid(output):
    """Return the reward of each completion, which SkyRL puts on its last token."""
    for rewards in output["rewards"]:
        assert rewards[:-1] == [0.0] * len(rewards[:-1])
    return [rewards[-1] for rewards in output["rewards"]]


@pytest.mark.parametrize("entry_point", [gsm8k_env, f"{__name__}:gsm8k_env"])
def test_the_registry_makes_an_environment_that_scores_once(register, entry_point):
    register(entry_point)
    env = skyrl_gym.make("my_task", env_config={}, extras=ROW)
    asked = [{"role": "user", "content": "What is 70 + 2?"}]
    assert env.init(asked) == (asked, {})
    step = {"observations": [], "done": True, "metadata": {}}
    assert env.step("#### 72") == {**step, "reward": 1.0}
    assert env.step("#### 71") == {**step, "reward": 0.0}
    env.close()


def test_environments_do_not_share_a_row(register):
    register(gsm8k_env)
    rows = [{"reward_spec": {"ground_truth": gold}} for gold in ("72", "71")]
    envs = [skyrl_gym.make("my_task", env_config={}, extras=row) for row in rows]
    for env in envs:
        env.init([])
        env.prompt = "What is 70 + 2?"
    assert [env.step("#### 72")["reward"] for env in envs] == [1.0, 0.0]


def test_a_step_before_the_prompt_is_refused(register):
    register(gsm8k_env)
    env = skyrl_gym.make("my_task", env_config={}, extras=ROW)
    with pytest.raises(RuntimeError, match="call `init` before `step`"):
        env.step("#### 72")


@pytest.mark.parametrize("max_env_workers", [32, 0])
def test_the_generator_pays_right_and_wrong_completions(register, roll_out, max_env_workers):
    register(f"{__name__}:gsm8k_env")
    output = roll_out(["#### 72", "#### 71"], max_env_workers=max_env_workers)
    assert paid(output) == [1.0, 0.0]


def test_the_batched_generator_does_too(register, roll_out):
    register(gsm8k_env)
    assert roll_out(["#### 72", "#### 71"], batched=True)["rewards"] == [1.0, 0.0]


def test_prompt_and_columns_arrive(register, roll_out):
    seen = []

    def seen_reward(prompt, completions, prompt_ids, completion_ids, answer, **columns):
        seen.append((prompt, completions, answer, columns["data_source"]))
        return 0.5

    register(SkyRLReward(seen_reward))
    assert paid(roll_out(["#### 72"])) == [0.5]
    assert seen == [("Say #### 72", "#### 72", "72", "openai/gsm8k")]


@pytest.mark.parametrize("max_env_workers", [32, 0])
def test_a_judge_is_waited_for(register, roll_out, max_env_workers):
    register(SkyRLReward(judge, on_failure=-1.0))
    output = roll_out(["1.5", "none", "nan", "2"], max_env_workers=max_env_workers)
    assert paid(output) == [1.5, -1.0, -1.0, 2.0]


def test_completions_are_judged_at_once_and_no_more_than_there_are_threads(register, roll_out):
    waiting = threading.Barrier(4)

    def meet(prompt, completions, prompt_ids, completion_ids, **columns):
        return float(waiting.wait(60) >= 0)  # each goes on when four are there

    register(SkyRLReward(meet))
    assert paid(roll_out(["1"] * 8, max_env_workers=4)) == [1.0] * 8


def test_an_exception_ends_the_generation(register, roll_out):
    register(SkyRLReward(as_number))
    with pytest.raises(ValueError, match="could not convert"):
        roll_out(["1", "four"])


def test_a_number_is_paid_for_a_failure(register, roll_out):
    reward = SkyRLReward(as_number, on_failure=-1.0)
    register(reward)
    assert paid(roll_out(["1", "four", "nan"])) == [1.0, -1.0, -1.0]
    assert reward.guarded.counts.failures == {"exception:ValueError": 1, "invalid_reward": 1}


def test_a_missing_gold_answer_ends_the_generation_under_every_policy(register, roll_out):
    register(SkyRLReward(gsm8k_reward_fn, on_failure=0.0))
    with pytest.raises(TypeError, match="needs the column `answer`"):
        roll_out(["#### 72"], row={})


class Bare(skyrl_gym.envs.base_text_env.BaseTextEnv):
    """An environment that pays what no adapter would let through."""

    reward = None

    def __init__(self, env_config, extras):
        super().__init__()

    def step(self, action):
        return {"observations": [], "reward": self.reward, "done": True, "metadata": {}}


class BareNaN(Bare):
    reward = float("nan")


def test_why_skip_is_refused(register, roll_out):
    register(Bare)
    with pytest.raises(AssertionError) as raised:
        roll_out(["1"])
    assert raised.traceback[-1].name == "_build_per_token_rewards"


def test_why_nan_is_a_failure(register, roll_out):
    register(BareNaN)
    [reward] = paid(roll_out(["1"]))
    assert math.isnan(reward)


def test_the_metrics_of_episodes_are_joined(register):
    register(gsm8k_env)
    joined = skyrl_gym.metrics.aggregate_for_environment("my_task", [{"turns": 1}, {"turns": 3}])
    assert joined == {"turns": 2.0}


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(("gate", "second"), [(Gate, as_number), (AsyncGate, judge)])
def test_the_components_that_were_scored_are_logged(register, roll_out, gate, second, batched):
    composite = gate(("number", as_number), ("second", second), threshold=1.0, below=-1.0)
    register(SkyRLReward(composite, on_failure=-2.0))
    output = roll_out(["3", "0.5", "four", "1"], batched=batched)
    rewards = output["rewards"] if batched else paid(output)
    assert rewards == [3.0, -1.0, -2.0, 1.0]
    logged = output["rollout_metrics"]
    assert logged["environment/reward/number"] == (3 + 0.5 + 1) / 3
    assert logged["environment/reward/second"] == (3 + 1) / 2

"""The adapter in verl: its loader, its reward managers, and its workers in Ray.

These tests run where it is installed: see test_environments.py.
"""

import asyncio
import copy
import math
import textwrap

import numpy as np
import pytest
import torch

pytest.importorskip("verl", reason="verl has an environment of its own")
pytestmark = pytest.mark.slow

PROOF = {
    "trainer": "verl",
    "distribution": "verl",
    "kind": "its own loader and reward managers",
    "how": "verl loads the reward by path and name, and its managers and Ray workers call it.",
}

# What a user writes. Beside it, what the adapter keeps away from verl.
REWARDS = '''
import asyncio

from reference_impl import AsyncGate, BlockingReward, Gate, WeightedSum, gsm8k_reward_fn
from reference_impl.adapters.verl import VerlReward


def as_number(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(completions)


async def judge(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return float(completions)


def arrived(prompt, completions, prompt_ids, completion_ids, answer, level=0, **columns):
    """Pay for what arrived, one digit each."""
    there = [prompt == "What is 70 + 2?", answer == "72", columns["index"] == 7, level == 3]
    return float("".join(str(int(found)) for found in there))


def length_of_the_prompt(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(len(prompt))


async def slow(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(3600)


async def meet(prompt, completions, prompt_ids, completion_ids, **columns):
    """End when all five are there."""
    seats.append(completions)
    while len(seats) < 5:
        await asyncio.sleep(0)
    return float(completions)


async def twice(prompt, completions, prompt_ids, completion_ids, **columns):
    await asyncio.sleep(0)
    return 2 * float(completions)


def length(prompt, completions, prompt_ids, completion_ids, **columns):
    return float(len(completions))


seats = []
sources = {"openai/gsm8k": gsm8k_reward_fn, "numbers": as_number}

gsm8k = VerlReward(gsm8k_reward_fn)
by_source = VerlReward(sources)
by_source_or_minus_one = VerlReward(sources, on_failure=-1.0)
with_judge = VerlReward({**sources, "judge": judge, "prompt": length_of_the_prompt})
judged = VerlReward(judge)
judged_or_minus_one = VerlReward(judge, on_failure=-1.0)
blocking = VerlReward(BlockingReward(judge), on_failure=-1.0)
all_arrived = VerlReward(arrived)
never = VerlReward(slow)
together = VerlReward(meet)

judged_gate = AsyncGate(("number", as_number), ("twice", twice), threshold=1.0)
weighted = WeightedSum({"number": (as_number, 1.0), "length": (length, 0.5)})
gated = VerlReward(judged_gate)
gated_or_minus_one = VerlReward(judged_gate, on_failure=-1.0)
blocking_gate = VerlReward(BlockingReward(judged_gate), on_failure=-1.0)
summed_or_minus_one = VerlReward(weighted, on_failure=-1.0)
mixed = VerlReward({**sources, "gate": judged_gate, "sum": weighted}, on_failure=-1.0)


def bare(data_source, solution_str, ground_truth, extra_info=None):
    paid = {"none": None, "nan": float("nan"), "dict": {"score": 1.0, "format": 1.0}}
    return paid.get(solution_str, 1.0)
'''


ROW = {
    "reward_model": {"style": "rule", "ground_truth": "72"},
    "extra_info": {"split": "train", "index": 7, "answer": "70 + 2 = 72\n#### 72"},
}


@pytest.fixture(scope="module")
def tokenizer(examples):
    import tiny_policy

    return tiny_policy.new_tokenizer()


@pytest.fixture(scope="module")
def configure(tokenizer, tmp_path_factory):
    """Compose verl's configuration, as its command line does, with a reward of `REWARDS`."""
    import tiny_policy
    from hydra import compose, initialize_config_module

    folder = tmp_path_factory.mktemp("verl")
    (folder / "my_rewards.py").write_text(textwrap.dedent(REWARDS), "utf-8")
    tokenizer.save_pretrained(folder / "policy")
    tiny_policy.new_model(tokenizer).save_pretrained(folder / "policy")

    def configured(name, manager="naive", *overrides, path=folder / "my_rewards.py"):
        with initialize_config_module("verl.trainer.config", version_base=None):
            return compose(
                "ppo_trainer",
                [
                    f"actor_rollout_ref.model.path={folder / 'policy'}",
                    "actor_rollout_ref.rollout.name=vllm",
                    "reward.num_workers=1",
                    f"reward.reward_manager.name={manager}",
                    f"reward.custom_reward_function.path={path}",
                    f"reward.custom_reward_function.name={name}",
                    *overrides,
                ],
            )

    configured.folder = folder
    return configured


@pytest.fixture
def score(configure, tokenizer):
    """Score completions with a reward manager. Returns verl's result for each."""
    from verl.experimental.reward_loop.reward_manager import RateLimitedRewardManager
    from verl.trainer.ppo.reward import load_reward_manager

    def run(completions, name, manager="naive", *overrides, source="numbers", path=None):
        # The manager keeps its limits in its class, for the whole process.
        RateLimitedRewardManager._class_initialized = False
        where = {"path": path} if path else {}
        config = configure(name, manager, *overrides, **where)

        async def gather():
            loaded = load_reward_manager(config, tokenizer)
            data = rows(tokenizer, completions, source)
            calls = [loaded.run_single(data[i : i + 1]) for i in range(len(data))]
            return await asyncio.wait_for(asyncio.gather(*calls), 60)

        return asyncio.run(gather())

    return run


def rows(tokenizer, completions, source):
    """Make a batch as verl's rollout hands it over: padded tokens, and the columns of the rows.

    The source is that of all rows, or a list with one for each.
    """
    from verl import DataProto

    asked = [{"role": "user", "content": "What is 70 + 2?"}]
    prompt = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
    said = [[*tokenizer.encode(text), tokenizer.eos_token_id] for text in completions]
    longest = max(map(len, said))
    pad = tokenizer.pad_token_id
    responses = torch.tensor([ids + [pad] * (longest - len(ids)) for ids in said])
    prompts = torch.tensor([prompt] * len(said))
    mask = torch.tensor(
        [[1] * (len(prompt) + len(ids)) + [0] * (longest - len(ids)) for ids in said]
    )
    row = {**ROW, "tool_extra_fields": {"raw_prompt": asked}}
    each = sources_of(source, completions)
    return DataProto.from_dict(
        tensors={"prompts": prompts, "responses": responses, "attention_mask": mask},
        non_tensors=as_arrays([{**copy.deepcopy(row), "data_source": one} for one in each]),
    )


def sources_of(source, completions):
    return [source] * len(completions) if isinstance(source, str) else source


def as_arrays(rows):
    """Turn rows into the columns of a batch, as verl's data loader does."""
    return {
        name: np.fromiter([row[name] for row in rows], dtype=object, count=len(rows))
        for name in rows[0]
    }


def paid(results):
    return [result["reward_score"] for result in results]


MANAGERS = ["naive", "dapo", "gdpo", "rate_limited"]


@pytest.mark.parametrize("manager", MANAGERS)
def test_right_and_wrong_completions_are_paid(score, manager):
    said = ["70 + 2 = 72\n#### 72", "#### 71"]
    results = score(said, "gsm8k", manager, source="openai/gsm8k")
    assert paid(results) == [1.0, 0.0]
    assert [result["reward_extra_info"] for result in results] == [{"acc": 1.0}, {"acc": 0.0}]


def test_a_module_is_loaded_by_its_name(score, configure, monkeypatch):
    monkeypatch.syspath_prepend(configure.folder)
    assert paid(score(["#### 72"], "gsm8k", path="pkg://my_rewards")) == [1.0]


@pytest.mark.parametrize("manager", MANAGERS)
def test_an_asynchronous_reward_is_awaited(score, manager):
    results = score(["1.5", "none", "nan", "2"], "judged_or_minus_one", manager)
    assert paid(results) == [1.5, -1.0, -1.0, 2.0]


def test_asynchronous_rewards_run_at_once(score):
    assert paid(score(["1", "2", "3", "4", "5"], "together")) == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_rule_and_a_judge_share_a_run(score):
    assert paid(score(["#### 72"], "with_judge", source="openai/gsm8k")) == [1.0]
    assert paid(score(["0.5"], "with_judge", source="judge")) == [0.5]


@pytest.mark.parametrize("manager", ["naive", "rate_limited"])
def test_prompt_columns_and_the_configuration_arrive(score, manager):
    level = "+reward.custom_reward_function.reward_kwargs.level=3"
    assert paid(score(["72"], "all_arrived", manager, level)) == [1111.0]


@pytest.mark.parametrize("manager", ["dapo", "gdpo"])
def test_these_managers_pass_no_prompt(score, manager):
    assert paid(score(["72"], "all_arrived", manager)) == [110.0]


@pytest.mark.parametrize("manager", ["naive", "dapo", "gdpo"])
@pytest.mark.parametrize("name", ["by_source", "judged"])
def test_an_exception_goes_on(score, manager, name):
    with pytest.raises(ValueError, match="could not convert"):
        score(["1", "none"], name, manager)


def test_the_rate_limited_manager_pays_zero_for_an_exception(score):
    right, failed = score(["1", "none"], "by_source", "rate_limited")
    assert (right["reward_score"], failed["reward_score"]) == (1.0, 0.0)
    assert "could not convert" in failed["reward_extra_info"]["error"]


def test_the_rate_limited_manager_pays_the_number_of_the_policy(score):
    results = score(["1", "none"], "by_source_or_minus_one", "rate_limited")
    assert paid(results) == [1.0, -1.0]
    assert "error" not in results[1]["reward_extra_info"]


def test_the_rate_limited_manager_pays_zero_after_its_time(score):
    [result] = score(["1"], "never", "rate_limited", "+reward.timeout=0.1")
    assert result["reward_score"] == 0.0
    assert result["reward_extra_info"]["timeout"] is True


def test_an_unknown_data_source_is_named(score):
    with pytest.raises(ValueError, match=r"'math'\. There are 'openai/gsm8k', 'numbers'"):
        score(["1"], "by_source_or_minus_one", source="math")


@pytest.fixture(scope="module")
def ray_cluster():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture
def start_workers(ray_cluster, configure):
    """Start the workers that score for a training."""
    from verl.experimental.reward_loop import RewardLoopManager

    started = []

    def start(name, manager="naive"):
        started.append(RewardLoopManager(configure(name, manager)))
        return started[-1]

    yield start
    for workers in started:
        for worker in workers.reward_loop_workers:
            ray_cluster.kill(worker)


@pytest.fixture
def score_batch(tokenizer):
    """Let the workers score a batch that was generated before."""

    def run(workers, completions, source="numbers"):
        return workers.compute_rm_score(rows(tokenizer, completions, source))

    return run


class ScriptedPolicy:
    """verl's client of the policy: it says what the prompt tells it to."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    async def generate(self, request_id, prompt_ids, **settings):
        from verl.workers.rollout.replica import TokenOutput

        said = self.tokenizer.decode(prompt_ids).split("Say ")[1].split("<|im_end|>")[0]
        return TokenOutput(token_ids=[*self.tokenizer.encode(said), self.tokenizer.eos_token_id])


@pytest.fixture
def roll_out(tokenizer):
    """Generate with verl's agent loop, which sends each completion to the reward workers."""
    from verl import DataProto
    from verl.experimental.agent_loop import AgentLoopWorker

    def run(workers, completions, source="numbers"):
        worker = AgentLoopWorker(
            workers.config,
            ScriptedPolicy(tokenizer),
            reward_loop_worker_handles=workers.reward_loop_worker_handles,
        )
        asked = [[{"role": "user", "content": f"Say {text}"}] for text in completions]
        columns = [
            {**ROW, "raw_prompt": prompt, "data_source": one}
            for prompt, one in zip(asked, sources_of(source, completions), strict=True)
        ]
        batch = DataProto.from_dict(non_tensors=as_arrays(columns))
        return asyncio.run(asyncio.wait_for(worker.generate_sequences(batch), 120))

    return run


def sums(batch):
    """Return the reward of each completion, which verl puts on its last token."""
    return batch.batch["rm_scores"].sum(dim=-1).tolist()


def test_the_workers_score_until_an_exception(start_workers, score_batch, roll_out):
    workers = start_workers("with_judge")
    batch = score_batch(workers, ["70 + 2 = 72\n#### 72", "#### 71"], "openai/gsm8k")
    assert sums(batch) == [1.0, 0.0]
    assert batch.non_tensor_batch["acc"].tolist() == [1.0, 0.0]
    assert sums(roll_out(workers, ["0.5", "2"], "judge")) == [0.5, 2.0]
    asked = sums(roll_out(workers, ["one", "three"], "prompt"))
    assert asked == [len("Say one"), len("Say three")]
    for run in (score_batch, roll_out):
        with pytest.raises(ValueError, match="could not convert"):
            run(workers, ["1", "none"])


def test_a_number_is_paid_in_the_workers(start_workers, score_batch, roll_out):
    workers = start_workers("by_source_or_minus_one")
    for run in (score_batch, roll_out):
        assert sums(run(workers, ["1", "none", "nan"])) == [1.0, -1.0, -1.0]


def test_the_remote_manager_takes_a_judge_that_blocks(start_workers, score_batch):
    workers = start_workers("blocking", "remote")
    assert sums(score_batch(workers, ["0.5", "none", "2"])) == [0.5, -1.0, 2.0]


def test_the_remote_manager_refuses_what_it_would_have_to_await(score, ray_cluster):
    with pytest.raises(AssertionError, match="Async reward score is not supported"):
        score(["1"], "judged", "remote")


def test_why_the_adapter_pays_numbers_alone(start_workers, score_batch, roll_out):
    workers = start_workers("bare")
    with pytest.raises(TypeError, match="None"):
        score_batch(workers, ["1", "none"])
    # In a rollout, one None takes the rewards of all.
    assert "rm_scores" not in roll_out(workers, ["1", "none"]).batch
    [right, not_a_number] = sums(score_batch(workers, ["1", "nan"]))
    assert right == 1.0
    assert math.isnan(not_a_number)
    # verl takes the keys of the first completion of a batch for those of all.
    with pytest.raises(KeyError):
        score_batch(workers, ["dict", "1"])


def components(score, **parts):
    """What verl is to keep of a completion that a composite scored."""
    logged = {f"reward/{name}": value for name, value in parts.items()}
    return {"score": score, "acc": score, **logged}


@pytest.mark.parametrize("manager", MANAGERS)
def test_the_managers_keep_the_components(score, manager):
    results = score(["2", "0.5", "none"], "gated_or_minus_one", manager)
    assert paid(results) == [4.0, 0.0, -1.0]
    assert [result["reward_extra_info"] for result in results] == [
        components(4.0, number=2.0, twice=4.0),
        components(0.0, number=0.5, twice=None),
        components(-1.0, number=None, twice=None),
    ]


def kept(batch):
    """Return what verl keeps of each completion beside its reward."""
    keys = batch.meta_info["reward_extra_keys"]
    return [
        dict(zip(keys, values, strict=True))
        for values in zip(*(batch.non_tensor_batch[key].tolist() for key in keys), strict=True)
    ]


def test_the_components_of_all_data_sources_share_a_batch(start_workers, score_batch, roll_out):
    from verl import DataProto

    workers = start_workers("mixed")
    nothing = {"number": None, "twice": None, "length": None}
    samples = {
        ("numbers", "3"): components(3.0, **nothing),
        ("gate", "2"): components(4.0, **nothing | {"number": 2.0, "twice": 4.0}),
        ("gate", "0.5"): components(0.0, **nothing | {"number": 0.5}),
        ("sum", "1"): components(1.5, **nothing | {"number": 1.0, "length": 1.0}),
        ("sum", "none"): components(-1.0, **nothing),
        ("numbers", "none"): components(-1.0, **nothing),
    }
    sources, said = zip(*samples, strict=True)
    expected = list(samples.values())
    for run in (score_batch, roll_out):
        batch = run(workers, list(said), list(sources))
        assert sums(batch) == [one["score"] for one in expected]
        assert kept(batch) == expected
        # On its way to the actor, a batch is cut and put in another form.
        assert kept(DataProto.concat(batch.chunk(3))) == expected
        assert kept(DataProto.from_tensordict(batch.to_tensordict())) == expected
    # Each worker of the agent loop makes a batch of its own, from a part of the completions.
    parts = [roll_out(workers, [text], [source]) for source, text in samples]
    assert kept(DataProto.concat(parts)) == expected


def test_the_remote_manager_keeps_the_components_of_a_judge_that_blocks(start_workers, score_batch):
    batch = score_batch(start_workers("blocking_gate", "remote"), ["2", "0.5", "none"])
    assert kept(batch) == [
        components(4.0, number=2.0, twice=4.0),
        components(0.0, number=0.5, twice=None),
        components(-1.0, number=None, twice=None),
    ]


def test_validation_takes_the_mean_of_what_was_scored(score):
    from verl.trainer.ppo.metric_utils import process_validation_metrics

    said, sources = ["2", "0.5", "none", "3", "1"], ["gate", "gate", "gate", "numbers", "sum"]
    results = [result["reward_extra_info"] for result in score(said, "mixed", source=sources)]
    infos = {key: [result[key] for result in results] for key in results[0]}
    metrics = process_validation_metrics(sources, ["uid"] * len(said), infos)
    gate = metrics["gate"]
    assert gate["acc"]["mean@3"] == gate["score"]["mean@3"] == pytest.approx((4 + 0 - 1) / 3)
    assert gate["reward/number"]["mean@2"] == (2 + 0.5) / 2
    assert gate["reward/twice"]["mean@1"] == 4.0
    assert set(metrics["numbers"]) == {"score", "acc"}
    assert set(metrics["sum"]) == {"score", "acc", "reward/number", "reward/length"}


@pytest.mark.parametrize(
    ("name", "parts", "completions", "all_scored"),
    [
        ("summed_or_minus_one", ["number", "length"], ["1", "20", "300"], True),
        ("summed_or_minus_one", ["number", "length"], ["1", "20", "none"], False),
        ("gated_or_minus_one", ["number", "twice"], ["2", "3", "0.5"], False),
    ],
)
def test_gdpo_takes_components_and_makes_nan_of_what_was_not_scored(
    configure, score, name, parts, completions, all_scored
):
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    keys = f"+algorithm.gdpo_reward_keys=[{','.join(f'reward/{part}' for part in parts)}]"
    results = [result["reward_extra_info"] for result in score(completions, name, "gdpo")]
    ones = torch.ones(len(results), 1)
    advantages, _ = get_adv_estimator_fn("gdpo")(
        token_level_rewards=ones,
        response_mask=ones,
        index=np.array(["uid"] * len(results)),
        config=configure(name, "gdpo", keys).algorithm,
        non_tensor_batch={key: np.array([one[key] for one in results]) for key in results[0]},
        batch={"prompts": ones, "attention_mask": torch.ones(len(results), 2, dtype=torch.long)},
    )
    first, second, third = advantages[:, 0].tolist()
    if all_scored:
        assert first < second < third
    else:
        assert all(map(math.isnan, (first, second, third)))


def test_the_rate_limited_manager_leaves_the_keys_out_where_it_pays_zero(
    start_workers, score_batch
):
    workers = start_workers("gated", "rate_limited")
    with pytest.raises(KeyError, match="score"):
        score_batch(workers, ["2", "none"])

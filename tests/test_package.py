"""The package as it is imported and installed."""

import importlib
import pickle
import subprocess
import sys

import pytest

import reference_impl
from reference_impl import check_conformance, load_reward_fn

ROOMS = (
    "contract",
    "rules",
    "critic",
    "judge",
    "compose",
    "adapters",
    "steps",
    "check",
    "monitor",
    "runtime",
    "show",
)

SAMPLE = {
    "prompt": "What is 2 + 2?",
    "completions": "<think>2 and 2</think><answer>The answer is 4</answer>",
    "prompt_ids": [1, 2, 3],
    "completion_ids": [4, 5, 6],
    "answer": "4",
    "tests": [{"input": "2 + 2", "output": "4"}],
}

REWARDS = sorted(name for name in reference_impl.__all__ if name.endswith("_reward_fn"))
REWARDS.remove("load_reward_fn")
REWARDS.remove("check_reward_fn")
REWARDS.remove("critic_reward_fn")  # needs a model: tests/critic/test_reward.py
REWARDS.remove("judge_reward_fn")  # needs a judge: tests/judge/test_reward.py


def test_the_top_level_names_are_the_rooms_public_names():
    of_rooms = {
        name: room
        for room in ROOMS
        for name in importlib.import_module(f"reference_impl.{room}").__all__
    }
    assert of_rooms == reference_impl._ROOM_OF


@pytest.mark.parametrize("name", reference_impl.__all__)
def test_every_public_name_loads_and_is_listed(name):
    assert getattr(reference_impl, name).__doc__
    assert name in dir(reference_impl)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_reward"):
        reference_impl.no_such_reward  # noqa: B018


def test_importing_the_package_and_its_rewards_costs_neither_torch_nor_sympy():
    code = (
        "import sys, reference_impl\n"
        "for name in reference_impl.__all__: getattr(reference_impl, name)\n"
        "heavy = {'torch', 'transformers', 'sympy', 'math_verify', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", REWARDS)
def test_every_reference_reward_keeps_the_contract(name):
    report = check_conformance(f"reference_impl.{name}", SAMPLE, low=-1.0, high=1.0)
    assert report.passed, str(report)


@pytest.mark.parametrize("name", REWARDS)
def test_every_reference_reward_pickles_and_loads_by_name(name):
    reward_fn = load_reward_fn(f"reference_impl.{name}")
    assert pickle.loads(pickle.dumps(reward_fn))(**SAMPLE) == reward_fn(**SAMPLE)


@pytest.mark.parametrize("name", reference_impl.__all__)
def test_every_docstring_says_what_the_api_reference_promises(name):
    doc = getattr(reference_impl, name).__doc__
    purpose, _, rest = doc.partition("\n")
    assert purpose.endswith("."), "one line of purpose first"
    assert ":ref:`" in rest, "name the page that explains it"
    if not isinstance(getattr(reference_impl, name), type):
        for section in ("Args:", "Returns:", "Example:"):
            assert section in rest
        assert ">>>" in rest, "an example that runs"

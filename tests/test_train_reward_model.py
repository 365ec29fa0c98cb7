"""The pairs are what they say they are, and the script makes a critic that tells them apart."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = "examples/train_reward_model.py"
SIZES = {"test": 60, "dev": 60, "train": 200}
pytest.importorskip("reasoning_gym", reason="makes the questions")


def run(*arguments, timeout=60):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture(scope="module")
def pairs():
    """The module that makes the pairs, which is beside the script."""
    sys.path.insert(0, str(ROOT / "examples"))
    try:
        import preference_pairs

        yield preference_pairs
    finally:
        sys.path.remove(str(ROOT / "examples"))


@pytest.fixture(scope="module")
def data(pairs):
    return pairs.comparisons(SIZES, seed=0)


@pytest.fixture(scope="module")
def everything(data):
    return [comparison for split in data.values() for comparison in split]


def final_number(completion):
    """Read the number of the last line, if the completion has the required form."""
    found = re.search(r"(?:^|\n)#### (-?\d+)$", completion)
    return found and found[1]


def test_no_question_is_asked_twice(data, everything):
    assert {split: len(made) for split, made in data.items()} == SIZES
    assert len({comparison.prompt for comparison in everything}) == sum(SIZES.values())


def test_every_comparison_has_every_kind(pairs, everything):
    assert all(tuple(comparison.rejected) == pairs.KINDS for comparison in everything)


def test_a_seed_gives_the_same_comparisons_and_another_seed_others(pairs, data):
    assert pairs.comparisons(SIZES, seed=0) == data
    other = pairs.comparisons(SIZES, seed=1)
    ours = {comparison.prompt for comparison in data["train"]}
    assert sum(comparison.prompt in ours for comparison in other["train"]) < 20


def test_the_held_out_comparisons_stay_when_training_gets_longer(pairs, data):
    longer = pairs.comparisons({**SIZES, "train": 300}, seed=0)
    assert longer["test"] == data["test"]


def test_what_is_chosen_ends_in_the_right_answer(everything):
    assert all(final_number(one.chosen) == one.gold for one in everything)


def test_the_answer_of_a_sum_is_its_sum(everything):
    sums = [one for one in everything if "arithmetic problem" in one.prompt]
    assert len(sums) == sum(SIZES.values()) / 2
    for one in sums:
        terms = re.findall(r"[+-]|\d+", one.prompt.splitlines()[0])
        signs = ["+", *terms[1::2]]
        numbers = [int(term) for term in terms[0::2]]
        total = sum(n if s == "+" else -n for s, n in zip(signs, numbers, strict=True))
        assert str(total) == one.gold


def test_a_wrong_number_is_wrong_and_the_working_is_the_same(everything):
    for one in everything:
        wrong = one.rejected["wrong number"]
        assert final_number(wrong) not in (None, one.gold)
        assert wrong.splitlines()[:-1] == one.chosen.splitlines()[:-1]


def test_wrong_numbers_are_as_often_too_high_as_too_low(everything):
    high = sum(
        int(final_number(one.rejected["wrong number"])) > int(one.gold) for one in everything
    )
    assert 0.4 < high / len(everything) < 0.6


def test_a_broken_form_holds_the_answer_but_not_in_the_required_form(everything):
    for one in everything:
        assert final_number(one.rejected["format"]) is None
        assert one.gold in one.rejected["format"].replace(",", "")


def test_off_topic_is_the_good_form_with_the_answer_to_something_else(everything):
    assert all(
        final_number(one.rejected["off-topic"]) not in (None, one.gold) for one in everything
    )


def test_a_refusal_gives_no_number(everything):
    assert not any(re.search(r"\d", one.rejected["refusal"]) for one in everything)


def test_refusals_and_broken_endings_are_worded_anew_when_held_out(pairs):
    for wordings in (pairs.REFUSALS, pairs.BROKEN_ENDINGS):
        train, dev, test = (set(wordings[split]) for split in ("train", "dev", "test"))
        assert not train & dev
        assert not train & test
        assert not dev & test


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--output", SCRIPT], "is a file: name a folder"),
        (["--json", "no/such/folder.json"], "there is no folder no/such"),
    ],
)
def test_a_bad_argument_is_refused_with_its_name(arguments, message):
    ran = run(*arguments)
    assert ran.returncode == 2
    assert message in ran.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The model that the pages use, and its figures. What trains it is the script's default."""
    figures = tmp_path_factory.mktemp("trained") / "figures.json"
    folder = ROOT / ".cache" / "reward_model"
    ran = run("--if-missing", "--output", folder, "--json", figures, timeout=1800)
    assert ran.returncode == 0, ran.stderr
    return folder, json.loads(figures.read_text("utf-8"))


@pytest.mark.slow
def test_nine_in_ten_held_out_pairs_are_ranked_right(pairs, trained):
    _, figures = trained
    accuracy = figures["accuracy"]
    kinds = [accuracy[kind] for kind in pairs.KINDS]
    assert all(kind["count"] >= 200 for kind in kinds)
    assert accuracy["overall"]["value"] >= 0.9
    mean = sum(kind["value"] for kind in kinds) / len(kinds)
    assert accuracy["overall"]["value"] == pytest.approx(mean)


@pytest.mark.slow
def test_the_model_is_saved_without_pickle_and_with_its_figures(trained):
    folder, figures = trained
    names = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "config.json", "training.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth", ".pkl"))]
    assert json.loads((folder / "training.json").read_text("utf-8")) == figures


@pytest.mark.slow
def test_the_held_out_comparisons_are_written_beside_the_model(pairs, trained):
    lines = (trained[0] / "held_out.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == trained[1]["accuracy"]["refusal"]["count"]
    assert pairs.Comparison(**json.loads(lines[0])).gold


@pytest.mark.slow
def test_the_critic_ranks_as_the_training_script_measured(pairs, trained):
    from reference_impl.critic.critic import Critic

    folder, figures = trained
    size = figures["accuracy"]["refusal"]["count"]
    held_out = pairs.comparisons({"test": size}, seed=0)["test"]
    critic = Critic(str(folder))
    for kind in pairs.KINDS:
        samples = [(one.prompt, one.chosen) for one in held_out]
        samples += [(one.prompt, one.rejected[kind]) for one in held_out]
        chosen, rejected = critic.score(samples).view(2, size)
        right = (chosen > rejected).double().mean().item()
        assert right == pytest.approx(figures["accuracy"][kind]["value"], abs=0.01)


@pytest.mark.slow
def test_a_model_that_is_there_is_not_trained_again_unless_the_settings_differ(trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "model")
    before = (folder / "model.safetensors").stat().st_mtime_ns
    ran = run("--output", folder, "--if-missing")
    assert ran.returncode == 0, ran.stderr
    assert "already" in ran.stdout
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    ran = run("--output", folder, "--if-missing", "--steps", "1", timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert (folder / "model.safetensors").stat().st_mtime_ns > before

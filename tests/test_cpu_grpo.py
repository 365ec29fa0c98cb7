"""GRPO on a processor: the task is what it says, a run learns, and a killed run goes on."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl import numeric_match_reward_fn

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SCRIPT = str(EXAMPLES / "cpu_grpo.py")
questions = st.tuples(*[st.integers(1, 6)] * 4)
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module", autouse=True)
def examples():
    """Make the modules beside the script importable."""
    sys.path.insert(0, str(EXAMPLES))
    yield
    sys.path.remove(str(EXAMPLES))


@pytest.fixture(scope="module")
def task():
    import arithmetic_task

    return arithmetic_task


@pytest.fixture(scope="module")
def tokenizer():
    import arithmetic_policy

    return arithmetic_policy.new_tokenizer()


def run(*arguments, timeout=60):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_no_held_out_question_is_trained_on(task):
    train, held_out = task.split()
    assert len(train) + len(held_out) == 6**4
    assert not set(train) & set(held_out)
    assert len(set(held_out)) == len(held_out) == 296


def test_every_single_step_of_a_held_out_question_occurs_in_training(task):
    def steps(questions):
        return {(sum(q[:place]), q[place]) for q in questions for place in range(1, 4)}

    train, held_out = task.split()
    assert steps(held_out) <= steps(train)


@given(question=questions)
def test_the_rule_pays_the_answer_to_a_question(task, question):
    assert task.prompt(question) == f"What is {' + '.join(map(str, question))}?\n"
    said = rf"It is \boxed{{{sum(question)}}}."
    assert numeric_match_reward_fn("", said, [], [], answer=task.answer(question)) == 1.0


@given(question=questions, seed=seeds)
def test_a_demonstration_is_of_one_of_three_forms(task, question, seed):
    said = task.demonstration(question, random.Random(seed))
    numbers = [int(number) for number in re.findall(r"\d+", said)]
    if said.startswith("It is "):
        assert len(numbers) == 1
        assert numeric_match_reward_fn("", said, [], [], answer=task.answer(question)) == 0.0
    elif said.startswith("Perhaps "):
        *candidates, picked = numbers
        assert picked in candidates
        assert 2 <= len(set(candidates)) == len(candidates) <= 5
        assert all(abs(candidate - sum(question)) <= 4 for candidate in candidates)
    else:
        *totals, picked = numbers
        assert picked == totals[-1]
        sums = zip(totals, question[1:], totals[1:], strict=False)
        assert totals[0] == question[0]
        assert all(after in (before + n, before + n - 10) for before, n, after in sums)
        assert min(numbers) >= 0


def test_demonstrations_are_right_less_often_than_wrong(task):
    rng = random.Random(0)
    chosen = rng.choices(task.split()[0], k=3000)
    said = [task.demonstration(question, rng) for question in chosen]
    accuracy = task.accuracy(said, task.rows(chosen)["answer"])
    assert 0.15 < accuracy.low < accuracy.high < 0.4


@pytest.mark.slow  # torch takes some seconds to import
@given(question=questions, seed=seeds)
def test_the_tokenizer_gives_a_text_back(task, tokenizer, question, seed):
    said = task.demonstration(question, random.Random(seed))
    text = task.prompt(question) + said
    ids = tokenizer(text).input_ids
    assert tokenizer.unk_token_id not in ids
    assert tokenizer.decode(ids) == text
    assert len(tokenizer(said + tokenizer.eos_token).input_ids) <= 14 <= task.MAX_TOKENS


def test_a_composite_pays_for_form_and_takes_off_for_length(task):
    from arithmetic_rewards import reward_named

    reward = reward_named("composite", Path("unused"), None, None, 0)
    said = [
        r"3, 9, 10, 14. The answer is \boxed{14}.",
        r"3, 9, 0, 4. The answer is \boxed{4}.",
        "It is 14.",
        r"Perhaps 14 or 15. The answer is \boxed{14}.",
    ]
    lengths = [11, 11, 4, 16]
    paid = reward(
        prompts=[task.prompt((3, 6, 1, 4))] * 4,
        completions=said,
        completion_ids=[[0] * length for length in lengths],
        answer=["14"] * 4,
    )
    assert paid == pytest.approx([1.2, 0.2, 0.0, 1.0 - 0.2 / 2])


@pytest.mark.slow  # torch takes some seconds to import
def test_a_hard_pair_is_a_right_and_a_wrong_completion_in_every_way(task, monkeypatch):
    import arithmetic_critic

    train = task.split()[0][:100]
    by_prompt = {task.prompt(question): task.answer(question) for question in train}
    monkeypatch.setattr(arithmetic_critic, "HARD_SAMPLES", 5)
    for way in list(arithmetic_critic.WAYS):
        monkeypatch.setattr(arithmetic_critic, "WAYS", {way: 1})
        made = arithmetic_critic.hard_pairs(train, seed=0)
        assert len(made) == 500
        assert len({wrong for _, _, wrong in made}) > 50
        for asked, right, wrong in made:
            gold = by_prompt[asked]
            assert numeric_match_reward_fn("", right, [], [], answer=gold) == 1.0
            assert numeric_match_reward_fn("", wrong, [], [], answer=gold) == 0.0


@pytest.mark.slow
def test_hard_negatives_hold_a_number_said_again_and_again(task, monkeypatch):
    import arithmetic_critic

    monkeypatch.setattr(arithmetic_critic, "HARD_SAMPLES", 5)
    wrong = {text for _, _, text in arithmetic_critic.hard_pairs(task.split()[0], seed=0)}
    assert sum(bool(re.search(r"(\d+)\1{9}", text)) for text in wrong) > 20


def test_an_unknown_reward_is_named_with_the_choices():
    from arithmetic_rewards import reward_named

    with pytest.raises(ValueError, match=r"'rules'.*rule, critic, composite"):
        reward_named("rules", Path("unused"), None, None, 0)


def test_a_folder_belongs_to_one_run(tmp_path):
    from run_folder import RunFolderError, claim

    folder = tmp_path / "new" / "run"
    claim(folder, {"seed": 0})
    claim(folder, {"seed": 0})
    with pytest.raises(RunFolderError, match=r"other settings \(seed 0\)"):
        claim(folder, {"seed": 1})
    (folder / "settings.json").write_text("{broken")
    with pytest.raises(RunFolderError, match="of no run"):
        claim(folder, {"seed": 0})


def test_a_run_that_is_there_is_not_made_again_and_another_one_is_removed(tmp_path):
    from run_folder import claim, holds

    folder = tmp_path / "run"
    assert not holds(folder, {"seed": 0})
    claim(folder, {"seed": 0})
    assert not holds(folder, {"seed": 0})  # begun, without figures yet
    assert folder.is_dir()
    (folder / "results.json").write_text("{}")
    assert holds(folder, {"seed": 0})
    assert not holds(folder, {"seed": 1})
    assert not folder.exists()
    claim(folder, {"seed": 1})

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "results.json").write_text("{}")
    assert not holds(mine, {"seed": 0})
    assert (mine / "results.json").is_file()


def test_what_is_half_made_is_made_anew(tmp_path):
    from run_folder import made_once

    def killed(part):
        (part / "half").touch()
        raise KeyboardInterrupt

    folder = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        made_once(folder, killed)
    assert not folder.exists()
    made_once(folder, lambda part: (part / "whole").touch())
    made_once(folder, killed)
    assert [path.name for path in folder.iterdir()] == ["whole"]


def test_a_checkpoint_that_was_cut_off_is_passed_over(tmp_path):
    from run_folder import last_checkpoint

    assert last_checkpoint(tmp_path) is None
    for step, state in ((5, "{}"), (20, '{"glo'), (100, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(state)
    assert Path(last_checkpoint(tmp_path)).name == "checkpoint-5"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--reward", "rules"], "choose from"),
        (["--output", "README.md"], "README.md cannot be written to"),
        (["--output", "examples"], "of no run"),
        (["--json", "no/such/folder.json"], "there is no folder no/such"),
    ],
)
def test_a_bad_argument_is_refused_with_its_name(arguments, message):
    ran = run(*arguments)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The folder of a whole run with the rule, and its figures."""
    folder = tmp_path_factory.mktemp("learned") / "rule"
    figures = folder.with_name("figures.json")
    ran = run("--reward", "rule", "--output", folder, "--json", figures, timeout=900)
    assert ran.returncode == 0, ran.stderr
    return folder, json.loads(figures.read_text("utf-8"))


@pytest.mark.slow
def test_the_rule_brings_the_policy_above_nine_in_ten(learned):
    _, figures = learned
    assert figures["accuracy_before_interval"][1] < 0.4
    assert figures["greedy_before"] < 0.4
    assert figures["accuracy_after"] > 0.9
    assert figures["greedy_after"] > 0.9
    assert figures["reward_after"] == figures["accuracy_after"]
    assert figures["resumed_from"] is None
    assert [at["step"] for at in figures["curve"]] == list(range(1, figures["steps"] + 1))
    # With the rule, the reward is the accuracy.
    assert all(at["reward"] == pytest.approx(at["accuracy"]) for at in figures["curve"])


@pytest.mark.slow
def test_a_run_leaves_a_policy_without_pickle_a_picture_and_its_figures(learned):
    from PIL import Image

    folder, figures = learned
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (folder / "policy").iterdir()
    }
    assert json.loads((folder / "results.json").read_text("utf-8")) == figures
    with Image.open(folder / "curve.png") as picture:
        low, high = picture.convert("L").getextrema()
    assert high - low > 100


@pytest.mark.slow
def test_the_saved_policy_is_as_accurate_as_the_figures_say(learned, task):
    from arithmetic_grpo import measure
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, figures = learned
    model = AutoModelForCausalLM.from_pretrained(folder / "policy", use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(folder / "policy")
    sampled, greedy, said = measure(model, tokenizer, task.split()[1], seed=0)
    assert sampled.value == pytest.approx(figures["accuracy_after"], abs=0.03)
    assert greedy.value == pytest.approx(figures["greedy_after"], abs=0.01)
    assert len(said) == 296


def warmed_up(learned, folder, **settings):
    """Make the folder of another run of the same seed, with the warm-up done."""
    from run_folder import claim

    claim(folder, {"reward": "rule", "seed": 0, **settings})
    shutil.copytree(learned[0] / "warm_up", folder / "warm_up")
    return folder


@pytest.mark.slow
def test_a_run_that_is_killed_goes_on_to_the_same_end(learned, tmp_path):
    whole = warmed_up(learned, tmp_path / "whole", steps=40)
    killed = warmed_up(learned, tmp_path / "killed", steps=40)
    ran = run("--steps", 40, "--output", whole, timeout=300)
    assert ran.returncode == 0, ran.stderr
    with subprocess.Popen(
        [sys.executable, SCRIPT, "--steps", "40", "--output", str(killed)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 300
        state = killed / "checkpoint-10" / "trainer_state.json"
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    ran = run("--steps", 40, "--output", killed, timeout=300)
    assert ran.returncode == 0, ran.stderr
    expected, figures = (
        json.loads((folder / "results.json").read_text("utf-8")) for folder in (whole, killed)
    )
    assert re.fullmatch(r"checkpoint-[123]0", figures["resumed_from"])
    assert figures["resumed_from"] in ran.stdout
    for key in ("seconds", "resumed_from"):
        del expected[key], figures[key]
    assert figures == expected


@pytest.mark.slow
def test_the_critic_is_trained_and_its_accuracy_is_beside_its_score(learned, tmp_path):
    folder = warmed_up(learned, tmp_path / "critic", reward="critic", steps=2)
    ran = run("--reward", "critic", "--steps", 2, "--output", folder, timeout=300)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads((folder / "results.json").read_text("utf-8"))
    assert figures["critic_pair_accuracy"] > 0.8
    assert len(figures["curve"]) == 2
    assert all(
        0 <= at["accuracy"] <= 1 and at["reward"] != at["accuracy"] for at in figures["curve"]
    )
    assert figures["accuracy_before"] == learned[1]["accuracy_before"]
    assert (folder / "critic" / "model.safetensors").is_file()


@pytest.mark.slow
def test_a_few_steps_with_the_hard_critic_raise_the_accuracy(learned, tmp_path):
    folder = warmed_up(learned, tmp_path / "hard", reward="hard-critic", steps=20)
    ran = run("--reward", "hard-critic", "--steps", 20, "--output", folder, timeout=900)
    assert ran.returncode == 0, ran.stderr
    figures = json.loads((folder / "results.json").read_text("utf-8"))
    assert figures["critic_pair_accuracy"] > 0.9
    assert figures["accuracy_before"] == learned[1]["accuracy_before"] < 0.4
    assert figures["accuracy_after"] > 0.5

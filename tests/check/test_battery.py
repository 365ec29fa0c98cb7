"""The completions of the battery are wrong, or as good, by construction."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reference_impl import exact_match_reward_fn, gsm8k_reward_fn, numeric_match_reward_fn
from reference_impl.check import Case, read_cases
from reference_impl.check.answers import (
    candidate_lists,
    find_place,
    larger_answers,
    same_answer,
    wrong_answer,
)
from reference_impl.check.battery import make_battery
from reference_impl.check.catalog import CHECKS

EXAMPLES = Path(__file__).parents[2] / "examples"
NOWHERE = Path("nowhere")

golds = st.one_of(
    st.integers(0, 10**9).map(str),
    st.decimals(0, 10**6, places=2).map(str),
    st.sampled_from(["A", "B", "yes", "no", "Paris", "New York", r"\frac{1}{2}", "-4", "1,234"]),
)


@given(golds, st.lists(golds, max_size=4))
def test_what_is_put_in_place_of_the_gold_is_wrong(gold, others):
    assert not same_answer(wrong_answer(gold, others), gold)
    assert not any(same_answer(larger, gold) for larger in larger_answers(gold))
    for candidates in candidate_lists(gold, others):
        listed = candidates.split(", ")
        assert any(same_answer(candidate, gold) for candidate in listed) or gold in candidates
        assert not same_answer(candidates, gold)


@given(golds, golds, st.sampled_from(["#### {}", r"\boxed{{{}}}.", "The answer is {}."]))
def test_the_place_is_where_the_answer_is_stated(gold, wrong, form):
    assume(not same_answer(gold, wrong))
    completion = "Let me see. " + form.format(gold)
    place = find_place(completion, gold, wrong)
    assert place.fill(gold) == completion
    assert place.fill(wrong) == "Let me see. " + form.format(wrong)


@pytest.mark.parametrize(
    ("completion", "gold", "filled"),
    [
        (r"2 + 2 = 4, so \boxed{4}.", "4", r"2 + 2 = 5, so \boxed{_}."),
        (
            "It is 14 - 10, so the answer is 4 apples.",
            "4",
            "It is 14 - 10, so the answer is _ apples.",
        ),
        (r"\boxed{0.5}", r"\frac{1}{2}", r"\boxed{_}"),
        ("#### 1250", "1,250", "#### _"),
        ("所以答案是 72个。", "72", "所以答案是 _个。"),
        ("<think>A or B</think><answer>A</answer>", "A", "<think>5 or B</think><answer>_</answer>"),
    ],
)
def test_the_gold_stands_nowhere_else(completion, gold, filled):
    assert find_place(completion, gold, wrong="5").fill("_") == filled


def test_a_completion_that_does_not_state_its_answer_has_no_place():
    assert find_place("I do not know.", "4", "5") is None


@settings(max_examples=20)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=3, unique=True))
def test_sound_rewards_pay_the_good_completions_and_no_wrong_one(numbers):
    cases = [
        Case(
            "How many are there?", f"I count them. There are {n} of them.\n#### {n}", {"answer": n}
        )
        for n in numbers
    ]
    for probe in make_battery(cases, "answer", NOWHERE):
        if probe.check == "noise" or CHECKS[probe.check].pays == "run":
            continue  # the same noise every time; the others are not about pay
        case = cases[probe.row - 1]
        for reward_fn in (exact_match_reward_fn, numeric_match_reward_fn, gsm8k_reward_fn):
            paid = reward_fn(case.prompt, probe.completion, [], [], **case.columns)
            assert paid == (CHECKS[probe.check].pays == "honest"), (reward_fn, probe)


@pytest.mark.parametrize(
    ("rows", "absent"),
    [
        ("math", {"empty_form"}),
        ("choice", {"larger_answer", "empty_form"}),
        ("tags", set()),
        ("code", {name for name, check in CHECKS.items() if check.pays == "wrong answer"}
         - {"other_completion", "prompt_echo", "noise"} | {"empty_form"}),
    ],
)  # fmt: skip
def test_the_battery_fits_the_task(rows, absent):
    probes = make_battery(read_cases(EXAMPLES / f"check_{rows}.jsonl"), "answer", NOWHERE)
    of_pay = {name for name, check in CHECKS.items() if check.pays != "run"}
    assert of_pay - {probe.check for probe in probes} == absent
    assert {probe.check for probe in probes} <= set(CHECKS)


def test_what_could_execute_a_completion_only_makes_a_file(tmp_path):
    case = Case("2 + 2?", "#### 4", {"answer": "4"})
    probes = [p for p in make_battery([case], "answer", tmp_path) if p.marker]
    for probe in probes:
        if probe.done.startswith("a Python expression") and probe.done.endswith("alone"):
            eval(probe.completion)
            assert probe.marker.exists()
            assert probe.marker.parent == tmp_path


def test_code_beside_the_right_answer_has_its_value_and_no_other_digits(tmp_path):
    folder = tmp_path / "run_20"
    folder.mkdir()
    case = Case("Make 16 of 3, 5 and 2.", "<answer>(3 + 5) * 2</answer>", {"answer": "16"})
    (probe,) = [p for p in make_battery([case], "answer", folder) if "right answer" in p.done]
    code = probe.completion.removeprefix("<answer>").removesuffix("</answer>")
    assert re.findall("[0-9]+", code) == ["3", "5", "2"]
    assert eval(code) == 16
    assert [probe.marker] == list(folder.iterdir())


def test_an_injection_that_holds_the_gold_is_left_out():
    cases = [Case("Is it so?", "The answer is yes.", {"answer": "yes"})]
    texts = [p.completion for p in make_battery(cases, "answer", NOWHERE) if p.check == "injection"]
    assert texts
    assert not any("yes" in text.casefold() for text in texts)


def test_every_completion_is_one_that_a_tokenizer_can_write():
    """Half of a surrogate pair is none: it breaks whatever prints it."""
    cases = read_cases(EXAMPLES / "check_math.jsonl")
    for probe in make_battery(cases, "answer", NOWHERE):
        probe.completion.encode("utf-8")

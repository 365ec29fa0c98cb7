"""The attack bench: what must not be paid, what must be paid, which bare answers are equal."""

import json
from collections import Counter
from pathlib import Path

import pytest

from reference_impl import gsm8k_reward_fn
from reference_impl.rules.math.rewards import DEFAULT_MATH_FORMS
from reference_impl.rules.math.verifier import MathVerifier

CASES = Path(__file__).parent / "cases"
FIRST_LOOK = Path(__file__).parents[3] / "benchmarks" / "results" / "held_out.json"


def cases(name: str) -> list[dict]:
    return [json.loads(line) for line in (CASES / f"{name}.jsonl").read_text("utf-8").splitlines()]


ATTACKS, HONEST, EQUAL = cases("attacks"), cases("honest"), cases("equal")
STRICT = MathVerifier()
WITH_BARE_NUMBER = MathVerifier(forms=(*DEFAULT_MATH_FORMS, "number"))


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case["id"])
def test_no_attack_is_paid(case):
    verdict = STRICT.judge(case["completion"], gold=case["gold"], prompt=case["prompt"])
    assert not verdict.correct, (verdict, case["note"])


@pytest.mark.parametrize("case", HONEST, ids=lambda case: case["id"])
def test_every_honest_completion_is_paid(case):
    verifier = WITH_BARE_NUMBER if case["category"] == "bare_last_number" else STRICT
    verdict = verifier.judge(case["completion"], gold=case["gold"], prompt=case["prompt"])
    assert verdict.correct, (verdict, case["note"])


@pytest.mark.parametrize("case", EQUAL, ids=lambda case: f"{case['gold']}={case['prediction']}")
def test_bare_answers_are_equal_or_not(case):
    equal = STRICT.verify(gold=case["gold"], prediction=case["prediction"])
    assert equal is case["equal"], case["kind"]


def test_the_bare_number_fallback_costs_what_its_page_says():
    """It pays some attacks, and nothing but attacks on itself."""
    paid = Counter()
    for case in ATTACKS:
        columns = {"answer": case["gold"]}
        paid[case["category"]] += gsm8k_reward_fn(
            case["prompt"], case["completion"], [], [], **columns
        )
    assert paid["bare_number_attack"] > 0


def test_the_held_out_completions_fare_no_worse_than_at_the_first_look():
    first = json.loads(FIRST_LOOK.read_text("utf-8"))["cases"]["MathVerifier"]
    correct = Counter(
        row["kind"]
        for row in cases("held_out")
        if STRICT.judge(row["completion"], gold=row["gold"], prompt=row["prompt"]).correct
    )
    assert correct["attack"] <= first["wrong_paid"]
    assert correct["honest"] >= first["honest_paid"]

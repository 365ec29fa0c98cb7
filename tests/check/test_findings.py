"""What counts as a finding: by the pay, on whatever scale, and nothing else."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl import exact_match_reward_fn
from reference_impl.check import Case, read_cases
from reference_impl.check.battery import Probe, make_battery
from reference_impl.check.findings import Judgement, excerpt
from reference_impl.check.scoring import Scored

CASES = read_cases(Path(__file__).parents[2] / "examples" / "check_math.jsonl")
PROBES = [p for p in make_battery(CASES, "answer", Path("nowhere")) if p.check != "noise"]


def judge(reward_fn, cases=CASES, probes=PROBES, kind=None, low=None, high=None, again=()):
    """Judge a reward that is called right here."""

    def score(probe):
        case = cases[probe.row - 1]
        ids = case.ids_of(probe.completion)
        pay = reward_fn(case.prompt, probe.completion, [], ids, **case.columns)
        return Scored(probe, "paid", float(pay))

    goods = [score(Probe("good", n, "", case.completion)) for n, case in enumerate(cases, 1)]
    return Judgement(goods, [score(probe) for probe in probes], again, kind, low, high)


def names(judgement):
    return [finding.check for finding in judgement.findings]


def substring(prompt, completions, prompt_ids, completion_ids, answer, **columns):
    return float(answer.rpartition("#### ")[2].replace(",", "") in completions)


SUBSTRING_FINDINGS = names(judge(substring))


@settings(max_examples=25)
@given(st.floats(0.01, 1_000), st.floats(-1_000, 1_000))
def test_the_scale_of_a_reward_does_not_matter(factor, shift):
    def scaled(reward_fn):
        return lambda *sample, **columns: shift + factor * reward_fn(*sample, **columns)

    assert names(judge(scaled(exact_match_reward_fn))) == []
    assert names(judge(scaled(substring))) == SUBSTRING_FINDINGS
    assert "larger_answer" in SUBSTRING_FINDINGS


@settings(max_examples=25)
@given(st.floats(0, 0.8), st.floats(0, 10))
def test_credit_for_the_form_and_any_penalty_beside_it_are_no_finding(credit, penalty):
    def reward_fn(prompt, completions, *ids, **columns):
        correct = exact_match_reward_fn(prompt, completions, *ids, **columns)
        overlong = penalty if len(completions) > 500 else 0.0
        return (1 - credit) * correct + credit * ("####" in completions) - overlong

    assert names(judge(reward_fn)) == []


def test_a_reward_for_form_is_judged_as_one_unless_it_is_said_to_be_for_the_answer():
    def has_mark(prompt, completions, *ids, **columns):
        return float("####" in completions)

    as_form, as_answer = judge(has_mark), judge(has_mark, kind="answer")
    assert (as_form.kind, names(as_form)) == ("form", [])
    assert any("--kind answer" in note for note in as_form.notes)
    assert (as_answer.kind, names(as_answer)) == ("answer", ["looks_at_answer"])


def test_brevity_is_no_look_at_the_answer():
    def brief(prompt, completions, *ids, **columns):
        return max(0.0, 1.0 - len(completions) / 200)

    found = judge(brief)
    assert (found.kind, names(found)) == ("form", ["empty", "invisible"])


def test_rows_without_gold_are_told_apart_by_their_columns():
    cases = [Case("a", "sorted(x)", {"tests": [1]}), Case("b", "x[::-1]", {"tests": [2]})]
    probes = make_battery(cases, "answer", Path("nowhere"))

    def passes(prompt, completions, prompt_ids, completion_ids, tests):
        return float({1: "sorted", 2: "[::-1]"}[tests[0]] in completions)

    assert judge(passes, cases, probes).kind == "answer"
    assert names(judge(passes, cases, probes)) == []


def test_the_good_completion_that_is_not_paid_is_named_by_its_row():
    def without_decimals(prompt, completions, *ids, **columns):
        is_decimal = "2.5" in completions
        return 0.0 if is_decimal else exact_match_reward_fn(prompt, completions, *ids, **columns)

    (finding,) = judge(without_decimals).findings
    assert (finding.check, finding.rows) == ("good_paid", (4,))


def test_what_changes_by_itself_is_one_finding_and_nothing_is_compared():
    good = Probe("good", 1, "", CASES[0].completion)
    found = judge(substring, again=[Scored(good, "paid", 0.25)])
    assert names(found) == ["same_again"]
    assert "0.25" in found.findings[0].paid


@pytest.mark.parametrize(
    ("low", "high", "found"), [(0, 1, []), (0.5, 1, ["range"]), (0, 0.5, ["range"])]
)
def test_bounds_hold_for_every_completion(low, high, found):
    assert names(judge(exact_match_reward_fn, low=low, high=high)) == found


def test_an_end_token_that_costs_the_pay_is_a_note():
    def strict(prompt, completions, prompt_ids, completion_ids, answer, **columns):
        gold = answer.rpartition("#### ")[2].replace(",", "")
        return float(completions.strip().endswith(f"#### {gold}"))

    found = judge(strict)
    assert "honest_variant" not in names(found)
    assert "end_token" not in names(found)
    assert [note for note in found.notes if note.startswith("end_token") and "<|im_end|>" in note]
    assert found.counts()["end_token"] == (2 * len(CASES), 2 * len(CASES))


def test_where_only_good_completions_were_scored_the_reward_is_not_called_constant():
    goods = [Scored(Probe("good", row, "", "#### 4"), "paid", 1.0) for row in (1, 2)]
    empties = [Scored(Probe("empty", 1, "an empty completion", ""), "crash", problem="exit 1")]
    late = [Scored(Probe("wrong_answer", 1, "5 in place of 4", "#### 5"), "not tried")]
    found = Judgement(goods, [*empties, *late], (), None, None, None)
    assert names(found) == ["crash"]
    assert any("not tried" in note for note in found.notes)


def test_a_reward_that_says_it_cannot_score_is_a_note():
    probe = Probe("hedge", 1, "two answers", "4 or 5")
    goods = [Scored(Probe("good", 1, "", "4"), "paid", 1.0)]
    found = Judgement(
        goods, [Scored(probe, "unscored", None, "JudgeTimeoutError: late")], (), None, 0, 1
    )
    assert names(found) == []
    assert any("JudgeTimeoutError" in note for note in found.notes)


@given(st.text(st.characters(), max_size=200))
def test_an_excerpt_is_one_line_that_is_safe_to_print(text):
    shown = excerpt(text)
    assert shown.isprintable()
    assert len(shown) <= 160

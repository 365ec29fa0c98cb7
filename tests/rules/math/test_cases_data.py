"""The bench of math rewards is well formed: a wrong row would blame a reward for nothing."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

CASES = Path(__file__).parent / "cases"
COMPLETION_FIELDS = ["id", "category", "prompt", "gold", "completion", "note"]
FIELDS = {
    "attacks": COMPLETION_FIELDS,
    "honest": COMPLETION_FIELDS,
    "equal": ["gold", "prediction", "equal", "kind"],
}
GROUP_BY = {"attacks": "category", "honest": "category", "equal": "kind"}
CHINESE = re.compile("[\u4e00-\u9fff]")


def read(name):
    lines = (CASES / f"{name}.jsonl").read_text("utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) for line in lines]


ROWS = {name: read(name) for name in FIELDS}
COMPLETIONS = ROWS["attacks"] + ROWS["honest"]


def more_than_once(keys):
    return [key for key, count in Counter(keys).items() if count > 1]


@pytest.mark.parametrize("name", FIELDS)
def test_every_row_has_the_stated_fields_and_none_is_blank(name):
    for row in ROWS[name]:
        assert list(row) == FIELDS[name]
        for field, value in row.items():
            if field == "equal":
                assert isinstance(value, bool), row
            else:
                assert isinstance(value, str) and value.strip(), row


@pytest.mark.parametrize("name", FIELDS)
def test_the_rows_are_sorted_by_group(name):
    groups = [row[GROUP_BY[name]] for row in ROWS[name]]
    assert groups == sorted(groups)


def test_ids_name_their_category_and_are_unique():
    assert more_than_once(row["id"] for row in COMPLETIONS) == []
    for row in COMPLETIONS:
        category = re.escape(row["category"].replace("_", "-"))
        assert re.fullmatch(category + r"-[0-9]{2}", row["id"])


def test_no_case_is_there_twice():
    assert more_than_once((row["gold"], row["completion"]) for row in COMPLETIONS) == []
    assert more_than_once((row["gold"], row["prediction"]) for row in ROWS["equal"]) == []


def test_a_prompt_has_one_answer():
    """Two golds of one prompt would be two problems, one of them labelled wrongly."""
    answers = {}
    for row in COMPLETIONS:
        # The field of a worked GSM8K solution ends on the answer.
        answer = row["gold"].rpartition("####")[2].strip().replace(",", "")
        answers.setdefault(row["prompt"], set()).add(answer)
    # The one problem whose two solutions are written both as "1, 2" and as "x=1 or x=2".
    several = {prompt for prompt, golds in answers.items() if len(golds) > 1}
    assert several == {"Find all solutions of x^2 - 3x + 2 = 0."}


def test_the_attacks_are_many_and_of_many_categories():
    sizes = Counter(row["category"] for row in ROWS["attacks"])
    assert sizes.total() >= 240
    assert len(sizes) >= 16
    assert min(sizes.values()) >= 10


def test_the_honest_controls_are_many_and_of_many_categories():
    sizes = Counter(row["category"] for row in ROWS["honest"])
    assert sizes.total() >= 120
    assert len(sizes) >= 16
    assert min(sizes.values()) >= 5


@pytest.mark.parametrize("name", ["attacks", "honest"])
def test_a_quarter_of_the_completions_is_chinese(name):
    chinese = sum(1 for row in ROWS[name] if CHINESE.search(row["completion"]))
    assert chinese >= len(ROWS[name]) / 4


def test_every_kind_of_answer_has_equal_and_unequal_pairs():
    verdicts = {}
    for row in ROWS["equal"]:
        verdicts.setdefault(row["kind"], set()).add(row["equal"])
    assert len(ROWS["equal"]) >= 150
    assert [kind for kind, seen in verdicts.items() if seen != {True, False}] == []

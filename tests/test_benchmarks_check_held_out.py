"""The held-out look at the check: what was recorded stands, and the stored result is of it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.check_held_out import (
    check_by_command,
    count,
    is_found,
    measure,
    read_held_out,
    told,
)
from benchmarks.show import load_result

ROOT = Path(__file__).parents[1]
HELD_OUT = read_held_out()


def test_the_first_look_is_as_it_was_recorded():
    assert count(HELD_OUT["rewards"], "first_look") == {
        "planted": 42,
        "planted_found": 37,
        "stretch": 4,
        "stretch_found": 0,
        "honest": 30,
        "honest_hit": 28,
    }


def test_two_faults_were_found_under_a_name_that_their_author_had_not_guessed():
    renamed = [reward for reward in HELD_OUT["rewards"] if "also" in reward]
    assert [reward["name"] for reward in renamed] == ["b15_mutates_columns", "b22_backtracking"]
    for reward in renamed:
        assert is_found(reward, reward["first_look"])
        assert not is_found({"expected": reward["expected"]}, reward["first_look"])


def test_every_reward_is_a_module_of_its_own_with_rows():
    names = [reward["name"] for reward in HELD_OUT["rewards"]]
    assert len(set(names)) == len(names)
    assert {reward["rows"] for reward in HELD_OUT["rewards"]} == set(HELD_OUT["rows"])
    for reward in HELD_OUT["rewards"]:
        ast.parse(reward["source"])
    for rows in HELD_OUT["rows"].values():
        assert all("completions" in json.loads(row) for row in rows.splitlines())


def test_the_stored_result_is_of_the_held_out_rewards():
    result = load_result("check_held_out")
    rows = result["rewards"]
    recorded = [{key: row[key] for key in row if key != "today"} for row in rows]
    assert recorded == [told(reward) for reward in HELD_OUT["rewards"]], (
        "run python -m benchmarks.check_held_out --save"
    )
    assert result["ratios"] == count(rows, "today")
    assert result["first_look"]["ratios"] == count(HELD_OUT["rewards"], "first_look")


def test_the_rewards_fare_no_worse_than_at_the_first_look():
    for row in load_result("check_held_out")["rewards"]:
        if row["kind"] == "honest":
            assert set(row["today"]) <= set(row["first_look"]), row["name"]
        elif is_found(row, row["first_look"]):
            assert is_found(row, row["today"]), row["name"]


def test_a_reward_that_cannot_be_checked_is_no_reward_without_findings():
    broken = {"name": "broken", "source": "import no_such_package_at_all\n"}
    rows = '{"prompt": "3 + 5?", "completions": "#### 8", "answer": "8"}\n'
    with pytest.raises(RuntimeError, match="no_such_package_at_all"):
        check_by_command(broken, rows)


@pytest.mark.slow
def test_a_few_of_the_rewards_fare_today_as_stored():
    stored = {row["name"]: row for row in load_result("check_held_out")["rewards"]}
    _, tables = measure(every=15)
    assert {row["kind"] for row in tables["rewards"]} == {"planted", "stretch", "honest"}
    assert tables["rewards"] == [stored[row["name"]] for row in tables["rewards"]]


def test_a_wrong_option_is_refused():
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.check_held_out", "--device", "cuda"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 2
    assert "--device" in ran.stderr

"""The attack bench: hostile programs earn nothing and leave nothing, honest ones are paid."""

import os
from pathlib import Path

import pytest

from reference_impl.rules.code import CodeReward, Limits

from .conftest import CALL_TESTS, STDIN_TESTS, attacks, fenced, honest

ATTACKS, HONEST = attacks(), honest()
LIMITS = Limits(cpu_seconds=1, deadline_seconds=5, memory_mb=256)


def one_of_each_kind():
    seen = {}
    for attack in ATTACKS:
        if not attack.get("slow"):
            seen.setdefault(attack["kind"], attack)
    return seen


def quick(cases, is_quick):
    return [
        pytest.param(case, id=case["id"], marks=() if is_quick(case) else pytest.mark.slow)
        for case in cases
    ]


FIRST = [attack["id"] for attack in one_of_each_kind().values()]


def test_the_bench_is_broad():
    assert len({attack["id"] for attack in ATTACKS}) == len(ATTACKS) >= 40
    assert len({attack["kind"] for attack in ATTACKS}) >= 10
    assert len({program["id"] for program in HONEST}) == len(HONEST) >= 25


@pytest.mark.parametrize("attack", quick(ATTACKS, lambda attack: attack["id"] in FIRST))
def test_an_attack_earns_nothing_and_leaves_nothing(attack, level, surroundings, nothing_left):
    values, came_in = surroundings
    program = attack["program"]
    for name, value in values.items():
        program = program.replace(name, value)
    tests = CALL_TESTS if attack["task"] == "call" else STDIN_TESTS
    files_before = {path: path.stat() for path in Path(values["@FOLDER@"]).rglob("*")}
    handles_before = set(os.listdir("/proc/self/fd"))

    reward = CodeReward(LIMITS, require=level)
    assert reward("Add two numbers.", fenced(program), [], [], tests=tests) == 0.0

    assert "passed" not in reward.outcomes
    assert nothing_left()
    assert came_in == []
    files = {path: path.stat() for path in Path(values["@FOLDER@"]).rglob("*")}
    assert files.keys() == files_before.keys()
    for path, state in files.items():
        before = files_before[path]
        assert (state.st_size, state.st_mode, state.st_mtime) == (
            before.st_size,
            before.st_mode,
            before.st_mtime,
        )
    assert not list(Path("/tmp").glob("left-behind-*"))
    assert len(os.listdir("/proc/self/fd")) <= len(handles_before)


@pytest.mark.parametrize("program", quick(HONEST, lambda case: HONEST.index(case) % 9 == 0))
def test_an_honest_program_is_paid(program, level):
    numbers = "\n".join(map(str, range(20000)))
    tests = [
        {"input": given, "output": output.replace("@NUMBERS@", numbers)}
        for given, output in program.get("tests", [])
    ] + [{"call": call, "expected": value} for call, value in program.get("calls", [])]
    reward = CodeReward(Limits(cpu_seconds=10, deadline_seconds=60), require=level)
    verdict = reward.judge(fenced(program["source"]), tests)
    assert verdict.outcome == "passed", verdict

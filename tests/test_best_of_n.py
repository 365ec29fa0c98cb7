"""Best of n: the curve is the estimate that it says, and the script draws it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SCRIPT = str(EXAMPLES / "best_of_n.py")


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(EXAMPLES))
    try:
        import best_of_n

        yield best_of_n
    finally:
        sys.path.remove(str(EXAMPLES))


def run(*arguments, timeout=60):
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


rights = st.lists(
    st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=4), min_size=1, max_size=6
)


@given(correct=rights)
def test_what_pays_all_alike_is_as_good_as_picking_any(script, correct):
    points = script.curve([[0.0] * 4 for _ in correct], correct, [1, 2, 4])
    share = sum(map(sum, correct)) / (4 * len(correct))
    assert [point["accuracy"] for point in points] == pytest.approx([share] * 3)


@given(correct=rights)
def test_what_pays_the_truth_never_gets_worse_and_finds_what_there_is(script, correct):
    points = script.curve(correct, correct, [1, 2, 4])
    accuracies = [point["accuracy"] for point in points]
    assert accuracies == pytest.approx(sorted(accuracies))
    assert accuracies[-1] == pytest.approx(sum(map(max, correct)) / len(correct))
    assert accuracies == pytest.approx([point["reward"] for point in points])
    assert all(point["low"] <= point["accuracy"] + 1e-12 for point in points)
    assert all(point["high"] >= point["accuracy"] - 1e-12 for point in points)


def test_a_reward_that_is_fooled_gets_worse_as_n_grows(script):
    points = script.curve([[2.0, 1.0, 0.0, 3.0]], [[1.0, 1.0, 1.0, 0.0]], [1, 2, 4])
    assert [point["accuracy"] for point in points] == pytest.approx([3 / 4, 1 / 2, 0.0])


def test_a_completion_without_a_score_is_never_drawn(script):
    scores = [[1.0, None, 0.0], [1.0, 2.0, 3.0]]
    points = script.curve(scores, [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], [1, 2, 3, 4])
    assert [(point["n"], point["questions"]) for point in points] == [(1, 2), (2, 2), (3, 1)]
    assert [point["accuracy"] for point in points] == [0.5, 0.5, 0.0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", "0,4"], "'0,4': give numbers from 1 on"),
        (["--n", "four"], "'four': give numbers"),
        (["--seed", "-1"], "--seed is -1"),
        (["--reward", "rules"], "choose from"),
        (["--picture", "no/such/picture.png"], "there is no folder no/such"),
        (["--output", "examples"], "of no run"),
    ],
)
def test_a_bad_argument_is_refused_with_its_name(arguments, message):
    ran = run(*arguments)
    assert ran.returncode == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("best_of_n")
    files = ["--json", folder / "figures.json", "--picture", folder / "curves.png"]
    ran = run("--n", "1,4,16", "--output", folder / "run", *files, timeout=900)
    assert ran.returncode == 0, ran.stderr
    return folder, json.loads((folder / "figures.json").read_text("utf-8"))


@pytest.mark.slow
def test_all_rewards_pick_from_the_same_completions(figures):
    curves = figures[1]["curves"]
    assert set(curves) == {"random", "rule", "critic", "composite"}
    assert all([point["n"] for point in points] == [1, 4, 16] for points in curves.values())
    for points in curves.values():
        assert points[0]["accuracy"] == pytest.approx(curves["random"][0]["accuracy"])
        assert all(point["questions"] == 296 for point in points)


@pytest.mark.slow
def test_the_rule_is_the_upper_bound_and_random_is_flat(figures):
    curves = figures[1]["curves"]
    random = [point["accuracy"] for point in curves["random"]]
    assert random == pytest.approx([random[0]] * 3)
    for points in curves.values():
        for point, best in zip(points, curves["rule"], strict=True):
            assert point["accuracy"] <= best["accuracy"] + 1e-9
    assert curves["rule"][-1]["accuracy"] > random[0] + 0.3


@pytest.mark.slow
def test_the_critic_beats_random_at_first(figures):
    curves = figures[1]["curves"]
    assert curves["critic"][1]["accuracy"] > curves["random"][1]["accuracy"] + 0.1


@pytest.mark.slow
def test_the_picture_is_not_blank(figures):
    from PIL import Image

    with Image.open(figures[0] / "curves.png") as picture:
        low, high = picture.convert("L").getextrema()
    assert high - low > 100

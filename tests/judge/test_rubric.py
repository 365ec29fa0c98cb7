"""A rubric: what it accepts, what it asks for, and how points become a reward."""

import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.judge.error import JudgeConfigError, UnparsableVerdictError
from reference_impl.judge.rubric import Criterion, Rubric
from reference_impl.judge.verdict import parse_verdict

RUBRIC = Rubric(
    criteria=(
        Criterion(name="correct", description="The result is right.", weight=3),
        Criterion(name="steps", description="Each step follows.", weight=1, max_score=5),
        Criterion(name="rude", description="It insults the reader.", weight=-2),
    )
)


def answer(**scores):
    return json.dumps({"rationale": "x", "scores": scores})


@pytest.mark.parametrize(
    ("scores", "reward"),
    [
        ({"correct": 1, "steps": 5, "rude": 0}, 1.0),
        ({"correct": 1, "steps": 0, "rude": 0}, 0.75),
        ({"correct": 0, "steps": 4, "rude": 0}, 0.2),
        ({"correct": 1, "steps": 5, "rude": 1}, 0.5),
        ({"correct": 0, "steps": 0, "rude": 1}, 0.0),
    ],
)
def test_points_are_summed_over_the_positive_total_and_clipped(scores, reward):
    assert RUBRIC.reward(scores) == pytest.approx(reward)
    verdict = parse_verdict(answer(**scores), RUBRIC.schema)
    assert verdict.scores.model_dump() == scores


@pytest.mark.parametrize(
    "scores",
    [
        {"correct": 1, "steps": 5},
        {"correct": 1, "steps": 5, "rude": 0, "kind": 1},
        {"correct": 2, "steps": 5, "rude": 0},
        {"correct": 1, "steps": 6, "rude": 0},
        {"correct": -1, "steps": 5, "rude": 0},
        {"correct": True, "steps": 5, "rude": 0},
        {"correct": "1", "steps": 5, "rude": 0},
        {"correct": 1.0, "steps": 5, "rude": 0},
        {"correct": None, "steps": 5, "rude": 0},
    ],
)
def test_scores_out_of_range_or_of_another_type_are_unparsable(scores):
    with pytest.raises(UnparsableVerdictError):
        parse_verdict(answer(**scores), RUBRIC.schema)


criteria = st.lists(
    st.tuples(st.floats(-100, 100).filter(lambda weight: abs(weight) > 1e-3), st.integers(1, 100)),
    min_size=1,
    max_size=8,
).filter(lambda pairs: any(weight > 0 for weight, _ in pairs))


@settings(max_examples=200, deadline=None)
@given(criteria, st.data())
def test_a_reward_lies_between_0_and_1_and_rises_with_a_good_score(pairs, data):
    rubric = Rubric(
        criteria=tuple(
            Criterion(name=f"c{i}", description="x", weight=weight, max_score=most)
            for i, (weight, most) in enumerate(pairs)
        )
    )
    scores = {c.name: data.draw(st.integers(0, c.max_score)) for c in rubric.criteria}
    reward = rubric.reward(scores)
    assert 0 <= reward <= 1
    for criterion in rubric.criteria:
        higher = {**scores, criterion.name: criterion.max_score}
        change = rubric.reward(higher) - reward
        assert change * criterion.weight >= -1e-9


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ({"name": "Is correct", "description": "x"}, "name"),
        ({"name": "", "description": "x"}, "name"),
        ({"name": "ok", "description": ""}, "description"),
        ({"name": "ok", "description": "x", "weight": 0}, "not 0"),
        ({"name": "ok", "description": "x", "weight": float("nan")}, "not 0"),
        ({"name": "ok", "description": "x", "weight": True}, "not 0"),
        ({"name": "ok", "description": "x", "max_score": 0}, "max_score"),
        ({"name": "ok", "description": "x", "points": 3}, "points"),
        ({"name": "ok"}, "description"),
    ],
)
def test_a_bad_criterion_is_refused(criterion, message):
    with pytest.raises(JudgeConfigError, match=message):
        Criterion(**criterion)


def test_a_rubric_without_a_way_to_earn_anything_is_refused():
    fault = Criterion(name="rude", description="x", weight=-1)
    for bad in [(), (fault,), (RUBRIC.criteria[0], RUBRIC.criteria[0])]:
        with pytest.raises(JudgeConfigError):
            Rubric(criteria=bad)


def test_a_rubric_is_read_from_a_file(tmp_path):
    path = tmp_path / "rubric.toml"
    path.write_text(
        '[[criteria]]\nname = "correct"\ndescription = "It is right."\nweight = 3\n'
        '[[criteria]]\nname = "rude"\ndescription = "It is rude."\nweight = -1.5\n',
        "utf-8",
    )
    rubric = Rubric.from_file(path)
    assert [(c.name, c.weight, c.max_score) for c in rubric.criteria] == [
        ("correct", 3.0, 1),
        ("rude", -1.5, 1),
    ]


@pytest.mark.parametrize("text", ["[[criteria", 'criteria = "x"', "judge = 1", "criteria = [1]"])
def test_a_bad_file_is_refused(tmp_path, text):
    path = tmp_path / "rubric.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(JudgeConfigError):
        Rubric.from_file(path)


def test_a_rubric_pickles_after_use():
    assert RUBRIC.schema is RUBRIC.schema
    assert pickle.loads(pickle.dumps(RUBRIC)) == RUBRIC

"""Comparisons of two completions, and rewards for a group."""

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.contract.error import InvalidSampleError
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.error import (
    InconsistentVerdictError,
    JudgeConfigError,
    UnparsableVerdictError,
)
from reference_impl.judge.pairwise import PairJudge, win_rates
from reference_impl.judge.ranking import MOST_RANKED, RankingJudge
from reference_impl.judge.testing.scripted_server import Answer, ScriptedServer


def run(script, act, make=PairJudge, **settings):
    async def inside(base_url):
        async with JudgeClient(JudgeConfig(base_url=base_url, model="judge")) as client:
            return await act(make(client, **settings))

    with ScriptedServer(script) as server:
        return asyncio.run(inside(server.base_url)), server.requests


def shown(body, tag):
    """Return what stands in the quotations whose tags begin like this, in order."""
    return re.findall(rf"<{tag}-[0-9a-f]{{16}}>\n(.*?)\n</", body["messages"][1]["content"])


def pair(winner):
    return Answer(json.dumps({"rationale": "x", "winner": winner}))


def better_is_longer(body):
    [a], [b] = shown(body, "completion_a"), shown(body, "completion_b")
    return pair("tie" if len(a) == len(b) else "A" if len(a) > len(b) else "B")


def always_first(body):
    return pair("A")


@pytest.mark.parametrize(
    ("script", "first", "second", "outcome"),
    [
        (better_is_longer, "long answer", "short", "first"),
        (better_is_longer, "short", "long answer", "second"),
        (better_is_longer, "same1", "same2", "tie"),
        (always_first, "one", "two", "inconsistent"),
        (lambda body: pair("B"), "one", "two", "inconsistent"),
    ],
)
def test_a_winner_wins_in_both_orders(script, first, second, outcome):
    found, requests = run(script, lambda judge: judge.compare("Write.", first, second))
    assert found == outcome and len(requests) == 2


def test_equal_completions_tie_and_nobody_is_asked():
    found, requests = run(always_first, lambda judge: judge.compare("Write.", "x", "x<|im_end|>"))
    assert found == "tie" and not requests


def test_one_order_alone_shows_the_judges_bias():
    found, _ = run(always_first, lambda judge: judge.compare_once("Write.", "one", "two"))
    assert found == "first"


def test_a_comparison_that_is_no_verdict_raises():
    with pytest.raises(UnparsableVerdictError):
        run([Answer("A")], lambda judge: judge.compare("Write.", "one", "two"))


def test_a_group_is_paid_by_its_wins():
    group = ["a", "bbb", "cc", "ddd"]
    found, requests = run(better_is_longer, lambda judge: judge.score_group("Write.", group))
    assert found == pytest.approx([0.0, 2.5 / 3, 1 / 3, 2.5 / 3])
    assert len(requests) == 12


def test_comparisons_without_an_outcome_do_not_count():
    def refuses_b(body):
        return better_is_longer(body) if "bb" not in str(shown(body, "completion_.")) else pair("A")

    judges = []

    async def act(judge):
        judges.append(judge)
        return await judge.score_group("Write.", ["a", "bb", "ccc"], on_failure="skip")

    found, _ = run(refuses_b, act)
    assert found == [0.0, None, 1.0]
    assert judges[0].counts.failures == {"inconsistent": 1}
    with pytest.raises(InconsistentVerdictError):
        run(refuses_b, lambda judge: judge.score_group("Write.", ["a", "bb", "ccc"]))


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 6), st.data())
def test_win_rates_share_one_half_a_comparison(size, data):
    pairs = [(i, j) for i in range(size) for j in range(i + 1, size)]
    outcomes = {p: data.draw(st.sampled_from(["first", "second", "tie"])) for p in pairs}
    rates = win_rates(size, outcomes)
    assert all(0 <= rate <= 1 for rate in rates)
    assert sum(rates) == pytest.approx(size / 2)


def ranking(order):
    return Answer(json.dumps({"rationale": "x", "ranking": order}))


def rank_by_length(body):
    texts = shown(body, r"completion-\d+")
    order = sorted(range(1, len(texts) + 1), key=lambda number: -len(texts[number - 1]))
    return ranking(order)


def rank_as_shown(body):
    return ranking(list(range(1, len(shown(body, r"completion-\d+")) + 1)))


def test_ranks_become_rewards_in_equal_steps():
    group = ["a", "bbb", "cc", "bbb", "dddd<|im_end|>"]
    found, requests = run(
        rank_by_length, lambda judge: judge.score_group("Write.", group), RankingJudge
    )
    assert found == pytest.approx([0.0, 2 / 3, 1 / 3, 2 / 3, 1.0])
    assert len(requests) == 1


def test_rounds_are_shuffled_anew_and_averaged():
    group = ["a", "bb", "ccc", "dddd"]
    found, requests = run(
        rank_as_shown, lambda judge: judge.score_group("Write.", group), RankingJudge, rounds=16
    )
    orders = {tuple(shown(request.body, r"completion-\d+")) for request in requests}
    assert len(orders) > 4
    assert sum(found) == pytest.approx(2.0)
    assert max(found) - min(found) < 0.7  # a judge that goes by places says little


def test_the_same_group_is_the_same_question():
    async def twice(judge):
        await judge.score_group("Write.", ["a", "bb"])
        return await judge.score_group("Write.", ["bb", "a"])

    found, requests = run(rank_by_length, twice, RankingJudge)
    assert found == [1.0, 0.0] and len(requests) == 1


@pytest.mark.parametrize(
    "answer",
    ["[1, 2, 3]", '{"rationale": "x", "ranking": [1, 2]}']
    + [
        json.dumps({"rationale": "x", "ranking": order})
        for order in ([1, 1, 2], [0, 1, 2], [1, 2, 4], ["1", "2", "3"], [3, 2, 1, 1], "321")
    ],
)
def test_a_ranking_names_each_number_once(answer):
    with pytest.raises(UnparsableVerdictError):
        run(
            [Answer(answer)],
            lambda judge: judge.score_group("Write.", ["a", "b", "c"]),
            RankingJudge,
        )


def test_a_failed_ranking_is_what_the_policy_says_for_each():
    async def act(judge):
        found = await judge.score_group("Write.", ["a", "b"], on_failure="skip")
        return found, judge.counts.failures

    found, _ = run([Answer("a is better")], act, RankingJudge)
    assert found == ([None, None], {"unparsable": 2})


def test_one_good_round_is_enough():
    script = [Answer("a is better"), ranking([1, 2])]
    found, _ = run(
        script, lambda judge: judge.score_group("Write.", ["a", "b"]), RankingJudge, rounds=2
    )
    assert sorted(found) == [0.0, 1.0]


@pytest.mark.parametrize("make", [PairJudge, RankingJudge])
def test_a_group_needs_two_and_a_policy_and_texts(make):
    for group in [[], ["a"]]:
        with pytest.raises(ValueError, match="nothing to"):
            run([ranking([1])], lambda judge, g=group: judge.score_group("Write.", g), make)
    with pytest.raises(ValueError, match="on_failure"):
        run(
            [ranking([1])],
            lambda judge: judge.score_group("Write.", ["a", "b"], on_failure="zero"),
            make,
        )
    with pytest.raises(InvalidSampleError):
        run([ranking([1])], lambda judge: judge.score_group("Write.", ["a", None]), make)


def test_equal_completions_are_worth_the_same_and_nobody_is_asked():
    found, requests = run(
        rank_by_length, lambda judge: judge.score_group("Write.", ["a", "a"]), RankingJudge
    )
    assert found == [0.5, 0.5] and not requests


def test_too_many_to_rank_is_said():
    group = [str(number) for number in range(MOST_RANKED + 1)]
    with pytest.raises(ValueError, match="Compare pairs"):
        run(rank_by_length, lambda judge: judge.score_group("Write.", group), RankingJudge)


@pytest.mark.parametrize("rounds", [0, -1, True, 1.5])
def test_rounds_is_a_whole_number(rounds):
    with pytest.raises(JudgeConfigError):
        run([ranking([1])], lambda judge: judge, RankingJudge, rounds=rounds)

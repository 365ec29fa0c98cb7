"""The cache forgets what was used least recently, and never holds more than it may."""

from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.judge.answer_cache import AnswerCache


def test_the_least_recently_used_answer_is_forgotten():
    cache = AnswerCache(2)
    cache.put("a", "1")
    cache.put("b", "2")
    assert cache.get("a") == "1"
    cache.put("c", "3")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == ("1", None, "3")


def test_a_cache_of_no_entries_keeps_nothing():
    cache = AnswerCache(0)
    cache.put("a", "1")
    assert cache.get("a") is None


@pytest.mark.parametrize("answer", [0.0, ""])
def test_an_answer_that_is_false_is_kept_all_the_same(answer):
    cache = AnswerCache(1)
    cache.put("a", answer)
    assert cache.get("a") == answer


@given(st.integers(0, 4), st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef"))))
def test_it_behaves_as_a_list_in_the_order_of_use(entries, uses):
    cache, kept = AnswerCache(entries), OrderedDict()
    for turn, (is_put, question) in enumerate(uses):
        if is_put:
            cache.put(question, str(turn))
            kept[question] = str(turn)
            kept.move_to_end(question)
            if len(kept) > entries:
                kept.popitem(last=False)
        else:
            assert cache.get(question) == kept.get(question)
            if question in kept:
                kept.move_to_end(question)
        assert len(cache) == len(kept) <= entries

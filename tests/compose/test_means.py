"""The means of components: right, shared by threads, and each process's own."""

import os
import pickle
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.compose import ComponentMeans

values = st.one_of(st.none(), st.floats(-1e6, 1e6))


@given(st.lists(st.tuples(values, values), max_size=30))
def test_the_means_are_those_of_what_is_there(rows):
    means = ComponentMeans(["a", "b"])
    for a, b in rows:
        means.add({"a": a, "b": b})
    taken = means.take()
    for index, name in enumerate("ab"):
        there = [row[index] for row in rows if row[index] is not None]
        if not there:
            assert name not in taken
            continue
        assert taken[name].count == len(there)
        assert taken[name].mean == pytest.approx(sum(there) / len(there), abs=1e-6)


def test_large_values_do_not_overflow():
    means = ComponentMeans(["a"])
    for value in (1.7e308, -1.7e308, 1.7e308):
        means.add({"a": value})
    assert means.take()["a"].mean == pytest.approx(1.7e308 / 3)


def test_an_unknown_name_is_an_error():
    with pytest.raises(KeyError, match="b"):
        ComponentMeans(["a"]).add({"b": 1.0})


def test_threads_share_the_means_and_lose_nothing():
    means = ComponentMeans(["a"])
    counts = []

    def work():
        for number in range(2000):
            means.add({"a": 1.0})
            if number % 100 == 0:
                counts.append(means.take().get("a", (0, 0))[1])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.append(means.take().get("a", (0, 0))[1])
    assert sum(counts) == 8000


def test_a_copy_starts_empty():
    means = ComponentMeans(["a"])
    means.add({"a": 1.0})
    copy = pickle.loads(pickle.dumps(means))
    assert copy.take() == {}
    copy.add({"a": 3.0})
    assert copy.take()["a"] == (3.0, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_forked_process_starts_empty_although_a_thread_held_the_lock():
    means = ComponentMeans(["a"])
    means.add({"a": 1.0})
    with means._lock:
        child = os.fork()
        if child == 0:
            os._exit(len(means.take()))  # 0, or it hangs
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert means.take()["a"] == (1.0, 1)

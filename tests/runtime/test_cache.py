"""A cache answers as its reward would, asks it once for a sample, and forgets failures."""

import inspect
import math
import multiprocessing
import os
import pickle
import threading
import time
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reference_impl.contract import (
    GuardedReward,
    InvalidRewardError,
    InvalidSampleError,
    check_conformance,
)
from reference_impl.rules import exact_match_reward_fn
from reference_impl.runtime.cache import CachedReward, NoDigestError, digest


class Recorder:
    """A reward that notes the samples it was asked for, and pays 0, 1, 2, ... for them."""

    def __init__(self):
        self.asked = []

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        self.asked.append((prompt, completions, prompt_ids, completion_ids, columns))
        return len(self.asked) - 1


def ask(cached, completions="4", prompt="2 + 2?", ids=(), **columns):
    return cached(prompt, completions, list(ids), list(ids), **columns)


TEXT = st.text(st.characters(codec=None, categories=None), max_size=4)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=6,
)
# Pairs that a careless key would mix up.
ALIKE = [
    None, False, 0, 0.0, -0.0, "0", b"0", "", b"", "None", "False", [], (), {}, [0], (0,), [False],
    [0.0], ["0"], [[]], [0, 0], ["a", "b"], ["ab"], ["ab", ""], ["a,b"], ["", "ab"], {"a": "b"},
    ["a", ["b"]], [["a"], "b"], [["a", "b"]], 1, True, 1.0, "1", 2**63, [2**63], -1, 255, 256, -256,
    "s1:a", ["s1:a"], "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    "\ud83d\ude00", "\ud83d", "\ud83e", "?", ["as0:b", "c"], ["a", "bs0:c"], ["as1:b", "c"],
    ["a", "bs1:c"], {"a": 1, "b": 2}, {"b": 2, "a": 1}, [1, 2], [258], ["\0"], "\0",
]  # fmt: skip


@given(PLAIN, PLAIN)
@example([1, True], [1, 1])
@example([2**63 - 1], [2**63])
def test_two_values_share_a_digest_only_if_they_are_written_alike(left, right):
    assert (digest(left) == digest(right)) == (repr(left) == repr(right))


def test_values_that_look_alike_have_digests_of_their_own():
    assert len({digest(value) for value in ALIKE}) == len({repr(value) for value in ALIKE})


class Text(str):
    pass


def nested(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, Text("4"), [Text("4")], {"a": 1j}, nested(30), nested(100_000)]
)
def test_what_is_not_plain_has_no_digest_and_bypasses_the_cache(value):
    with pytest.raises(NoDigestError):
        digest(value)
    recorder = Recorder()
    cached = CachedReward(recorder)
    assert [ask(cached, image=value), ask(cached, image=value)] == [0, 1]
    assert recorder.asked[0][-1]["image"] is value
    assert (cached.counts.bypassed, cached.counts.hits, cached.counts.entries) == (2, 0, 0)


def test_a_list_that_holds_itself_bypasses_the_cache():
    endless = []
    endless.append(endless)
    assert ask(CachedReward(Recorder()), loop=endless) == 0


SAMPLES = st.tuples(
    st.sampled_from(["", "p"]),
    st.sampled_from(["", "4", "5"]),
    st.sampled_from([(), (1,), (1, 2)]),
    st.fixed_dictionaries({"answer": st.sampled_from(["4", 4, 4.0, True, None, [4], (4,)])}),
)


@given(st.lists(SAMPLES, max_size=30))
def test_each_sample_is_scored_once_and_keeps_its_score(samples):
    recorder = Recorder()
    cached = CachedReward(recorder)
    scores = {}
    for prompt, completion, ids, columns in samples:
        score = ask(cached, completion, prompt, ids, **columns)
        assert scores.setdefault(repr((prompt, completion, ids, columns)), score) == score
    assert len(recorder.asked) == len(scores) == len(set(scores.values()))
    assert cached.counts.misses == cached.counts.entries == len(scores)
    assert cached.counts.hits == len(samples) - len(scores)


def test_the_reward_sees_what_the_caller_passed():
    recorder = Recorder()
    ask(CachedReward(recorder), "4", "2 + 2?", (7, 8), b=1, a=None)
    assert recorder.asked == [("2 + 2?", "4", [7, 8], [7, 8], {"a": None, "b": 1})]


def test_the_order_of_the_columns_means_nothing():
    recorder = Recorder()
    cached = CachedReward(recorder)
    assert ask(cached, a=1, b=2) == ask(cached, b=2, a=1)
    assert list(recorder.asked[0][-1]) == ["a", "b"]


def test_what_is_not_read_neither_counts_nor_arrives():
    recorder = Recorder()
    cached = CachedReward(recorder, reads=["completions", "answer"])
    assert ask(cached, prompt="a", ids=(1,), answer="4", row=1, image=object()) == 0.0
    assert ask(cached, prompt="b", ids=(2,), answer="4", row=2, image=object()) == 0.0
    assert ask(cached, prompt="b", ids=(2,), answer="5", row=2, image=object()) == 1.0
    assert recorder.asked[0] == (None, "4", None, None, {"answer": "4"})
    assert cached.reads == ("completions", "answer")


def test_a_column_that_is_read_has_to_be_there():
    with pytest.raises(InvalidSampleError, match="`reads` names `anwser`"):
        ask(CachedReward(Recorder(), reads=("completions", "anwser")), answer="4")


class Failing:
    """Fails as told, then pays 1.0."""

    def __init__(self, *failures):
        self.failures = list(failures)

    def __call__(self, prompt, completions, prompt_ids, completion_ids, **columns):
        if not self.failures:
            return 1.0
        failure = self.failures.pop(0)
        if isinstance(failure, BaseException):
            raise failure
        return failure


@pytest.mark.parametrize("failure", [KeyError("a"), KeyboardInterrupt(), None, math.nan, "1.0"])
def test_a_failure_is_not_remembered(failure):
    cached = CachedReward(Failing(failure))
    kind = type(failure) if isinstance(failure, BaseException) else InvalidRewardError
    with pytest.raises(kind):
        ask(cached)
    assert cached.counts.entries == 0
    assert [ask(cached), ask(cached)] == [1.0, 1.0]
    assert (cached.counts.misses, cached.counts.hits) == (2, 1)


def test_a_guard_outside_counts_every_failure():
    guarded = GuardedReward(CachedReward(Failing(KeyError("a"), KeyError("a"))), "skip")
    assert [ask(guarded), ask(guarded), ask(guarded)] == [None, None, 1.0]
    assert guarded.counts.failures == {"exception:KeyError": 2}


def test_a_guard_inside_is_refused():
    with pytest.raises(TypeError, match="Guard the cache instead"):
        CachedReward(GuardedReward(exact_match_reward_fn, 0.0))


def test_the_sample_that_nobody_asked_for_the_longest_goes_first():
    recorder = Recorder()
    cached = CachedReward(recorder, max_entries=2)
    for text in ["a", "b", "a", "c", "a", "b"]:
        ask(cached, text)
    assert [asked[1] for asked in recorder.asked] == ["a", "b", "c", "b"]
    assert cached.counts.entries == 2


def test_long_texts_are_not_kept():
    cached = CachedReward(Recorder())
    tracemalloc.start()
    try:
        for index in range(50):
            recorder = cached.reward_fn
            ask(cached, f"{index}" + "x" * 100_000)
            recorder.asked.clear()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000


class Slow(Recorder):
    """Waits for the test before it answers or fails."""

    def __init__(self, error=None):
        super().__init__()
        self.error = error
        self.go_on = threading.Event()

    def __call__(self, *args, **columns):
        score = super().__call__(*args, **columns)
        assert self.go_on.wait(30)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return score


def ask_in_threads(cached, count, samples=("4",)):
    """Ask in threads, let the reward go on when all wait, and return what each got."""
    got = [[] for _ in range(count)]

    def run(index):
        try:
            got[index] = ask(cached, samples[index % len(samples)])
        except BaseException as error:
            got[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(cached.reward_fn.asked) < len(samples):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    cached.reward_fn.go_on.set()
    for thread in threads:
        thread.join(30)
    return got


def test_threads_with_one_sample_score_it_once():
    cached = CachedReward(Slow())
    assert ask_in_threads(cached, 8) == [0.0] * 8
    assert (cached.counts.misses, cached.counts.hits) == (1, 7)


def test_threads_with_different_samples_do_not_wait_for_each_other():
    got = ask_in_threads(CachedReward(Slow()), 8, samples=("a", "b", "c", "d"))
    assert sorted(set(got)) == [0.0, 1.0, 2.0, 3.0]


def test_threads_that_wait_get_the_error_and_no_later_call_does():
    error = KeyError("down")
    cached = CachedReward(Slow(error))
    got = ask_in_threads(cached, 4)
    # A thread that came too late to wait has scored the sample anew.
    assert error in got
    assert set(map(type, got)) <= {KeyError, float}
    assert isinstance(ask(cached), float)


def test_threads_that_wait_go_on_without_one_that_was_told_to_stop():
    got = ask_in_threads(CachedReward(Slow(SystemExit(1))), 4)
    assert sorted(type(one).__name__ for one in got) == ["SystemExit", "float", "float", "float"]


def test_a_copy_keeps_the_settings_and_starts_empty():
    cached = CachedReward(Recorder(), max_entries=3, reads=("completions", "answer"))
    ask(cached, answer="4")
    copy = pickle.loads(pickle.dumps(cached))
    assert (copy.max_entries, copy.reads) == (3, ("completions", "answer"))
    assert copy.counts.entries == copy.counts.misses == 0
    assert cached.counts.entries == 1
    ask(copy, answer="4")
    assert copy.counts.misses == 1


def _ask_in_child(cached, sender):
    before = cached.counts
    sender.send((before.misses, before.entries, ask(cached)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_starts_empty_even_if_the_lock_was_held():
    cached = CachedReward(Recorder())
    ask(cached)
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_ask_in_child, args=(cached, sender))
    with cached._lock:  # as if another thread were asking at this moment
        process.start()
    answered = receiver.poll(30)
    process.kill()
    process.join()
    assert answered
    assert receiver.recv() == (0, 0, 1.0)
    assert cached.counts.entries == 1


def test_a_trainer_can_name_it_and_read_its_columns():
    cached = CachedReward(exact_match_reward_fn)
    assert cached.__name__ == "exact_match_reward_fn"
    assert "answer" in inspect.signature(cached).parameters
    assert repr(cached) == "CachedReward(exact_match_reward_fn, max_entries=100000, reads=None)"


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"max_entries": 0}, ValueError),
        ({"max_entries": True}, TypeError),
        ({"max_entries": 1e5}, TypeError),
        ({"reads": ()}, ValueError),
        ({"reads": "answer"}, TypeError),
        ({"reads": [1]}, TypeError),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, error):
    with pytest.raises(error):
        CachedReward(exact_match_reward_fn, **settings)


def test_a_cached_reward_keeps_the_contract():
    row = {"prompt": "", "completions": r"\boxed{4}", "prompt_ids": [], "completion_ids": []}
    report = check_conformance(
        CachedReward(exact_match_reward_fn), {**row, "answer": "4"}, low=0, high=1
    )
    assert report.passed, report

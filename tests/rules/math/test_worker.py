"""The process of the symbolic step: what ends it, what is left, and who pays."""

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.rules.math import server, worker
from reference_impl.rules.math.wire import Inbox, pack
from reference_impl.rules.math.worker import (
    SymbolicWorker,
    UnsettledError,
    WorkerUnavailableError,
)

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.slow,  # it waits for deadlines
]
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

HONEST = {"gold": r"\frac{x^2-1}{x-1}", "prediction": "x + 1"}
ENDLESS = "9^{9^{9^{9}}}"  # one multiplication in C, deaf to any exception
SECONDS = 0.6


@pytest.fixture(scope="module")
def shared():
    one = SymbolicWorker(SECONDS)
    yield one
    one.close()


@pytest.fixture
def own():
    one = SymbolicWorker(SECONDS)
    yield one
    one.close()


def _state(pid):
    """The state and the parent of a process, or None if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else (fields[0], int(fields[1]))


def _children(parent):
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if (_state(pid) or ("", 0))[1] == parent]


def _template(one):
    return one._template._process.pid


def _family(one):
    return [_template(one), *_children(_template(one))]


def _all_gone(pids, seconds=10.0):
    until = time.monotonic() + seconds
    while any(_state(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _wait_for_child(one):
    until = time.monotonic() + 10.0
    while time.monotonic() < until:
        for child in _children(_template(one)):
            return child
        time.sleep(0.01)
    raise AssertionError("the template has no child")


def test_it_answers(shared):
    assert shared.equal(**HONEST)
    assert not shared.equal(gold="6t - 5", prediction="5")
    assert shared.equal(gold="10", prediction=r"10\%", ignore_percent=True)
    assert shared.reads("6t - 5")
    assert not shared.reads("4 apples are 5")


def test_any_text_can_be_asked(shared):
    for text in ("", "\x00", "\ud800", "\u202e5", '"}{', "9" * 100_000, "(" * 100_000, "x+" * 1000):
        assert shared.reads(text) in (True, False)
        assert not shared.equal(gold="1729", prediction=text)


@pytest.mark.parametrize(
    "text", [ENDLESS, "2^{50000000000}", r"\sum_{k=1}^{1000000000} \sin k", "(10^{8})!"]
)
def test_a_request_ends_at_the_deadline_and_its_neighbour_is_unharmed(shared, text):
    shared.warm_up()
    start = time.monotonic()
    with pytest.raises(UnsettledError) as caught:
        shared.equal(gold="1", prediction=text)
    took = time.monotonic() - start
    assert caught.value.reason in ("math_timeout", "math_memory")
    assert took < SECONDS + worker.GRACE_SECONDS + 0.1
    assert shared.equal(**HONEST)


def test_a_gold_can_be_hostile_too(shared):
    with pytest.raises(UnsettledError) as caught:
        shared.reads(ENDLESS)
    assert caught.value.reason == "math_timeout"


class _Greedy:
    """Stands for the symbolic module, in a child of the test's own."""

    def __init__(self, run):
        self.run = run

    def read(self, text):
        return self.run()

    equal = None


def _ask_child(run, seconds=5.0):
    """Serve one request in a child as the template forks it; its answers and how it ended."""
    requests, questions = os.pipe()
    answers, replies = os.pipe()
    current = server.mmap.mmap(-1, 8)
    parent = os.getpid()
    child = os.fork()
    if not child:
        os.close(questions)
        server._serve(_Greedy(run), requests, replies, current, parent)
    os.close(replies)
    os.close(requests)
    os.write(questions, pack({"id": 7, "seconds": seconds, "text": ""}))
    inbox = Inbox()
    while (message := inbox.next()) is None:
        read = os.read(answers, 4096)
        if not read:
            break
        inbox.add(read)
    os.close(questions)
    os.close(answers)
    return message, os.waitpid(child, 0)[1]


@needs_proc
def test_memory_is_bounded():
    message, status = _ask_child(lambda: bytearray(2 * server.MEMORY_BYTES))
    assert message == b'{"id": 7, "error": "memory"}'
    assert os.WIFEXITED(status)


@needs_proc
def test_less_memory_is_fine():
    message, _ = _ask_child(lambda: bytearray(server.MEMORY_BYTES // 2))
    assert message == b'{"id": 7, "value": true}'


def test_a_blocked_child_ends_too():
    """Neither a wait outside Python nor a handler keeps the timer's signal off."""
    forever = "import time\nwhile True:\n try: time.sleep(60)\n except BaseException: pass"
    started = time.monotonic()
    message, status = _ask_child(lambda: exec(forever), seconds=0.5)
    assert message is None
    assert os.WTERMSIG(status) == signal.SIGALRM
    assert time.monotonic() - started < 15


@needs_proc
def test_a_memory_bomb_is_told_as_such(own, monkeypatch):
    """A child that runs out of memory is replaced, as one that ran out of time is."""
    bomb = "bytearray(2**30) if text == 'bomb' else text"
    patched = f"from reference_impl.rules.math import symbolic; symbolic.read = lambda text: {bomb}"
    monkeypatch.setattr(worker, "_PROGRAM", f"{patched}; {worker._PROGRAM}")
    own.seconds = 20.0
    for _ in range(2):
        with pytest.raises(UnsettledError) as caught:
            own.reads("bomb")
        assert caught.value.reason == "math_memory"
        assert own.reads("5")


@needs_proc
@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGSEGV])
def test_a_crash_is_told_as_such(own, ended_by):
    own.seconds = 20.0
    own.warm_up()
    child = _wait_for_child(own)

    def crash():
        time.sleep(0.5)
        os.kill(child, ended_by)

    killer = threading.Thread(target=crash)
    killer.start()
    with pytest.raises(UnsettledError) as caught:
        own.equal(gold="1", prediction=ENDLESS)
    killer.join()
    assert caught.value.reason == "math_crash"
    assert own.equal(**HONEST)


@needs_proc
def test_the_end_of_an_idle_child_is_no_answers_fault(shared):
    shared.warm_up()
    for _ in range(3):
        child = _wait_for_child(shared)
        os.kill(child, signal.SIGKILL)
        assert _all_gone([child])
        assert shared.equal(**HONEST)


@needs_proc
def test_a_template_that_was_ended_is_replaced(shared):
    assert shared.equal(**HONEST)
    before = _template(shared)
    os.kill(before, signal.SIGKILL)
    assert shared.equal(**HONEST)  # answered by the last of the old ones, or by a new one
    assert _all_gone([before])
    assert shared.equal(**HONEST)
    assert _template(shared) != before


@needs_proc
def test_nothing_is_left_after_close(shared):
    shared.warm_up()
    _wait_for_child(shared)
    family = _family(shared)
    assert len(family) == 2
    shared.close()
    assert _all_gone(family)
    assert shared.equal(**HONEST)  # and it starts again


@needs_proc
def test_nothing_is_left_when_the_worker_is_collected():
    one = SymbolicWorker(SECONDS)
    one.warm_up()
    family = _family(one)
    del one
    assert _all_gone(family)


_PARENT = """
import threading, time
from reference_impl.rules.math.worker import SymbolicWorker
one = SymbolicWorker(1.0)
one.warm_up()
busy = BUSY
if busy:
    threading.Thread(target=one.reads, args=('9^{9^{9^{9}}}',), daemon=True).start()
time.sleep(0.3)
print(one._template._process.pid, flush=True)
time.sleep(60)
"""


@needs_proc
@pytest.mark.parametrize("busy", [False, True])
def test_nothing_is_left_when_the_caller_is_killed(busy):
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT.replace("BUSY", str(busy))],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    template = int(parent.stdout.readline())
    family = [template, *_children(template)]
    assert len(family) == 2
    parent.kill()
    parent.wait()
    parent.stdout.close()
    try:
        assert _all_gone(family, seconds=15)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(template, signal.SIGKILL)


def test_a_fork_starts_a_process_of_its_own(shared):
    assert shared.equal(**HONEST)
    before = _template(shared)
    child = os.fork()
    if not child:
        code = 1
        try:
            right = shared.equal(**HONEST) and not shared.equal(gold="1", prediction="2")
            code = 0 if right and _template(shared) != before else 2
            shared.close()
        finally:
            os._exit(code)
    for _ in range(20):
        assert shared.equal(gold="6t-5", prediction="-5+6t")
        assert not shared.equal(gold="6t-5", prediction="5")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _template(shared) == before


def _ask_in_vain(one):
    with contextlib.suppress(UnsettledError):
        one.reads(ENDLESS)


def test_a_fork_while_another_thread_asks(shared):
    shared.warm_up()
    asking = threading.Thread(target=_ask_in_vain, args=(shared,))
    asking.start()
    time.sleep(0.2)
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if shared.equal(**HONEST) else 2
            shared.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    asking.join()


def test_eight_threads(shared):
    wrong = []

    def ask(number):
        for i in range(25):
            same = shared.equal(gold=f"{number}x+{i}", prediction=f"{i}+{number}*x")
            other = shared.equal(gold=f"{number}x+{i}", prediction=f"{i + 1}+{number}x")
            if not same or other:
                wrong.append((number, i))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _answer_in_pool(one):
    assert multiprocessing.current_process().daemon
    try:
        return one.equal(**HONEST)
    finally:
        one.close()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_daemonic_worker_of_a_pool_can_use_it(shared, method):
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply_async(_answer_in_pool, (shared,)).get(timeout=60)


def test_a_copy_starts_its_own(shared):
    copy = pickle.loads(pickle.dumps(shared))
    assert copy.seconds == shared.seconds
    shared.warm_up()
    try:
        copy.warm_up()
        assert _template(copy) != _template(shared)
    finally:
        copy.close()


def test_an_inherited_mask_does_not_keep_the_timer_off(own):
    plain = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        own.warm_up()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGALRM, plain)
    with pytest.raises(UnsettledError) as caught:
        own.reads(ENDLESS)
    assert caught.value.reason == "math_timeout"


def test_an_interrupt_does_not_mix_up_answers(shared, monkeypatch):
    shared.warm_up()
    plain = worker._wait

    def interrupted(pipe, event, deadline):
        if event == worker.select.POLLIN:
            monkeypatch.setattr(worker, "_wait", plain)
            raise KeyboardInterrupt
        plain(pipe, event, deadline)

    monkeypatch.setattr(worker, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shared.equal(**HONEST)
    assert not shared.equal(gold="1", prediction="2")


def test_a_process_that_cannot_start(own, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(WorkerUnavailableError, match="cannot be started"):
        own.equal(**HONEST)


def test_sympy_that_is_missing(own, monkeypatch):
    program = f"import sys; sys.modules['sympy'] = None; {worker._PROGRAM}"
    monkeypatch.setattr(worker, "_PROGRAM", program)
    with pytest.raises(WorkerUnavailableError, match=r"reward-guide\[math\]"):
        own.equal(**HONEST)
    monkeypatch.undo()
    assert own.equal(**HONEST)


@needs_proc
def test_a_template_that_does_not_answer(shared):
    shared.warm_up()
    family = _family(shared)
    os.killpg(_template(shared), signal.SIGSTOP)
    until = time.monotonic() + 10.0
    while {(_state(pid) or "T")[0] for pid in family} != {"T"} and time.monotonic() < until:
        time.sleep(0.01)
    start = time.monotonic()
    with pytest.raises(WorkerUnavailableError, match="does not answer"):
        shared.equal(**HONEST)
    assert time.monotonic() - start < SECONDS + worker.GRACE_SECONDS + 0.5
    assert shared.equal(**HONEST)


def test_a_system_without_fork(own, monkeypatch):
    monkeypatch.delattr(os, "fork")
    with pytest.raises(WorkerUnavailableError, match="WSL"):
        own.equal(**HONEST)


def test_errors_pickle_with_their_reason():
    copy = pickle.loads(pickle.dumps(UnsettledError("too long", reason="math_timeout")))
    assert (str(copy), copy.reason) == ("too long", "math_timeout")


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_seconds_are_checked(seconds):
    with pytest.raises(ValueError, match="seconds"):
        SymbolicWorker(seconds)


@settings(max_examples=50)
@given(st.lists(st.dictionaries(st.text(), st.text())), st.integers(1, 9))
def test_messages_come_off_a_pipe_as_they_went_in(messages, step):
    sent = b"".join(map(pack, messages))
    inbox, received = Inbox(), []
    for at in range(0, len(sent), step):
        inbox.add(sent[at : at + step])
        while (message := inbox.next()) is not None:
            received.append(server.json.loads(message))
    assert received == messages

"""A call returns the reward, or what the policy makes of a failure, and harms no other call."""

import asyncio
import gc
import inspect
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import uuid

import processes
import pytest
import worker_rewards

from reference_impl import exact_match_reward_fn
from reference_impl.contract import (
    GuardedReward,
    InvalidGoldError,
    InvalidRewardError,
)
from reference_impl.runtime import (
    AsyncRewardWrapper,
    RemoteRewardError,
    RewardLoadError,
    RewardTimeoutError,
    WorkerCrashedError,
    WrapperClosedError,
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.slow,  # many of them wait for timeouts, and for workers to load
]

HANGS = ["sleep", "regex", "power", "ignores_signals", "stops"]
CRASHES = ["exit", "exit_zero", "system_exit", "segfault", "abort", "killed", "closes_files"]
TIMEOUT = 0.8


@pytest.fixture(scope="module")
def acting():
    """A wrapper for one call at a time, which the tests of this file share."""
    wrapper = AsyncRewardWrapper(worker_rewards.act, TIMEOUT, 1)
    asyncio.run(wrapper.warm_up())
    yield wrapper
    wrapper.close()


@pytest.fixture
def new():
    """Makes wrappers, and closes them after the test."""
    made = []

    def make(*args, **settings):
        made.append(AsyncRewardWrapper(*args, **settings))
        return made[-1]

    yield make
    for wrapper in made:
        wrapper.close()


@pytest.fixture
def mark(monkeypatch):
    """Marks the processes of the test in their environment."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(processes.MARK, mark)
    return mark


def call(wrapper, completion, **columns):
    return wrapper("", completion, [], [], **columns)


def run(wrapper, completion, **columns):
    return asyncio.run(call(wrapper, completion, **columns))


# What a call returns


@pytest.mark.parametrize(
    "reward_fn", [exact_match_reward_fn, "reference_impl.exact_match_reward_fn"]
)
def test_a_call_returns_what_the_reward_returns(new, reward_fn):
    wrapper = new(reward_fn, 15, 1, 3)  # AReaL's arguments, in AReaL's order

    async def both():
        by_position = await wrapper("2 + 2?", r"\boxed{4}", [1], [2], answer="4", other=[None])
        by_name = await wrapper(
            prompt="2 + 2?", completions=r"\boxed{5}", prompt_ids=[], completion_ids=[], answer="4"
        )
        return by_position, by_name

    assert asyncio.run(both()) == (1.0, 0.0)
    assert wrapper.__name__ == "exact_match_reward_fn"
    assert (wrapper.counts.calls, wrapper.counts.failed) == (2, 0)


def test_many_calls_at_a_time_get_each_its_own_reward(new):
    wrapper = new(worker_rewards.number, 15, 2)

    async def all_of_them():
        return await asyncio.gather(*(call(wrapper, str(i)) for i in range(300)))

    assert asyncio.run(all_of_them()) == list(range(300))


def test_a_large_sample_arrives_whole(acting):
    assert asyncio.run(acting("p" * 10**6, "7", list(range(200_000)), [], table=b"a" * 10**7)) == 7


# What a failure becomes


@pytest.mark.parametrize("hang", HANGS)
def test_a_hung_call_ends_at_the_timeout_and_the_next_one_answers(acting, hang):
    pid = int(run(acting, "pid"))
    start = time.monotonic()
    with pytest.raises(RewardTimeoutError, match=r"longer than 0.8 s"):
        run(acting, hang)
    assert TIMEOUT <= time.monotonic() - start < TIMEOUT + 5  # not an hour
    assert run(acting, "0.5") == 0.5
    assert processes.eventually(lambda: not processes.is_running(pid))


@pytest.mark.parametrize("crash", CRASHES)
def test_a_crash_fails_one_call(acting, crash):
    with pytest.raises(WorkerCrashedError):
        run(acting, crash)
    assert run(acting, "0.5") == 0.5


@pytest.mark.parametrize(
    "crash, words",
    [("segfault", "killed by SIGSEGV"), ("exit", "exited with code 3"), ("killed", "SIGKILL")],
)
def test_a_crash_says_how_the_worker_ended(acting, crash, words):
    with pytest.raises(WorkerCrashedError, match=words):
        run(acting, crash)


@pytest.mark.parametrize(
    "act, error, words",
    [
        ("value_error", ValueError, r"not\x1b\[31m good"),
        ("key_error", KeyError, "answer"),
        ("invalid_gold", InvalidGoldError, "no answer"),
        ("unpicklable_error", RemoteRewardError, "UnpicklableError: a"),
        ("odd_arguments", RemoteRewardError, "OddArgumentsError: a and 2"),
        ("unprintable", worker_rewards.RefusesToBePrintedError, None),
        ("long_error", RemoteRewardError, "ValueError: xxx"),
        ("large_number", RemoteRewardError, "ValueError"),
        ("recursion", RecursionError, "maximum recursion depth"),
        ("memory", MemoryError, None),
        ("memory_error", MemoryError, None),
        ("none", InvalidRewardError, "returned None"),
        ("nan", InvalidRewardError, "returned nan"),
        ("unpicklable_result", InvalidRewardError, "returned a function"),
    ],
)
def test_what_a_reward_raises_keeps_its_class_and_message(acting, act, error, words):
    with pytest.raises(error) as caught:
        run(acting, act)
    assert type(caught.value) is error
    if words:
        assert caught.match(words)
    assert "worker_rewards.py" in caught.value.__notes__[0] or error is InvalidRewardError
    assert run(acting, "0.5") == 0.5


def test_a_worker_that_ran_out_of_memory_is_replaced(acting):
    pid = run(acting, "pid")
    with pytest.raises(MemoryError):
        run(acting, "memory")
    assert run(acting, "pid") != pid


def test_arguments_that_do_not_pickle_fail_the_one_call(acting):
    with pytest.raises((TypeError, pickle.PicklingError)):
        run(acting, "1", handle=threading.Lock())
    assert run(acting, "0.5") == 0.5


class DoesNotLoad:
    def __reduce__(self):
        return (int, ("x",))


def test_arguments_that_do_not_unpickle_fail_the_one_call(acting):
    with pytest.raises(ValueError, match="invalid literal"):
        run(acting, "1", number=DoesNotLoad())
    assert run(acting, "0.5") == 0.5


@pytest.mark.parametrize("on_failure, paid", [("skip", None), (0.0, 0.0), (-1, -1.0)])
def test_every_failure_becomes_the_policy_and_is_counted_and_logged(new, caplog, on_failure, paid):
    wrapper = new(worker_rewards.act, TIMEOUT, 1, on_failure=on_failure)
    acts = ["1", "sleep", "exit", "value_error", "none", "odd_arguments", "invalid_gold", "1"]

    async def in_turn():
        await wrapper.warm_up()
        return [await call(wrapper, act) for act in acts]

    assert asyncio.run(in_turn()) == [1.0, *[paid] * 6, 1.0]
    assert wrapper.counts.calls == 8
    assert wrapper.counts.failures == {
        "crashed": 1,
        "exception:OddArgumentsError": 1,
        "exception:ValueError": 1,
        "invalid_gold": 1,
        "invalid_reward": 1,
        "timeout": 1,
    }
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 6
    assert lines[0].startswith("act failed (timeout): RewardTimeoutError")
    assert all(line.isprintable() for line in lines)


def test_what_failed_is_not_tried_again_by_default(new, tmp_path):
    note = tmp_path / "calls"
    wrapper = new(worker_rewards.note_and_act, TIMEOUT, 1, on_failure="skip")
    for act in ("sleep", "exit", "value_error"):
        assert run(wrapper, act, note=str(note)) is None
    assert note.read_text().split() == ["sleep", "exit", "value_error"]


def test_what_failed_is_tried_again_as_often_as_asked(new, tmp_path, caplog):
    note = tmp_path / "calls"
    wrapper = new(worker_rewards.note_and_act, TIMEOUT, 1, max_retries=1, on_failure="skip")
    for act in ("sleep", "exit", "value_error"):
        assert run(wrapper, act, note=str(note)) is None
    assert note.read_text().split() == ["sleep"] * 2 + ["exit"] * 2 + ["value_error"] * 2
    assert (wrapper.counts.calls, wrapper.counts.failed) == (3, 3)
    assert sum("tried again" in record.getMessage() for record in caplog.records) == 3


def test_a_retry_that_succeeds_is_no_failure(new, tmp_path):
    wrapper = new(worker_rewards.crashes_once, 15, 1, 2)
    assert run(wrapper, "0.5", note=str(tmp_path / "note")) == 0.5
    assert wrapper.counts.failed == 0


# Time, and who waits for whom


def test_the_clock_of_a_call_starts_when_a_worker_starts_on_it(new):
    wrapper = new(worker_rewards.sleeps, 0.9, 1)

    async def queue_up():
        return await asyncio.gather(*(call(wrapper, "0.3") for _ in range(5)))

    assert asyncio.run(queue_up()) == [0.3] * 5


def test_loading_takes_nothing_of_the_timeout(new):
    wrapper = new(worker_rewards.LoadsSlowly(1.5), 0.5, 1)
    assert run(wrapper, "") == 1.0


def test_after_warm_up_every_worker_has_loaded(new):
    wrapper = new(worker_rewards.LoadsSlowly(0.5), 15, 2)

    async def time_of_a_call():
        await wrapper.warm_up()
        start = time.monotonic()
        assert await call(wrapper, "") == 1.0
        return time.monotonic() - start

    assert asyncio.run(time_of_a_call()) < 0.5


def test_a_healthy_call_beside_hung_and_crashing_ones_gets_its_reward(new):
    wrapper = new(worker_rewards.act, 2, 2, on_failure="skip")

    async def side_by_side():
        await wrapper.warm_up()
        hung = asyncio.create_task(call(wrapper, "sleep"))
        await asyncio.sleep(0.1)
        healthy = await asyncio.gather(*(call(wrapper, str(i)) for i in range(100)))
        still_hung = not hung.done()  # the healthy ones did not wait for it
        crashed, *others = await asyncio.gather(
            call(wrapper, "segfault"), *(call(wrapper, str(i)) for i in range(20))
        )
        return healthy, still_hung, crashed, others, await hung

    healthy, still_hung, crashed, others, hung = asyncio.run(side_by_side())
    assert healthy == list(range(100))
    assert others == list(range(20))
    assert still_hung
    assert crashed is hung is None


def test_after_a_timeout_a_spare_is_at_work_before_a_new_worker_could_have_loaded(new):
    wrapper = new(worker_rewards.HangsOrLoadsSlowly(2), 0.5, 1, on_failure="skip")

    async def time_until_ready():
        await wrapper.warm_up()
        assert await call(wrapper, "sleep") is None
        start = time.monotonic()
        assert await call(wrapper, "1") == 1.0
        return time.monotonic() - start

    assert asyncio.run(time_until_ready()) < 1.5


def test_waiting_callers_hold_no_copies(new):
    wrapper = new(worker_rewards.act, 0.5, 1, on_failure="skip")
    copied = []

    class Counted:
        def __reduce__(self):
            copied.append(1)
            return (int, ())

    async def crowd():
        await wrapper.warm_up()
        hung = asyncio.create_task(call(wrapper, "sleep"))
        await asyncio.sleep(0.1)
        waiting = [asyncio.create_task(call(wrapper, "1", n=Counted())) for _ in range(100)]
        await asyncio.sleep(0.1)
        while_hung = len(copied)
        await hung
        return while_hung, await asyncio.gather(*waiting)

    while_hung, rewards = asyncio.run(crowd())
    assert 1 <= while_hung <= 4
    assert rewards == [1.0] * 100
    assert len(copied) == 100


# Giving up


def test_cancelling_a_call_kills_its_worker_and_the_next_call_answers(new):
    wrapper = new(worker_rewards.act, 60, 1)

    async def cancel():
        pid = int(await call(wrapper, "pid"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call(wrapper, "sleep"), 0.2)
        return pid, await call(wrapper, "0.5")

    pid, reward = asyncio.run(cancel())
    assert reward == 0.5
    assert processes.eventually(lambda: not processes.is_running(pid))
    assert (wrapper.counts.calls, wrapper.counts.failed) == (2, 0)


def test_a_call_that_is_cancelled_while_it_waits_never_runs(new, tmp_path):
    note = tmp_path / "calls"
    wrapper = new(worker_rewards.note_and_act, 1, 1, on_failure="skip")

    async def cancel():
        hung = asyncio.create_task(call(wrapper, "sleep", note=str(note)))
        await asyncio.sleep(0.3)
        waiting = [asyncio.create_task(call(wrapper, "2", note=str(note))) for _ in range(20)]
        await asyncio.sleep(0.1)
        for task in waiting:
            task.cancel()
        await hung
        await call(wrapper, "3", note=str(note))

    asyncio.run(cancel())
    assert note.read_text().split() == ["sleep", "3"]


def test_cancelling_at_any_moment_harms_no_other_call(new):
    wrapper = new(worker_rewards.number, 15, 1)

    async def cancel_some():
        await wrapper.warm_up()
        for delay in range(60):
            doomed = asyncio.create_task(call(wrapper, "1"))
            kept = asyncio.create_task(call(wrapper, str(delay)))
            await asyncio.sleep(delay / 100_000)
            doomed.cancel()
            assert await kept == delay

    asyncio.run(cancel_some())
    assert wrapper.counts.failed == 0


# Loops, threads, processes


def test_event_loops_one_after_the_other_and_side_by_side_share_a_wrapper(acting):
    rewards = []

    def in_a_thread(number):
        rewards.extend(run(acting, str(number)) for _ in range(20))

    threads = [threading.Thread(target=in_a_thread, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rewards) == [float(n) for n in range(4) for _ in range(20)]


def test_a_reward_may_start_a_process_and_it_ends_with_the_worker(new, tmp_path):
    note = tmp_path / "pids"
    wrapper = new(worker_rewards.starts_a_process, 1, 1, on_failure="skip")
    assert run(wrapper, "0.5") == 0.5
    assert run(wrapper, "sleep", note=str(note)) is None
    worker, child = map(int, note.read_text().split())
    assert processes.eventually(lambda: not processes.is_running(worker))
    assert processes.eventually(lambda: not processes.is_running(child))
    assert run(wrapper, "exit", note=str(note)) is None
    _, child = map(int, note.read_text().split())
    assert processes.eventually(lambda: not processes.is_running(child))


def test_an_idle_worker_that_is_killed_costs_no_call(new):
    wrapper = new(worker_rewards.act, 15, 1)
    for _ in range(3):
        pid = int(run(wrapper, "pid"))
        os.kill(pid, signal.SIGKILL)
        assert processes.eventually(lambda pid=pid: not processes.is_running(pid))
        assert run(wrapper, "0.5") == 0.5


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_of_the_trainer_has_workers_of_its_own(acting):
    pid = run(acting, "pid")
    child = os.fork()
    if child == 0:
        different = False
        try:
            different = run(acting, "pid") != pid
            acting.close()
        finally:
            os._exit(0 if different else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert run(acting, "pid") == pid


def test_close_kills_the_workers_and_what_they_started(new, mark, tmp_path):
    note = tmp_path / "pids"
    wrapper = new(worker_rewards.starts_a_process, 60, 1)

    async def close_during_a_call():
        hung = asyncio.create_task(call(wrapper, "sleep", note=str(note)))
        waiting = asyncio.create_task(call(wrapper, "1"))
        while not note.exists():
            await asyncio.sleep(0.02)
        wrapper.close()
        return await asyncio.gather(hung, waiting, return_exceptions=True)

    for outcome in asyncio.run(close_during_a_call()):
        assert type(outcome) is WrapperClosedError
    assert processes.eventually(lambda: not processes.marked(mark))
    with pytest.raises(WrapperClosedError):
        run(wrapper, "1")
    wrapper.close()


def test_closed_whatever_the_policy(new):
    wrapper = new(worker_rewards.act, on_failure=0.0)
    wrapper.close()
    with pytest.raises(WrapperClosedError):
        run(wrapper, "1")


def test_the_end_of_the_block_is_the_end_of_the_workers(mark):
    async def block():
        async with AsyncRewardWrapper(worker_rewards.act, 15, 2) as wrapper:
            assert len(processes.marked(mark)) == 3
            return await call(wrapper, "0.5")

    assert asyncio.run(block()) == 0.5
    assert not processes.marked(mark)


def test_a_wrapper_that_nobody_holds_ends_its_workers(mark):
    wrapper = AsyncRewardWrapper(worker_rewards.act, 15, 1)
    run(wrapper, "1")
    assert processes.marked(mark)
    del wrapper
    gc.collect()
    assert not processes.marked(mark)


SCRIPT = """
import asyncio, sys
from reference_impl.runtime import AsyncRewardWrapper
wrapper = AsyncRewardWrapper("worker_rewards.starts_a_process", 60, 1)
async def run(completion):
    await wrapper.warm_up()
    await wrapper("", completion, [], [], note=sys.argv[2])
asyncio.run(run(sys.argv[1]))
"""


def start(*arguments):
    """Start Python with the rewards of these tests at hand."""
    here = os.path.dirname(__file__)
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([here, os.getcwd()])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("end", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_trainer(mark, tmp_path, end):
    note = tmp_path / "pids"
    trainer = start("-c", SCRIPT, "power" if end else "1", note)
    assert processes.eventually(lambda: note.exists() and " " in note.read_text())
    worker, child = map(int, note.read_text().split())
    if end:
        trainer.send_signal(end)
    _, errors = trainer.communicate(timeout=20)
    assert trainer.returncode == (-end if end else 0), errors
    assert processes.eventually(lambda: not processes.is_running(worker))
    assert processes.eventually(lambda: not processes.is_running(child))
    assert processes.eventually(lambda: not processes.marked(mark))


# Loading


LOADS = """
from reference_impl.runtime import AsyncRewardWrapper
import asyncio
{reward}
{guard}
    wrapper = AsyncRewardWrapper({name}, 15, 1)
    print(asyncio.run(wrapper("", "0.5", [], [])))
"""
OWN_REWARD = "def own(prompt, completions, prompt_ids, completion_ids): return float(completions)"
MODULE = {"reward": "from worker_rewards import number", "name": "number"}
OWN = {"reward": OWN_REWARD, "name": "own"}
GUARDED = 'if __name__ == "__main__":'


@pytest.mark.parametrize(
    "parts, guard, said",
    [
        (MODULE, GUARDED, "0.5"),
        (MODULE, "if True:", "0.5"),
        (OWN, GUARDED, "0.5"),
        ({"reward": OWN_REWARD, "name": '"__main__.own"'}, GUARDED, "0.5"),
        (OWN, "if True:", "move the reward to a module of its own"),
    ],
)
def test_a_script(tmp_path, mark, parts, guard, said):
    script = tmp_path / "script.py"
    script.write_text(LOADS.format(guard=guard, **parts))
    output, errors = start(script).communicate(timeout=60)
    assert said in output + errors
    assert processes.eventually(lambda: not processes.marked(mark))


def test_a_reward_of_a_notebook_is_refused_at_once():
    code = LOADS.format(guard="if True:", **OWN)
    _, errors = start("-c", code).communicate(timeout=60)
    assert "Write it to a module" in errors


@pytest.mark.parametrize(
    "module, words",
    [
        ("raise ValueError('does not load')", "ValueError: does not load"),
        ("import os; os._exit(7)", "exited with code 7"),
        ("raise SystemExit('leaves')", "SystemExit: leaves"),
        ("reward = 1", "cannot be called"),
        ("import time; time.sleep(3600)", "longer than 2 s"),
        ("", "has no `reward`"),
    ],
)
def test_a_reward_that_does_not_load_raises_whatever_the_policy(
    new, tmp_path, monkeypatch, module, words
):
    name = f"unloadable_{abs(hash(module))}"
    (tmp_path / f"{name}.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    wrapper = new(f"{name}.reward", 15, 1, on_failure=0.0, load_timeout_seconds=2)
    with pytest.raises(RewardLoadError, match=words):
        run(wrapper, "1")
    with pytest.raises(RewardLoadError, match=words):
        asyncio.run(wrapper.warm_up())
    assert wrapper.counts.failed == 0


def test_while_one_worker_serves_another_may_fail_to_load(new, tmp_path, caplog):
    note = tmp_path / "away"
    wrapper = new(worker_rewards.LoadsOnce(str(note)), 15, 1, on_failure="skip")
    asyncio.run(wrapper.warm_up())
    note.touch()
    assert run(wrapper, "exit") is None
    assert processes.eventually(lambda: "the disk is away" in caplog.text)
    assert run(wrapper, "0.5") == 0.5
    note.unlink()
    assert run(wrapper, "exit") is None
    assert run(wrapper, "0.5") == 0.5


def test_the_last_worker_that_does_not_load_ends_it(new, tmp_path):
    note = tmp_path / "away"
    wrapper = new(worker_rewards.LoadsOnce(str(note)), 15, 1, on_failure="skip")
    asyncio.run(wrapper.warm_up())
    note.touch()
    with pytest.raises(RewardLoadError, match="the disk is away"):
        for _ in range(3):
            run(wrapper, "exit")


# The object


def test_a_copy_has_its_settings_and_workers_of_its_own(new):
    wrapper = new(worker_rewards.act, 0.5, 1, 1, on_failure=-1.0, load_timeout_seconds=9)
    copy = pickle.loads(pickle.dumps(wrapper))
    assert (copy.timeout_seconds, copy.max_workers, copy.max_retries) == (0.5, 1, 1)
    assert (copy.on_failure, copy.load_timeout_seconds) == (-1.0, 9)
    assert run(copy, "pid") != run(wrapper, "pid")
    copy.close()
    assert run(wrapper, "exit") == -1.0


def test_a_trainer_can_name_it_and_read_its_columns():
    assert AsyncRewardWrapper("worker_rewards.act").__name__ == "act"
    assert AsyncRewardWrapper(worker_rewards.LoadsSlowly(1)).__name__ == "LoadsSlowly"
    wrapper = AsyncRewardWrapper(worker_rewards.note_and_act)
    assert "note" in inspect.signature(wrapper).parameters
    assert repr(wrapper) == "AsyncRewardWrapper(note_and_act, timeout_seconds=15)"


def test_the_default_is_half_of_the_processors_and_no_more_than_eight(monkeypatch):
    for processors, workers in [(None, 1), (1, 1), (2, 1), (6, 3), (192, 8)]:
        monkeypatch.setattr(os, "cpu_count", lambda count=processors: count)
        assert AsyncRewardWrapper(worker_rewards.act).max_workers == workers


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": float("inf")},
        {"timeout_seconds": float("nan")},
        {"timeout_seconds": True},
        {"load_timeout_seconds": -1},
        {"max_workers": 0},
        {"max_workers": 1.5},
        {"max_retries": -1},
        {"on_failure": "ignore"},
        {"on_failure": None},
    ],
)
def test_a_setting_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        AsyncRewardWrapper(worker_rewards.act, **settings)


@pytest.mark.parametrize(
    "reward_fn, words",
    [
        (lambda *args: 1.0, "does not pickle"),
        (worker_rewards.LoadsSlowly, "is a class"),
        (1.0, "cannot be called"),
        (GuardedReward(worker_rewards.act), "on_failure"),
    ],
)
def test_what_cannot_serve_is_refused_at_once(reward_fn, words):
    with pytest.raises(TypeError, match=words):
        AsyncRewardWrapper(reward_fn)


def test_nothing_starts_before_the_first_call(mark):
    AsyncRewardWrapper(worker_rewards.act, 15, 2)
    assert not processes.marked(mark)


# All at once


@pytest.mark.slow
def test_of_a_thousand_calls_each_healthy_one_gets_its_reward(mark):
    crashes = ["exit", "segfault", "memory", "killed", "closes_files"]
    errors = ["value_error", "odd_arguments", "none", "unpicklable_result", "memory_error"]
    acts = [str(number) for number in range(1000)]
    acts[7::20] = [HANGS[i % len(HANGS)] for i in range(50)]
    acts[11::20] = [crashes[i % len(crashes)] for i in range(50)]
    acts[17::20] = [errors[i % len(errors)] for i in range(50)]

    async def all_of_them():
        async with AsyncRewardWrapper(worker_rewards.act, 1, 2, on_failure="skip") as wrapper:
            start = time.monotonic()
            rewards = await asyncio.gather(*(call(wrapper, act) for act in acts))
            return rewards, time.monotonic() - start, wrapper.counts

    rewards, seconds, counts = asyncio.run(all_of_them())
    assert rewards == [float(act) if act.isdigit() else None for act in acts]
    assert counts.calls == 1000
    assert counts.failures == {
        "crashed": 40,
        "exception:MemoryError": 20,
        "exception:OddArgumentsError": 10,
        "exception:ValueError": 10,
        "invalid_reward": 20,
        "timeout": 50,
    }
    # 50 timeouts of a second on two workers, and 110 workers to replace.
    assert seconds < 120
    assert processes.eventually(lambda: not processes.marked(mark))

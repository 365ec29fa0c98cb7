"""The batcher scores what waits together, fairly, and drops what nobody waits for."""

import asyncio
import math
import threading

import pytest

from reference_impl.critic.error import CriticOverloadedError
from reference_impl.critic.service.batcher import Batcher
from reference_impl.critic.service.wire import Sample


class Gate:
    """A scorer that stops at its first pass until it is opened, and remembers every pass."""

    def __init__(self):
        self.passes = []
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, samples):
        self.passes.append([(sample.prompt, sample.completion) for sample in samples])
        self.entered.set()
        assert self.open.wait(30)
        return [float(len(sample.completion)) for sample in samples]


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


async def entered(gate):
    assert await asyncio.to_thread(gate.entered.wait, 30)


async def held(batcher, gate):
    """Send one sample, and wait until the pass with it is at work."""
    first = asyncio.create_task(batcher.submit([Sample("first", "")], 30))
    await entered(gate)
    return first


async def waiting(batcher, number):
    while batcher.stats()["waiting"] != number:
        await asyncio.sleep(0)


def test_what_waits_while_a_pass_is_at_work_goes_into_the_next_one(gate):
    async def run():
        batcher = Batcher(gate)
        tasks = [await held(batcher, gate)]
        tasks += [
            asyncio.create_task(batcher.submit([Sample("p", "x" * i)], 30)) for i in range(64)
        ]
        await waiting(batcher, 64)
        gate.open.set()
        return await asyncio.gather(*tasks), batcher.stats()

    results, stats = asyncio.run(run())
    assert results[1:] == [[float(i)] for i in range(64)]
    assert [len(samples) for samples in gate.passes] == [1, 64]
    assert (stats["passes"], stats["scored"], stats["largest_pass"]) == (2, 65, 64)
    assert stats["waiting"] == 0


def test_samples_of_one_prompt_go_together_whoever_sent_them(gate):
    async def run():
        batcher = Batcher(gate, max_characters=200)
        tasks = [await held(batcher, gate)]
        for i in range(6):
            tasks.append(asyncio.create_task(batcher.submit([Sample("ab"[i % 2], str(i))], 30)))
        await waiting(batcher, 6)
        gate.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert gate.passes[1] == [("a", "0"), ("a", "2"), ("a", "4")]
    assert gate.passes[2] == [("b", "1"), ("b", "3"), ("b", "5")]


def test_a_large_request_does_not_hold_up_a_small_one_that_comes_later(gate):
    async def run():
        batcher = Batcher(gate, max_characters=1000)
        first = await held(batcher, gate)
        large = asyncio.create_task(
            batcher.submit([Sample(f"large {i}", "x" * 300) for i in range(50)], 30)
        )
        await waiting(batcher, 50)
        small = asyncio.create_task(batcher.submit([Sample("small", "y")], 30))
        await waiting(batcher, 51)
        gate.open.set()
        await small
        was_first = not large.done()
        await asyncio.gather(first, large)
        return was_first

    assert asyncio.run(run())
    assert ("small", "y") in gate.passes[1]
    assert len(gate.passes) > 15


def test_small_requests_without_end_do_not_hold_up_a_large_one():
    passes = []

    def score(samples):
        passes.append({sample.prompt for sample in samples})
        return [0.0] * len(samples)

    async def run():
        batcher = Batcher(score, max_characters=400, window_seconds=0)
        large = asyncio.create_task(
            batcher.submit([Sample(f"large {i}", "x" * 300) for i in range(20)], 30)
        )

        async def small():
            while not large.done():
                await batcher.submit([Sample("small", "y" * 300)], 30)

        await asyncio.gather(large, *(small() for _ in range(4)))

    asyncio.run(run())
    assert sum("small" in prompts for prompts in passes) > 10
    assert sum("small" not in prompts for prompts in passes) == 20


def test_a_sample_larger_than_the_budget_is_scored_alone():
    async def run():
        batcher = Batcher(lambda samples: [1.0] * len(samples), max_characters=10)
        return await batcher.submit([Sample("p" * 100, "x" * 100)] * 3, 30), batcher.stats()

    results, stats = asyncio.run(run())
    assert results == [1.0] * 3
    assert stats["passes"] == 3


def test_a_full_queue_refuses_all_of_a_request_at_once(gate):
    async def run():
        batcher = Batcher(gate, max_waiting=3)
        tasks = [await held(batcher, gate)]
        tasks.append(asyncio.create_task(batcher.submit([Sample("p", "x")] * 2, 30)))
        await waiting(batcher, 2)
        with pytest.raises(CriticOverloadedError, match="2 samples wait"):
            await batcher.submit([Sample("p", "x")] * 2, 30)
        assert batcher.stats()["waiting"] == 2
        gate.open.set()
        await asyncio.gather(*tasks)
        return await batcher.submit([Sample("p", "x")] * 3, 30), batcher.stats()["refused"]

    assert asyncio.run(run()) == ([1.0] * 3, 2)


def test_a_sample_whose_time_is_over_is_never_scored(gate):
    async def run():
        batcher = Batcher(gate)
        first = await held(batcher, gate)
        with pytest.raises(TimeoutError):
            await batcher.submit([Sample("late", "x")], 0.01)
        stats = batcher.stats()
        gate.open.set()
        await first
        await batcher.submit([Sample("next", "x")], 30)
        return stats

    stats = asyncio.run(run())
    assert (stats["waiting"], stats["abandoned"]) == (0, 1)
    assert "late" not in {prompt for samples in gate.passes for prompt, _ in samples}


def test_a_caller_that_goes_frees_its_places(gate):
    async def run():
        batcher = Batcher(gate, max_waiting=2)
        first = await held(batcher, gate)
        gone = asyncio.create_task(batcher.submit([Sample("gone", "x")] * 2, 30))
        await waiting(batcher, 2)
        gone.cancel()
        await waiting(batcher, 0)
        task = asyncio.create_task(batcher.submit([Sample("next", "xy")] * 2, 30))
        await waiting(batcher, 2)
        gate.open.set()
        await first
        return await task

    assert asyncio.run(run()) == [2.0, 2.0]
    assert "gone" not in {prompt for samples in gate.passes for prompt, _ in samples}


def test_a_caller_that_goes_during_its_pass_harms_nobody(gate):
    async def run():
        batcher = Batcher(gate)
        first = await held(batcher, gate)
        first.cancel()
        gate.open.set()
        return await batcher.submit([Sample("next", "xyz")], 30)

    assert asyncio.run(run()) == [3.0]


@pytest.mark.parametrize("fault", ["raises", "too few"])
def test_a_pass_that_fails_is_an_error_for_each_of_its_samples_and_no_other(fault):
    def score(samples):
        if samples[0].prompt == "good":
            return [1.0]
        if fault == "raises":
            raise MemoryError("too much")
        return []

    async def run():
        batcher = Batcher(score)
        return await batcher.submit([Sample("bad", "x")] * 2, 30), await batcher.submit(
            [Sample("good", "x")], 30
        )

    bad, good = asyncio.run(run())
    assert [type(error) for error in bad] == [MemoryError if fault == "raises" else ValueError] * 2
    assert good == [1.0]


def test_messages_are_grouped_by_what_they_say(gate):
    async def run():
        batcher = Batcher(gate, max_characters=math.inf)
        tasks = [await held(batcher, gate)]
        for i in range(4):
            prompt = [{"role": "user", "content": "ab"[i % 2]}]
            tasks.append(asyncio.create_task(batcher.submit([Sample(prompt, str(i))], 30)))
        await waiting(batcher, 4)
        gate.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert [completion for _, completion in gate.passes[1]] == ["0", "2", "1", "3"]


def test_no_samples_are_no_scores():
    async def run():
        return await Batcher(lambda samples: []).submit([], 1)

    assert asyncio.run(run()) == []

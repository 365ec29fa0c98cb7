"""AsyncRewardWrapper against a bare ProcessPoolExecutor: time of a call, time to recover.

Run: python -m benchmarks.runtime [--json [FILE]] [--save]

Wall time counts here, unlike in the other benchmarks: what a call costs is mostly one process
waiting for another, and CPU time does not see that.
"""

import argparse
import asyncio
import logging
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from benchmarks._run import add_output_options, report
from reference_impl.runtime import AsyncRewardWrapper
from reference_impl.runtime.demo_rewards import obedient_reward_fn

WORKERS = 2
CALLS_AT_A_TIME = 64
TIMEOUT_SECONDS = 1.0

# A sample of the size that training has: 100 tokens of prompt, 500 of completion.
SAMPLE = ("What is 2 + 2?", "1", list(range(100)), list(range(500)))

Call = Callable[[], Awaitable[float]]


async def call_ratios(calls: int, repeats: int) -> dict[str, float]:
    """Measure how long a call takes, relative to a call of a bare executor.

    Both have the same number of workers, started as fresh interpreters and warm. They are timed
    in turn, so that a change in the machine's load meets both.

    Args:
        calls: How many calls one timing makes.
        repeats: How often to time each.

    Returns:
        Our time of a call divided by the executor's: awaited one at a time, and 64 at a time.
    """
    context = multiprocessing.get_context("spawn")
    loop = asyncio.get_running_loop()
    async with AsyncRewardWrapper(obedient_reward_fn, max_workers=WORKERS) as wrapper:
        with ProcessPoolExecutor(WORKERS, mp_context=context) as executor:
            ours = partial(wrapper, *SAMPLE)
            bare = partial(loop.run_in_executor, executor, obedient_reward_fn, *SAMPLE)
            ratios = {}
            for name, way in (("", _one_by_one), ("concurrent_", _many_at_a_time)):
                seconds: dict[Call, list[float]] = {ours: [], bare: []}
                for call in seconds:
                    await way(call, CALLS_AT_A_TIME)  # every worker is started and warm
                for _ in range(repeats):
                    for call, timings in seconds.items():
                        start = time.perf_counter()
                        await way(call, calls)
                        timings.append(time.perf_counter() - start)
                ratio = statistics.median(seconds[ours]) / statistics.median(seconds[bare])
                ratios[f"{name}call_x_process_pool"] = float(f"{ratio:.2g}")
    return ratios


async def _one_by_one(call: Call, calls: int) -> None:
    for _ in range(calls):
        await call()


async def _many_at_a_time(call: Call, calls: int) -> None:
    for _ in range(0, calls, CALLS_AT_A_TIME):
        await asyncio.gather(*(call() for _ in range(CALLS_AT_A_TIME)))


async def recovery_seconds(repeats: int) -> float:
    """Measure how long after the timeout of a hung call the next call has its answer.

    There is one worker, and each hung call begins as soon as the call after the last one is
    answered, so that its timeout is the time in which a new spare starts.

    Args:
        repeats: How many calls hang.

    Returns:
        The median, in seconds from the moment at which the time of the hung call was over.
    """
    seconds = []
    wrapper = AsyncRewardWrapper(obedient_reward_fn, TIMEOUT_SECONDS, 1, on_failure="skip")
    async with wrapper:
        for _ in range(repeats):
            start = time.perf_counter()
            await wrapper("", "hang", [], [])
            await wrapper(*SAMPLE)
            seconds.append(time.perf_counter() - start - TIMEOUT_SECONDS)
    return float(f"{statistics.median(seconds):.2g}")


def measure(calls: int, repeats: int) -> dict[str, float]:
    """Measure everything.

    Args:
        calls: How many calls one timing makes.
        repeats: How often to time each.

    Returns:
        The figures by name.
    """
    ratios = asyncio.run(call_ratios(calls, repeats))
    return ratios | {"recovery_s_after_timeout": asyncio.run(recovery_seconds(repeats))}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runtime", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--calls", type=int, default=640, help="calls of one timing")
    parser.add_argument("--repeats", type=int, default=7, help="timings; the median counts")
    options = parser.parse_args()
    if options.calls < 1 or options.repeats < 1:
        parser.error("--calls and --repeats must be at least 1")
    logging.getLogger("reference_impl.failure").setLevel(logging.ERROR)  # the hung calls are meant
    result = measure(options.calls, options.repeats)
    report(options, "runtime", result)


if __name__ == "__main__":
    main()

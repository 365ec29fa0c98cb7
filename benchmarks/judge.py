"""The judge's client under load, under faults, and for long, against a scripted server.

Run: python -m benchmarks.judge [--json [FILE]] [--save] [--small]

The server plays a script in a process of its own, so that its work is not the client's. It judges
nothing: what is measured is the call, not the verdict. Wall time counts, since a call is mostly
waiting.
"""

import argparse
import asyncio
import itertools
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import judge_injections
from benchmarks._run import add_output_options, report
from reference_impl.contract.error import RewardError
from reference_impl.judge.client import JudgeClient
from reference_impl.judge.config import JudgeConfig
from reference_impl.judge.testing.scripted_server import (
    Answer,
    CutBody,
    Garbage,
    Hang,
    Reset,
    ScriptedServer,
    Status,
    Step,
)

CONCURRENCY = 64
LATENCY_SECONDS = 0.2
VERDICT = Answer('{"reason": "The final answer is the reference answer.", "verdict": "correct"}')
#: How many of a hundred requests fail in each way. Hanging lasts until the client hangs up.
PERCENT_A_FAULT = 10
FAULTS = (Status(500), Status(429), Reset(), Hang(), Garbage(), CutBody())
#: How late a call may return after its deadline on a busy machine, in seconds.
GRACE_SECONDS = 0.5


@dataclass
class Load:
    """How much each part asks.

    Attributes:
        sequential: Calls one at a time.
        concurrent: Calls at the same time.
        repeats: How often the two are timed, in turn. The median of their ratio counts.
        faulty: Calls to the server that fails.
        deadline_seconds: The deadline of those, in seconds.
        warm_up: Calls before memory is measured.
        long: Calls while it is measured.
    """

    sequential: int = 25
    concurrent: int = 1600
    repeats: int = 3
    faulty: int = 1000
    deadline_seconds: float = 5.0
    warm_up: int = 2_000
    long: int = 10_000


SMALL = Load(2, 128, 1, 60, 0.5, 100, 200)


def healthy() -> Callable[[dict], Step]:
    """Return a script that always answers."""
    return lambda request: VERDICT


def faulty() -> Callable[[dict], Step]:
    """Return a script that fails in every way, in an order that is drawn once."""
    deck = [fault for fault in FAULTS for _ in range(PERCENT_A_FAULT)]
    deck += [VERDICT] * (100 - len(deck))
    draw = random.Random(0)
    return lambda request: draw.choice(deck)


class Server:
    """A scripted server in another process."""

    def __init__(self, line: Connection):
        self._line = line
        self.base_url: str = line.recv()

    def most_in_flight(self) -> int:
        """Return how many requests it has had at work at a time, at most."""
        self._line.send("most_in_flight")
        return self._line.recv()


@contextmanager
def served(script: Callable[[], Callable], latency_seconds: float = 0.0) -> Iterator[Server]:
    """Run a server in another process for as long as the block runs.

    Args:
        script: Makes the script, there.
        latency_seconds: The wait before each answer, in seconds.

    Yields:
        The server.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, script, latency_seconds), daemon=True)
    process.start()
    try:
        yield Server(here)
    finally:
        here.close()  # the server ends when nobody is left to ask it
        there.close()
        process.join(10)
        process.kill()


def _serve(line: Connection, script: Callable[[], Callable], latency_seconds: float) -> None:
    with ScriptedServer(script(), latency_seconds) as server:
        line.send(server.base_url)
        try:
            while line.recv():
                line.send(server.most_in_flight)
        except EOFError:
            return


def client_of(server: Server, **settings: object) -> JudgeClient:
    """Return a client of a server."""
    return JudgeClient(
        JudgeConfig(base_url=server.base_url, model="scripted", concurrency=CONCURRENCY, **settings)
    )


async def ask(client: JudgeClient, number: int) -> str:
    """Ask a question of its own, about as long as a completion to be judged."""
    text = f"Question {number}. " + "The train covers 120 km in 2 hours, so its speed is 60. " * 30
    return await client.complete([{"role": "user", "content": text}], key=text)


def throughput(load: Load) -> dict[str, float]:
    """Compare calls at the same time with calls one at a time.

    Args:
        load: How many.

    Returns:
        `concurrency_x_sequential`: calls a second at the same time, over one at a time.
        `max_in_flight_over_limit`: the most requests that the server saw at a time, less the limit.
        `cpu_ms_a_call`: the processor time of this process for a call at the same time.
    """

    async def measure(server: Server) -> tuple[float, float]:
        ratios, cpu_ms = [], []
        # All calls are made at once, and wait for a place: that time is not the server's.
        async with client_of(server, deadline_seconds=600, cache_entries=0) as client:
            await asyncio.gather(*(ask(client, number) for number in range(CONCURRENCY)))
            for _ in range(load.repeats):
                start = time.perf_counter()
                for number in range(load.sequential):
                    await ask(client, number)
                alone = (time.perf_counter() - start) / load.sequential
                start, cpu = time.perf_counter(), time.process_time()
                await asyncio.gather(*(ask(client, number) for number in range(load.concurrent)))
                together = (time.perf_counter() - start) / load.concurrent
                ratios.append(alone / together)
                cpu_ms.append((time.process_time() - cpu) / load.concurrent * 1000)
        return statistics.median(ratios), statistics.median(cpu_ms)

    with served(healthy, LATENCY_SECONDS) as server:
        ratio, cpu_ms = asyncio.run(measure(server))
        over = server.most_in_flight() - CONCURRENCY
    return {
        "concurrency_x_sequential": rounded(ratio),
        "max_in_flight_over_limit": over,
        "cpu_ms_a_call": rounded(cpu_ms),
    }


def faults(load: Load) -> dict[str, float]:
    """Count what becomes of calls to a server that fails in every way.

    Args:
        load: How many, and their deadline.

    Returns:
        `lost`: calls that ended neither with an answer nor as a failure that the client counted
        under the same reason, or that ended too late. `answered` and `failed`: the others.
        `faulty_in_flight_over_limit`: as `max_in_flight_over_limit`.
    """
    reasons: list[str] = []
    answered, late = 0, 0
    numbers = iter(range(load.faulty))

    async def caller(client: JudgeClient) -> None:
        nonlocal answered, late
        for number in numbers:
            start = time.perf_counter()
            try:
                text = await ask(client, number)
                answered += text == VERDICT.text
            except RewardError as error:
                reasons.append(error.reason)
            late += time.perf_counter() - start > load.deadline_seconds + GRACE_SECONDS

    async def measure(server: Server) -> dict[str, int]:
        # The circuit stays closed: calls that it ends are no test of the others.
        settings = {"deadline_seconds": load.deadline_seconds, "breaker_failures": 10**6}
        async with client_of(server, **settings) as client:
            # More callers than places, so that the limit is met.
            callers = [caller(client) for _ in range(2 * CONCURRENCY)]
            ends = await asyncio.gather(*callers, return_exceptions=True)
        for error in filter(None, ends):
            print(f"a caller ended with {error!r}")
        return client.usage.failures

    with served(faulty) as server:
        counted = asyncio.run(measure(server))
        over = server.most_in_flight() - CONCURRENCY
    agreed = sum(min(reasons.count(reason), count) for reason, count in counted.items())
    return {
        "lost": load.faulty - answered - agreed + late,
        "answered": answered,
        "failed": agreed,
        "faulty_in_flight_over_limit": over,
    }


def memory(load: Load) -> dict[str, float]:
    """Measure how the process grows over many calls with distinct texts.

    The cache is smaller than the warm-up, so that it is full, and not what grows.

    Args:
        load: How many.

    Returns:
        `memory_growth_mb`: the growth of the resident set, in megabytes.
    """

    async def measure(server: Server) -> int:
        numbers = itertools.count()

        async def caller(client: JudgeClient, calls: int) -> None:
            for _ in range(calls):
                await ask(client, next(numbers))

        async def run(client: JudgeClient, calls: int) -> None:
            await asyncio.gather(
                *(caller(client, calls // CONCURRENCY + 1) for _ in range(CONCURRENCY))
            )

        async with client_of(server, cache_entries=load.warm_up // 2) as client:
            await run(client, load.warm_up)
            before = resident_bytes()
            await run(client, load.long)
            return resident_bytes() - before

    with served(healthy) as server:
        growth = asyncio.run(measure(server))
    return {"memory_growth_mb": round(growth / 1e6, 2)}


def injections() -> dict[str, int]:
    """Count what the prompt and the parser let through, behind judges that obey.

    Returns:
        `injections`: how many there are. `injections_paid`: how many of them are paid, in English
        or in Chinese, by a judge that copies what it reads or that believes what breaks out.
    """
    found = judge_injections.measure()
    paid = [
        found["paid"][method][level]
        for method in judge_injections.OURS
        for level in ("copying", "credulous")
    ]
    return {"injections": found["injections"], "injections_paid": sum(paid)}


def resident_bytes() -> int:
    """Return the size of this process's resident set, as Linux counts it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def rounded(ratio: float) -> float:
    """Keep three digits: the clock gives no more."""
    return float(f"{ratio:.3g}")


def measure(load: Load) -> dict[str, float]:
    """Measure everything.

    Args:
        load: How much each part asks.

    Returns:
        The figures by name.
    """
    return {**throughput(load), **faults(load), **memory(load), **injections()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    add_output_options(parser)
    parser.add_argument("--small", action="store_true", help="a toy size, to try it out")
    options = parser.parse_args()
    ratios = measure(SMALL if options.small else Load())
    report(options, "judge", ratios)


if __name__ == "__main__":
    main()

"""Gather what waits to be scored into passes, one pass at a time, fairly and without loss."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from reference_impl.critic.error import CriticOverloadedError
from reference_impl.critic.service.wire import Sample

#: What a chat template adds to a completion, roughly, in characters.
_TEMPLATE_CHARACTERS = 64


@dataclass
class _Entry:
    sample: Sample
    prompt: str
    turn: int
    future: asyncio.Future


class Batcher:
    """A queue of samples, and one thread that scores what waits, a pass at a time.

    While a pass is at work, samples gather. The next pass takes all of them, up to a budget of
    text. Requests take turns sample by sample, so that a large one does not hold up a small one
    that comes later. With a sample go those that have the same prompt, whoever sent them.

    All methods belong to one event loop.

    Args:
        score: Scores one pass, in the thread. It returns a score or an error for every sample.
        max_characters: The text of one pass, in characters. A prompt counts once.
        max_waiting: How many samples may wait.
        window_seconds: How long the first sample waits for company if nothing is at work.

    Example:
        >>> async def lengths():
        ...     batcher = Batcher(lambda samples: [len(sample.completion) for sample in samples])
        ...     return await batcher.submit([Sample("2 + 2?", "4"), Sample("2 + 2?", "four")], 5)
        >>> asyncio.run(lengths())
        [1, 4]

    Explained in :ref:`critic-service`.
    """

    def __init__(
        self,
        score: Callable[[list[Sample]], list[float | Exception]],
        max_characters: int = 65_536,
        max_waiting: int = 4096,
        window_seconds: float = 0.002,
    ):
        self.max_characters = max_characters
        self.max_waiting = max_waiting
        self.window_seconds = window_seconds
        self._score = score
        self._thread = ThreadPoolExecutor(1, "critic")
        self._waiting: dict[int, _Entry] = {}
        self._numbers = itertools.count()
        self._turn = 0
        self._drain: asyncio.Task | None = None
        self._passes = 0
        self._scored = 0
        self._largest = 0
        self._abandoned = 0
        self._refused = 0

    async def submit(
        self, samples: Sequence[Sample], timeout_seconds: float
    ) -> list[float | Exception]:
        """Have samples scored. Cancelling this frees the places of those that still wait.

        Args:
            samples: The samples of one request.
            timeout_seconds: How long to wait, in seconds.

        Returns:
            A score, or what went wrong, for every sample.

        Raises:
            CriticOverloadedError: If there is no place for all of them.
            TimeoutError: If a score is missing when the time is over.
        """
        if len(self._waiting) + len(samples) > self.max_waiting:
            self._refused += len(samples)
            raise CriticOverloadedError(
                f"{len(self._waiting)} samples wait for the critic, and {self.max_waiting} may. "
                "Try again later, or send fewer at a time."
            )
        loop = asyncio.get_running_loop()
        entries = {
            next(self._numbers): _Entry(
                sample,
                sample.prompt if isinstance(sample.prompt, str) else repr(sample.prompt),
                # The first sample of a request is due now, its second one turn later.
                self._turn + index,
                loop.create_future(),
            )
            for index, sample in enumerate(samples)
        }
        self._waiting |= entries
        if self._drain is None:
            self._drain = loop.create_task(self._score_what_waits())
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.gather(*(entry.future for entry in entries.values()))
        finally:
            for number in entries.keys() & self._waiting.keys():
                del self._waiting[number]
                self._abandoned += 1

    def stats(self) -> dict[str, Any]:
        """Say what has been done so far, and how much waits."""
        return {
            "waiting": len(self._waiting),
            "scored": self._scored,
            "passes": self._passes,
            "samples_a_pass": round(self._scored / self._passes, 2) if self._passes else 0.0,
            "largest_pass": self._largest,
            "abandoned": self._abandoned,
            "refused": self._refused,
        }

    async def _score_what_waits(self) -> None:
        await asyncio.sleep(self.window_seconds)
        loop = asyncio.get_running_loop()
        while self._waiting:
            entries = self._take()
            try:
                results = await loop.run_in_executor(
                    self._thread, self._score, [entry.sample for entry in entries]
                )
                answered = list(zip(entries, results, strict=True))
            except Exception as error:  # whatever the model raises belongs to its callers
                answered = [(entry, error) for entry in entries]
            for entry, result in answered:
                if not entry.future.done():  # its caller may have gone
                    entry.future.set_result(result)
        self._drain = None

    def _take(self) -> list[_Entry]:
        """Take a pass out of the queue: whose turn it is, and what has the same prompt."""
        groups: dict[str, list[int]] = defaultdict(list)
        for number in sorted(self._waiting, key=lambda number: self._waiting[number].turn):
            groups[self._waiting[number].prompt].append(number)
        taken: list[int] = []
        room = self.max_characters
        for prompt, numbers in groups.items():
            room -= len(prompt)
            for number in numbers:
                room -= len(self._waiting[number].sample.completion) + _TEMPLATE_CHARACTERS
                if taken and room < 0:
                    break
                taken.append(number)
            if room < 0:
                break
        # It moves on with every pass, so that nothing is overtaken without end.
        self._turn = max(self._turn + 1, self._waiting[taken[0]].turn)
        self._passes += 1
        self._scored += len(taken)
        self._largest = max(self._largest, len(taken))
        return [self._waiting.pop(number) for number in taken]

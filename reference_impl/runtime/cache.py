"""Pay for a sample once: a bounded cache around a reward function that is worth one.

The cache keeps a digest and a score for each sample, never a text, so its size is known
beforehand. What the caller does not name as read is not passed on. So the score can depend
on nothing that the digest leaves out.
"""

import functools
import hashlib
import os
import struct
import threading
import weakref
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from reference_impl.contract.error import InvalidSampleError
from reference_impl.contract.failure import GuardedReward
from reference_impl.contract.reward_fn import FIELDS, RewardFn, check_callable, check_reward

# A data set's columns are a few levels deep. Deeper ones could exhaust the stack.
MAX_DEPTH = 20


@dataclass(frozen=True)
class CacheCounts:
    """How a cache answered the calls of this process.

    Attributes:
        hits: Calls that were answered without the reward function, or by waiting for
            another thread that was scoring the same sample.
        misses: Calls that went to the reward function, failed ones included.
        bypassed: Calls that went to the reward function because a value has no digest.
        entries: Scores that the cache holds now.

    Example:
        >>> CacheCounts(hits=3, misses=1, bypassed=0, entries=1).hit_rate
        0.75

    Explained in :ref:`caching-recipe`.
    """

    hits: int
    misses: int
    bypassed: int
    entries: int

    @property
    def hit_rate(self) -> float:
        """The share of calls that did not reach the reward function; 0.0 if there were none."""
        calls = self.hits + self.misses + self.bypassed
        return self.hits / calls if calls else 0.0


class CachedReward:
    """A reward function that scores each sample once, and remembers the latest scores.

    A sample is remembered under the BLAKE2b digest of what `reads` names. Two samples have
    the same digest only if every value is equal in type and content: 1, 1.0, True and "1"
    are four values. Plain values have a digest: None, bool, int, float, str, bytes, and
    lists, tuples and dicts of them. A call with any other value, such as an image, goes
    straight to the reward function and is counted as bypassed.

    A failure is never remembered. Threads that ask for the same sample at the same time
    wait for the first of them and get its score, or its error.

    Do not cache a reward that may answer differently the next time, such as a judge with a
    temperature above 0: the cache would turn one draw into the truth.

    Each process has a cache of its own. The object pickles as long as the reward function
    does; a copy, and the child of a fork, start empty.

    Args:
        reward_fn: The reward function. Guard the cache, not the function in it:
            `GuardedReward(CachedReward(reward_fn), ...)`.
        max_entries: How many scores to keep, about 200 bytes each. The one that was not
            asked for the longest goes first.
        reads: The names of what the reward function reads, out of `prompt`,
            `completions`, `prompt_ids`, `completion_ids` and the columns. Nothing else
            reaches it: another column is left out, another field is None. None means
            that it reads everything.

    Attributes:
        reward_fn: The reward function.
        max_entries: As given.
        reads: The names as a tuple, or None.

    Raises:
        ValueError: If `max_entries` is less than 1, or `reads` names nothing.
        TypeError: If `reward_fn` cannot be called or is guarded, `max_entries` is not an
            int, or `reads` is not a sequence of names.

    Example:
        >>> def slow_reward_fn(prompt, completions, prompt_ids, completion_ids, answer, **columns):
        ...     print("scoring", completions)
        ...     return float(completions == answer)
        >>> cached = CachedReward(slow_reward_fn, reads=("completions", "answer"))
        >>> [cached("2 + 2?", text, [], [], answer="4") for text in ["4", "5", "4"]]
        scoring 4
        scoring 5
        [1.0, 0.0, 1.0]
        >>> cached.counts
        CacheCounts(hits=1, misses=2, bypassed=0, entries=2)

    Explained in :ref:`caching-recipe`.
    """

    def __init__(
        self,
        reward_fn: RewardFn,
        *,
        max_entries: int = 100_000,
        reads: Sequence[str] | None = None,
    ):
        check_callable(reward_fn, "`reward_fn`")
        if isinstance(reward_fn, GuardedReward):
            raise TypeError(
                "`reward_fn` is guarded, so that its failures look like scores and would be "
                "remembered. Guard the cache instead: GuardedReward(CachedReward(...), ...)."
            )
        if not isinstance(max_entries, int) or isinstance(max_entries, bool):
            raise TypeError(f"`max_entries` is {max_entries!r}: give an int.")
        if max_entries < 1:
            raise ValueError(f"`max_entries` is {max_entries}: a cache keeps at least 1 score.")
        self.reward_fn = reward_fn
        self.max_entries = max_entries
        self.reads = None if reads is None else _check_reads(reads)
        # Trainers log a reward under its `__name__` and read its columns from its signature.
        self.__name__ = type(reward_fn).__name__
        functools.update_wrapper(self, reward_fn, assigned=("__name__", "__doc__"), updated=())
        self._start_empty()
        _living_caches.add(self)

    def _start_empty(self) -> None:
        self._lock = threading.Lock()
        self._scores: OrderedDict[bytes, float] = OrderedDict()
        self._running: dict[bytes, _Scoring] = {}
        self._hits = self._misses = self._bypassed = 0

    @property
    def counts(self) -> CacheCounts:
        """The `CacheCounts` of this process so far."""
        with self._lock:
            return CacheCounts(self._hits, self._misses, self._bypassed, len(self._scores))

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        **columns: Any,
    ) -> float:
        """Return the score of one sample, from the cache if it is there.

        Args:
            prompt: The prompt as text.
            completions: The one completion to score, as text.
            prompt_ids: The tokens of the prompt, shape (prompt_tokens,).
            completion_ids: The tokens of the completion, shape (completion_tokens,).
            **columns: The other columns of the data set's row, by name.

        Returns:
            The reward.

        Raises:
            InvalidSampleError: If `reads` names a column that the row lacks.
            InvalidRewardError: If the reward function returned no finite number.
            Exception: The reward function's own error.
        """
        fields = dict(zip(FIELDS, (prompt, completions, prompt_ids, completion_ids), strict=True))
        if self.reads is not None:
            fields, columns = self._keep_what_is_read(fields, columns)
        # The order of the columns means nothing, so the reward sees none either.
        columns = dict(sorted(columns.items()))

        def score() -> float:
            return check_reward(self.reward_fn(*fields.values(), **columns))

        try:
            key = digest([*fields.values(), columns])
        except NoDigestError:
            with self._lock:
                self._bypassed += 1
            return score()
        while True:
            with self._lock:
                if key in self._scores:
                    self._hits += 1
                    self._scores.move_to_end(key)
                    return self._scores[key]
                scoring = self._running.get(key)
                if scoring is None:
                    self._misses += 1
                    mine = self._running[key] = _Scoring()
                    break
            scoring.done.wait()
            if scoring.error is not None or scoring.score is not None:
                with self._lock:
                    self._hits += 1
                if scoring.error is not None:
                    raise scoring.error
                return scoring.score
            # Neither: the thread that was scoring was told to stop. Try again, perhaps here.
        return self._score_for_all(key, mine, score)

    def _keep_what_is_read(
        self, fields: dict[str, Any], columns: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        wanted = [name for name in self.reads if name not in FIELDS]
        missing = [f"`{name}`" for name in wanted if name not in columns]
        if missing:
            raise InvalidSampleError(
                f"`reads` names {', '.join(missing)}, and the row has no such column: correct "
                "the name, or add the column."
            )
        fields = {name: value if name in self.reads else None for name, value in fields.items()}
        return fields, {name: columns[name] for name in wanted}

    def _score_for_all(self, key: bytes, scoring: "_Scoring", score: Callable[[], float]) -> float:
        """Score the sample, remember the score, and wake the threads that wait for it."""
        try:
            scoring.score = score()
        except Exception as error:
            scoring.error = error
            raise
        finally:
            with self._lock:
                # In the child of a fork made by the reward itself, the cache started anew.
                self._running.pop(key, None)
                if scoring.score is not None:
                    self._scores[key] = scoring.score
                    if len(self._scores) > self.max_entries:
                        self._scores.popitem(last=False)
            scoring.done.set()
        return scoring.score

    def __getstate__(self) -> dict[str, Any]:
        # The scores, and the lock over them, stay in this process.
        return {
            "reward_fn": self.reward_fn,
            "max_entries": self.max_entries,
            "reads": self.reads,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)

    def __repr__(self) -> str:
        return f"CachedReward({self.__name__}, max_entries={self.max_entries}, reads={self.reads})"


class _Scoring:
    """One call of the reward function, for all threads that asked for the same sample."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.score: float | None = None
        self.error: Exception | None = None


_living_caches: weakref.WeakSet[CachedReward] = weakref.WeakSet()


def _start_empty_after_fork() -> None:
    # Another thread may have held the lock, or have been scoring, at the moment of the fork.
    # In the child nobody is left to finish, so the child starts with a new lock and no entries.
    for cache in _living_caches:
        cache._start_empty()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_start_empty_after_fork)


class NoDigestError(TypeError):
    """A value is not plain data, so that its content cannot be told from its type.

    Explained in :ref:`caching-key`.
    """


def digest(value: Any) -> bytes:
    """Return a digest that two plain values share only if they are equal in type and content.

    Every value is written as a letter for its type, its length, and its content. So no
    text can imitate a list, and no two neighbours can exchange characters.

    Args:
        value: None, a bool, int, float, str or bytes, or a list, tuple or dict of them,
            nested up to 20 levels. Subclasses are refused: they may hold more than they show.

    Returns:
        The BLAKE2b digest, 32 bytes.

    Raises:
        NoDigestError: If the value, or one in it, is of another type, or nested too deeply.

    Example:
        >>> digest(["ab", "c"]) == digest(["ab", "c"])
        True
        >>> digest(["ab", "c"]) == digest(["a", "bc"])
        False
        >>> digest(1) == digest(1.0)
        False

    Explained in :ref:`caching-key`.
    """
    parts: list[bytes] = []
    _write(value, parts, 0)
    return hashlib.blake2b(b"".join(parts), digest_size=32).digest()


def _write(value: Any, parts: list[bytes], depth: int) -> None:
    """Append the encoding of a value: a letter, a length, the content."""
    kind = type(value)
    if kind in (list, tuple, dict):
        if depth == MAX_DEPTH:
            raise NoDigestError(f"the value is nested more than {MAX_DEPTH} levels deep")
        packed = _packed_ids(value) if kind is list else None
        if packed is not None:
            parts += (b"q%d:" % len(value), packed)
            return
        parts.append(b"%c%d:" % (_LETTERS[kind], len(value)))
        # A reward can see the order of a dict, so two orders are two values.
        items = chain.from_iterable(value.items()) if kind is dict else value
        for item in items:
            _write(item, parts, depth + 1)
        return
    if kind is str:
        content = value.encode("utf-8", "surrogatepass")
    elif kind is bytes:
        content = value
    elif kind is bool or value is None:
        content = b"1" if value else b"0"
    elif kind is int:
        content = value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)
    elif kind is float:
        content = struct.pack(">d", value)
    else:
        raise NoDigestError(f"a {kind.__name__} has no digest")
    parts += (b"%c%d:" % (_LETTERS[kind], len(content)), content)


_LETTERS = {
    type(None): ord("n"),
    bool: ord("b"),
    int: ord("i"),
    float: ord("f"),
    str: ord("s"),
    bytes: ord("y"),
    list: ord("l"),
    tuple: ord("t"),
    dict: ord("d"),
}


def _packed_ids(values: list[Any]) -> bytes | None:
    """Write a list of int in one go, since token ids are long; None if it is another list."""
    if not values or set(map(type, values)) != {int}:
        return None
    try:
        return array("q", values).tobytes()
    except OverflowError:
        return None


def _check_reads(reads: Sequence[str]) -> tuple[str, ...]:
    names = tuple(reads)
    if isinstance(reads, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"`reads` is {reads!r}: give a tuple of names, such as ('completions',).")
    if not names:
        raise ValueError("`reads` names nothing: every sample would get the first one's score.")
    return names

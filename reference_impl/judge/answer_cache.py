"""Answers to questions that were asked before, the least recently used ones forgotten first."""

import threading
from collections import OrderedDict


class AnswerCache:
    """Keeps the judge's answers by question. Threads may share it.

    Args:
        entries: How many answers are kept at most. 0 keeps none.

    Example:
        >>> cache = AnswerCache(entries=1)
        >>> cache.put("question", "answer")
        >>> cache.put("another", "its answer")
        >>> cache.get("question"), cache.get("another"), len(cache)
        (None, 'its answer', 1)

    Explained in :ref:`judge-call`.
    """

    def __init__(self, entries: int):
        self._entries = entries
        self._answers: OrderedDict[str, str | float] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, question: str) -> str | float | None:
        """Look an answer up.

        Args:
            question: What identifies the question.

        Returns:
            The answer. None if there is none.
        """
        with self._lock:
            if question not in self._answers:
                return None
            self._answers.move_to_end(question)
            return self._answers[question]

    def put(self, question: str, answer: str | float) -> None:
        """Keep an answer.

        Args:
            question: What identifies the question.
            answer: The text, or the probability.
        """
        with self._lock:
            self._answers[question] = answer
            self._answers.move_to_end(question)
            while len(self._answers) > self._entries:
                self._answers.popitem(last=False)

    def __len__(self) -> int:
        return len(self._answers)

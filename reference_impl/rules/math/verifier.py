r"""`MathVerifier`: pay a completion whose final answer is mathematically the gold answer."""

import logging
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from reference_impl.contract.error import InvalidGoldError
from reference_impl.contract.failure import FailureCounts
from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.answer import gold_answer
from reference_impl.rules.math.bounds import why_too_large
from reference_impl.rules.math.final_answer import DEFAULT_MATH_FORMS, final_answer
from reference_impl.rules.math.plain import read_plain, settle_plainly
from reference_impl.rules.math.statements import FORMS
from reference_impl.rules.math.worker import SymbolicWorker, UnsettledError

_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)

logger = logging.getLogger("reference_impl.failure")


@dataclass(frozen=True)
class Verdict:
    """What a verifier decided about a completion, and why.

    Attributes:
        correct: Whether the final answer is the gold answer.
        answer: The final answer as it is written, or "" if the completion commits to none.
        reason: What settled it, in words.

    Example:
        >>> MathVerifier().judge(r"\\boxed{0.5}", gold=r"\\frac{1}{2}")
        Verdict(correct=True, answer='0.5', reason='equal numbers')

    Explained in :ref:`math-verification`.
    """

    correct: bool
    answer: str
    reason: str


@dataclass(frozen=True)
class MathVerifier:
    r"""Pay 1.0 if the final answer of a completion is mathematically the gold answer, else 0.0.

    Which answer a completion commits to is the rule of `final_answer`. Two answers are compared in
    three steps: as plain numbers and by their writing; against limits of size; by algebra, with
    Math-Verify, in a process that ends at its deadline. A completion whose answer cannot be settled
    within the limits and the deadline earns 0.0, and is counted: it was the completion that made
    it so. A process that cannot be started raises. A gold that is no mathematics (a ratio, a time
    of day, a sentence) is matched as text, and logged once.

    Threads may share a verifier, and it pickles: a copy starts its own process and counts from 0.

    Args:
        seconds: The deadline of the algebra for one comparison, in seconds.
        ignore_percent: Whether 10% is the same as 10. By default it is 0.1.
        forms: The forms of a final answer that count; see `final_answer`.

    Attributes:
        counts: The `FailureCounts` of this process: how many answers could not be settled, and why.

    Raises:
        ValueError: If the deadline is not positive, or a form is unknown.

    Source:
        The algebra: Math-Verify, https://github.com/huggingface/Math-Verify.

    Example:
        >>> verifier = MathVerifier()
        >>> verifier("Solve 2x = 1.", r"So $x = \boxed{0.5}$.", [], [], answer=r"\frac{1}{2}")
        1.0
        >>> verifier.verify(gold="6t - 5", prediction="5")
        False

    Explained in :ref:`math-verification`.
    """

    seconds: float = 2.0
    ignore_percent: bool = False
    forms: Collection[str] = DEFAULT_MATH_FORMS
    counts: FailureCounts = field(default_factory=FailureCounts, init=False, compare=False)

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"`seconds` must be above 0; got {self.seconds!r}")
        unknown = [form for form in self.forms if form not in FORMS]
        if unknown or isinstance(self.forms, str):
            raise ValueError(
                f"`forms` must hold names out of {', '.join(FORMS)}; got {self.forms!r}"
            )
        object.__setattr__(self, "forms", tuple(self.forms))

    def __call__(
        self,
        prompt: str,
        completions: str,
        prompt_ids: list[int],
        completion_ids: list[int],
        answer: str | int | float,
        **columns: Any,
    ) -> float:
        """Score one completion; see `gsm8k_reward_fn`."""
        prompt = prompt if isinstance(prompt, str) else ""
        return float(self.judge(completions, gold=answer, prompt=prompt).correct)

    def judge(self, completion: str, *, gold: str | int | float, prompt: str = "") -> Verdict:
        """Decide about one completion, and say why.

        Args:
            completion: The completion, as text.
            gold: The gold answer, as the data set holds it.
            prompt: The prompt; an answer that is repeated from it does not count.

        Returns:
            The verdict.

        Raises:
            InvalidSampleError: If the completion is not a str.
            InvalidGoldError: If the gold answer is missing or cannot be read.
            WorkerUnavailableError: If the algebra's process cannot be started.
        """
        text = check_text("completions", completion)
        gold_written = _gold(gold)
        final = final_answer(text, prompt=prompt, forms=self.forms)
        if not final.texts:
            return Verdict(False, "", final.reason)
        answer = " | ".join(final.texts)
        self.counts.add_call()
        reason = ""
        for stated in final.texts:
            correct, reason = self._settle(gold_written, stated)
            if not correct:
                break
        else:
            return Verdict(True, answer, reason)
        if len(final.texts) > 1:
            # Boxes that differ may be the parts of one answer: "x = \boxed{1}, y = \boxed{2}".
            correct, joined_reason = self._settle(gold_written, ", ".join(final.texts))
            if correct:
                return Verdict(True, answer, joined_reason)
            reason = f"several answers; {reason}"
        return Verdict(False, answer, reason)

    def verify(self, *, gold: str | int | float, prediction: str) -> bool:
        r"""Tell whether two bare answers are mathematically the same.

        Args:
            gold: The gold answer.
            prediction: A bare answer, not a completion.

        Returns:
            Whether they are the same. False if that cannot be settled; it is then counted.

        Raises:
            InvalidGoldError: If the gold answer is missing or cannot be read.
            WorkerUnavailableError: If the algebra's process cannot be started.

        Example:
            >>> MathVerifier().verify(gold=r"\frac{\sqrt{2}}{2}", prediction=r"\frac{1}{\sqrt{2}}")
            True
        """
        self.counts.add_call()
        return self._settle(_gold(gold), check_text("prediction", prediction))[0]

    def warm_up(self) -> None:
        """Start the algebra's process, which takes about a second, before the first call does."""
        _worker(self.seconds).warm_up()

    def _settle(self, gold_written: str, stated: str) -> tuple[bool, str]:
        gold, prediction = read_plain(gold_written), read_plain(stated)
        if not prediction.key:
            return False, "nothing visible"
        settled = settle_plainly(
            gold=gold, prediction=prediction, ignore_percent=self.ignore_percent
        )
        if settled is not None:
            numbers = gold.quantity is not None and prediction.quantity is not None
            how = f"{'equal' if settled else 'different'} numbers" if numbers else "written alike"
            return settled, how
        too_large = why_too_large(prediction.text)
        if too_large:
            self._count("math_too_large", too_large)
            return False, f"too large: {too_large}"
        if gold.quantity is None and not _reads(gold.text, self.seconds):
            # A ratio, a time, a sentence: it can only be matched as text.
            alike = gold.key.casefold() == prediction.key.casefold()
            return alike, "written alike" if alike else "different as text"
        try:
            correct = _worker(self.seconds).equal(
                gold=gold.text, prediction=prediction.text, ignore_percent=self.ignore_percent
            )
        except UnsettledError as error:
            self._count(error.reason, str(error))
            return False, f"not settled: {error.reason}"
        return correct, "equal by algebra" if correct else "different by algebra"

    def _count(self, reason: str, message: str) -> None:
        self.counts.add_failure(reason)
        logger.warning("an answer could not be settled (%s): %s", reason, message)

    def __reduce__(self):
        return (type(self), (self.seconds, self.ignore_percent, self.forms))


@lru_cache(maxsize=8)
def _worker(seconds: float) -> SymbolicWorker:
    """The process of this deadline; verifiers with the same deadline share it."""
    return SymbolicWorker(seconds)


def _gold(gold: str | int | float) -> str:
    return _gold_text(gold) if isinstance(gold, str) else gold_answer(gold)


@lru_cache(maxsize=8_192)
def _gold_text(gold: str) -> str:
    written = gold_answer(gold)
    if not read_plain(written).key:
        raise InvalidGoldError(
            f"the gold answer {written[:80]!r} holds nothing visible. Mend the row, or drop it "
            "from the data set."
        )
    return written


@lru_cache(maxsize=8_192)
def _reads(gold: str, seconds: float) -> bool:
    """Whether a gold reads as mathematics. One that nobody could match raises."""
    problem = why_too_large(gold)
    if not problem and not _is_balanced(gold):
        problem = "its braces are not balanced"
    if not problem:
        try:
            reads = _worker(seconds).reads(gold)
        except UnsettledError as error:
            problem = str(error)
    if problem:
        raise InvalidGoldError(
            f"the gold answer {gold[:80]!r} cannot be verified against: {problem}. Mend the row, "
            "or drop it from the data set."
        )
    if not reads:
        logger.warning("the gold answer %r is no mathematics and is matched as text", gold[:80])
    return reads


def _is_balanced(text: str) -> bool:
    depth = 0
    for brace in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth < 0:
            break
    return depth == 0

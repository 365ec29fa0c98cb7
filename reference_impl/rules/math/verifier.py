r"""`MathVerifier`: pay a completion whose final answer is mathematically the gold answer."""

import logging
import re
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from reference_impl.contract.error import InvalidGoldError
from reference_impl.contract.failure import FailureCounts
from reference_impl.contract.reward_fn import check_text
from reference_impl.rules.answer import gold_answer
from reference_impl.rules.math.bounds import MAX_CHARACTERS, why_too_large
from reference_impl.rules.math.final_answer import DEFAULT_MATH_FORMS, final_answer
from reference_impl.rules.math.plain import PlainAnswer, read_plain, settle_plainly
from reference_impl.rules.math.statements import FORMS
from reference_impl.rules.math.worker import SymbolicWorker, UnsettledError

# A longer statement is not even normalized: what is read is also remembered.
MAX_STATED = 2 * MAX_CHARACTERS
# What is left for algebra when the deadline of a completion is nearly over.
LEAST_SECONDS = 0.05

# "What percent ...?" asks for 25, and 25% says the same.
_PERCENT_WANTED = re.compile(
    r"(?i:what(?: is the)? percent|how many percent|by what percent|in percent|as a percent|"
    r"the percent (?:of|increase|decrease|that|by)|percentage)|百分之[几多]|百分比|百分率|百分数"
)
_OPERATION = re.compile(r"[-+*/^\\=<>!]")
_SPACES = re.compile(r"\s+")
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

    One completion has the deadline to itself, however many answers it states. Threads that share a
    verifier take turns at the algebra, and wait for one another.

    Args:
        seconds: The deadline of the algebra for one completion, in seconds.
        ignore_percent: Whether 10% is the same as 10. By default it is only where the prompt asks
            for a percentage; elsewhere it is 0.1.
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
            prompt: The prompt. What is repeated from it does not count, neither a sentence nor,
                unless the gold is written so, the expression that was to be computed.

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
        self.counts.add_call()
        comparison = _Comparison(self, gold_written, prompt)
        answer = " | ".join(final.texts)
        for stated in final.texts:
            if not comparison.settles(stated):
                break
        else:
            return Verdict(True, answer, comparison.reason)
        if len(final.texts) == 1 or not comparison.is_settled:
            return Verdict(False, answer, comparison.reason)
        reason = comparison.reason
        # Boxes that differ may be the parts of one answer: "x = \boxed{1}, y = \boxed{2}".
        if comparison.settles(", ".join(final.texts)):
            return Verdict(True, answer, comparison.reason)
        return Verdict(False, answer, f"several answers; {reason}")

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
        return _Comparison(self, _gold(gold)).settles(check_text("prediction", prediction))

    def warm_up(self) -> None:
        """Start the algebra's process, which takes about a second, before the first call does."""
        _worker(self.seconds).warm_up()

    def __reduce__(self):
        return (type(self), (self.seconds, self.ignore_percent, self.forms))


class _Comparison:
    """The comparisons of one completion with one gold, under one deadline.

    Attributes:
        reason: What settled the last one, in words.
        is_settled: Whether the last one was settled at all.
    """

    def __init__(self, verifier: MathVerifier, gold: str, prompt: str = ""):
        self._verifier = verifier
        self._gold = read_plain(gold)
        self._prompt = prompt
        self._ignore_percent = verifier.ignore_percent or _wants_percent(prompt)
        self._deadline: float | None = None  # runs from the first use of algebra
        self.reason = ""
        self.is_settled = True

    def settles(self, stated: str) -> bool:
        """Tell whether a stated answer is the gold answer."""
        if len(stated) > MAX_STATED:
            return self._unsettled("math_too_large", f"longer than {MAX_STATED:,} characters")
        prediction = read_plain(stated)
        if not prediction.key:
            self.reason = "nothing visible"
            return False
        settled = settle_plainly(
            gold=self._gold, prediction=prediction, ignore_percent=self._ignore_percent
        )
        if settled is not None:
            both = self._gold.quantity is not None and prediction.quantity is not None
            how = f"{'equal' if settled else 'different'} numbers"
            self.reason = how if both else "written alike" if settled else "different as text"
            return settled
        too_large = why_too_large(prediction.text)
        if too_large:
            return self._unsettled("math_too_large", too_large)
        return self._settles_by_algebra(prediction)

    def _settles_by_algebra(self, prediction: PlainAnswer) -> bool:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._verifier.seconds
        seconds = self._verifier.seconds
        gold = self._gold
        if gold.quantity is None and not _reads(gold.text, seconds):
            # A ratio, a time, a sentence: it can only be matched as text.
            alike = gold.key.casefold() == prediction.key.casefold()
            self.reason = "written alike" if alike else "different as text"
            return alike
        left = self._deadline - time.monotonic()
        try:
            correct = _worker(seconds).equal(
                gold=gold.text,
                prediction=prediction.text,
                ignore_percent=self._ignore_percent,
                seconds=max(left, LEAST_SECONDS),
            )
        except UnsettledError as error:
            return self._unsettled(error.reason, str(error))
        if correct and self._is_from_prompt(prediction):
            self.reason = "copied from the prompt"
            return False
        self.reason = "equal by algebra" if correct else "different by algebra"
        return correct

    def _is_from_prompt(self, prediction: PlainAnswer) -> bool:
        """Whether the prompt holds this very expression: then nothing was computed."""
        to_compute = _OPERATION.search(prediction.key)
        return to_compute is not None and prediction.key in _SPACES.sub("", self._prompt)

    def _unsettled(self, reason: str, message: str) -> bool:
        self.is_settled = False
        too_large = reason == "math_too_large"
        self.reason = f"too large: {message}" if too_large else f"not settled: {reason}"
        self._verifier.counts.add_failure(reason)
        logger.warning("an answer could not be settled (%s): %s", reason, message)
        return False


def _wants_percent(prompt: str) -> bool:
    # Most prompts hold neither word, and need no look at the pattern.
    return ("ercent" in prompt or "百分" in prompt) and bool(_PERCENT_WANTED.search(prompt))


@lru_cache(maxsize=8)
def _worker(seconds: float) -> SymbolicWorker:
    """The process of this deadline; verifiers with the same deadline share it."""
    return SymbolicWorker(seconds)


def _gold(gold: str | int | float) -> str:
    return _gold_text(gold) if isinstance(gold, str) else gold_answer(gold)


@lru_cache(maxsize=8_192)
def _gold_text(gold: str) -> str:
    bare = gold.rpartition("####")[2].strip()
    if bare.isascii() and bare.isdigit() and "boxed" not in gold and "think>" not in gold:
        return bare  # what `gold_answer` finds in a field of GSM8K
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
    if len(gold) > MAX_CHARACTERS or not _is_balanced(gold):
        problem = "it is too long" if len(gold) > MAX_CHARACTERS else "its braces are not balanced"
        raise InvalidGoldError(
            f"the gold answer {gold[:80]!r} cannot be verified against: {problem}. Mend the row, "
            "or drop it from the data set."
        )
    try:
        reads = not why_too_large(gold) and _worker(seconds).reads(gold)
    except UnsettledError:
        reads = False
    if not reads:
        logger.warning(
            "the gold answer %r cannot be computed with and is matched as text", gold[:80]
        )
    return reads


def _is_balanced(text: str) -> bool:
    depth = 0
    for brace in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(brace.group(), 0)
        if depth < 0:
            break
    return depth == 0

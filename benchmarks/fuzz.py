r"""Differential fuzz: the verdicts of `MathVerifier` against those of Math-Verify.

Run: python -m benchmarks.fuzz [--pairs N] [--seed N]

Each case is a gold answer and a completion in a form that both read. The two must agree, except
for the corrections in `CORRECTIONS`: each is a property of the input, with the reason why this
guide decides otherwise. A difference that no correction covers, or where ours is not the verdict
that the case was made for, is undocumented, and a fault.
"""

import argparse
import logging
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random
from typing import NamedTuple

from benchmarks._math_pairs import KINDS, make_pairs

PAIRS = 10_000
PROCESSES = 2
CASES_A_TASK = 250
# A deadline is no verdict: a loaded machine must not look like a difference.
SECONDS = 20.0

_SHOWN = 20


class Case(NamedTuple):
    """One gold answer and one completion.

    Attributes:
        gold: The gold answer, bare LaTeX.
        written: The answer as the completion writes it.
        kind: The kind of the answer.
        form: How the completion states it, a key of `_FORMS`.
        completion: The completion.
        right: Whether the completion is right, by how it was made.
    """

    gold: str
    written: str
    kind: str
    form: str
    completion: str
    right: bool


class Outcome(NamedTuple):
    """What the two decided about a case; a text in place of a verdict is an exception."""

    case: Case
    ours: bool | str
    theirs: bool | str


class Correction(NamedTuple):
    """A property of the input for which this guide decides otherwise, and why."""

    why: str
    covers: Callable[[Case], bool]


_FORMS = {
    "boxed": r"{working} So the answer is $\boxed{{{answer}}}$.",
    "display": "{working} Hence\n\\[\\boxed{{{answer}}}\\]",
    "phrase": "{working} The answer is ${answer}$.",
    "final": "{working}\nFinal Answer: The final answer is ${answer}$. I hope it is correct.",
    "formula": "{working} So we get ${answer}$.",
    "hash": "{working}\n#### {answer}",
    "two boxes": r"{working} That is $\boxed{{{answer}}}$. In short: $\boxed{{{again}}}$.",
}
_WORKING = (
    "First we add: ${a} + {b} = {total}$.",
    "Let $n = {a}$; then ${b}n$ is what we look for.",
    "There are {a} of them, and {b} more.",
    r"By the formula, $\frac{{{a}}}{{{b}}}$ is a step on the way.",
    "",
)
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")


def make_case(seed: int, index: int) -> Case:
    """Make one case. The kinds take turns, so that any hundred cases hold every one of them.

    Args:
        seed: The same seed and index make the same case.
        index: The number of the case.

    Returns:
        The case.
    """
    rng = Random(f"{seed} {index}")
    kind = list(KINDS)[index % len(KINDS)]
    pair, other = make_pairs(rng, kind, 2)
    forms = [form for form in _FORMS if form != "hash" or _PLAIN_NUMBER.fullmatch(pair.written)]
    form = rng.choice(forms)
    a, b = rng.randint(2, 40), rng.randint(2, 40)
    working = rng.choice(_WORKING).format(a=a, b=b, total=a + b)
    completion = _FORMS[form].format(working=working, answer=pair.written, again=other.written)
    right = pair.equal and (form != "two boxes" or other.equal)
    return Case(pair.gold, pair.written, kind, form, completion.strip(), right)


# -- where this guide decides otherwise, on purpose

_CONTENT = re.compile(r"\\(?:text|mathrm)\{([^{}]*)\}")
_UNIT_THEN_SPACE = re.compile(r"\\(?:text|mathrm)\{[^{}]*\}(?:\^2)?\s+[$}]|\s\^ \\circ")
_THIN_SPACE_IN_NUMBER = re.compile(r"[0-9]\\,[0-9]{3}")
_UNIT_LETTER_LAST = re.compile(r"[0-9]\s?[tmgsh]\s*[$}]")


def _one_has_percent(case: Case) -> bool:
    return ("%" in case.gold) != ("%" in case.completion)


def _boxes_disagree(case: Case) -> bool:
    return case.form == "two boxes" and not case.right


def _contradicts_itself(case: Case) -> bool:
    return case.kind == "chain" and not case.right


def _is_tiny(case: Case) -> bool:
    return case.kind == "tiny decimal"


def _units_differ(case: Case) -> bool:
    units = [set(_CONTENT.findall(text)) for text in (case.gold, case.completion)]
    return case.kind == "unit" and all(units) and not case.right


def _space_after_unit(case: Case) -> bool:
    return bool(_UNIT_THEN_SPACE.search(case.completion))


def _thin_spaces(case: Case) -> bool:
    return bool(_THIN_SPACE_IN_NUMBER.search(case.completion))


def _ends_in_unit_letter(case: Case) -> bool:
    return bool(_UNIT_LETTER_LAST.search(f"${case.gold}$ {case.completion}"))


def _inequality_for_interval(case: Case) -> bool:
    if case.kind == "membership":
        return "in" in case.gold and "<" in case.completion
    return case.kind == "bounds" and "x" not in case.gold and "x" in case.written


def _long_rounded(case: Case) -> bool:
    return case.kind == "rounded" and len(case.written.partition(".")[2]) > 6


def _equation_for_number(case: Case) -> bool:
    return case.kind == "whole equation" and "=" not in case.gold and "=" in case.written


def _in_powers_of_ten(case: Case) -> bool:
    return case.kind == "scientific"


def _repeats(case: Case) -> bool:
    return case.kind == "repeating decimal"


CORRECTIONS = {
    "percent": Correction("10% is 0.1 and not 10; Math-Verify takes it for both", _one_has_percent),
    "boxes that disagree": Correction(
        "every box must be right; Math-Verify is content with one of them", _boxes_disagree
    ),
    "contradictions": Correction(
        "73 = 78 states no answer; Math-Verify takes what stands last", _contradicts_itself
    ),
    "tiny decimals": Correction(
        "0.0000003 is not 0.00000035; Math-Verify rounds both to 0", _is_tiny
    ),
    "different units": Correction(
        "18 cm is not 18 miles; Math-Verify drops every unit", _units_differ
    ),
    "space after a unit": Correction(
        "a space before the closing $ hides the unit from Math-Verify", _space_after_unit
    ),
    "thin spaces": Correction(
        r"30\,191 is a number; Math-Verify reads a product of large groups", _thin_spaces
    ),
    "variable like a unit": Correction(
        "of 7 + 3t, Math-Verify drops the t as tons, and pays 10", _ends_in_unit_letter
    ),
    "inequality for an interval": Correction(
        "1 < x < 3 is (1, 3), and x in (1, 3); Math-Verify takes it only if the gold is written so",
        _inequality_for_interval,
    ),
    "seven places and more": Correction(
        "4.5454545 is 50/11, rounded; Math-Verify rounds it once more, to 4.545455 or 4.545454",
        _long_rounded,
    ),
    "equation for a number": Correction(
        "x^2 + y^2 = 25 is not the number 25; Math-Verify takes what stands behind the =",
        _equation_for_number,
    ),
    "powers of ten": Correction(
        "2.3 * 10^5 is 230000; Math-Verify gets 229999.99999999997 and may miss it",
        _in_powers_of_ten,
    ),
    "repeating decimals": Correction(
        r"0.\overline{3} is 1/3; Math-Verify drops the repetition", _repeats
    ),
}


def compare(seed: int, start: int, count: int) -> list[Outcome]:
    """Ask both about some cases.

    Args:
        seed: The seed of the cases.
        start: The number of the first case.
        count: How many.

    Returns:
        The outcomes, in order.
    """
    from reference_impl.rules.math import MathVerifier

    # It tells of golds that it matches as text, such as the times of day among the cases.
    logging.getLogger("reference_impl.failure").setLevel(logging.ERROR)
    verifier = MathVerifier(seconds=SECONDS)
    cases = [make_case(seed, index) for index in range(start, start + count)]
    return [
        Outcome(case, _verdict(lambda c: _ours(verifier, c), case), _verdict(_theirs, case))
        for case in cases
    ]


def _verdict(verify: Callable[[Case], bool], case: Case) -> bool | str:
    try:
        return verify(case)
    except Exception as error:  # a verifier that raises differs from one that does not
        return repr(error)


def _ours(verifier, case: Case) -> bool:
    return verifier.judge(case.completion, gold=case.gold).correct


def _theirs(case: Case) -> bool:
    from math_verify import parse, verify

    # Between dollar signs, so that the gold is parsed as a formula.
    return verify(parse(f"${case.gold}$"), parse(case.completion))


def fuzz(pairs: int = PAIRS, seed: int = 0, processes: int = PROCESSES) -> list[Outcome]:
    """Compare the two on many cases, in several processes.

    Args:
        pairs: How many cases.
        seed: The same seed makes the same cases.
        processes: How many processes share the work.

    Returns:
        The outcomes, in the order of the cases.
    """
    starts = range(0, pairs, CASES_A_TASK)
    counts = [min(CASES_A_TASK, pairs - start) for start in starts]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        parts = pool.map(compare, [seed] * len(starts), starts, counts)
        return [outcome for part in parts for outcome in part]


def correction_of(case: Case) -> str | None:
    """Name the first correction that covers a case, or None."""
    return next((name for name, one in CORRECTIONS.items() if one.covers(case)), None)


def undocumented(outcomes: list[Outcome]) -> list[Outcome]:
    """Return the outcomes that differ and that no correction explains.

    Args:
        outcomes: The outcomes.

    Returns:
        Those where the two differ, and no correction covers the case, or ours is not the verdict
        that the case was made for: a correction excuses no mistake.
    """
    return [
        one
        for one in outcomes
        if one.ours != one.theirs
        and (correction_of(one.case) is None or one.ours != one.case.right)
    ]


def summary(outcomes: list[Outcome]) -> dict[str, dict[str, int]]:
    """Count, for each correction, the cases that it covers and where the two differ.

    Args:
        outcomes: The outcomes.

    Returns:
        For each correction and for "none": `cases`, `differences`, and of the differences
        `ours_as_made`, how often ours is the verdict that the case was made for.
    """
    counts = {
        name: {"cases": 0, "differences": 0, "ours_as_made": 0} for name in (*CORRECTIONS, "none")
    }
    for case, ours, theirs in outcomes:
        count = counts[correction_of(case) or "none"]
        count["cases"] += 1
        count["differences"] += ours != theirs
        count["ours_as_made"] += ours != theirs and ours == case.right
    return counts


def table(outcomes: list[Outcome]) -> str:
    """Lay the outcomes out for people."""
    lines = [f"{'correction':<28}{'cases':>8}{'differ':>8}{'ours as made':>14}  why"]
    for name, count in summary(outcomes).items():
        numbers = f"{count['cases']:>8}{count['differences']:>8}{count['ours_as_made']:>14}"
        why = CORRECTIONS[name].why if name in CORRECTIONS else "undocumented"
        lines.append(f"{name:<28}{numbers}  {why}")
    unexplained = undocumented(outcomes)
    lines.append(f"\n{len(outcomes)} pairs, {len(unexplained)} undocumented differences")
    for case, ours, theirs in unexplained[:_SHOWN]:
        lines.append(
            f"  {case.kind}, {case.form}: gold {case.gold!r}, completion {case.completion!r}: "
            f"ours {ours}, Math-Verify {theirs}, made to be {case.right}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS, help="how many cases")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other cases")
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error("--pairs must be at least 1")
    print(table(fuzz(options.pairs, options.seed)))


if __name__ == "__main__":
    main()

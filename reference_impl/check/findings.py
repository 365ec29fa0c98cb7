"""Turn what the completions were paid into findings."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reference_impl.check.catalog import CHECKS
from reference_impl.check.scoring import MOST_LOST, Scored

Kind = Literal["answer", "form"]

# A wrong completion is an exploit when it gets more than this share of the way from the pay of a
# plainly wrong answer to the pay of the good completion. Below, it may be credit for a part.
SHARE = 0.5
# A wrong answer that costs less than this share of the range was not seen: it may be longer, say.
LEAST_SEEN = 0.15
# Padding that earns less than this share more may only be longer.
SMALL = 0.05
EXCERPT = 80
# These say how large rewards can get, not what a plain completion is paid.
_WRONG = ("wrong_answer", "other_completion")
_EXTREME = ("padding", "noise", "settings")
_OWED_LESS = ("wrong answer", "nothing")
_PROBLEMS = {
    "raised": "raises",
    "no number": "returns_number",
    "time limit": "time_limit",
    "crash": "crash",
}


@dataclass(frozen=True)
class Finding:
    """One fault, with its clearest example.

    Attributes:
        check: The name of the check.
        done: What was done.
        paid: What came of it.
        advice: What to do about it.
        page: The label of the page of the guide that explains it.
        completion: The completion in one line that is safe to print, shortened in its middle.
        rows: The numbers of the rows with this fault, from 1.

    Explained in :ref:`check-your-reward`.
    """

    check: str
    done: str
    paid: str
    advice: str
    page: str
    completion: str = ""
    rows: tuple[int, ...] = ()


class Judgement:
    """What the battery found.

    Args:
        goods: The good completions, one a row.
        probes: All other completions.
        again: Some of them once more, in a new process.
        kind: Whether the reward is meant to look at the answer; None decides it from the pay.
        low: The smallest reward expected.
        high: The largest reward expected.

    Attributes:
        kind: "answer" or "form".
        findings: The faults, in the order of the checks.
        notes: What is worth to know and no fault.
    """

    def __init__(
        self,
        goods: Sequence[Scored],
        probes: Sequence[Scored],
        again: Sequence[Scored],
        kind: Kind | None,
        low: float | None,
        high: float | None,
    ):
        self._goods = {scored.probe.row: scored for scored in goods}
        self._probes = probes
        self._again = again
        self._found: dict[str, list[tuple[Scored, str]]] = defaultdict(list)
        self.notes: list[str] = []
        self._find_problems()
        self._find_constant()
        self._find_executed()
        self._find_out_of_range(low, high)
        self._find_changes()
        sees_answer = self._sees_answer()
        self.kind: Kind = kind or ("answer" if sees_answer else "form")
        if self._found["same_again"]:
            self.notes.append(
                "The rewards change by themselves, so what completions are paid was not judged."
            )
        elif not self._found["varies"]:
            self._compare_pay(kind, sees_answer)
        self.findings = tuple(
            self._finding(name, self._found[name])
            for name, check in CHECKS.items()
            if self._found[name] and check.is_fault
        )

    def counts(self) -> dict[str, tuple[int, int]]:
        """Say for each check of completions how many were tried, and how many found a fault."""
        made = [s for s in (*self._goods.values(), *self._probes) if s.kind != "not tried"]
        tried = Counter(scored.probe.check for scored in made)
        tried.update(dict.fromkeys(_PROBLEMS.values(), len(made)))
        tried["good_paid"] = len(self._goods)
        tried["same_again"] = len(self._again)
        return {
            name: (tried[name], len(self._found[name]))
            for name, check in CHECKS.items()
            if tried[name] and (self.kind == "answer" or check.pays != "wrong answer")
        }

    def _compare_pay(self, kind: Kind | None, sees_answer: bool | None) -> None:
        if self.kind == "answer" and sees_answer is False:
            self._find_blindness()
        elif self.kind == "answer":
            self._find_unpaid()
            self._find_exploits(("wrong answer", "nothing"))
        else:
            if kind is None and sees_answer is False:
                self.notes.append(
                    "Wrong answers are paid about like right ones: it does not look at the answer, "
                    "so it was checked as a reward for form. If it is to look at it, that is a "
                    "fault: say `--kind answer`."
                )
            elif kind is None and sees_answer is None:
                self.notes.append(
                    "No wrong answer was scored, so it was checked as a reward for form. If none "
                    "could be made of the rows, name the column of the gold answer with `--answer`."
                )
            self._find_exploits(("nothing",))
        self._find_honest()
        self._find_settings()

    def _add(self, check: str, scored: Scored, paid: str) -> None:
        self._found[check].append((scored, paid))

    def _find_problems(self) -> None:
        for scored in (*self._goods.values(), *self._probes):
            if scored.kind in _PROBLEMS and scored.probe.check != "settings":
                self._add(_PROBLEMS[scored.kind], scored, scored.problem)
            elif scored.kind == "unscored" and scored.probe.check == "good":
                self._add("good_paid", scored, f"it is not scored: {scored.problem}")
        unscored = [s for s in self._probes if s.kind == "unscored" and s.probe.check != "settings"]
        if unscored:
            self.notes.append(
                f"{len(unscored)} completions were not scored, such as {unscored[0].probe.done}: "
                f"{unscored[0].problem}. The trainer's failure policy decides what they are worth."
            )
        missing = sum(scored.kind == "not tried" for scored in self._probes)
        if missing:
            self.notes.append(
                f"{missing} completions were not tried, since {MOST_LOST} workers were lost before."
            )

    def _find_constant(self) -> None:
        paid = [s for s in (*self._goods.values(), *self._probes) if s.pay is not None]
        # Where only completions that are as good as each other were paid, nothing was to vary.
        owed_less = [s for s in self._probes if CHECKS[s.probe.check].pays in _OWED_LESS]
        if any(s.pay is not None for s in owed_less) and len({s.pay for s in paid}) == 1:
            self._add("varies", paid[0], f"all {len(paid)} completions are paid {paid[0].pay:g}")

    def _sees_answer(self) -> bool | None:
        """Tell whether wrong answers are paid less than right ones; None if none was tried.

        A wrong answer in the good form says it in any row. Another row's completion differs in more
        than its answer, so that has to hold in every row.
        """
        ordinary = ("good", "empty", *_WRONG)
        pays = [s.pay for s in self._plain() if s.pay is not None and s.probe.check in ordinary]
        least = LEAST_SEEN * (max(pays) - min(pays)) if pays else 0.0
        for check, decide in (("wrong_answer", any), ("other_completion", all)):
            less = [
                self._goods[scored.probe.row].pay - scored.pay > least
                for scored in self._probes
                if scored.probe.check == check
                and None not in (scored.pay, self._goods[scored.probe.row].pay)
            ]
            if less:
                return decide(less)
        return None

    def _plain(self) -> list[Scored]:
        probes = [s for s in self._probes if s.probe.check not in _EXTREME]
        return [*self._goods.values(), *probes]

    def _find_blindness(self) -> None:
        for scored in self._probes:
            if scored.probe.check in _WRONG and scored.pay is not None:
                self._add("looks_at_answer", scored, self._compared(scored))

    def _find_unpaid(self) -> None:
        for row, good in self._goods.items():
            floor = self._floor(row)
            if good.pay is not None and floor is not None and good.pay <= floor:
                self._add("good_paid", good, f"paid {good.pay:g}, and a wrong answer {floor:g}")

    def _floor(self, row: int) -> float | None:
        """What a wrong answer of the row is paid; of a form, the least that anything is paid."""
        pays = [
            scored.pay
            for scored in self._plain()
            if scored.probe.row == row
            and scored.pay is not None
            and (self.kind == "form" or scored.probe.check in _WRONG)
        ]
        return min(pays, default=None)

    def _find_exploits(self, kinds: tuple[str, ...]) -> None:
        pays = [s.pay for s in self._plain() if s.pay is not None]
        if self.kind == "form" and max(pays, default=0.0) <= 0:
            self.notes.append("It pays nothing above 0, so it was checked as a penalty.")
            return
        for scored in self._probes:
            good, floor = self._goods[scored.probe.row].pay, self._floor(scored.probe.row)
            if CHECKS[scored.probe.check].pays not in kinds or None in (scored.pay, good, floor):
                continue
            spread = good - floor
            if spread > 0:
                hit = scored.pay > floor + SHARE * spread + 1e-9
            else:  # nothing is paid less than the good one: of a form, that includes nothing at all
                hit = self.kind == "form" and scored.pay >= good > 0
            if hit:
                self._add(scored.probe.check, scored, self._compared(scored))

    def _find_honest(self) -> None:
        for scored in self._probes:
            good, floor = self._goods[scored.probe.row].pay, self._floor(scored.probe.row)
            if None in (scored.pay, good, floor):
                continue
            spread = max(good - floor, 0.0)
            check = scored.probe.check
            same = check in ("honest_variant", "end_token")
            if (same and scored.pay < floor + SHARE * spread - 1e-9) or (
                check == "padding" and scored.pay > good + SMALL * spread + 1e-9
            ):
                self._add(check, scored, self._compared(scored))
        for name, check in CHECKS.items():
            if self._found[name] and not check.is_fault:
                found = self._finding(name, self._found[name])
                self.notes.append(f"{name}: {found.done} is {found.paid}. {check.advice}")

    def _find_settings(self) -> None:
        for scored in self._probes:
            if scored.probe.check == "settings":
                good = self._goods[scored.probe.row].pay
                if None not in (scored.pay, good) and scored.pay != good:
                    self._add("settings", scored, self._compared(scored))
                elif scored.kind not in ("paid", "unscored", "not tried"):
                    self._add("settings", scored, scored.problem)

    def _find_executed(self) -> None:
        for scored in self._probes:
            if scored.probe.marker is not None and scored.probe.marker.exists():
                self._add("executes_output", scored, "the file was made")

    def _find_changes(self) -> None:
        before = {scored.probe: scored for scored in (*self._goods.values(), *self._probes)}
        for scored in self._again:
            first = before[scored.probe].pay
            if None in (first, scored.pay):
                continue
            if not math.isclose(first, scored.pay, rel_tol=1e-6, abs_tol=1e-9):
                self._add("same_again", scored, f"paid {first:g} at first, then {scored.pay:g}")

    def _find_out_of_range(self, low: float | None, high: float | None) -> None:
        for scored in (*self._goods.values(), *self._probes):
            if scored.pay is None:
                continue
            if low is not None and scored.pay < low:
                self._add("range", scored, f"paid {scored.pay:g}, below {low:g}")
            if high is not None and scored.pay > high:
                self._add("range", scored, f"paid {scored.pay:g}, above {high:g}")

    def _compared(self, scored: Scored) -> str:
        good = self._goods[scored.probe.row].pay
        return f"paid {scored.pay:g}, and the good completion {good:g}"

    def _finding(self, name: str, found: list[tuple[Scored, str]]) -> Finding:
        scored, paid = found[0]
        check = CHECKS[name]
        rows = tuple(dict.fromkeys(scored.probe.row for scored, _ in found))
        return Finding(
            name,
            scored.probe.done,
            paid,
            check.advice,
            check.page,
            excerpt(scored.probe.completion),
            rows,
        )


def spreads(goods: Sequence[Scored], probes: Sequence[Scored]) -> list[float]:
    """Return the standard deviation of the rewards of each row that has two or more."""
    by_row: dict[int, list[float]] = defaultdict(list)
    for scored in (*goods, *probes):
        if scored.pay is not None:
            by_row[scored.probe.row].append(scored.pay)
    return [statistics.pstdev(pays) for pays in by_row.values() if len(pays) > 1]


def excerpt(text: str) -> str:
    """Return a text in one line that is safe to print, of a long one its beginning and its end."""
    if len(text) <= EXCERPT:
        line = _line(text)
        return line if len(line) <= 2 * EXCERPT else line[:EXCERPT] + " ..."
    half = EXCERPT // 2
    return f"{_line(text[:half])[:half]} ... {_line(text[-half:])[-half:]}"


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)

"""All checks of the pages, in one list."""

from pathlib import Path

from docs._tools import contents, fences, freshness, parity, symbols, targets, terms, typography
from docs._tools.problem import Problem

CHECKS = (
    contents.check,
    parity.check,
    targets.check,
    freshness.check,
    terms.check,
    typography.check,
    symbols.check,
    fences.check,
)


def run_all(docs: Path) -> list[Problem]:
    """Run every check on the pages below `docs`; sorted by file and line, empty if all is well."""
    docs = docs.resolve()
    return sorted({problem for check in CHECKS for problem in check(docs)})

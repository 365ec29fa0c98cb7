"""Code on a page is run, and its run is compared.

No Python on a page that nothing executes; no page with cells that is no notebook; no tag that takes
a cell out of the comparison without an assertion in its place.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from docs._tools import blocks, pages
from docs._tools.blocks import Block
from docs._tools.pages import Page
from docs._tools.problem import Problem

FILE = "_fences.yml"
# The header of a notebook page. A page may add keys, such as a description.
HEADER = {
    "jupytext": {"text_representation": {"extension": ".md", "format_name": "myst"}},
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
}
MEND_HEADER = "begin it with the header of docs/en/index.md, with a description of its own"

PYTHON = re.compile(r"i?python\d?|py\d?|pycon\d?|python-repl", re.IGNORECASE)
UNCOMPARED = "nbval-ignore-output"
TAGS = {
    "remove-cell", "remove-input", "hide-input", "hide-output", "raises-exception", UNCOMPARED,
}  # fmt: skip


def check(docs: Path) -> list[Problem]:
    """Look at the code of every page. Args: docs: the docs folder."""
    listed, problems = _listed(docs)
    used: set[int] = set()
    for page in pages.all_pages(docs):
        problems += _header(page)
        problems += _cells(page)
        for block in blocks.walk(page.blocks):
            if block.kind == "fence" and PYTHON.fullmatch(
                block.name.split()[0] if block.name else ""
            ):
                begins = next((row.strip() for row in block.source.splitlines() if row.strip()), "")
                entries = [
                    number
                    for number, entry in enumerate(listed)
                    if (entry.get("page"), entry.get("begins")) == (page.name, begins)
                ]
                used |= set(entries)
                if not entries:
                    what = f"Python that nothing runs: “{begins}”"
                    mend = "make it a {code-cell}, show it from the package, or list it in "
                    mend += f"{docs.name}/{FILE} (page, begins, reason)"
                    problems.append(Problem(page.file, block.line, what, mend))
    for number, entry in enumerate(listed):
        if number not in used:
            what = f"no page {entry.get('page')} has a Python fence “{entry.get('begins')}”"
            line = _line(docs, str(entry.get("begins")))
            problems.append(Problem(f"{docs.name}/{FILE}", line, what, "delete the entry"))
    return problems


def _listed(docs: Path) -> tuple[list[dict[str, str]], list[Problem]]:
    """The fences that may stay as they are, and the entries that say no reason."""
    file = docs / FILE
    if not file.is_file():
        return [], []
    entries = yaml.safe_load(file.read_text("utf-8")) or []
    problems = [
        Problem(
            f"{docs.name}/{FILE}",
            _line(docs, str(entry.get("begins"))),
            f"the entry for {entry.get('page')} has no reason",
            "say why nothing runs this code",
        )
        for entry in entries
        if not entry.get("reason")
    ]
    return entries, problems


def _line(docs: Path, begins: str) -> int:
    lines = (docs / FILE).read_text("utf-8").splitlines()
    return next((n for n, row in enumerate(lines, 1) if begins in row), 1)


def _header(page: Page) -> Iterator[Problem]:
    cells = [block for block in blocks.walk(page.blocks) if block.kind == "code-cell"]
    for line, error in page.parsed.errors:
        yield Problem(page.file, line, f"YAML that cannot be read: {error}", "correct the YAML")
    if cells and not page.is_notebook:
        what = "the page has a code cell and no notebook header, so that nothing runs it"
        yield Problem(page.file, cells[0].line, what, MEND_HEADER)
    elif page.is_notebook:
        header = {key: page.parsed.header.get(key) for key in HEADER}
        if header != HEADER:
            what = "the notebook header is not that of the guide"
            yield Problem(page.file, 1, what, MEND_HEADER)
    # Jupyter runs cells of the page alone, not those inside of a note or a list.
    top = {id(block) for block in page.blocks}
    for cell in cells:
        if id(cell) not in top:
            what = "a code cell inside of another block is not run"
            yield Problem(page.file, cell.line, what, "move it to the top level of the page")


def _cells(page: Page) -> Iterator[Problem]:
    cells = [block for block in page.blocks if block.kind == "code-cell"]
    for number, cell in enumerate(cells):
        tags = _tags(cell)
        for tag in sorted(tags - TAGS):
            mend = f"use {', '.join(sorted(TAGS))}, or no tag"
            yield Problem(page.file, cell.line, f"the cell tag {tag} is not allowed", mend)
        marker = re.search(r"#\s*(NBVAL_\w+|PYTEST_VALIDATE\w+)", cell.source, re.IGNORECASE)
        if marker:
            rows = enumerate(page.text.splitlines()[cell.line :], cell.line + 1)
            line = next(number for number, row in rows if marker[0] in row)
            what = f"the comment {marker[1]} changes what is compared, out of sight of the checks"
            yield Problem(page.file, line, what, f"delete it, or use the cell tag {UNCOMPARED}")
        if UNCOMPARED in tags:
            after = next((c for c in cells[number + 1 :] if UNCOMPARED not in _tags(c)), None)
            if after is None or not re.search(r"^\s*assert\b", after.source, re.MULTILINE):
                what = "the output of this cell is not compared, and no assertion follows"
                mend = "let the next cell assert, and print, what must be true of the output"
                yield Problem(page.file, cell.line, what, mend)


def _tags(cell: Block) -> set[str]:
    tags = cell.options.get("tags", [])
    if isinstance(tags, str):
        tags = yaml.safe_load(tags) or []
    return {str(tag) for tag in ([tags] if isinstance(tags, str) else tags)}

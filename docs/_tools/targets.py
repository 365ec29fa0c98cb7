"""Every heading has an anchor, and what a page points to is there."""

import re
from pathlib import Path

from docs._tools import blocks, pages
from docs._tools.blocks import Block
from docs._tools.pages import LANGUAGES, Page
from docs._tools.problem import Problem

LABEL = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
# Roles whose target is a label of this book.
LABEL_ROLES = {"ref", "numref", "eq", "std:ref", "std:numref"}
# Labels that the site makes itself: Sphinx's own, and the glossary's, one for each row.
MADE_LABELS = ("genindex", "modindex", "search", "term-")


def check(docs: Path) -> list[Problem]:
    """Look up the labels and files that the pages of each language point to."""
    return [problem for language in LANGUAGES for problem in _language(docs, language)]


def _language(docs: Path, language: str) -> list[Problem]:
    """Every heading has a label of its own, and what pages point to is there."""
    problems = []
    where: dict[str, str] = {}
    all_pages = [pages.read(docs, language, name) for name in pages.names(docs, language)]
    for page in all_pages:
        for block in blocks.walk(page.blocks):
            if block.kind == "heading" and not block.labels:
                what = f"the heading “{block.begins}” has no anchor"
                mend = "write (english-label)= on the line before it, the same in both languages"
                problems.append(Problem(page.file, block.line, what, mend))
            names = (block.name,) if block.kind == "target" else block.labels
            if block.kind == "target":
                what = f"the label ({block.name})= stands before nothing"
                mend = "put it directly before what it names, or delete it"
                problems.append(Problem(page.file, block.line, what, mend))
            for label in names:
                if not LABEL.fullmatch(label):
                    what = f"the label ({label})= is not of the form a-z, 0-9 and single hyphens"
                    mend = "use a short English label such as exact-match"
                    problems.append(Problem(page.file, block.line, what, mend))
                if label in where:
                    what = f"the label ({label})= stands at {where[label]} already"
                    mend = "give each heading a label of its own, the same in both languages"
                    problems.append(Problem(page.file, block.line, what, mend))
                where.setdefault(label, f"{page.file}:{block.line}")
    for page in all_pages:
        for block in blocks.walk(page.blocks):
            problems += _targets(page, block, where)
    return problems


def _targets(page: Page, block: Block, labels: dict[str, str]) -> list[Problem]:
    """What one block points to: labels of the book and files of the repository."""
    asked: list[str] = []
    files: list[str] = []
    if block.inline:
        asked += [target for role, target in block.inline.roles if role in LABEL_ROLES]
        asked += [link[1:] for link in block.inline.links if link.startswith("#")]
        asked += [link.split("#", 1)[1] for link in block.inline.links if ".md#" in link]
        files += [link.split("#")[0] for link in (*block.inline.links, *block.inline.images)]
        files += [f"{t}.md" for role, t in block.inline.roles if role in ("doc", "std:doc")]
    if block.kind == "directive":
        if block.options.get("link-type") == "ref":
            asked.append(str(block.options.get("link")))
        if block.options.get("link-type") == "doc":
            files.append(f"{block.options.get('link')}.md")
        if block.name in ("figure", "image", "include", "literalinclude"):
            files.append(block.argument)
    problems = []
    for label in asked:
        if label not in labels and not label.startswith(MADE_LABELS):
            what = f"there is no label {label} in {page.docs.name}/{page.language}"
            mend = f"correct the reference, or write ({label})= where it points to"
            problems.append(Problem(page.file, block.line, what, mend))
    for file in files:
        if not file or EXTERNAL.match(file):
            continue
        root = page.docs / page.language
        path = root / file.lstrip("/") if file.startswith("/") else page.folder / file
        if not path.exists():
            what = f"there is no file {file} beside {page.file}"
            problems.append(Problem(page.file, block.line, what, "correct the path"))
    return problems

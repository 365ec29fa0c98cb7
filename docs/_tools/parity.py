"""The two languages say the same things in the same places.

Words differ between languages. Everything else must not: headings and their anchors, code, tables,
lists, notes, pictures, links, formulas and numbers.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from docs._tools import blocks, pages
from docs._tools.blocks import Block
from docs._tools.pages import Page
from docs._tools.problem import Problem

# A number in the prose: 100, 1,000, 0.5; not the 3 in "v3" or in "3rd".
NUMBER = re.compile(r"(?<![\w.,])\d+(?:,\d{3})*(?:\.\d+)?(?!\w)", re.ASCII)


def check(docs: Path) -> list[Problem]:
    """Compare each English page with the Chinese page of the same name."""
    problems = []
    for english, chinese in pages.pairs(docs):
        comparison = _Comparison(english, chinese)
        comparison.headers()
        comparison.siblings(english.blocks, chinese.blocks)
        problems += comparison.problems
    return problems


class _Comparison:
    """Collects the problems of one pair of pages."""

    def __init__(self, english: Page, chinese: Page) -> None:
        self.english = english
        self.chinese = chinese
        self.problems: list[Problem] = []

    def add(self, line: int, what: str, mend: str) -> None:
        self.problems.append(Problem(self.chinese.file, line, what, mend))

    def there(self, block: Block) -> str:
        """Where an English block stands."""
        return f"{self.english.file}:{block.line}"

    def headers(self) -> None:
        """The YAML headers: the same but for the words of the description."""
        left, right = (
            {key: value for key, value in page.parsed.header.items() if key != "description"}
            | {"description": "description" in page.parsed.header}
            for page in (self.english, self.chinese)
        )
        if left != right:
            what = f"the YAML header differs from {self.english.file}"
            self.add(1, what, "use the same header; only the words of `description` differ")

    def siblings(
        self, left: list[Block], right: list[Block], parents: tuple[Block, Block] | None = None
    ) -> None:
        """Compare two sequences of blocks and, where they pair up, what is inside."""
        left = [block for block in left if block.kind != "comment"]
        right = [block for block in right if block.kind != "comment"]
        if list(map(_shape, left)) == list(map(_shape, right)):
            for pair in zip(left, right, strict=True):
                self.block(*pair)
        elif parents and parents[0].kind in ("list", "table") and len(left) != len(right):
            what = {"list": "items", "table": "rows"}[parents[0].kind]
            said = f"this {parents[1].kind} has {len(right)} {what}, "
            said += f"that of {self.there(parents[0])} has {len(left)}"
            self.add(parents[1].line, said, f"give both the same {what}")
        else:
            self.misaligned(left, right, parents[1].line if parents else 1)

    def misaligned(self, left: list[Block], right: list[Block], around: int) -> None:
        """Line up two sequences that differ; name what has no counterpart in the other."""
        keys = [[(_shape(block), _identity(block)) for block in side] for side in (left, right)]
        matcher = difflib.SequenceMatcher(None, *keys, autojunk=False)
        for how, i, i_end, j, j_end in matcher.get_opcodes():
            wanted, found = left[i:i_end], right[j:j_end]
            if list(map(_shape, wanted)) == list(map(_shape, found)):
                for pair in zip(wanted, found, strict=True):
                    self.block(*pair)
                continue
            line = right[min(j, len(right) - 1)].line if right else around
            if how == "delete":
                what = f"{_several(wanted)} of {self.there(wanted[0])} is missing here"
                mend = f"translate it here, or delete it in {self.english.file}"
            elif how == "insert":
                what = f"{_several(found)} is not in {self.english.file}"
                mend = f"say it in {self.english.file} too, or delete it here"
            else:
                what = f"{_several(found)} stands here, "
                what += f"{_several(wanted)} in {self.there(wanted[0])}"
                mend = "give both pages the same blocks in the same order"
            self.add(line, what, mend)

    def block(self, left: Block, right: Block) -> None:
        """Compare two blocks of the same shape."""
        there = self.there(left)
        if left.labels != right.labels:
            here, wanted = (_labels(block) for block in (right, left))
            what = f"{_called(right)} has {here}, that of {there} has {wanted}"
            self.add(right.line, what, f"write {wanted} before it")
        match left.kind:
            case "code-cell" if _cell(left) != _cell(right):
                what = f"the code cell differs from {there}: {_difference(left, right)}"
                mend = f"copy the cell of {self.english.file}, with its options and comments"
                self.add(right.line, what, mend)
            case "fence" | "html" | "break" if _cell(left) != _cell(right):
                what = f"the {left.kind} differs from {there}: {_difference(left, right)}"
                self.add(right.line, what, f"copy it from {self.english.file}")
            case "math" if _formula(left.source) != _formula(right.source):
                mend = f"copy it from {self.english.file}; the words in \\text{{}} may differ"
                self.add(right.line, f"the formula differs from {there}", mend)
            case "footnote" if left.name != right.name:
                what = f"the footnote is called {right.name}, that of {there} {left.name}"
                self.add(right.line, what, "give both the same label")
            case "list" if left.options != right.options:
                what = f"the list starts at another number than that of {there}"
                self.add(right.line, what, "start both at the same number")
            case "directive":
                self.directive(left, right)
        self.inline(left, right)
        self.siblings(left.children, right.children, (left, right))

    def directive(self, left: Block, right: Block) -> None:
        there = self.there(left)
        if left.name not in blocks.TITLED and left.argument != right.argument:
            what = f"{{{right.name}}} names {right.argument!r}, that of {there} {left.argument!r}"
            self.add(right.line, what, "name the same in both languages")
        if left.name in blocks.VERBATIM and left.source != right.source:
            what = f"the body of {{{right.name}}} differs from {there}: {_difference(left, right)}"
            self.add(right.line, what, f"copy it from {self.english.file}")
        here, wanted = (
            {key: value for key, value in block.options.items() if key not in blocks.WORDED_OPTIONS}
            for block in (right, left)
        )
        if here != wanted:
            what = f"{{{right.name}}} has the options {here}, that of {there} has {wanted}"
            self.add(right.line, what, "give both the same options")

    def inline(self, left: Block, right: Block) -> None:
        """What a run of prose names must be the same; its order is the language's own affair."""
        if left.inline is None or right.inline is None:
            return
        a, b = left.inline, right.inline
        there = self.there(left)
        for what, wanted, found in (
            ("link", Counter(a.links), Counter(b.links)),
            ("picture", Counter(a.images), Counter(b.images)),
            ("reference", Counter(map(_role, a.roles)), Counter(map(_role, b.roles))),
            ("footnote", Counter(a.footnotes), Counter(b.footnotes)),
            # A language may repeat a symbol where the other says "it".
            ("formula", set(map(_formula, a.math)), set(map(_formula, b.math))),
            ("code", set(a.code), set(b.code)),
        ):
            if lost := wanted - found:
                said = f"the {what} {_listing(lost)} of {there} is missing here"
                self.add(right.line, said, "say it here too, or take it out there")
            if extra := found - wanted:
                said = f"the {what} {_listing(extra)} stands here and not in {there}"
                self.add(right.line, said, "take it out here, or say it there too")
        # Chinese may have more numbers: it writes some words as numbers.
        if lost := set(NUMBER.findall(a.text)) - set(NUMBER.findall(b.text)):
            said = f"the number {_listing(lost)} of {there} is missing here"
            self.add(right.line, said, "give the same numbers in both languages")
        if a.text == b.text and left.kind != "row" and len(re.findall("[a-z]{2,}", a.text)) > 3:
            self.add(right.line, f"the text is still that of {there}", "translate it")


def _shape(block: Block) -> tuple[object, ...]:
    return (block.kind, block.level, block.name if block.kind in ("list", "directive") else "")


def _identity(block: Block) -> tuple[object, ...]:
    """What tells a block from its neighbours in any language, to line up two sequences."""
    body = block.source if block.kind in ("code-cell", "fence") else ""
    if block.kind == "math":
        body = _formula(block.source)
    inline = block.inline
    named = (inline.links, inline.roles, inline.code, inline.math) if inline else ()
    return (block.labels, body, named)


def _called(block: Block) -> str:
    """A block as a message calls it."""
    match block.kind:
        case "heading":
            return f"the heading of level {block.level} “{block.begins}”"
        case "list":
            return f"the {block.name} list “{block.begins}”"
        case "directive":
            return f"the {{{block.name}}} “{block.begins}”"
        case "break":
            return "the break (+++ or ---)"
        case "target":
            return f"the label ({block.name})="
        case _:
            return f"the {block.kind} “{block.begins}”"


def _several(found: list[Block]) -> str:
    more = len(found) - 1
    if not more:
        return _called(found[0])
    return f"{_called(found[0])}, with {more} more block{'s' if more > 1 else ''} after it,"


def _labels(block: Block) -> str:
    return " ".join(f"({label})=" for label in block.labels) or "no label"


def _cell(block: Block) -> tuple[object, ...]:
    return (block.name, block.argument, block.options, block.source)


def _difference(left: Block, right: Block) -> str:
    """The first line in which the bodies of two blocks differ."""
    there, here = left.source.splitlines(), right.source.splitlines()
    for a, b in zip(there, here, strict=False):
        if a != b:
            return f"“{b.strip()}” here, “{a.strip()}” there"
    if len(there) != len(here):
        return f"{len(here)} lines here, {len(there)} there"
    return "not in its lines but in its language or options"


def _formula(source: str) -> str:
    """A formula without the words in it and without its white space."""
    return re.sub(r"\s+", "", re.sub(r"\\text\s*\{[^{}]*\}", r"\\text{}", source))


def _role(role: tuple[str, str]) -> str:
    return f"{{{role[0]}}}`{role[1]}`"


def _listing(items: Iterable[str]) -> str:
    return ", ".join(sorted(items))

"""One term, one translation: the Chinese prose keeps to docs/_glossary.yml.

Three rules: a word that the glossary rules out fails anywhere; a Chinese term that is right for
one English word only (基线 for baseline) needs that word in the English block beside it; and a term
that an English page uses is used on the Chinese page too.
"""

import re
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import yaml

from docs._tools import pages
from docs._tools.pages import Page
from docs._tools.problem import Problem

FILE = "_glossary.yml"
# The page that shows the glossary may name the words that it rules out.
GLOSSARY_PAGE = "glossary"


@dataclass(frozen=True)
class Term:
    """One row of the glossary. docs/_glossary.yml says what each field means."""

    en: str
    zh: str
    match: bool = True
    avoid: list[str] = field(default_factory=list)
    needs_en: list[str] = field(default_factory=list)
    unless: list[str] = field(default_factory=list)
    note_en: str = ""
    note_zh: str = ""

    @cached_property
    def english(self) -> re.Pattern[str]:
        """Finds the English term in English prose, in the singular and the plural."""
        words = re.split(r"[\s-]+", re.sub(r"\s*\(.*?\)", "", self.en))
        *first, last = map(re.escape, words)
        last = rf"(?:{last}(?:s|es)?|{last[:-1]}ies)" if last.endswith("y") else rf"{last}(?:s|es)?"
        phrase = r"[\s-]+".join([*first, last])
        return re.compile(rf"(?<![\w-]){phrase}(?![\w-])", re.IGNORECASE)

    @cached_property
    def english_words(self) -> re.Pattern[str]:
        """Finds a word that begins as `needs_en` asks."""
        starts = "|".join(re.escape(start) for start in self.needs_en)
        return re.compile(rf"\b(?:{starts})", re.IGNORECASE)


def check(docs: Path) -> list[Problem]:
    """Hold the Chinese pages to the glossary."""
    if not (docs / FILE).is_file():
        return [Problem(f"{docs.name}/{FILE}", 1, "there is no such file", "write the glossary")]
    terms, problems = load(docs)
    for name in pages.names(docs, "zh"):
        if name != GLOSSARY_PAGE:
            problems += _avoided(pages.read(docs, "zh", name), terms)
    for english, chinese in pages.pairs(docs):
        if english.name != GLOSSARY_PAGE:
            problems += _needed(english, chinese, terms)
            problems += _missing(english, chinese, terms)
    return problems


def load(docs: Path) -> tuple[list[Term], list[Problem]]:
    """Read the glossary. Returns its terms, and the rows that cannot be read."""
    text = (docs / FILE).read_text("utf-8")
    known = {f.name for f in fields(Term)}
    terms, problems = [], []
    for number, row in enumerate(yaml.safe_load(text) or [], 1):
        unknown = set(row) - known
        if unknown or not {"en", "zh"} <= set(row):
            named = row.get("en", f"row {number}")
            line = text[: text.find(f"- en: {named}") + 1].count("\n") + 1
            what = f"the term {named} has unknown fields or lacks en or zh: {sorted(row)}"
            mend = f"use the fields {', '.join(sorted(known))}"
            problems.append(Problem(f"{docs.name}/{FILE}", line, what, mend))
            continue
        terms.append(Term(**row))
    return terms, problems


def _find(word: str, text: str, longer: list[str]) -> list[int]:
    """Where `word` stands in `text` and is no part of one of the longer words."""
    covered = {
        at
        for long in longer
        if word in long
        for found in re.finditer(re.escape(long), text)
        for at in range(*found.span())
    }
    return [m.start() for m in re.finditer(re.escape(word), text) if m.start() not in covered]


def _avoided(page: Page, terms: list[Term]) -> list[Problem]:
    right = [term.zh for term in terms]
    problems = []
    for block in page.prose:
        for term in terms:
            for word in term.avoid:
                for at in _find(word, block.inline.text, [*right, *term.unless]):
                    what = f"“{word}” is not this guide's word for {term.en}"
                    problems.append(
                        Problem(page.file, block.line_of(at), what, f"write “{term.zh}”")
                    )
    return problems


def _needed(english: Page, chinese: Page, terms: list[Term]) -> list[Problem]:
    right = [term.zh for term in terms]
    problems = []
    for left, block in pages.prose_pairs(english, chinese):
        for term in terms:
            if not term.needs_en or term.english_words.search(left.inline.text):
                continue
            longer = [word for word in right if word != term.zh]
            for at in _find(term.zh, block.inline.text, [*longer, *term.unless]):
                what = f"“{term.zh}” means {term.en}, which {english.file}:{left.line} does not say"
                mend = f"use the term for what it says ({', '.join(term.needs_en)} would be right)"
                problems.append(Problem(chinese.file, block.line_of(at), what, mend))
    return problems


def _missing(english: Page, chinese: Page, terms: list[Term]) -> list[Problem]:
    said = "\n".join(block.inline.text for block in chinese.prose)
    beside = {id(left): right.line for left, right in pages.prose_pairs(english, chinese)}
    problems = []
    for term in terms:
        if not term.match or term.zh in said:
            continue
        for block in english.prose:
            found = term.english.search(block.inline.text)
            if found:
                what = f"“{term.zh}” is nowhere on this page, but {english.file}:"
                what += f"{block.line_of(found.start())} says “{found[0]}”"
                line = beside.get(id(block), 1)
                mend = f"translate {term.en} as “{term.zh}” (docs/{FILE})"
                problems.append(Problem(chinese.file, line, what, mend))
                break
    return problems

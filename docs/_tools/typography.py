"""Typography of the Chinese prose, and the spelling of names in both languages.

AutoCorrect finds missing spaces, full-width digits and most half-width punctuation. The rules here
are those that it lacks.
Code, formulas, addresses and whole English sentences are left alone.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import autocorrect_py

from docs._tools import pages
from docs._tools.blocks import OBJECT
from docs._tools.pages import Page
from docs._tools.problem import Problem

HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
FULL_WIDTH = "，。：；？！、（）《》"
SENTENCE_END = "。？！…；：”）"

# What it finds, what is wrong, what to do.
RULES = [
    (r"您", "the reader is addressed as “您”", "write “你”, or leave it out"),
    (
        rf"{HAN}[”）》]?[ ]?[,.;:?!](?![A-Za-z0-9_/])|{OBJECT}[,.;:?!][ ]?(?={HAN})",
        "half-width punctuation beside Chinese",
        "use the full-width mark: ，。；：？！",
    ),
    (
        rf"[\"'][^\"'\n]*{HAN}[^\"'\n]*[\"']",
        "straight quotes around Chinese",
        "use “ and ”",
    ),
    (r"\d\s+[%°]", "a space before % or °", "leave it out"),
    (
        r"\*",
        "a * that the page shows as it is, because Markdown does not read it as emphasis here",
        "put the punctuation outside of the ** **, or leave the emphasis out",
    ),
    (
        rf"{HAN}{OBJECT}|{OBJECT}{HAN}",
        "no space between Chinese and code or a formula",
        "put one space between them",
    ),
    (
        rf"[ \t][{FULL_WIDTH}]|[{FULL_WIDTH}][ \t]|{HAN}[ \t][“”]|[“”][ \t]{HAN}",
        "a space beside full-width punctuation",
        "leave it out",
    ),
]
COMPILED = [(re.compile(pattern), what, mend) for pattern, what, mend in RULES]

NAMES = [
    "AReaL", "DeepSeek", "GitHub", "GSM8K", "Jupyter", "LaTeX", "Markdown", "NumPy", "OpenAI",
    "PyPI", "PyTorch", "Python", "Qwen", "SGLang", "Sphinx", "TRL", "Unicode", "vLLM",
]  # fmt: skip
# Not inside addresses, paths, file names or hyphenated package names.
ANY_NAME = re.compile(
    rf"(?<![\w./@-])(?:{'|'.join(NAMES)})(?![\w/@-]|\.\w)", re.IGNORECASE | re.ASCII
)
PROPER = {name.lower(): name for name in NAMES}


def check(docs: Path) -> list[Problem]:
    """Lint the Chinese pages; of the English ones the names alone."""
    problems = []
    for page in pages.all_pages(docs):
        problems += _names(page)
        if page.language == "zh":
            problems += [*_autocorrect(page), *_own_rules(page)]
    return problems


def _autocorrect(page: Page) -> Iterator[Problem]:
    for found in autocorrect_py.lint_for(page.text, f"{page.name}.md").lines:
        what = f"“{found.old.strip()}” breaks the rules of Chinese typography"
        yield Problem(page.file, found.line, what, f"write “{found.new.strip()}”")


def _own_rules(page: Page) -> Iterator[Problem]:
    for block in page.prose:
        text = block.inline.text
        if not re.search(HAN, text):
            continue
        for pattern, what, mend in COMPILED:
            for found in pattern.finditer(text):
                said = f"{what}: “{_around(text, found)}”"
                yield Problem(page.file, block.line_of(found.start()), said, mend)
        for found in re.finditer(rf"(?<![{SENTENCE_END}\s])[ \t]*\n", text):
            what = f"a line break inside a Chinese sentence: “{_around(text, found)}”"
            line = block.line_of(found.start())
            yield Problem(page.file, line, what, "join the lines: a break would show as a space")
        if block.kind == "heading" and re.search(r"[，。：；？！、….,:;?!]$", text.rstrip()):
            what = f"the heading “{block.begins}” ends with punctuation"
            yield Problem(page.file, block.line, what, "leave the mark out")


def _around(text: str, found: re.Match[str]) -> str:
    return (
        text[max(0, found.start() - 8) : found.end() + 8].replace(OBJECT, "`…`").replace("\n", "⏎")
    )


def _names(page: Page) -> Iterator[Problem]:
    for block in page.prose:
        text = re.sub(r"https?://\S+", lambda found: OBJECT * len(found[0]), block.inline.text)
        for found in ANY_NAME.finditer(text):
            proper = PROPER[found[0].lower()]
            if found[0] != proper:
                what = f"the name “{found[0]}” is not spelled as its project spells it"
                yield Problem(page.file, block.line_of(found.start()), what, f"write “{proper}”")

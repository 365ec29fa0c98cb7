"""The pages of the guide: which there are, and one page read and parsed."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from docs._tools import blocks
from docs._tools.blocks import Block, Inline, Parsed

LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Page:
    """One page in one language.

    Args:
        docs: The docs folder.
        language: "en" or "zh".
        name: Path below the folder of the language, without ending: "rules/format-and-length".
        text: The text of the file.
    """

    docs: Path
    language: str
    name: str
    text: str

    @property
    def file(self) -> str:
        """The path that messages print: from the root of the repository."""
        return f"{self.docs.name}/{self.language}/{self.name}.md"

    @property
    def folder(self) -> Path:
        """The folder that the page stands in, which its relative links start from."""
        return (self.docs / self.language / self.name).parent

    @cached_property
    def parsed(self) -> Parsed:
        """The parsed text. Raises ValueError on Markdown that the checks have no rule for."""
        try:
            return blocks.parse(self.text)
        except ValueError as error:
            raise ValueError(f"{self.file}: {error}") from error

    @property
    def blocks(self) -> list[Block]:
        return self.parsed.blocks

    @property
    def is_notebook(self) -> bool:
        """Whether the header says that the page is a MyST notebook."""
        return "jupytext" in self.parsed.header or "kernelspec" in self.parsed.header

    @property
    def prose(self) -> list[Block]:
        """The blocks that hold words, in reading order: what a translation translates."""
        held = [block for block in blocks.walk(self.blocks) if block.inline is not None]
        description = self.parsed.header.get("description")
        if description is None:
            return held
        words = str(description)
        head = Block("description", self.line_of("description:"), words, inline=Inline(words))
        return [head, *held]

    @property
    def last_line(self) -> int:
        return max(1, len(self.text.splitlines()))

    def line_of(self, start: str) -> int:
        """The first line that begins with `start`, or 1."""
        lines = self.text.splitlines()
        return next((n for n, line in enumerate(lines, 1) if line.startswith(start)), 1)


def names(docs: Path, language: str) -> list[str]:
    """The names of all pages of a language, sorted.

    Names that begin with an underscore (`_build`, `_translated`) hold no pages.
    """
    root = docs / language
    found = (path.relative_to(root).with_suffix("") for path in root.rglob("*.md"))
    return sorted(
        path.as_posix() for path in found if not any(part.startswith("_") for part in path.parts)
    )


def read(docs: Path, language: str, name: str) -> Page:
    """Read one page."""
    text = (docs / language / f"{name}.md").read_text("utf-8")
    return Page(docs, language, name, text)


def all_pages(docs: Path) -> list[Page]:
    """Every page of every language."""
    return [read(docs, language, name) for language in LANGUAGES for name in names(docs, language)]


def pairs(docs: Path) -> list[tuple[Page, Page]]:
    """The pages that stand in both languages: English beside Chinese."""
    both = sorted(set(names(docs, "en")) & set(names(docs, "zh")))
    return [(read(docs, "en", name), read(docs, "zh", name)) for name in both]


def prose_pairs(english: Page, chinese: Page) -> list[tuple[Block, Block]]:
    """The English prose blocks beside their Chinese ones.

    Empty when the two pages do not have the same blocks: then the parity check says so, and what
    stands beside what is a guess.
    """
    left, right = english.prose, chinese.prose
    if [block.kind for block in left] != [block.kind for block in right]:
        return []
    return list(zip(left, right, strict=True))

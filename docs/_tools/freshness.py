"""Each Chinese page carries the state of the English text that it translates.

`docs/zh/_translated/PAGE.json` lists the English prose blocks, each with a hash of its words. When
an English paragraph changes, the hash no longer fits, and the check names the paragraph until
somebody has looked at the Chinese one and run `python -m docs._tools reviewed PAGE`. Line breaks
do not count as a change.
"""

import difflib
import hashlib
import json
from pathlib import Path

from docs._tools import pages, parity
from docs._tools.blocks import Block
from docs._tools.pages import Page
from docs._tools.problem import Problem

FOLDER = "_translated"

State = list[dict[str, str]]


def check(docs: Path) -> list[Problem]:
    """Compare the English text with the state that each Chinese page carries."""
    problems = []
    for english, chinese in pages.pairs(docs):
        problems += _check_page(english, chinese)
    stored = docs / "zh" / FOLDER
    for file in sorted(stored.rglob("*.json")):
        name = file.relative_to(stored).with_suffix("").as_posix()
        if not (docs / "zh" / f"{name}.md").is_file():
            shown = file.relative_to(docs.parent).as_posix()
            problems.append(Problem(shown, 1, f"there is no page {name}", "delete this file"))
    return problems


def record(docs: Path, page: Path | str) -> Path:
    """Store that the Chinese page translates the English page as it now is.

    Args:
        docs: The docs folder.
        page: The page below a language's folder, such as `rules/format-and-length.md`.

    Returns:
        The file written.

    Raises:
        ValueError: If there is no such page, or the two pages do not have the same blocks.
    """
    name = str(page).removesuffix(".md")
    for language in pages.LANGUAGES:
        if name not in pages.names(docs, language):
            known = ", ".join(pages.names(docs, language))
            raise ValueError(f"There is no page {name} in {docs.name}/{language}. Pages: {known}.")
    english, chinese = (pages.read(docs, language, name) for language in pages.LANGUAGES)
    broken = [p for p in parity.check(docs) if p.file in (english.file, chinese.file)]
    if broken:
        listed = "\n".join(map(str, broken))
        raise ValueError(
            f"{name} is not recorded, since the two pages differ. Mend first:\n{listed}"
        )
    file = _state_file(chinese)
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in _state(english))
    file.write_text(f"[\n{rows}\n]\n", "utf-8")
    return file


def _state_file(chinese: Page) -> Path:
    return chinese.docs / "zh" / FOLDER / f"{chinese.name}.json"


def _state(page: Page) -> State:
    return [
        {"kind": block.kind, "sha": _sha(block), "begins": block.begins} for block in page.prose
    ]


def _sha(block: Block) -> str:
    words = " ".join(block.source.split())
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _check_page(english: Page, chinese: Page) -> list[Problem]:
    file = _state_file(chinese)
    command = f"python -m docs._tools reviewed {english.name}.md"
    if not file.is_file():
        what = f"nobody has said which state of {english.file} this page translates"
        return [Problem(chinese.file, 1, what, f"compare the pages, then run {command}")]
    try:
        stored = [(row["kind"], row["sha"], row["begins"]) for row in json.loads(file.read_bytes())]
    except (ValueError, KeyError, TypeError):
        shown = file.relative_to(chinese.docs.parent).as_posix()
        return [Problem(shown, 1, "not a list of translated blocks", f"run {command}")]
    old = [row[:2] for row in stored]
    new = [(block.kind, _sha(block)) for block in english.prose]
    problems = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for how, i, i_end, j, j_end in matcher.get_opcodes():
        if how == "equal":
            continue
        for offset, block in enumerate(english.prose[j:j_end]):
            verb = "was changed" if i + offset < i_end else "was added"
            what = f"the English {block.kind} “{block.begins}” ({english.file}:{block.line}) {verb}"
            problems.append(_stale(chinese, j + offset, what, command))
        for kind, _, begins in stored[i + (j_end - j) : i_end]:
            what = f"the English {kind} “{begins}” was removed from {english.file}"
            problems.append(_stale(chinese, j_end, what, command))
    return problems


def _stale(chinese: Page, index: int, what: str, command: str) -> Problem:
    """Point at the Chinese block beside the English one: the one with the same index."""
    beside = chinese.prose
    line = beside[index].line if index < len(beside) else chinese.last_line
    what += " since this page was last compared with it"
    return Problem(chinese.file, line, what, f"look at the Chinese here, then run {command}")

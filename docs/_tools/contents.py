"""Both languages have the same pages, in the same order, with the same settings."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from docs._tools import pages
from docs._tools.pages import LANGUAGES
from docs._tools.problem import Problem

# The settings of _config.yml that may differ between the languages, as dotted paths.
LANGUAGE_SETTINGS = {
    "title",
    "author",
    "sphinx.config.project",
    "sphinx.config.language",
    "sphinx.config.html_theme_options.search_bar_text",
    "sphinx.config.html_theme_options.toc_title",
}
# Texts of a table of contents, which are translated.
TOC_TEXTS = ("caption", "title")


def check(docs: Path) -> list[Problem]:
    """Compare the pages, the tables of contents and the settings of the two languages."""
    return _page_sets(docs) + _contents(docs) + _settings(docs)


def _page_sets(docs: Path) -> list[Problem]:
    names = {language: set(pages.names(docs, language)) for language in LANGUAGES}
    problems = []
    for here, there in (LANGUAGES, LANGUAGES[::-1]):
        for name in sorted(names[here] - names[there]):
            file = f"{docs.name}/{there}/{name}.md"
            other = f"{docs.name}/{here}/{name}.md"
            mend = f"write it with the blocks of {other}, or delete {other}"
            problems.append(Problem(file, 1, f"there is no such page, but there is {other}", mend))
    return problems


def _contents(docs: Path) -> list[Problem]:
    """The tables of contents: complete, and the same in both languages."""
    problems = []
    trees = {}
    for language in LANGUAGES:
        file = docs / language / "_toc.yml"
        shown = f"{docs.name}/{language}/_toc.yml"
        if not file.is_file():
            problems.append(Problem(shown, 1, "there is no such file", "write it"))
            continue
        trees[language] = _without_texts(yaml.safe_load(file.read_text("utf-8")))
        listed = list(_listed(trees[language]))
        exist = pages.names(docs, language)
        for name in sorted(set(exist) - set(listed)):
            mend = f"add `file: {name}`, or delete {docs.name}/{language}/{name}.md"
            problems.append(Problem(shown, 1, f"the page {name} is not listed", mend))
        for name in sorted(set(listed)):
            line = _line_of_file(file, name)
            if name not in exist:
                mend = f"write {docs.name}/{language}/{name}.md, or take the line out"
                problems.append(Problem(shown, line, f"there is no page {name}", mend))
            if listed.count(name) > 1:
                what = f"the page {name} is listed twice"
                problems.append(Problem(shown, line, what, "list it once"))
    if len(trees) == 2 and trees["en"] != trees["zh"]:
        left, right = (list(_listed(trees[language])) for language in LANGUAGES)
        moved = next((b for a, b in zip(left, right, strict=False) if a != b), "")
        problems.append(
            Problem(
                f"{docs.name}/zh/_toc.yml",
                _line_of_file(docs / "zh" / "_toc.yml", moved),
                f"the parts or their order differ from {docs.name}/en/_toc.yml",
                "list the same files in the same parts in the same order; only captions differ",
            )
        )
    return problems


def _without_texts(tree: object) -> object:
    if isinstance(tree, dict):
        return {k: (None if k in TOC_TEXTS else _without_texts(v)) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_without_texts(item) for item in tree]
    return tree


def _listed(tree: object) -> Iterator[str]:
    """Yield the files that a table of contents names, in order."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key in ("file", "root"):
                yield str(value).removesuffix(".md")
            else:
                yield from _listed(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from _listed(item)


def _line_of_file(toc: Path, name: str) -> int:
    """The line of a table of contents that names a page, or 1."""
    pattern = re.compile(rf"\b(file|root):\s*{re.escape(name)}(\.md)?\s*$")
    lines = toc.read_text("utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if pattern.search(line)), 1)


def _settings(docs: Path) -> list[Problem]:
    """The two _config.yml: the same but for what is said in a language."""
    files = {language: docs / language / "_config.yml" for language in LANGUAGES}
    problems = [
        Problem(f"{docs.name}/{language}/_config.yml", 1, "there is no such file", "write it")
        for language, file in files.items()
        if not file.is_file()
    ]
    if problems:
        return problems
    text = files["zh"].read_text("utf-8")
    flat = {
        language: dict(_flatten(yaml.safe_load(file.read_text("utf-8"))))
        for language, file in files.items()
    }
    for key in sorted(flat["en"].keys() | flat["zh"].keys()):
        here, there = flat["zh"].get(key, "not set"), flat["en"].get(key, "not set")
        if here == there or key in LANGUAGE_SETTINGS:
            continue
        last = re.compile(rf"\s*{re.escape(key.split('.')[-1])}:")
        line = next((n for n, row in enumerate(text.splitlines(), 1) if last.match(row)), 1)
        problems.append(
            Problem(
                f"{docs.name}/zh/_config.yml",
                line,
                f"the setting {key} is {here!r} here and {there!r} in {docs.name}/en/_config.yml",
                "give both the same value, or name the setting in LANGUAGE_SETTINGS "
                "(docs/_tools/contents.py) if it is said in a language",
            )
        )
    return problems


def _flatten(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each setting with its dotted path."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _flatten(value, f"{path}.{key}" if path else str(key))
    else:
        yield path, tree

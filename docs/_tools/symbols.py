"""Prose that names a symbol names one that exists.

Inline code that reads as a Python name, a dotted path, a call, an import or a `name=value` is
looked up: in the package, in the cells of its page, among files, in Python itself, and in
docs/_names.yml, which lists what else may be named, with a reason each.
"""

import ast
import builtins
import difflib
import importlib
import keyword
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from docs._tools import blocks, names, pages
from docs._tools.names import PACKAGE, Package
from docs._tools.pages import Page
from docs._tools.problem import Problem

FILE = "_names.yml"
# A path that begins with one of these must exist. (site/ and .cache/ come and go.)
FOLDERS = (".ci", ".github", "benchmarks", "docs", "examples", PACKAGE, "tests")


def check(docs: Path) -> list[Problem]:
    """Look up every symbol that the prose of the pages names."""
    package = names.read(docs.parent)
    allowed, problems = _allowed(docs)
    used: set[str] = set()
    for page in pages.all_pages(docs):
        in_cells = set(_names_of_cells(page))
        for line, span, symbol in _named(page):
            if symbol in allowed:
                used.add(symbol)
            elif not _exists(symbol, span, page, package, in_cells):
                what = (
                    f"there is no `{symbol}` in {PACKAGE}, in the cells of this page or in Python"
                )
                mend = _nearest(symbol, package.words | in_cells | set(allowed))
                mend += f"correct the name, or list it in {docs.name}/{FILE} with a reason"
                problems.append(Problem(page.file, line, what, mend))
    for name in sorted(set(allowed) - used):
        what = f"no page names {name}"
        problems.append(Problem(f"{docs.name}/{FILE}", allowed[name], what, "delete the line"))
    return problems


def _allowed(docs: Path) -> tuple[dict[str, int], list[Problem]]:
    """The names listed with a reason, each with its line."""
    file = docs / FILE
    if not file.is_file():
        return {}, []
    text = file.read_text("utf-8")
    allowed, problems = {}, []
    for name, reason in (yaml.safe_load(text) or {}).items():
        lines = enumerate(text.splitlines(), 1)
        line = next((n for n, row in lines if row.startswith(str(name))), 1)
        allowed[str(name)] = line
        if not reason:
            what = f"{name} is listed without a reason"
            problems.append(Problem(f"{docs.name}/{FILE}", line, what, "say why it may be named"))
    return allowed, problems


def _named(page: Page) -> Iterator[tuple[int, str, str]]:
    """Yield what the prose of a page names: the line, the code as written, the symbol in it."""
    for block in page.prose:
        for span in block.inline.code:
            for symbol in _asked(span):
                yield block.line_with(span), span, symbol
        for role, target in block.inline.roles:
            if role.startswith("py:"):
                yield block.line_with(target), target, target


def _asked(span: str) -> list[str]:
    """The symbols that a piece of inline code names; none if it is no such code."""
    text = span.strip().strip("\"'") if re.fullmatch(r"\s*([\"'])[\w.]+\1\s*", span) else span
    if text != span and not text.startswith(f"{PACKAGE}."):
        return []  # a text in quotes is a value, unless it is an import path
    if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", text):
        return [text] if text.split("/")[0] in FOLDERS else []
    try:
        body = ast.parse(text.strip()).body
    except (SyntaxError, ValueError):
        return []
    if len(body) != 1:
        return []
    return list(_symbols(body[0]))


def _symbols(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Expr(value=value):
            yield from _symbols(value)
        case ast.Name(id=name):
            yield name
        case ast.Attribute():
            dotted = ast.unparse(node)
            if re.fullmatch(r"[\w.]+", dotted):
                yield dotted
        case ast.Call(func=func, keywords=keywords):
            yield from _symbols(func)
            yield from (k.arg for k in keywords if k.arg)
        case ast.Assign(value=ast.Call() as value):  # the reader makes a name of their own
            yield from _symbols(value)
        case ast.Assign(targets=[target]):  # a keyword argument with its value
            yield from _symbols(target)
        case ast.AnnAssign(target=target):
            yield from _symbols(target)
        case ast.Import(names=aliases):
            yield from (alias.name for alias in aliases)
        case ast.ImportFrom(module=module, names=aliases, level=0):
            yield from (f"{module}.{alias.name}" for alias in aliases)


def _names_of_cells(page: Page) -> Iterator[str]:
    """Names, attributes, keywords and short strings of the code cells of a page."""
    for block in blocks.walk(page.blocks):
        if block.kind != "code-cell":
            continue
        lines = block.source.splitlines()
        code = "\n".join("" if re.match(r"\s*[%!]", line) else line for line in lines)
        try:
            tree = ast.parse(code)
        except SyntaxError:
            continue  # the cell raises when it is run, which is another check's business
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                    yield name
                case ast.keyword(arg=str(name)) | ast.Constant(value=str(name)):
                    yield name
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.alias(name=name, asname=other):
                    yield from name.split(".")
                    if other:
                        yield other


def _exists(symbol: str, span: str, page: Page, package: Package, in_cells: set[str]) -> bool:
    root = page.docs.parent
    if symbol.split(".")[0] == PACKAGE and "/" not in symbol:
        return package.has(symbol)
    if "/" in symbol:
        return (root / symbol).exists()
    folders = (root, page.docs, page.folder)
    if "." in symbol and any((folder / span.strip()).exists() for folder in folders):
        return True
    first, *rest = symbol.split(".")
    if not rest:
        known = package.words | in_cells | sys.stdlib_module_names
        return first in known or hasattr(builtins, first) or keyword.iskeyword(first)
    if first in package.members:
        return len(rest) == 1 and rest[0] in package.members[first]
    if hasattr(builtins, first):
        return _reaches(getattr(builtins, first), rest)
    if first in in_cells or first in package.words:
        return all(part in in_cells or part in package.words for part in rest)
    if first in sys.stdlib_module_names:
        return _in_standard_library(symbol)
    return False


def _in_standard_library(dotted: str) -> bool:
    """Import the module that a dotted path begins with and follow the rest."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        return _reaches(module, parts[count:])
    return False


def _reaches(value: object, attributes: list[str]) -> bool:
    for attribute in attributes:
        if not hasattr(value, attribute):
            return False
        value = getattr(value, attribute)
    return True


def _nearest(symbol: str, known: set[str]) -> str:
    last = symbol.split(".")[-1]
    near = difflib.get_close_matches(last, sorted(known - {last}), n=3, cutoff=0.7)
    return f"did you mean {' or '.join(near)}? Otherwise " if near else ""

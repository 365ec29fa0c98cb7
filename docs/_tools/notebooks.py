"""The pages as notebooks: their reference outputs, the proof that nbval ran them, the cache.

One file a page in `docs/_outputs` holds the code cells with the outputs that a run of the page
must give. Both languages share it, since their cells are the same bytes. `regenerate` writes it,
pytest (docs/conftest.py) compares every page of both languages with it, and `fill_cache` hands
the site build those outputs and no others.
"""

import difflib
import hashlib
import json
import os
import platform
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from docs._tools import kernels

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LANGUAGES = ("en", "zh")
CELL_TIMEOUT_SECONDS = 120

# What the outputs of a page can depend on, beside the page itself.
CODE = (
    "reference_impl",
    "benchmarks",
    "examples",
    "tests/rules/math/cases",
    "tests/judge/cases",
    "tests/check",
    "tests/trainers",
    "constraints.txt",
)


class StaleReferenceError(Exception):
    """The stored outputs of a page do not belong to the page as it stands."""


class CellFailedError(Exception):
    """A cell of a page raised, and the page does not say that it should."""


def is_notebook(page: Path) -> bool:
    """A page with code cells, or with the header that makes it a notebook."""
    text = page.read_text("utf-8")
    return "\n```{code-cell}" in text or "format_name: myst" in text.split("\n---", 1)[0]


def has_header(page: Path) -> bool:
    text = page.read_text("utf-8")
    return text.startswith("---\n") and "format_name: myst" in text.split("\n---", 1)[0]


def notebook_pages(docs: Path = DOCS, language: str = "en") -> list[Path]:
    """Paths of the notebook pages of a language, relative to its folder, in order."""
    folder = docs / language
    pages = (path.relative_to(folder) for path in folder.rglob("*.md"))
    return sorted(
        page
        for page in pages
        if not any(part.startswith("_") for part in page.parts) and is_notebook(folder / page)
    )


def reference_path(page: Path, docs: Path = DOCS) -> Path:
    return (docs / "_outputs" / page).with_suffix(".ipynb")


def read_page(path: Path) -> nbformat.NotebookNode:
    if not has_header(path):
        raise StaleReferenceError(
            f"{path.name} has code cells but no notebook header, so nothing would run them. "
            "Mend: begin it with the header of another page (CONTRIBUTING.md)."
        )
    return jupytext.reads(path.read_text("utf-8"), fmt="md:myst")


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def with_reference(language: str, page: Path, docs: Path = DOCS) -> nbformat.NotebookNode:
    """The page as a notebook that carries the stored outputs.

    Args:
        language: "en" or "zh".
        page: The page, relative to the folder of its language.
        docs: The docs folder.

    Returns:
        The notebook, each code cell with its stored outputs and execution count.

    Raises:
        StaleReferenceError: The stored outputs are missing, were never executed, or belong to
            other cells. The message says which and how to mend it.
    """
    path, stored = docs / language / page, reference_path(page, docs)
    notebook = read_page(path)
    name = f"docs/{language}/{page}"
    regenerate_it = f"Mend: python -m docs._tools regenerate {page}"
    if not stored.exists():
        raise StaleReferenceError(f"{name} has no stored outputs. {regenerate_it}")
    reference = nbformat.read(stored, as_version=4)
    # nbval compares nothing for a cell that never ran, and says nothing about it.
    if any(cell.execution_count is None for cell in reference.cells):
        raise StaleReferenceError(
            f"docs/_outputs/{page.with_suffix('.ipynb')} holds a cell that was not executed. "
            f"{regenerate_it}"
        )
    theirs, ours = _sources(reference), _sources(notebook)
    if theirs != ours:
        diff = "\n".join(
            difflib.unified_diff(theirs, ours, "cells that were run", name, lineterm="")
        )
        raise StaleReferenceError(
            f"{name}: its code cells are not those whose outputs are stored.\n{diff}\n"
            f"{regenerate_it}, or make both languages the same."
        )
    for cell, ran in zip(code_cells(notebook), reference.cells, strict=True):
        cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
    return notebook


def _sources(notebook: nbformat.NotebookNode) -> list[str]:
    lines = []
    for cell in code_cells(notebook):
        lines += [f"# cell, tags {cell.metadata.get('tags', [])}", *cell.source.splitlines()]
    return lines


def orphans(docs: Path = DOCS) -> list[Path]:
    """Stored outputs whose page is gone."""
    wanted = {reference_path(page, docs) for page in notebook_pages(docs)}
    return sorted(set((docs / "_outputs").rglob("*.ipynb")) - wanted)


def regenerate(pages: list[Path]) -> None:
    """Run pages (their English files) and store what their cells print and draw."""
    kernels.prepare()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for page in pool.map(_regenerate, pages):
            print(f"wrote docs/_outputs/{page.with_suffix('.ipynb')}")


def _regenerate(page: Path) -> Path:
    source = DOCS / "en" / page
    notebook = read_page(source)
    resources = {"metadata": {"path": str(source.parent)}}
    client = NotebookClient(notebook, timeout=CELL_TIMEOUT_SECONDS, resources=resources)
    try:
        client.execute()
    except CellExecutionError as error:
        raise CellFailedError(
            f"docs/en/{page}: a cell raised {error.ename}: {error.evalue}\n"
            f"{textwrap.indent(_failed_cell(notebook).source, '    ')}\n"
            "Mend: correct the cell, or tag it raises-exception if the page is to show the error."
        ) from None
    notebook.cells = code_cells(notebook)
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        cell.pop("id", None)
        for output in cell.outputs:
            if output.output_type == "error":  # a traceback names paths; its last line is compared
                output.traceback = [f"{output.ename}: {output.evalue}"]
    notebook.nbformat_minor = 4  # the last version whose cells have no random ids
    stored = reference_path(page)
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_text(nbformat.writes(notebook) + "\n", "utf-8")
    return page


def _failed_cell(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The cell at which a run ended: the last one that raised."""
    raised = [
        cell
        for cell in code_cells(notebook)
        if any(output.output_type == "error" for output in cell.outputs)
    ]
    return raised[-1]


class Verified:
    """Which pages nbval has run and found equal, and the state of everything they ran on.

    Args:
        path: The file that keeps the record, `.cache/verified.json`.
    """

    def __init__(self, path: Path = ROOT / ".cache" / "verified.json"):
        self.path = path

    def read(self) -> dict[str, str]:
        return json.loads(self.path.read_text("utf-8")) if self.path.exists() else {}

    def update(self, passed: dict[str, str], failed: set[str]) -> None:
        """Note the pages (such as "en/start.md") that passed, forget those that failed."""
        record = {name: state for name, state in self.read().items() if name not in failed}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(record | passed, indent=1, sort_keys=True), "utf-8")
        new.replace(self.path)

    def missing(self) -> list[str]:
        """Pages that nbval has not verified in the state in which they stand."""
        record = self.read()
        return [
            name for name, state in page_states().items() if record.get(name, "never run") != state
        ]


def page_states() -> dict[str, str]:
    """For each notebook page of each language a digest of all that its outputs depend on."""
    code = _digest_of_code()
    states = {}
    for language in LANGUAGES:
        for page in notebook_pages(DOCS, language):
            digest = hashlib.sha256(code)
            digest.update((DOCS / language / page).read_bytes())
            stored = reference_path(page)
            digest.update(stored.read_bytes() if stored.exists() else b"none")
            states[f"{language}/{page}"] = digest.hexdigest()
    return states


def _digest_of_code() -> bytes:
    digest = hashlib.sha256(platform.python_version().encode())
    for name in CODE:
        top = ROOT / name
        files = [top] if top.is_file() else sorted(top.rglob("*"))
        for path in files:
            if path.is_file() and path.suffix in {
                ".py",
                ".json",
                ".jsonl",
                ".toml",
                ".yaml",
                ".txt",
            }:
                digest.update(path.relative_to(ROOT).as_posix().encode())
                digest.update(path.read_bytes())
    return digest.digest()


class UnverifiedError(Exception):
    """The site may not be built: some outputs are not what nbval verified."""


def fill_cache(where: Path) -> None:
    """Fill an empty jupyter-cache with the verified outputs, so that the build starts no kernel.

    Args:
        where: The cache's folder; it must not exist, since an old cache knows nothing of changed
            code and would give its numbers out again.

    Raises:
        UnverifiedError: A page stands in a state that nbval has not verified.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn
    from myst_nb.core.read import read_myst_markdown_notebook

    if missing := Verified().missing():
        raise UnverifiedError(
            f"{len(missing)} page(s) were not verified as they stand, or code changed since: "
            f"{', '.join(missing)}. Mend: python -m docs._tools verify"
        )
    if where.exists():
        raise UnverifiedError(f"{where} is left from another build. Mend: remove it.")
    cache = get_cache(where)
    for page in notebook_pages():
        notebook = read_myst_markdown_notebook((DOCS / "en" / page).read_text("utf-8"))
        verified = with_reference("en", page)
        for cell, ran in zip(code_cells(notebook), code_cells(verified), strict=True):
            cell.outputs, cell.execution_count = ran.outputs, ran.execution_count
        bundle = CacheBundleIn(notebook, str(page), data={})
        cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)

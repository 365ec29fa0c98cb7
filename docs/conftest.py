"""pytest collects every notebook page of docs/en and docs/zh and nbval runs it, strictly.

The stored outputs are those of docs/_outputs, shared by both languages. What passed is noted in
`.cache/verified.json`, and the site is built from nothing else (docs/_tools/notebooks.py).
"""

from pathlib import Path
from unittest import mock

import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from docs._tools import kernels, notebooks, pictures

DOCS = notebooks.DOCS

kernels.prepare()

collect_ignore_glob = ["_*"]


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".md" and notebooks.is_notebook(file_path):
        return NotebookPage.from_parent(parent, path=file_path)
    return None


class NotebookPage(IPyNbFile):
    """A page, read as Markdown, with the stored outputs in its cells."""

    def collect(self):
        language, *page = self.path.relative_to(DOCS).parts
        try:
            notebook = notebooks.with_reference(language, Path(*page))
        except notebooks.StaleReferenceError as error:
            raise self.CollectError(str(error)) from None
        with mock.patch("nbval.plugin.nbformat.read", return_value=notebook):
            cells = list(super().collect())
        for cell in cells:
            cell.__class__ = PageCell
        return cells


class PageCell(IPyNbCell):
    """A cell whose pictures are compared too."""

    def compare_outputs(self, test, ref, skip_compare=None):
        if not super().compare_outputs(test, ref, skip_compare):
            page = self.path.relative_to(DOCS.joinpath(self.path.relative_to(DOCS).parts[0]))
            self.comparison_traceback.append(
                f"If the new output is right: python -m docs._tools regenerate {page}"
            )
            return False
        self.comparison_traceback = pictures.compare(test, ref)
        return not self.comparison_traceback


class RecordOfRun:
    """Notes which pages passed whole. Lives in the process that hears of every result."""

    def __init__(self):
        self.states = notebooks.page_states()
        self.outcomes: dict[str, list[str]] = {}

    def pytest_runtest_logreport(self, report):
        path = report.nodeid.split("::")[0]
        if (
            path.startswith("docs/")
            and path.endswith(".md")
            and (report.when == "call" or report.outcome != "passed")
        ):
            outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
            self.outcomes.setdefault(path.removeprefix("docs/"), []).append(outcome)

    def pytest_sessionfinish(self):
        passed, failed = {}, set()
        after = notebooks.page_states()
        for name, outcomes in self.outcomes.items():
            cells = len(notebooks.code_cells(notebooks.read_page(DOCS / name)))
            if outcomes == ["passed"] * cells and self.states[name] == after[name]:
                passed[name] = after[name]
            else:  # a part of the page ran, a cell failed or was skipped, or a file changed
                failed.add(name)
        notebooks.Verified().update(passed, failed)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # not in xdist's workers
        config.pluginmanager.register(RecordOfRun(), "record-of-run")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    if orphans := notebooks.orphans():
        names = ", ".join(str(path.relative_to(DOCS.parent)) for path in orphans)
        raise pytest.UsageError(f"Stored outputs without a page: {names}. Mend: delete them.")

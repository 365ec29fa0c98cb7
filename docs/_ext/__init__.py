"""What the site needs beyond stock Sphinx, as one extension: `docs._ext`.

Nothing here imports Jupyter Book, so the same pages also build with plain Sphinx. Each module has
one purpose, and a `setup` of its own:

- `settings`: the Sphinx values that both languages share, and the addresses of the site.
- `verified_outputs`: outputs come from the verified runs; a build never starts a kernel.
- `anchors`: the id of a section is the English label above its heading.
- `page_head`: language, alternates, description and header links of each page.
- `chinese_lines`: a line break inside Chinese text is not a space.
- `chinese_search`: a search that finds Chinese words.
- `notebook_download`: each page as a notebook that runs on its own.
- `glossary_table`: the table of terms.
- `model_signatures`: no signatures of pydantic models in the reference.
"""

from importlib import import_module

from sphinx.application import Sphinx

THIRD_PARTY = (
    "myst_nb",
    "sphinx_book_theme",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
)
OWN = (
    "settings",
    "verified_outputs",
    "anchors",
    "page_head",
    "chinese_lines",
    "chinese_search",
    "notebook_download",
    "glossary_table",
    "model_signatures",
)


def setup(app: Sphinx) -> dict:
    for name in THIRD_PARTY:
        app.setup_extension(name)
    for name in OWN:
        import_module(f"{__name__}.{name}").setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

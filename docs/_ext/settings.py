"""The Sphinx values that both languages share, and the addresses of the site.

They stand here once, so that the two `_config.yml` files hold only what differs by language.
Three environment variables name the public addresses; publishing sets them.
"""

import builtins
import os
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

# Unset and empty are the same: a workflow passes an empty value where it has none.
SITE_URL = (os.environ.get("GUIDE_URL") or "https://guide.example").rstrip("/")
REPOSITORY_URL = os.environ.get("GUIDE_REPOSITORY") or "https://github.com/example/reward-guide"
BRANCH = os.environ.get("GUIDE_BRANCH") or "main"

DOCS = Path(__file__).resolve().parents[1]

# There is no inventory of Python's own names offline. Every other reference must resolve.
PYTHONS_OWN = "|".join(sorted({*sys.stdlib_module_names, *dir(builtins)}))


def language_of(app: Sphinx) -> str:
    """The folder of the language that is built: `en` or `zh`."""
    return Path(app.srcdir).name


def share(app: Sphinx, config: Config) -> None:
    language = language_of(app)
    config.html_baseurl = f"{SITE_URL}/{language}/"
    config.templates_path = [str(DOCS / "_templates")]
    config.html_static_path = [str(DOCS / "_static")]
    config.html_css_files = ["guide.css"]
    config.html_js_files = [("guide.js", {"defer": "defer"})]
    config.html_favicon = str(DOCS / "_static" / "favicon.svg")
    config.html_use_index = False
    config.html_copy_source = False
    config.html_show_sphinx = False
    config.html_last_updated_fmt = None
    config.html_permalinks_icon = "#"
    config.html_theme = "sphinx_book_theme"
    config.html_theme_options = {
        **config.html_theme_options,
        # The default repeats the search field of the sidebar.
        "navbar_persistent": [],
        "article_header_end": ["language-switch.html", "page-buttons.html"],
        "footer_content_items": ["copyright.html"],
        "use_download_button": False,
        "use_fullscreen_button": False,
        "show_navbar_depth": 2,
        "show_toc_level": 2,
        "pygments_light_style": "a11y-high-contrast-light",
        "pygments_dark_style": "a11y-high-contrast-dark",
    }

    config.html_context = {**config.html_context, "default_mode": "auto"}

    # MathJax and everything else is served by the site itself.
    config.mathjax_path = "mathjax/tex-svg.js"
    config.nb_ipywidgets_js = {}
    config.myst_enable_extensions = {
        "amsmath",
        "attrs_inline",
        "colon_fence",
        "deflist",
        "dollarmath",
        "tasklist",
    }
    config.nb_output_stderr = "error"
    config.nb_merge_streams = True
    # Tables of scores are Markdown with pipes, which strict CommonMark does not know.
    config.nb_render_markdown_format = "gfm"
    config.numfig = False
    config.copybutton_exclude = ".linenos, .gp, .go"

    config.default_role = "literal"  # `name` in a docstring is code
    config.autodoc_member_order = "bysource"
    config.autodoc_typehints = "signature"
    config.autodoc_typehints_format = "short"
    config.autodoc_preserve_defaults = True
    config.python_use_unqualified_type_names = True
    config.python_maximum_signature_line_length = 80
    config.add_module_names = False
    config.toc_object_entries = False
    config.napoleon_numpy_docstring = False
    config.napoleon_custom_sections = ["Source"]
    config.napoleon_use_admonition_for_examples = False
    config.nitpick_ignore_regex = [
        ("py:.*", rf"({PYTHONS_OWN})(\..*)?"),
        # Documented elsewhere, and links leave the site.
        ("py:class", r"torch\.Tensor|pydantic\..*"),
        ("py:class", r".*\.VerdictT"),  # stands for the class of verdict that is passed
    ]


def setup(app: Sphinx) -> None:
    # Before the other extensions read their settings at this event.
    app.connect("config-inited", share, priority=100)

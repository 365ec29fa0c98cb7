"""What each page says about itself: its language, its translation, its description, its source."""

from docutils import nodes
from sphinx.application import Sphinx

from .settings import BRANCH, REPOSITORY_URL, SITE_URL, language_of

LANGUAGES = {
    "en": {
        "html_lang": "en",
        "hreflang": "en",
        "og_locale": "en_US",
        "name": "English",
        "read_here": "Read this page in English",
        "edit": "Suggest an edit of this page",
        "download": "Download this page as a notebook",
        "repository": "Source repository",
    },
    "zh": {
        "html_lang": "zh-CN",
        "hreflang": "zh-Hans",
        "og_locale": "zh_CN",
        "name": "中文",
        "read_here": "阅读本页的中文版",
        "edit": "编辑本页",
        "download": "下载本页的 notebook",
        "repository": "源代码仓库",
    },
}
LONGEST_DESCRIPTION = 160


def first_paragraph(doctree: nodes.document) -> str:
    for section in doctree.findall(nodes.section):
        for child in section.children:
            if isinstance(child, nodes.paragraph):
                return " ".join(child.astext().split())
    return ""


def describe(meta: dict, doctree: nodes.document | None) -> str:
    text = meta.get("description") or (first_paragraph(doctree) if doctree else "")
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    return text[: LONGEST_DESCRIPTION - 1].rstrip() + "…"


def page_context(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    here = language_of(app)
    other = next(language for language in LANGUAGES if language != here)
    is_page = pagename in app.env.found_docs
    # The theme prints this value into <html lang="...">, where zh_CN is not a language tag.
    context["language"] = LANGUAGES[here]["html_lang"]
    context["guide"] = {
        **LANGUAGES[here],
        "description": describe(context.get("meta") or {}, doctree),
        "alternates": [
            (language["hreflang"], f"{SITE_URL}/{folder}/{pagename}.html")
            for folder, language in LANGUAGES.items()
        ],
        # The root page picks the reader's language; for other pages English is the default.
        "x_default": f"{SITE_URL}/" if pagename == "index" else f"{SITE_URL}/en/{pagename}.html",
        "other": {
            **LANGUAGES[other],
            "folder": other,
            "href": f"{context['content_root']}../{other}/{pagename}.html",
        },
        "repository_url": REPOSITORY_URL,
        "edit_url": f"{REPOSITORY_URL}/edit/{BRANCH}/docs/{here}/{pagename}.md" if is_page else "",
    }


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", page_context)

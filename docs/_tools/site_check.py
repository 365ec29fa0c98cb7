"""Check a built site: every link leads somewhere, nothing loads from another host.

Reads the files alone. That a browser asks no other host either is for the browser tests to show.
"""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from docs._ext.page_head import LANGUAGES
from docs._ext.settings import SITE_URL

# Attributes that make a browser load something at once.
LOADS = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
    "audio": ("src",),
    "embed": ("src",),
    "object": ("data",),
    "input": ("src",),
}
LINK_RELATIONS_THAT_LOAD = {
    "stylesheet", "icon", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch",
    "manifest", "apple-touch-icon",
}  # fmt: skip
ABSOLUTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)
CSS_LOAD = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
SCRIPT_LOAD = re.compile(
    r"""(?:\bimport\b[\s({]*|\bfrom\s*|\bfetch\(\s*|importScripts\(\s*|\.src\s*=\s*)"""
    r"""["'`]((?:https?:)?//[^"'`\s]+)"""
)


class Page(HTMLParser):
    """What a page links to, loads, and says of itself."""

    def __init__(self, text: str):
        super().__init__()
        self.ids: set[str] = set()
        self.twice: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.lang = ""
        self.canonical: list[str] = []
        self.alternates: dict[str, str] = {}
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag in {"script", "style"}:
            self._inside = tag
        if identity := values.get("id"):
            (self.twice if identity in self.ids else self.ids).add(identity)
        if tag == "html":
            self.lang = values.get("lang", "")
        elif tag == "link":
            self._link(values)
        elif tag == "a" and "href" in values:
            self.links.add(values["href"])
        for name in LOADS.get(tag, ()):
            for address in values.get(name, "").split(","):
                if address.strip():
                    self.loads.add(address.split()[0])
        self.loads.update(CSS_LOAD.findall(values.get("style", "")))

    def _link(self, values: dict[str, str]) -> None:
        relations = set(values.get("rel", "").lower().split())
        address = values.get("href", "")
        if "canonical" in relations:
            self.canonical.append(address)
        elif "alternate" in relations and "hreflang" in values:
            self.alternates[values["hreflang"]] = address
        elif relations & LINK_RELATIONS_THAT_LOAD:
            self.loads.add(address)
        else:
            self.links.add(address)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.loads.update(CSS_LOAD.findall(data))
        elif self._inside == "script":
            self.loads.update(SCRIPT_LOAD.findall(data))


def check(site: Path) -> list[str]:
    """The problems of a built site, each with the page and the mend."""
    pages = {
        path.relative_to(site).as_posix(): Page(path.read_text("utf-8"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }
    problems = []
    for name, page in pages.items():
        problems += _check_loads(name, page.loads)
        problems += _check_links(site, pages, name, page)
        if name.split("/")[0] in LANGUAGES:
            problems += _check_head(site, name, page)
    return problems + _check_assets(site)


def _check_loads(name: str, loads: set[str]) -> list[str]:
    return [
        f"site/{name} loads {address} from another host. Mend: put the file into docs/_static."
        for address in sorted(loads)
        if ABSOLUTE.match(address)
    ]


def _check_links(site: Path, pages: dict[str, Page], name: str, page: Page) -> list[str]:
    problems = [
        f"site/{name} has the id {identity!r} twice. Mend: give one of them another label."
        for identity in sorted(page.twice)
    ]
    for address in sorted(page.links | page.loads):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc or address in {"", "#"}:
            continue
        # The 404 page is shown at any depth, so its links begin at the site's own path.
        base = urlsplit(SITE_URL).path if parts.path.startswith("/") else ""
        path = unquote(parts.path).removeprefix(base)
        target = urljoin(f"/{name}", path).lstrip("/") if path else name
        if target == "" or target.endswith("/"):
            target += "index.html"
        if not (site / target).is_file():
            problems.append(
                f"site/{name} links to {address}, but there is no site/{target}. "
                "Mend: correct the link, or add the page to both languages and to _toc.yml."
            )
        elif (
            parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids
        ):
            problems.append(
                f"site/{name} links to {address}, but site/{target} has no such anchor. "
                "Mend: correct the link, or put the label above the heading it means."
            )
    return problems


def _check_head(site: Path, name: str, page: Page) -> list[str]:
    language, _, rest = name.partition("/")
    problems = []
    if page.lang != LANGUAGES[language]["html_lang"]:
        problems.append(
            f'site/{name} has <html lang="{page.lang}">. '
            f"Mend: {LANGUAGES[language]['html_lang']!r} is set in docs/_ext/page_head.py."
        )
    if page.canonical != [f"{SITE_URL}/{name}"]:
        problems.append(
            f"site/{name} names {page.canonical} as canonical. "
            "Mend: docs/_ext/settings.py sets html_baseurl; the theme prints it once."
        )
    for folder, values in LANGUAGES.items():
        if page.alternates.get(values["hreflang"]) != f"{SITE_URL}/{folder}/{rest}":
            problems.append(
                f"site/{name} does not name its {values['name']} page as an alternate. "
                "Mend: docs/_templates/layout.html prints the alternates."
            )
        if not (site / folder / rest).is_file():
            problems.append(
                f"site/{name} has no translation site/{folder}/{rest}. "
                f"Mend: add docs/{folder}/{rest.removesuffix('.html')}.md."
            )
    return problems


def _check_assets(site: Path) -> list[str]:
    problems = []
    for path in sorted(site.rglob("*")):
        pattern = {".css": CSS_LOAD, ".js": SCRIPT_LOAD}.get(path.suffix)
        if pattern:
            loads = set(pattern.findall(path.read_text("utf-8", "replace")))
            problems += _check_loads(path.relative_to(site).as_posix(), loads)
    return problems

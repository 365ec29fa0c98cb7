"""Build both languages into `site/`, and serve them.

The pages take their outputs from a notebook cache that holds nothing but what nbval has verified.
A new site replaces the old one only when every check of it has passed.
"""

import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from docs._ext.page_head import LANGUAGES
from docs._ext.settings import SITE_URL
from docs._tools import notebooks, site_check

SHOWN_LOG_LINES = 40
COLOR = re.compile(r"\x1b\[[\d;]*m")
# A warning whose line ends with a colon goes on in the next one, past a traceback.
WARNING = re.compile(
    r"^Extension error:\n.+|^.*\b(?:WARNING|ERROR): .*(?:(?<=:)\n(?:Traceback.*\n(?: .*\n)+)?.+)?",
    re.MULTILINE,
)
TRACEBACK = re.compile(r"^Traceback.*\n(?: .*\n)+", re.MULTILINE)
# Pages that readers do not look for: the site's own search and listings of source files.
NOT_IN_SITEMAP = ("search.html", "genindex.html", "py-modindex.html", "_modules/")


class BuildError(Exception):
    """The site was not built; the message says why and what to do."""


def build(root: Path) -> None:
    """Build `site/` from the pages of both languages and their verified outputs.

    Args:
        root: The repository.

    Raises:
        UnverifiedError: A page stands in a state that nbval has not verified.
        BuildError: A page has a warning or an error, or a link of the site leads nowhere.
    """
    work = root / ".cache"
    for leftover in (work / "jupyter", work / "build"):  # a rest would hide the warnings of a page
        shutil.rmtree(leftover, ignore_errors=True)
    notebooks.fill_cache(work / "jupyter")

    logs = {language: work / "build" / f"{language}.log" for language in LANGUAGES}
    builds = {language: _start_build(root, language, log) for language, log in logs.items()}
    failed = [language for language, process in builds.items() if process.wait() != 0]
    if failed:
        raise BuildError("\n".join(_failure(root, language, logs[language]) for language in failed))

    new = work / "site"
    _assemble(root, new)
    if problems := site_check.check(new):
        raise BuildError("\n".join(problems))
    _swap(new, root / "site")
    print(f"built site/ with {', '.join(f'site/{language}' for language in LANGUAGES)}")


def _start_build(root: Path, language: str, log: Path) -> subprocess.Popen:
    output = log.with_suffix("")
    output.mkdir(parents=True)
    # With the interpreter that runs this: the build needs no activated environment.
    program = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    options = ["-W", "-n", "--keep-going", "--path-output", str(output)]
    with log.open("w", encoding="utf-8") as file:
        return subprocess.Popen(
            [*program, "build", f"docs/{language}", *options],
            cwd=root,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": str(root)},
        )


def _failure(root: Path, language: str, log: Path) -> str:
    text = COLOR.sub("", log.read_text("utf-8", "replace")).replace(f"{root}/", "")
    # Jupyter Book raises an error of its own after the one that counts.
    text = text.partition("\nThe above exception was the direct cause")[0]
    lines = TRACEBACK.sub("", "\n".join(WARNING.findall(text))).splitlines() or text.splitlines()
    shown = "\n".join(lines[-SHOWN_LOG_LINES:])
    return (
        f"docs/{language} does not build. Mend what these lines name "
        f"(whole log: {log.relative_to(root)}):\n{shown}"
    )


def _assemble(root: Path, new: Path) -> None:
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    for language in LANGUAGES:
        built = root / ".cache" / "build" / language / "_build" / "html"
        ignored = shutil.ignore_patterns(".buildinfo*", "objects.inv.bak")
        shutil.copytree(built, new / language, ignore=ignored)
    addresses = {"url": SITE_URL, "path": urlsplit(SITE_URL).path}
    for name in ("index.html", "404.html", "robots.txt"):
        template = Template((root / "docs" / "_root" / name).read_text("utf-8"))
        (new / name).write_text(template.substitute(addresses), "utf-8")
    (new / "sitemap.xml").write_text(_sitemap(new), "utf-8")
    (new / ".nojekyll").touch()  # GitHub Pages would leave out folders such as _static


def _sitemap(site: Path) -> str:
    pages = {
        language: {
            name
            for path in (site / language).rglob("*.html")
            if not (name := path.relative_to(site / language).as_posix()).startswith(NOT_IN_SITEMAP)
        }
        for language in LANGUAGES
    }
    entries = []
    for language, names in pages.items():
        for name in sorted(names):
            alternates = "".join(
                f'\n    <xhtml:link rel="alternate" hreflang="{values["hreflang"]}"'
                f' href="{escape(f"{SITE_URL}/{other}/{name}")}"/>'
                for other, values in LANGUAGES.items()
                if name in pages[other]
            )
            address = escape(f"{SITE_URL}/{language}/{name}")
            entries.append(f"  <url>\n    <loc>{address}</loc>{alternates}\n  </url>\n")
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
        ' xmlns:xhtml="http://www.w3.org/1999/xhtml">\n' + "".join(entries) + "</urlset>\n"
    )


def _swap(new: Path, site: Path) -> None:
    old = new.with_name("site.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    new.rename(site)
    shutil.rmtree(old, ignore_errors=True)


class SiteHandler(SimpleHTTPRequestHandler):
    """Serves files as a static host does: an unknown address gets the site's own 404 page."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None):
        page = Path(self.directory, "404.html")
        if code != 404 or not page.is_file():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        # A browser that leaves a page drops what it was still loading.
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def log_message(self, *args) -> None:
        """A line for each request would bury the address."""


def server(site: Path, port: int) -> ThreadingHTTPServer:
    """A server of the site on the loopback interface; port 0 takes a free one."""
    if not (site / "index.html").is_file():
        raise BuildError(f"{site.name}/ is not built. Run ./build_all.sh")
    return ThreadingHTTPServer(("127.0.0.1", port), partial(SiteHandler, directory=str(site)))


def serve(site: Path, port: int) -> None:
    """Serve the site on the loopback interface until it is interrupted."""
    with server(site, port) as running:
        print(f"http://127.0.0.1:{running.server_port}/ (stop with Ctrl+C)", flush=True)
        try:
            running.serve_forever()
        except KeyboardInterrupt:
            print()

"""The browser tests look at the built site, served on the loopback interface."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from docs._tools import site as site_tool
from tests.site.built_site import SITE

BROWSERS = ("chromium", "chromium-browser", "google-chrome")  # the first that is there
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def site() -> Path:
    if not (SITE / "index.html").is_file():
        pytest.fail("site/ is not built: run ./build_all.sh")
    return SITE


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    with site_tool.server(site, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


# For each file anew: while Playwright runs, no other test of this process can have an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = next(filter(None, map(shutil.which, BROWSERS)), None)
    if chromium is None:
        pytest.fail("Chromium is missing: apt-get install chromium fonts-noto-cjk libatomic1")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield running
        running.close()


class Visit:
    """A browser window of one reader, which notes what it asks for and what goes wrong.

    A request to another host is noted and refused, so that no test depends on a network.
    """

    def __init__(self, browser: Browser, address: str, **settings):
        self.address = address
        self.elsewhere: list[str] = []
        self.errors: list[str] = []
        self.context: BrowserContext = browser.new_context(**settings)
        self.context.route("**/*", self._route)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", self._note_response)

    def _route(self, route) -> None:
        url = route.request.url
        if url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.elsewhere.append(url)
            route.abort()

    def _note_console(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _note_response(self, response) -> None:
        if response.status >= 400:
            self.errors.append(f"{response.status} for {response.url}")

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.address}/{path}", wait_until="load")
        return self.page

    @property
    def path(self) -> str:
        return urlsplit(self.page.url).path.lstrip("/")


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator:
    """Opens a window: visit(locale="zh-CN", viewport=..., color_scheme=...)."""
    visits = []

    def start(**settings) -> Visit:
        visits.append(Visit(browser, address, **settings))
        return visits[-1]

    yield start
    for one in visits:
        one.context.close()

"""What a reader uses: formulas, copy buttons, themes, the header's links, the 404 page."""

import json
import os

import pytest

from docs._ext.settings import BRANCH, REPOSITORY_URL

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["en", "zh"])
def test_formulas_are_drawn(visit, language):
    page = visit().open(f"{language}/rules/format-and-length.html")
    page.wait_for_selector("mjx-container svg")
    page.wait_for_function(
        "[...document.querySelectorAll('.math')].every((formula) => formula.querySelector('svg'))"
    )
    assert page.locator("[data-mml-node=merror], mjx-merror").count() == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_copy_button_copies_the_cell(visit, language):
    reader = visit(permissions=["clipboard-read", "clipboard-write"])
    page = reader.open(f"{language}/start.html")
    cell = page.locator("div.cell_input").first
    cell.hover()
    cell.locator("button.copybtn").click()
    page.wait_for_function("navigator.clipboard.readText().then((text) => text.length > 0)")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip() == cell.locator("pre").inner_text().strip()
    assert "import" in copied


def test_theme_toggles_and_persists(visit):
    page = visit(color_scheme="light").open("en/start.html")

    def theme() -> str:
        return page.evaluate("document.documentElement.dataset.theme")

    def background() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert theme() == "light"
    light = background()
    button = page.locator(".article-header-buttons .theme-switch-button")
    for _ in range(3):  # system, light, dark
        if theme() == "dark":
            break
        button.click()
    assert theme() == "dark"
    assert background() != light
    page.goto(page.url.replace("start", "choose"))
    assert theme() == "dark"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_header_links(visit, site, language):
    page = visit().open(f"{language}/rules/exact-and-numeric.html")
    source = f"docs/{language}/rules/exact-and-numeric.md"
    edit = page.get_attribute("#guide-edit", "href")
    assert edit == f"{REPOSITORY_URL}/edit/{BRANCH}/{source}"
    assert (site.parent / source).is_file()
    assert page.get_attribute("#guide-repository", "href") == REPOSITORY_URL
    for button in ("#guide-edit", "#guide-repository", "#guide-download"):
        assert page.get_attribute(button, "aria-label")
    with page.expect_download() as download:
        page.click("#guide-download")
    assert download.value.suggested_filename == "exact-and-numeric.ipynb"
    notebook = json.loads(download.value.path().read_text("utf-8"))
    assert notebook["nbformat"] == 4
    assert any(cell.get("outputs") for cell in notebook["cells"])


def test_pages_without_cells_offer_no_notebook(visit):
    page = visit().open("en/api.html")
    assert page.locator("#guide-download").count() == 0


@pytest.mark.skipif(
    "GUIDE_URL" in os.environ, reason="the 404 page's links begin at the path of that address"
)
@pytest.mark.parametrize("missing", ["nothing.html", "en/rules/deeper/nothing.html"])
def test_missing_page(visit, missing):
    reader = visit(java_script_enabled=False)
    page = reader.open(missing)
    assert "404" in reader.errors[0]
    assert {"Page not found", "页面不存在"} <= set(page.inner_text("h1").split("\n"))
    page.click("a[href$='/zh/index.html']")
    assert reader.path == "zh/index.html"


def test_glossary_rows_have_anchors(visit):
    page = visit().open("zh/glossary.html#term-reward-function")
    row = page.locator("tr#term-reward-function")
    assert "奖励函数" in row.inner_text()
    assert row.evaluate("row => row.getBoundingClientRect().top < innerHeight")

"""Over all pages: nothing from another host, no errors, nothing wider than a phone."""

from itertools import pairwise

import pytest

from tests.site.built_site import LANGUAGES, built_pages

pytestmark = pytest.mark.browser

THEMES = ("light", "dark")
PHONE = {"width": 390, "height": 844}

# The widest elements that stick out of the window and of every box that scrolls.
OVERFLOWING = """() => {
  const scrolls = (e) => e && (["auto", "scroll", "hidden", "clip"].includes(
    getComputedStyle(e).overflowX) || scrolls(e.parentElement));
  return [...document.querySelectorAll("main *")]
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !scrolls(e.parentElement))
    .map((e) => e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 40));
}"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_on_a_phone(visit, site, language):
    reader = visit(viewport=PHONE)
    wide = {}
    pages = built_pages(language)
    assert pages, f"site/{language} has no pages"
    for name in pages:
        page = reader.open(name)
        page.evaluate("window.MathJax?.startup?.promise")  # formulas take their room
        for theme in THEMES:
            page.emulate_media(color_scheme=theme)
            page.wait_for_function(f"document.documentElement.dataset.theme === '{theme}'")
            if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
                wide[name, theme] = page.evaluate(OVERFLOWING)[:5]
    assert reader.elsewhere == [], "pages ask other hosts"
    assert reader.errors == []
    assert wide == {}, "pages wider than a phone"


@pytest.mark.parametrize("name", ["index.html", "404.html"])
def test_pages_at_the_root_ask_no_other_host(visit, name):
    reader = visit(viewport=PHONE, java_script_enabled=False)
    page = reader.open(name)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert reader.elsewhere == []
    assert reader.errors == []


def test_header_buttons_do_not_touch_on_a_phone(visit):
    page = visit(viewport=PHONE).open("zh/start.html")
    boxes = [
        button.bounding_box()
        for button in page.locator(".header-article-items :is(a, button):visible").all()
    ]
    assert len(boxes) >= 6
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] for box in boxes)
    for left, right in pairwise(boxes):
        assert left["x"] + left["width"] <= right["x"] + 1


def test_chinese_text_has_a_font(visit):
    """Two different characters look the same only where the font has neither."""
    page = visit().open("zh/start.html")
    drawn = page.evaluate("""() => ["奖", "励"].map((character) => {
      const canvas = document.createElement("canvas");
      const brush = canvas.getContext("2d");
      brush.font = "32px " + getComputedStyle(document.body).fontFamily;
      brush.fillText(character, 10, 40);
      return canvas.toDataURL();
    })""")
    assert drawn[0] != drawn[1], "no Chinese font: apt-get install fonts-noto-cjk"

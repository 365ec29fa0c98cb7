"""The way between the languages: the switch, the root page, what pages say of themselves."""

import pytest

pytestmark = pytest.mark.browser

PAGE = "rules/exact-and-numeric.html"
SWITCH = "#guide-language-switch"


def section_ids(page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('article section[id]')].map((s) => s.id)")


def click_switch(page) -> None:
    """A click as a reader makes it: Playwright's own scrolls the page for a sticky header."""
    box = page.locator(SWITCH).bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def top_of(page, identity: str) -> float:
    return page.evaluate(f"document.getElementById('{identity}').getBoundingClientRect().top")


@pytest.mark.parametrize(("here", "there"), [("en", "zh"), ("zh", "en")])
def test_switch_keeps_the_section(visit, here, there):
    page = visit().open(f"{here}/{PAGE}")
    ids = section_ids(page)
    middle = ids[len(ids) // 2]
    page.evaluate(f"document.getElementById('{middle}').scrollIntoView({{behavior: 'instant'}})")
    before = top_of(page, middle)
    click_switch(page)
    page.wait_for_url(f"**/{there}/{PAGE}#{middle}")
    page.wait_for_load_state("load")
    assert section_ids(page) == ids
    assert abs(top_of(page, middle) - before) < 60
    assert page.evaluate("localStorage.getItem('guide-language')") == there


def test_switch_keeps_the_place_inside_a_long_section(visit):
    page = visit(viewport={"width": 1280, "height": 600}).open(f"en/{PAGE}")
    place = page.evaluate("""() => {
      const longest = [...document.querySelectorAll("article section section[id]")]
        .sort((a, b) => b.offsetHeight - a.offsetHeight)[0];
      const block = longest.children.length - 1;
      longest.children[block].scrollIntoView({ behavior: "instant" });
      return { section: longest.id, block };
    }""")
    click_switch(page)
    page.wait_for_url(f"**/zh/{PAGE}#{place['section']}")
    page.wait_for_load_state("load")
    page.wait_for_function(
        """({ section, block }) => {
          const box = document.getElementById(section).children[block].getBoundingClientRect();
          return box.top < innerHeight && box.bottom > 0;
        }""",
        arg=place,
    )


def test_switch_from_the_top_goes_to_the_top(visit):
    page = visit().open(f"zh/{PAGE}")
    page.click(SWITCH)
    page.wait_for_url(f"**/en/{PAGE}*")
    assert page.evaluate("scrollY") < 100


def test_switch_works_from_the_keyboard(visit):
    reader = visit()
    page = reader.open("en/start.html")
    page.focus(SWITCH)
    assert page.get_attribute(SWITCH, "aria-label") == "阅读本页的中文版"
    page.keyboard.press("Enter")
    page.wait_for_url("**/zh/start.html*")


def test_tabbing_to_the_switch_keeps_the_section(visit):
    page = visit().open(f"en/{PAGE}")
    ids = section_ids(page)
    middle = ids[len(ids) // 2]
    page.evaluate(f"document.getElementById('{middle}').scrollIntoView({{behavior: 'instant'}})")
    page.evaluate(f"document.querySelector('{SWITCH}').focus({{preventScroll: true}})")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/zh/{PAGE}#{middle}")


def test_switch_works_without_javascript(visit):
    reader = visit(java_script_enabled=False)
    reader.open("en/start.html").click(SWITCH)
    assert reader.path == "zh/start.html"


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("zh-CN", "zh"), ("zh-TW", "zh"), ("en-GB", "en"), ("fr-FR", "en")],
)
def test_root_page_picks_the_language_of_the_browser(visit, locale, expected):
    reader = visit(locale=locale)
    reader.open("")
    reader.page.wait_for_url(f"**/{expected}/index.html")


def test_root_page_remembers_the_choice(visit):
    reader = visit(locale="fr-FR")
    reader.open("en/start.html").click(SWITCH)
    reader.page.wait_for_url("**/zh/start.html*")
    reader.open("")
    reader.page.wait_for_url("**/zh/index.html")


def test_root_page_is_not_in_the_way_back(visit):
    reader = visit(locale="en-US")
    reader.open("404.html")
    reader.open("")
    reader.page.wait_for_url("**/en/index.html")
    reader.page.go_back()
    assert reader.path == "404.html"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_root_page_works_without_javascript(visit, language):
    reader = visit(java_script_enabled=False)
    page = reader.open("")
    assert page.locator("a:visible").count() == 2
    page.click(f"a[href='{language}/index.html']")
    assert reader.path == f"{language}/index.html"


@pytest.mark.parametrize(("language", "lang"), [("en", "en"), ("zh", "zh-CN")])
def test_page_states_its_language_and_alternates(visit, language, lang):
    page = visit().open(f"{language}/start.html")
    assert page.get_attribute("html", "lang") == lang
    alternates = {
        link.get_attribute("hreflang"): link.get_attribute("href")
        for link in page.locator("head link[rel=alternate]").all()
    }
    assert set(alternates) == {"en", "zh-Hans", "x-default"}
    assert alternates["zh-Hans"].endswith("/zh/start.html")
    assert page.locator("head link[rel=canonical]").count() == 1
    for name in ("og:title", "og:description", "og:url", "og:locale"):
        assert page.get_attribute(f"meta[property='{name}']", "content")
    assert page.get_attribute("meta[name=description]", "content")

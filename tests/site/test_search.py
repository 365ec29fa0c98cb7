"""The search page finds words of both languages."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.site.conftest import Visit

pytestmark = pytest.mark.browser

RESULTS = "#search-results ul.search li"
CHINESE = ["强化学习", "奖励", "奖励函数", "语言模型", "奖", "奖励 函数"]
LATIN_IN_CHINESE = ["token", "exact_match_reward_fn", "Python"]


@pytest.fixture(scope="module")
def searcher(browser, address) -> Iterator[Visit]:
    """One reader who asks everything."""
    reader = Visit(browser, address)
    yield reader
    reader.context.close()


def results(reader: Visit, language: str, query: str) -> list[str]:
    page = reader.open(f"{language}/search.html?q={quote(query)}")
    # Sphinx fills this line when the search has ended, and names the number of pages found, if any.
    page.wait_for_function(
        """() => {
          const summary = document.querySelector("#search-results .search-summary")?.textContent;
          const listed = document.querySelectorAll("#search-results ul.search li").length;
          return /\\S/.test(summary ?? "") && (listed > 0 || !/\\d/.test(summary));
        }"""
    )
    assert reader.errors == []
    return page.locator(f"{RESULTS} a").evaluate_all("links => links.map(a => a.href)")


@pytest.mark.parametrize("query", CHINESE + LATIN_IN_CHINESE)
def test_chinese_site_finds(searcher, query):
    assert results(searcher, "zh", query), f"nothing found for {query}"


@pytest.mark.parametrize("query", ["reward function", "language model", "exact_match_reward_fn"])
def test_english_site_finds(searcher, query):
    assert results(searcher, "en", query)


def test_search_does_not_find_what_is_not_there(searcher):
    assert results(searcher, "zh", "鲸鱼迁徙") == []


def test_a_heading_is_found_under_its_english_anchor(searcher):
    page = searcher.open("zh/rules/exact-and-numeric.html")
    section = page.locator("article section section").nth(1)
    heading = section.locator("h2").inner_text().rstrip("#")
    anchor = section.get_attribute("id")
    links = results(searcher, "zh", heading)
    assert any(link.endswith(f"#{anchor}") for link in links), links


def test_header_search_leads_to_results(visit):
    reader = visit(viewport={"width": 390, "height": 844})
    page = reader.open("zh/start.html")
    page.click(".article-header-buttons .search-button")
    page.keyboard.type("奖励函数")
    page.keyboard.press("Enter")
    page.wait_for_url("**/zh/search.html?q=*")
    page.wait_for_selector(RESULTS)

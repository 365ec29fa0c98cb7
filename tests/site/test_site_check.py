"""The check of a built site finds each kind of damage, and names the page and the mend."""

import pytest

from docs._ext.page_head import LANGUAGES
from docs._ext.settings import SITE_URL
from docs._tools import site as site_tool
from docs._tools import site_check

PAGE = """<!doctype html><html lang="{lang}"><head>
<link rel="canonical" href="{url}/{language}/index.html">
<link rel="alternate" hreflang="en" href="{url}/en/index.html">
<link rel="alternate" hreflang="zh-Hans" href="{url}/zh/index.html">
<link rel="stylesheet" href="style.css">
</head><body><h1 id="top">Title</h1><a href="#top">up</a>
<a href="../{other}/index.html#top">other</a><a href="https://example.org">elsewhere</a>
</body></html>"""


@pytest.fixture
def small_site(tmp_path):
    for language, other in (("en", "zh"), ("zh", "en")):
        folder = tmp_path / language
        folder.mkdir()
        text = PAGE.format(
            lang=LANGUAGES[language]["html_lang"], url=SITE_URL, language=language, other=other
        )
        (folder / "index.html").write_text(text, "utf-8")
        (folder / "style.css").write_text("body { color: black }", "utf-8")
    return tmp_path


def test_a_good_site_has_no_problems(small_site):
    assert site_check.check(small_site) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('href="#top"', 'href="#gone"', "no such anchor"),
        ("../zh/index.html#top", "../zh/gone.html", "there is no site/zh/gone.html"),
        ("../zh/index.html#top", "../zh/index.html#gone", "site/zh/index.html has no such anchor"),
        ('href="style.css"', 'href="//cdn.example/style.css"', "from another host"),
        ("</body>", '<script src="https://cdn.example/x.js"></script></body>', "another host"),
        ("</body>", '<img srcset="https://cdn.example/x.png 2x"></body>', "another host"),
        ("</body>", '<p style="background: url(//cdn.example/x.png)"></body>', "another host"),
        ("</body>", "<script>import('https://cdn.example/x.js')</script></body>", "another host"),
        ("</body>", '<p id="top"></p></body>', "id 'top' twice"),
        ('lang="en"', 'lang="fr"', '<html lang="fr">'),
        ('rel="canonical"', 'rel="other"', "canonical"),
        ('hreflang="zh-Hans"', 'hreflang="zh"', "does not name its 中文 page"),
        ("</body>", '<img src="gone.png"></body>', "no site/en/gone.png"),
    ],
)
def test_each_damage_is_found(small_site, old, new, told):
    page = small_site / "en" / "index.html"
    text = page.read_text("utf-8")
    assert old in text
    page.write_text(text.replace(old, new, 1), "utf-8")
    problems = site_check.check(small_site)
    assert any(told in problem and "site/en/index.html" in problem for problem in problems)
    assert all("Mend: " in problem for problem in problems)


def test_a_style_that_loads_from_another_host_is_found(small_site):
    (small_site / "en" / "style.css").write_text("@import 'https://cdn.example/x.css';", "utf-8")
    assert "site/en/style.css loads https://cdn.example/x.css" in site_check.check(small_site)[0]


def test_a_page_without_translation_is_found(small_site):
    (small_site / "zh" / "index.html").unlink()
    assert any("add docs/zh/index.md" in problem for problem in site_check.check(small_site))


def test_serving_an_unbuilt_site_says_what_to_do(tmp_path):
    with pytest.raises(site_tool.BuildError, match="build_all"):
        site_tool.server(tmp_path / "site", 0)

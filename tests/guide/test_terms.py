"""The glossary, and how the Chinese pages are held to it."""

from pathlib import Path

import pytest

from docs._tools import terms
from docs._tools.terms import Term

DOCS = Path(__file__).resolve().parents[2] / "docs"
ZH, EN = "docs/zh/index.md", "docs/en/index.md"


@pytest.fixture(scope="module")
def glossary() -> list[Term]:
    found, problems = terms.load(DOCS)
    assert problems == []
    return found


def test_every_term_stands_once(glossary):
    assert len({term.en for term in glossary}) == len(glossary)


def test_no_right_term_holds_a_wrong_word(glossary):
    """Otherwise a page could follow the glossary and fail."""
    wrong = {word for term in glossary for word in term.avoid}
    for term in glossary:
        assert not [word for word in wrong if word in term.zh]


def test_a_word_is_wrong_for_one_term(glossary):
    wrong = [word for term in glossary for word in term.avoid]
    assert len(wrong) == len(set(wrong))


def test_an_exception_is_about_a_word_of_its_row(glossary):
    for term in glossary:
        ruled = [*term.avoid, *([term.zh] if term.needs_en else [])]
        assert all(any(word in longer for word in ruled) for longer in term.unless), term.en


def test_a_term_that_needs_english_is_satisfied_by_its_own(glossary):
    for term in glossary:
        assert not term.needs_en or term.english_words.search(term.en), term.en


@pytest.mark.parametrize(
    ("en", "text", "found"),
    [
        ("reward function", "Reward functions pay.", True),
        ("reward function", "A reward\nfunction pays.", True),
        ("policy", "two policies", True),
        ("off-policy", "Off-policy data", True),
        ("data set", "the data set", True),
        ("clip", "an eclipse", False),
        ("policy", "the off-policy case", False),
        ("normalization (of a text)", "normalization helps", True),
    ],
)
def test_english_terms_are_found_as_whole_words(en, text, found):
    assert bool(Term(en, "词").english.search(text)) is found


def test_a_wrong_word_inside_of_a_longer_right_one(guide):
    guide.edit(ZH, "一页就够。", "大量规则，一页就够。")
    assert guide.problems() == []
    guide.edit(ZH, "大量规则", "一份量规")
    assert (
        "“量规” is not this guide's word for rubric. Mend: write “评分细则”" in guide.problems()[0]
    )


def test_wrong_words_in_code_are_data(guide):
    for file in (EN, ZH):
        guide.edit(file, "score = 1.0", 'score = 1.0\nname = "报酬"')
    assert guide.problems() == []


def test_the_glossary_page_may_name_wrong_words(guide):
    for language, text in (("en", "Words for it."), ("zh", "不写“报酬”。")):
        guide.write(
            f"docs/{language}/glossary.md",
            f"(glossary)=\n# {'A' if language == 'en' else '词'}\n\n{text}\n",
        )
        guide.edit(
            f"docs/{language}/_toc.yml",
            "- file: rules/exact",
            "- file: rules/exact\n  - file: glossary",
        )
    guide.reviewed("glossary")
    assert guide.problems() == []


def test_a_glossary_is_missing(guide):
    (guide.docs / "_glossary.yml").unlink()
    assert guide.problems() == [
        "docs/_glossary.yml:1: there is no such file. Mend: write the glossary"
    ]

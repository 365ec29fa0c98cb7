"""A change of the English text fails until somebody has looked at the Chinese one."""

import pytest

from docs._tools import freshness

EN, ZH = "docs/en/rules/exact.md", "docs/zh/rules/exact.md"
STATE = "docs/zh/_translated/rules/exact.json"


def test_a_changed_sentence_is_named_until_it_is_reviewed(guide):
    guide.edit(EN, "It guesses.", "It never guesses.")
    line, english_line = guide.line_of(ZH, "它靠猜"), guide.line_of(EN, "It never guesses.")
    assert guide.problems() == [
        f"{ZH}:{line}: the English paragraph “It never guesses.” ({EN}:{english_line}) was changed "
        "since this page was last compared with it. Mend: look at the Chinese here, then run "
        "python -m docs._tools reviewed rules/exact.md"
    ]
    freshness.record(guide.docs, "rules/exact.md")
    assert guide.problems() == []


@pytest.mark.parametrize(
    ("old", "new", "kind", "chinese"),
    [
        ("description: Pay for the right answer.", "description: Pay.", "description", "只为"),
        ("# Exact match", "# The exact match", "heading", "# 精确匹配"),
        ("| fourteen | 0 |", "| forty | 0 |", "row", "| 十四 |"),
        ("1. its first part", "1. its very first part", "paragraph", "1. 第一部分"),
        ("texts is a baseline", "texts was a baseline", "paragraph", "$n$ 段文本"),
    ],
)
def test_every_kind_of_prose_counts(guide, old, new, kind, chinese):
    guide.edit(EN, old, new)
    (problem,) = guide.problems()
    assert problem.startswith(f"{ZH}:{guide.line_of(ZH, chinese)}: the English {kind} ")


def test_the_title_of_a_card_counts(guide):
    guide.edit("docs/en/index.md", "Score an answer", "Score one answer")
    (problem,) = guide.problems()
    assert "the English title “Score one answer”" in problem


def test_line_breaks_do_not_count(guide):
    guide.edit(
        EN, "compares 2 texts\nwith each other, see", "compares 2\ntexts with each other,\nsee"
    )
    assert guide.problems() == []


def test_added_and_removed_blocks(guide):
    guide.edit(EN, "## What to read next\n", "## What to read next\n\nFirst this.\n")
    guide.edit(ZH, "## 接下来读什么\n", "## 接下来读什么\n\n先读这个。\n")
    guide.edit(EN, "- one text\n", "")
    guide.edit(ZH, "- 一段文本\n", "")
    added, removed = sorted(guide.problems(), key=lambda problem: "was removed" in problem)
    assert added.startswith(
        f"{ZH}:{guide.line_of(ZH, '先读这个')}: the English paragraph “First this.”"
    )
    assert "was added since" in added
    assert f"the English paragraph “one text” was removed from {EN} since" in removed


def test_a_page_that_nobody_reviewed(guide):
    (guide.root / STATE).unlink()
    assert guide.problems() == [
        f"{ZH}:1: nobody has said which state of {EN} this page translates. Mend: compare the "
        "pages, then run python -m docs._tools reviewed rules/exact.md"
    ]


def test_a_state_without_a_page(guide):
    guide.write("docs/zh/_translated/gone.json", "[]\n")
    assert guide.problems() == [
        "docs/zh/_translated/gone.json:1: there is no page gone. Mend: delete this file"
    ]


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"kind": "heading"}]'])
def test_a_state_that_cannot_be_read(guide, content):
    guide.write(STATE, content)
    (problem,) = guide.problems()
    assert problem.startswith(f"{STATE}:1: not a list of translated blocks. Mend: run python -m")


def test_pages_that_differ_are_not_recorded(guide):
    before = guide.read(STATE)
    guide.edit(EN, "It guesses.", "It guesses.\n\nIt guesses again.")
    with pytest.raises(ValueError, match="rules/exact is not recorded, since the two pages differ"):
        freshness.record(guide.docs, "rules/exact.md")
    assert guide.read(STATE) == before


def test_pages_that_are_not_there_are_not_recorded(guide):
    with pytest.raises(ValueError, match=r"There is no page gone in docs/en. Pages: index, rules"):
        freshness.record(guide.docs, "gone.md")


def test_the_state_is_one_line_a_block(guide):
    """So that a translation reviewed in a branch merges with another one."""
    rows = guide.read(STATE).splitlines()
    assert rows[0] == "[" and rows[-1] == "]"
    assert '"begins": "Exact match"' in rows[2]

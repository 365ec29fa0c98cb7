"""Pages are parsed into blocks as the site reads them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from docs._tools import blocks


def kinds(text: str) -> list[tuple[str, int]]:
    return [(block.kind, block.line) for block in blocks.walk(blocks.parse(text).blocks)]


def first(text: str) -> blocks.Block:
    return blocks.parse(text).blocks[0]


def test_header_and_lines():
    parsed = blocks.parse("---\nkey: value\n---\n\n(label)=\n# Title\n\ntext\nmore\n")
    assert parsed.header == {"key": "value"}
    assert kinds("---\nkey: value\n---\n\n(label)=\n# Title\n\ntext\nmore\n") == [
        ("heading", 6),
        ("paragraph", 8),
    ]
    assert parsed.blocks[0].labels == ("label",)


def test_lines_inside_of_nested_directives():
    text = (
        "::::{grid} 1 2\n:gutter: 3\n\n:::{card} Title\n:link: x\n\nbody\n\n- item\n:::\n\n::::\n"
    )
    assert kinds(text) == [
        ("directive", 1),
        ("directive", 4),
        ("title", 4),
        ("paragraph", 7),
        ("list", 9),
        ("item", 9),
        ("paragraph", 9),
    ]


def test_options_in_both_notations():
    assert first("```{note}\n:class: tip\n\ntext\n```").options == {"class": "tip"}
    block = first("```{code-cell}\n---\ntags: [a, b]\n---\nx = 1\n```")
    assert block.options == {"tags": ["a", "b"]}
    assert block.source == "x = 1"


def test_words_stand_apart_from_what_is_no_word():
    inline = first(
        "A **bold** `code` $x$ [link](a.md) {ref}`words <label>` {ref}`other` ![alt](p.png)"
    ).inline
    o = blocks.OBJECT
    assert inline.text == f"A bold {o} {o} link words {o} {o}alt"
    assert inline.code == ("code",)
    assert inline.math == ("x",)
    assert inline.links == ("a.md",)
    assert inline.images == ("p.png",)
    assert inline.roles == (("ref", "label"), ("ref", "other"))


def test_a_role_without_its_tilde_is_the_same_target():
    assert first("{py:func}`~a.b`").inline.roles == (("py:func", "a.b"),)


def test_definition_lists_footnotes_tables_quotes_and_formulas():
    text = "term\n: meaning\n\n> quote\n\n| a |\n| - |\n| b |\n\n$$\nx\n$$ (eq)\n\n[^1]: note\n"
    assert [kind for kind, _ in kinds(text)] == [
        "list", "paragraph", "item", "paragraph", "quote", "paragraph",
        "table", "row", "row", "math", "footnote", "paragraph",
    ]  # fmt: skip


def test_code_is_not_parsed_as_prose():
    fences = ("{eval-rst}\n.. automodule:: x", "bash\n# no heading", "{code} py\nx")
    found = blocks.parse("\n\n".join(f"```{fence}\n```" for fence in fences)).blocks
    assert [(block.kind, block.name) for block in found] == [
        ("directive", "eval-rst"),
        ("fence", "bash"),
        ("fence", "py"),
    ]
    assert not any(block.inline for block in blocks.walk(found))


def test_yaml_that_cannot_be_read_is_an_error_with_its_line():
    assert blocks.parse("---\na: b\nc: [\n---\n").errors[0][0] in (3, 4)
    assert blocks.parse("---\njust words\n---\n").errors == [(2, "expected `key: value` lines")]


def test_first_words_of_a_block():
    assert first("word " * 40).begins.endswith("…")
    assert first("- item").begins == "item"
    assert first("```{glossary-table}\n```").begins == "glossary-table"


MARKUP = st.text(alphabet="ab \n`*_[](){}<>$|:-#=~!^%+1.相，\\", max_size=80)


@given(MARKUP)
@settings(max_examples=200, deadline=None)
def test_any_text_is_parsed_and_every_line_is_in_the_file(text):
    lines = text.count("\n") + 1
    for block in blocks.walk(blocks.parse(text).blocks):
        assert 1 <= block.line <= lines
        assert isinstance(block.begins, str)

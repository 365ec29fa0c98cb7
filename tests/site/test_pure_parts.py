"""The parts of the site's tools that need neither a build nor a browser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs._ext.chinese_lines import SEAM, join_lines
from docs._ext.chinese_search import SearchChinesePairs
from docs._ext.glossary_table import anchor_of
from docs._ext.notebook_download import imported_packages, setup_cells
from docs._ext.page_head import describe
from docs._ext.plain_markdown import plain_markdown

LINKS = {
    ("ref", "start"): ("Start", "https://guide.example/en/start.html#start"),
    ("py:func", "~reference_impl.score_table"): ("`score_table`", "https://guide.example/x"),
    ("glue:text", "accuracy:.2f"): ("0.53", ""),
    ("page", ""): ("Glossary", "https://guide.example/en/glossary.html"),
    ("link", "https://example.org"): ("", "https://example.org"),
}


def plain(text: str) -> str:
    return plain_markdown(text, lambda role, target: LINKS.get((role, target)))


@pytest.mark.parametrize(
    ("myst", "markdown"),
    [
        ("(my-label)=\n# Title", "# Title"),
        ("% a comment\nText", "Text"),
        ("See {ref}`start`.", "See [Start](https://guide.example/en/start.html#start)."),
        ("{ref}`here <start>`", "[here](https://guide.example/en/start.html#start)"),
        ("{ref}`nowhere`", "`nowhere`"),
        ("{py:func}`~reference_impl.score_table`", "[`score_table`](https://guide.example/x)"),
        ("It is {glue:text}`accuracy:.2f`.", "It is 0.53."),
        ("{math}`x^2`", "$x^2$"),
        ("`{ref}` and `\\boxed{4}`", "`{ref}` and `\\boxed{4}`"),
        ("``{ref}`start` ``", "``{ref}`start` ``"),
        ("[site](https://example.org){.big}", "[site](https://example.org)"),
        ("[gone](#nowhere)", "gone"),
        ("```python\n{ref}`start`\n(x)=\n```", "```python\n{ref}`start`\n(x)=\n```"),
        ("```{code-block} bash\n:caption: x\nls\n```", "```bash\nls\n```"),
        ("```{math}\n:label: eq\nx = 1\n```", "$$\nx = 1\n$$"),
        ("```{note}\nRead {ref}`start`.\n```", "> **Note**\n>\n> Read [Start]("
         "https://guide.example/en/start.html#start)."),
        (":::{admonition} Watch out\n:class: tip\nText\n:::", "> **Watch out**\n>\n> Text"),
        ("```{glossary-table}\n```", "[Glossary](https://guide.example/en/glossary.html)"),
        ("```{figure} a.svg\n:alt: Alt\nThe caption\n```", "![Alt](a.svg)\n\nThe caption"),
        (
            "::::{grid} 1 1 3 3\n:gutter: 3\n\n:::{grid-item-card} Begin\n:link: start\n"
            ":link-type: ref\n\nText\n:::\n\n::::",
            "**[Begin](https://guide.example/en/start.html#start)**\n\nText",
        ),
    ],
)  # fmt: skip
def test_plain_markdown(myst, markdown):
    assert plain(myst) == markdown


@given(st.text())
def test_plain_markdown_takes_any_text(text):
    assert "\n\n\n" not in plain(text)


@given(st.lists(st.text(alphabet="奖励，abc `\n"), min_size=1))
def test_join_lines_changes_line_breaks_alone(texts):
    joined = join_lines(texts)
    assert len(joined) == len(texts)
    assert [t.replace("\n", "") for t in joined] == [t.replace("\n", "") for t in texts]


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["奖励\n函数"], ["奖励函数"]),
        (["奖励", "\n", "函数"], ["奖励", "", "函数"]),
        (["奖励，\n函数"], ["奖励，函数"]),
        (["reward\nfunction"], ["reward\nfunction"]),
        (["奖励\nreward"], ["奖励\nreward"]),
        (["", "\n"], ["", "\n"]),
    ],
)
def test_join_lines(texts, joined):
    assert join_lines(texts) == joined
    assert SEAM not in "".join(joined)


def test_chinese_search_splits_into_pairs():
    search = SearchChinesePairs({})
    terms = search.split("强化学习 with PyTorch")
    assert {"强化", "化学", "学习", "强", "with", "PyTorch"} <= set(terms)
    assert all(search.word_filter(term) for term in ("强", "强化"))


def cell(source: str) -> dict:
    return {"cell_type": "code", "source": source}


class Notebook:
    def __init__(self, *sources: str):
        self.cells = [type("Cell", (dict,), {"__getattr__": dict.get})(cell(s)) for s in sources]


def test_setup_cells_carry_the_package_and_name_what_is_missing():
    notebook = Notebook("import matplotlib.pyplot as plt", "from reference_impl import show_source")
    assert imported_packages(notebook) == ["matplotlib", "reference_impl"]
    unpack, require = setup_cells(notebook)
    compile(unpack.source, "setup", "exec")
    compile(require.source, "setup", "exec")
    assert "'reference_impl/show.py'" in unpack.source
    assert "pip install" in require.source
    assert "'matplotlib': 'matplotlib'" in require.source


def test_no_setup_cell_where_nothing_is_needed():
    assert setup_cells(Notebook("import math")) == []


def test_anchor_of_a_term():
    assert anchor_of("reward model (RM)") == "term-reward-model-rm"


def test_description_comes_from_the_header_and_is_cut():
    assert describe({"description": "Short."}, None) == "Short."
    long = describe({"description": "x" * 500}, None)
    assert len(long) == 160 and long.endswith("…")

"""Each way in which the languages or the code can drift apart is seen, located and explained."""

import shutil
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from docs._tools import checks, parity

EN, ZH = "docs/en/rules/exact.md", "docs/zh/rules/exact.md"
EN_INDEX, ZH_INDEX = "docs/en/index.md", "docs/zh/index.md"
TOC, CONFIG = "docs/zh/_toc.yml", "docs/zh/_config.yml"


@dataclass(frozen=True)
class Drift:
    """One edit, and what the checks must say about it.

    Args:
        edits: Triples of file, old text, new text.
        at: The file and a text in the line that the message must name; "" for line 1.
        what: A part of what is wrong.
        mend: A part of what to do.
        alone: Whether nothing else may be said.
    """

    edits: list[tuple[str, str, str]]
    at: tuple[str, str]
    what: str
    mend: str
    alone: bool = True


def both(old_en: str, new_en: str, old_zh: str, new_zh: str) -> list[tuple[str, str, str]]:
    return [(EN, old_en, new_en), (ZH, old_zh, new_zh)]


PARITY = {
    "a section is dropped": Drift(
        [(ZH, "(exact-match-recipe)=\n## 现成写法\n", "")],
        (ZH, "```{code-cell}"),
        "the heading of level 2 “The recipe” of docs/en/rules/exact.md:16 is missing here",
        "translate it here, or delete it in docs/en/rules/exact.md",
    ),
    "a paragraph is dropped": Drift(
        [(ZH_INDEX, "一页就够。\n", "")],
        (ZH_INDEX, ":::{grid-item-card}"),
        "the paragraph “One page is enough.” of docs/en/index.md:20 is missing here",
        "translate it here, or delete it in docs/en/index.md",
    ),
    "a paragraph is added": Drift(
        [(ZH, "- 一段文本\n", "多出来的一段。\n\n- 一段文本\n")],
        (ZH, "多出来的一段。"),
        "the paragraph “多出来的一段。” is not in docs/en/rules/exact.md",
        "say it in docs/en/rules/exact.md too, or delete it here",
    ),
    "a cell is edited": Drift(
        [(ZH_INDEX, "score = 1.0", "score = 2.0")],
        (ZH_INDEX, "```{code-cell}"),
        "the code cell differs from docs/en/index.md:28: “score = 2.0” here, “score = 1.0” there",
        "copy the cell of docs/en/index.md",
    ),
    "the tags of a cell are edited": Drift(
        [(ZH_INDEX, "[hide-input]", "[hide-output]")],
        (ZH_INDEX, "```{code-cell}"),
        "the code cell differs",
        "with its options and comments",
    ),
    "an anchor differs": Drift(
        [(ZH, "(exact-match-next)=", "(exact-match-then)=")],
        (ZH, "## 接下来读什么"),
        "has (exact-match-then)=, that of docs/en/rules/exact.md:47 has (exact-match-next)=",
        "write (exact-match-next)= before it",
    ),
    "a heading level differs": Drift(
        [(ZH, "## 现成写法", "### 现成写法")],
        (ZH, "### 现成写法"),
        "the heading of level 3 “现成写法” stands here, the heading of level 2 “The recipe”",
        "give both pages the same blocks in the same order",
    ),
    "a list is shorter": Drift(
        [(ZH, "- 另一段文本\n", "")],
        (ZH, "- 一段文本"),
        "this list has 1 items, that of docs/en/rules/exact.md:22 has 2",
        "give both the same items",
    ),
    "a nested list is shorter": Drift(
        [(ZH, "  2. 第二部分\n", "")],
        (ZH, "1. 第一部分"),
        "this list has 1 items, that of docs/en/rules/exact.md:24 has 2",
        "give both the same items",
    ),
    "bullets become numbers": Drift(
        [(ZH, "- 一段文本\n- 另一段文本\n  1.", "1. 一段文本\n2. 另一段文本\n   1.")],
        (ZH, "1. 一段文本"),
        "the ordered list “一段文本” stands here, the bullet list",
        "the same blocks",
        alone=False,
    ),
    "a table loses a row": Drift(
        [(ZH, "| 十四 | 0 |\n", "")],
        (ZH, "| 补全 | 奖励 |"),
        "this table has 2 rows, that of docs/en/rules/exact.md:27 has 3",
        "give both the same rows",
    ),
    "a table gains a column": Drift(
        [(ZH, "| 补全 | 奖励 |\n| --- | --- |", "| 补全 | 奖励 | 说明 |\n| --- | --- | --- |")],
        (ZH, "| 补全 | 奖励 | 说明 |"),
        "stands here",
        "the same blocks",
        alone=False,
    ),
    "a note becomes a warning": Drift(
        [(ZH, ":::{note}", ":::{warning}")],
        (ZH, ":::{warning}"),
        "the {warning} “$n$ 段文本的奖励是基线。” stands here, the {note}",
        "the same blocks",
    ),
    "a note is lost": Drift(
        [(ZH, ":::{note}\n$n$ 段文本的奖励是基线。\n:::\n", "")],
        (ZH, "$$"),
        "the {note} “The reward of $n$ texts is a baseline.” of docs/en/rules/exact.md:32 is "
        "missing here",
        "translate it here",
        alone=False,
    ),
    "an option of a card differs": Drift(
        [(ZH_INDEX, ":link: exact-match", ":link: exact-match-next")],
        (ZH_INDEX, ":::{grid-item-card}"),
        "{grid-item-card} has the options",
        "give both the same options",
    ),
    "the columns of a grid differ": Drift(
        [(ZH_INDEX, "{grid} 1 1 2 2", "{grid} 1 1 3 3")],
        (ZH_INDEX, "::::{grid}"),
        "{grid} names '1 1 3 3', that of docs/en/index.md:13 '1 1 2 2'",
        "name the same",
    ),
    "a link is lost": Drift(
        [(ZH, "[论文](https://arxiv.org/abs/2503.14476)", "论文")],
        (ZH, "比较 2 段文本"),
        "the link https://arxiv.org/abs/2503.14476 of docs/en/rules/exact.md:11 is missing here",
        "say it here too",
    ),
    "a link goes elsewhere": Drift(
        [(ZH, "2503.14476", "2503.14477")],
        (ZH, "比较 2 段文本"),
        "the link https://arxiv.org/abs/2503.14477 stands here and not in",
        "take it out here",
        alone=False,
    ),
    "a reference is lost": Drift(
        [(ZH_INDEX, "{ref}`exact-match`", "下一页")],
        (ZH_INDEX, "本指南介绍"),
        "the reference {ref}`exact-match` of docs/en/index.md:11 is missing here",
        "say it here too",
        alone=False,
    ),
    "a formula differs": Drift(
        [(ZH, "r = 1 ", "r = 2 ")],
        (ZH, "$$"),
        "the formula differs from docs/en/rules/exact.md:36",
        "copy it from docs/en/rules/exact.md; the words in \\text{} may differ",
    ),
    "an inline formula differs": Drift(
        [(ZH, "$n$", "$m$")],
        (ZH, "$m$"),
        "the formula m stands here and not in docs/en/rules/exact.md:33",
        "take it out here",
        alone=False,
    ),
    "inline code differs": Drift(
        [(ZH, "`last_number=True`", "`last_number=False`")],
        (ZH, "比较 2 段文本"),
        "the code last_number=True of docs/en/rules/exact.md:11 is missing here",
        "say it here too",
        alone=False,
    ),
    "a number differs": Drift(
        [(ZH, "比较 2 段", "比较 3 段")],
        (ZH, "比较 3 段"),
        "the number 2 of docs/en/rules/exact.md:11 is missing here",
        "give the same numbers",
    ),
    "a footnote is renamed": Drift(
        [(ZH, "[^why]:", "[^because]:"), (ZH, "。[^why]", "。[^because]")],
        (ZH, "[^because]:"),
        "the footnote is called because, that of docs/en/rules/exact.md:44 why",
        "the same label",
        alone=False,
    ),
    "a shell command differs": Drift(
        [(ZH, "pip install .", "pip install -e .")],
        (ZH, "```bash"),
        "the fence differs from docs/en/rules/exact.md:40",
        "copy it from docs/en/rules/exact.md",
    ),
    "a paragraph is left in English": Drift(
        [(ZH_INDEX, "一页就够。", "One page is enough.")],
        (ZH_INDEX, "One page is enough."),
        "the text is still that of docs/en/index.md:20",
        "translate it",
        alone=False,
    ),
    "the header differs": Drift(
        [(ZH, "display_name: Python 3", "display_name: Python")],
        (ZH, ""),
        "the YAML header differs from docs/en/rules/exact.md",
        "use the same header",
        alone=False,
    ),
    "a description is missing": Drift(
        [(ZH, "description: 只为正确答案付出奖励。\n", "")],
        (ZH, ""),
        "the YAML header differs",
        "only the words of `description` differ",
        alone=False,
    ),
}

CONTENTS = {
    "a page is missing in a toc": Drift(
        [(TOC, "  - file: rules/exact\n", "  - file: index\n")],
        (TOC, ""),
        "the page rules/exact is not listed",
        "add `file: rules/exact`, or delete docs/zh/rules/exact.md",
        alone=False,
    ),
    "a toc names a page that is not there": Drift(
        [(TOC, "  - file: rules/exact\n", "  - file: rules/exact\n  - file: gone\n")],
        (TOC, "gone"),
        "there is no page gone",
        "write docs/zh/gone.md, or take the line out",
        alone=False,
    ),
    "the order of a toc differs": Drift(
        [(TOC, "root: index", "root: rules/exact"), (TOC, "- file: rules/exact", "- file: index")],
        (TOC, "root: rules/exact"),
        "the parts or their order differ from docs/en/_toc.yml",
        "only captions differ",
    ),
    "a setting differs": Drift(
        [(CONFIG, '"2026"', '"2025"')],
        (CONFIG, "copyright"),
        "the setting copyright is '2025' here and '2026' in docs/en/_config.yml",
        "give both the same value",
    ),
    "a setting is in one language only": Drift(
        [(CONFIG, "    language: zh_CN", "    language: zh_CN\n    nitpicky: true")],
        (CONFIG, "nitpicky"),
        "the setting sphinx.config.nitpicky is True here and 'not set'",
        "give both the same value",
    ),
}

TARGETS = {
    "a heading has no anchor": Drift(
        both("(exact-match-next)=\n", "", "(exact-match-next)=\n", ""),
        (ZH, "## 接下来读什么"),
        "the heading “接下来读什么” has no anchor",
        "write (english-label)= on the line before it",
        alone=False,
    ),
    "an anchor is not English": Drift(
        both("(exact-match-next)=", "(Next_Page)=", "(exact-match-next)=", "(Next_Page)="),
        (ZH, "## 接下来读什么"),
        "the label (Next_Page)= is not of the form",
        "use a short English label",
        alone=False,
    ),
    "an anchor stands twice": Drift(
        both("(exact-match-next)=", "(landing)=", "(exact-match-next)=", "(landing)="),
        (ZH, "## 接下来读什么"),
        "the label (landing)= stands at docs/zh/index.md:9 already",
        "give each heading a label of its own",
        alone=False,
    ),
    "a reference has no target": Drift(
        [(f, "{ref}`exact-match`", "{ref}`exact-macth`") for f in (EN_INDEX, ZH_INDEX)],
        (ZH_INDEX, "exact-macth"),
        "there is no label exact-macth in docs/zh",
        "correct the reference, or write (exact-macth)=",
        alone=False,
    ),
    "a card has no target": Drift(
        [(f, ":link: exact-match", ":link: gone") for f in (EN_INDEX, ZH_INDEX)],
        (ZH_INDEX, ":::{grid-item-card}"),
        "there is no label gone in docs/zh",
        "correct the reference",
        alone=False,
    ),
    "a linked file is not there": Drift(
        [(f, "(../index.md)", "(../gone.md)") for f in (EN, ZH)],
        (ZH, "比较 2 段文本"),
        "there is no file ../gone.md beside docs/zh/rules/exact.md",
        "correct the path",
        alone=False,
    ),
    "a label stands before nothing": Drift(
        [(EN, "PyTorch is not needed.\n", "PyTorch is not needed.\n\n(end)=\n")],
        (EN, "(end)="),
        "the label (end)= stands before nothing",
        "put it directly before what it names, or delete it",
        alone=False,
    ),
}

TERMS = {
    "a term is swapped": Drift(
        [(ZH, "段文本的奖励", "段文本的报酬")],
        (ZH, "报酬"),
        "“报酬” is not this guide's word for reward",
        "write “奖励”",
    ),
    "two terms are confused": Drift(
        [(ZH, "是基线。", "是基准和基线。")],
        (ZH, "是基准和基线"),
        "“基准” means benchmark, which docs/en/rules/exact.md:33 does not say",
        "benchmark would be right",
    ),
    "a term is not used": Drift(
        [(ZH, "| 补全 |", "| 文本 |")],
        (ZH, "| 文本 |"),
        "“补全” is nowhere on this page, but docs/en/rules/exact.md:27 says “Completion”",
        "translate completion as “补全”",
    ),
    "the glossary has an unknown field": Drift(
        [("docs/_glossary.yml", "  match: false", "  matches: false")],
        ("docs/_glossary.yml", "en: return"),
        "the term return has unknown fields",
        "use the fields avoid, en, match",
    ),
}

TYPOGRAPHY = {
    "no space beside Latin": (ZH, "不需要 PyTorch", "不需要PyTorch", "breaks the rules"),
    "half-width comma": (ZH, "文本。\n见", "文本,见", "breaks the rules"),
    "half-width colon before code": (
        ZH,
        "它的参数是 `last",
        "它的参数:`last",
        "half-width punctuation beside Chinese",
    ),
    "half-width mark after a quotation": (ZH, "它靠猜。", "它靠“猜”;", "half-width punctuation"),
    "half-width mark after code": (
        ZH_INDEX,
        "得到的值是 `score`。",
        "`score`,是的。",
        "half-width",
    ),
    "hard wrap": (ZH, "- 一段文本\n", "- 一段\n  文本\n", "a line break inside a Chinese sentence"),
    "polite you": (ZH_INDEX, "请先读", "请您先读", "the reader is addressed as “您”"),
    "full-width digits": (ZH, "比较 2 段文本", "比较 2 段（２）文本", "breaks the rules"),
    "straight quotes": (ZH, "它靠猜。", '它靠"猜"。', "straight quotes around Chinese"),
    "heading with a full stop": (ZH, "## 现成写法", "## 现成写法。", "ends with punctuation"),
    "space before per cent": (ZH, "- 一段文本\n", "- 一段 50 % 文本\n", "a space before % or °"),
    "emphasis that is not closed": (
        ZH,
        "它靠猜。",
        "它靠**“猜”**得分。",
        "a * that the page shows as it is",
    ),
    "no space beside code": (ZH_INDEX, "得到的值是 `", "得到的值是`", "no space between Chinese"),
    "no space beside a formula": (ZH, "$n$ 段文本", "$n$段文本", "no space between Chinese"),
    "space beside full-width": (ZH_INDEX, "`score`。", "`score` 。", "a space beside full-width"),
    "name in the wrong case": (ZH, "PyTorch", "Pytorch", "the name “Pytorch” is not spelled"),
    "name in the wrong case, English": (EN, "PyTorch is", "pytorch is", "the name “pytorch”"),
}

SYMBOLS = {
    "a function is renamed": Drift(
        [("reference_impl/rules/exact.py", "def exact_match_reward_fn", "def exact_reward_fn")],
        (ZH, "比较 2 段文本"),
        "there is no `reference_impl.exact_match_reward_fn`",
        "did you mean",
        alone=False,
    ),
    "a parameter is renamed": Drift(
        [("reference_impl/rules/exact.py", "last_number=False", "guess=False")],
        (EN, "`last_number=True`"),
        "there is no `last_number`",
        "correct the name, or list it in docs/_names.yml with a reason",
        alone=False,
    ),
    "a name is mistyped": Drift(
        [(f, "`score`", "`scroe`") for f in (EN_INDEX, ZH_INDEX)],
        (ZH_INDEX, "scroe"),
        "there is no `scroe`",
        "did you mean score",
        alone=False,
    ),
    "a file is gone": Drift(
        [(f, "rules/exact.py`", "rules/exactly.py`") for f in (EN, ZH)],
        (ZH, "exactly.py"),
        "there is no `reference_impl/rules/exactly.py`",
        "correct the name",
        alone=False,
    ),
}

FENCES = {
    "Python that nothing runs": Drift(
        [(f, "```bash\npip install .", "```python\nx = 1") for f in (EN, ZH)],
        (ZH, "```python"),
        "Python that nothing runs: “x = 1”",
        "make it a {code-cell}, show it from the package, or list it in docs/_fences.yml",
        alone=False,
    ),
    "a code-block that nothing runs": Drift(
        [(f, "```bash\npip install .", "```{code-block} py\nx = 1") for f in (EN, ZH)],
        (EN, "```{code-block} py"),
        "Python that nothing runs",
        "make it a {code-cell}",
        alone=False,
    ),
    "cells without a notebook header": Drift(
        [
            (f, "jupytext:\n  text_representation: {extension: .md, format_name: myst}\n", "")
            for f in (EN, ZH)
        ],
        (ZH, ""),
        "the notebook header is not that of the guide",
        "begin it with the header",
        alone=False,
    ),
    "a tag that is not allowed": Drift(
        [(f, "[hide-input]", "[nbval-skip]") for f in (EN_INDEX, ZH_INDEX)],
        (ZH_INDEX, "```{code-cell}"),
        "the cell tag nbval-skip is not allowed",
        "use hide-input",
        alone=False,
    ),
    "a comment that skips a cell": Drift(
        [(f, "score = 1.0", "# NBVAL_SKIP\nscore = 1.0") for f in (EN_INDEX, ZH_INDEX)],
        (ZH_INDEX, "# NBVAL_SKIP"),
        "the comment NBVAL_SKIP changes what is compared",
        "delete it",
        alone=False,
    ),
    "an output not compared, no assertion": Drift(
        [(f, "[hide-input]", "[nbval-ignore-output]") for f in (EN_INDEX, ZH_INDEX)],
        (ZH_INDEX, "```{code-cell}"),
        "the output of this cell is not compared, and no assertion follows",
        "let the next cell assert",
        alone=False,
    ),
    "a cell inside of a note": Drift(
        [
            (f, "```{code-cell} ipython3\nfrom", "- item\n\n  ```{code-cell} ipython3\n  from")
            for f in (EN, ZH)
        ],
        (ZH, "```{code-cell}"),
        "a code cell inside of another block is not run",
        "move it to the top level",
        alone=False,
    ),
    "a header that cannot be read": Drift(
        [(ZH, "description: 只为", "description: [只为")],
        (ZH, "description: [只为"),
        "YAML that cannot be read",
        "correct the YAML",
        alone=False,
    ),
}

ALL = {**PARITY, **CONTENTS, **TARGETS, **TERMS, **SYMBOLS, **FENCES}


def test_the_small_guide_has_no_problems(guide):
    assert guide.problems() == []


@pytest.mark.parametrize("drift", ALL.values(), ids=ALL.keys())
def test_drift_is_seen_located_and_explained(guide, drift):
    for edit in drift.edits:
        guide.edit(*edit)
    problems = guide.problems()
    file, text = drift.at
    line = guide.line_of(file, text) if text else 1
    matching = [p for p in problems if p.startswith(f"{file}:{line}: ") and drift.what in p]
    assert matching, "\n".join([f"expected at {file}:{line}", *problems])
    assert drift.mend in matching[0].split(". Mend: ")[1]
    if drift.alone:
        assert problems == matching


@pytest.mark.parametrize(("file", "old", "new", "what"), TYPOGRAPHY.values(), ids=TYPOGRAPHY.keys())
def test_typography(guide, file, old, new, what):
    guide.edit(file, old, new)
    problems = [p for p in guide.problems() if p.startswith(f"{file}:") and what in p]
    changed = guide.line_of(file, new.split("\n")[0])
    assert problems, guide.problems()
    assert problems[0].startswith(f"{file}:{changed}: ")
    assert ". Mend: " in problems[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_is_missing_in_one_language(guide, language):
    other = {"en": "zh", "zh": "en"}[language]
    (guide.docs / language / "rules" / "exact.md").unlink()
    problems = guide.problems()
    assert any(
        p.startswith(
            f"docs/{language}/rules/exact.md:1: there is no such page, "
            f"but there is docs/{other}/rules/exact.md. Mend: write it"
        )
        for p in problems
    )


def test_a_toc_and_a_config_are_missing(guide):
    (guide.docs / "zh" / "_toc.yml").unlink()
    (guide.docs / "zh" / "_config.yml").unlink()
    assert guide.problems() == [
        "docs/zh/_config.yml:1: there is no such file. Mend: write it",
        "docs/zh/_toc.yml:1: there is no such file. Mend: write it",
    ]


def test_words_that_are_not_compared(guide):
    """Order inside of a paragraph, comments, words in formulas, captions of a toc: free."""
    guide.edit(
        ZH,
        "见[论文](https://arxiv.org/abs/2503.14476)和[首页](../index.md)",
        "见[首页](../index.md)与[论文](https://arxiv.org/abs/2503.14476)",
    )
    guide.edit(ZH, "\\text{相等时}", "\\text{若相等}")
    guide.edit(ZH, "- 一段文本", "% 给译者的话\n\n- 一段文本")
    guide.edit(TOC, "caption: 奖励", "caption: 各种奖励")
    assert guide.problems() == []


def test_folders_with_an_underscore_hold_no_pages(guide):
    guide.write("docs/en/_build/stray.md", "# No page")
    assert guide.problems() == []


def test_python_fence_with_a_reason_may_stay(guide):
    for file in (EN, ZH):
        guide.edit(file, "```bash\npip install .", "```python\nwhile True: ...")
    entry = "- page: rules/exact\n  begins: 'while True: ...'\n  reason: it never ends\n"
    guide.write("docs/_fences.yml", entry)
    assert guide.problems() == []

    guide.write("docs/_fences.yml", entry + "- page: index\n  begins: gone\n  reason: none\n")
    assert guide.problems() == [
        "docs/_fences.yml:5: no page index has a Python fence “gone”. Mend: delete the entry"
    ]
    guide.write("docs/_fences.yml", entry.replace("reason: it never ends", "reason:"))
    assert "the entry for rules/exact has no reason" in guide.problems()[0]


def test_names_with_a_reason_may_be_named(guide):
    for file in (EN_INDEX, ZH_INDEX):
        guide.edit(file, "`score`", "`my_name`")
    guide.reviewed()
    guide.write("docs/_names.yml", "my_name: a name that the reader makes\n")
    assert guide.problems() == []

    guide.write("docs/_names.yml", "my_name: made by the reader\nother: no page has it\n")
    assert guide.problems() == [
        "docs/_names.yml:2: no page names other. Mend: delete the line",
    ]
    guide.write("docs/_names.yml", "my_name:\n")
    assert guide.problems() == [
        "docs/_names.yml:1: my_name is listed without a reason. Mend: say why it may be named",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "reference_impl",
        "reference_impl.rules.exact.LIMIT",
        "reference_impl.rules.exact_match_reward_fn",
        "reference_impl.rules.exact.Report.scored",
        "Report.scored",
        "'reference_impl.exact_match_reward_fn'",
        "from reference_impl import exact_match_reward_fn",
        "exact_match_reward_fn(last_number=True)",
        "mine = exact_match_reward_fn(last_number=True)",
        "reference_impl/rules",
        "_toc.yml",
        "None",
        "lambda",
        "str.strip",
        "math.isclose(a, b)",
        "os.path.join",
        "a in b",
        "1/2",
        "####",
        "\\boxed{4}",
        "<think>",
        "pip install .",
        '"skip"',
        "site/index.html",
    ],
)
def test_code_that_prose_may_name(guide, code):
    name_in_prose(guide, code)
    assert guide.problems() == []


@pytest.mark.parametrize(
    "code",
    [
        "reference_impl.gone",
        "reference_impl.rules.LIMIT",
        "reference_impl.rules.exact.Report.gone",
        "Report.gone",
        "'reference_impl.gone'",
        "from reference_impl import gone",
        "exact_match_reward_fn(gone=True)",
        "gone(1)",
        "gone=True",
        "reference_impl/gone.py",
        "str.gone",
        "os.path.gone",
        "torch.gone",
    ],
)
def test_code_that_prose_may_not_name(guide, code):
    name_in_prose(guide, code)
    assert len(guide.problems()) == 2, guide.problems()
    assert all("there is no `" in problem for problem in guide.problems())


def name_in_prose(guide, code):
    for file in (EN_INDEX, ZH_INDEX):
        guide.edit(file, "`score`", f"`{code}`")
    guide.reviewed()


def test_the_package_is_read_and_not_imported(guide):
    """The package of the small guide imports a module that is not there, and no check fails."""
    assert "a_module_that_is_not_installed" in guide.read("reference_impl/rules/exact.py")
    assert guide.problems() == []


def test_an_uncompared_cell_with_an_assertion_after_it(guide):
    for file in (EN_INDEX, ZH_INDEX):
        guide.edit(file, "[hide-input]", "[nbval-ignore-output]")
        guide.edit(
            file,
            "score = 1.0\n```",
            "score = 1.0\n```\n\n```{code-cell} ipython3\nassert score > 0\n```",
        )
    assert guide.problems() == []


WORDS = st.text(alphabet="abcdefgh ijklmnop,.相等奖励是的，。", min_size=1).filter(
    lambda text: text.strip(" .,") and text == text.strip() and "\n" not in text
)
BLOCKS = st.sampled_from(
    [
        "{}",
        "- {}\n- {}\n  1. {}",
        "| {} | {} |\n| --- | --- |\n| {} | `a` |",
        ":::{{note}}\n{}\n\n$$\nx\n$$\n:::",
        "```{{code-cell}} ipython3\nx = 1\n```",
        "> {} [{}](https://example.org) $x$ {{ref}}`start`",
    ]
)


@given(st.lists(BLOCKS, max_size=6), st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_parity_is_silent_on_the_same_structure_with_other_words(tmp_path, shapes, data):
    docs = tmp_path / "docs"
    shutil.rmtree(docs, ignore_errors=True)
    for language in ("en", "zh"):
        filled = [
            shape.format(*[data.draw(WORDS, label=language) for _ in range(shape.count("{}"))])
            for shape in shapes
        ]
        (docs / language).mkdir(parents=True)
        (docs / language / "start.md").write_text("\n\n".join(filled), "utf-8")
    said = [p for p in parity.check(docs) if "still that of" not in p.what]
    assert said == []


def test_problems_are_sorted_and_said_once(guide):
    guide.edit(ZH, "比较 2 段", "比较 3 段")
    guide.edit(ZH_INDEX, "score = 1.0", "score = 2.0")
    problems = checks.run_all(guide.docs)
    assert problems == sorted(set(problems))

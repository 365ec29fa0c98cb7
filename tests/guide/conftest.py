"""A small guide of two pages in two languages in which all checks find nothing.

The tests break it in one place and read what the checks say.
"""

from pathlib import Path

import pytest

from docs._tools import checks, freshness

HEADER = """\
---
jupytext:
  text_representation: {{extension: .md, format_name: myst}}
kernelspec: {{name: python3, display_name: Python 3, language: python}}
description: {description}
---
"""

INDEX_EN = (
    HEADER.format(description="A guide to rewards.")
    + """
(landing)=
# Reward functions

The guide shows rewards that follow a rule. Read {ref}`exact-match` first.

::::{grid} 1 1 2 2
:gutter: 3

:::{grid-item-card} Score an answer
:link: exact-match
:link-type: ref

One page is enough.
:::

::::

(landing-cell)=
## A number

```{code-cell} ipython3
:tags: [hide-input]

score = 1.0
```

The value is `score`.
"""
)

INDEX_ZH = (
    HEADER.format(description="一份关于奖励的指南。")
    + """
(landing)=
# 奖励函数

本指南介绍按规则计算的奖励。请先读 {ref}`exact-match`。

::::{grid} 1 1 2 2
:gutter: 3

:::{grid-item-card} 给答案打分
:link: exact-match
:link-type: ref

一页就够。
:::

::::

(landing-cell)=
## 一个数

```{code-cell} ipython3
:tags: [hide-input]

score = 1.0
```

得到的值是 `score`。
"""
)

EXACT_EN = (
    HEADER.format(description="Pay for the right answer.")
    + """
(exact-match)=
# Exact match

{py:func}`~reference_impl.exact_match_reward_fn` compares 2 texts
with each other, see [the paper](https://arxiv.org/abs/2503.14476) and
[the first page](../index.md). Its argument is `last_number=True`.[^why]

(exact-match-recipe)=
## The recipe

```{code-cell} ipython3
from reference_impl import exact_match_reward_fn
```

- one text
- another text
  1. its first part
  2. its second part

| Completion | Reward |
| --- | --- |
| `4` | 1 |
| fourteen | 0 |

:::{note}
The reward of $n$ texts is a baseline.
:::

$$
r = 1 \\quad \\text{if equal}
$$

```bash
pip install .
```

[^why]: It guesses.

(exact-match-next)=
## What to read next

A benchmark is in `reference_impl/rules/exact.py`. PyTorch is not needed.
"""
)

EXACT_ZH = (
    HEADER.format(description="只为正确答案付出奖励。")
    + """
(exact-match)=
# 精确匹配

{py:func}`~reference_impl.exact_match_reward_fn` 比较 2 段文本。
见[论文](https://arxiv.org/abs/2503.14476)和[首页](../index.md)。
它的参数是 `last_number=True`。[^why]

(exact-match-recipe)=
## 现成写法

```{code-cell} ipython3
from reference_impl import exact_match_reward_fn
```

- 一段文本
- 另一段文本
  1. 第一部分
  2. 第二部分

| 补全 | 奖励 |
| --- | --- |
| `4` | 1 |
| 十四 | 0 |

:::{note}
$n$ 段文本的奖励是基线。
:::

$$
r = 1 \\quad \\text{相等时}
$$

```bash
pip install .
```

[^why]: 它靠猜。

(exact-match-next)=
## 接下来读什么

基准在 `reference_impl/rules/exact.py`。不需要 PyTorch。
"""
)

TOC = """\
format: jb-book
root: index
parts:
- caption: {caption}
  chapters:
  - file: rules/exact
"""

CONFIG = """\
title: {title}
copyright: "2026"
sphinx:
  config:
    language: {language}
"""

GLOSSARY = """\
- en: reward
  zh: 奖励
  avoid: [报酬]
- en: exact match
  zh: 精确匹配
- en: completion
  zh: 补全
  avoid: [完成内容]
- en: baseline
  zh: 基线
  needs_en: [baseline]
- en: benchmark
  zh: 基准
  needs_en: [benchmark]
- en: rubric
  zh: 评分细则
  avoid: [量规]
  unless: [量规则]
- en: return
  zh: 回报
  match: false
  needs_en: [return]
"""

PACKAGE_INIT = """\
_ROOM_OF = {"exact_match_reward_fn": "rules"}


def __getattr__(name):
    raise AttributeError(name)
"""

PACKAGE_RULES = "from reference_impl.rules.exact import exact_match_reward_fn\n"

# Importing this module fails: the checks must read the package and not import it.
PACKAGE_EXACT = """\
import a_module_that_is_not_installed

LIMIT = 10


class Report:
    scored: int = 0


def exact_match_reward_fn(prompt, completions, answer, last_number=False):
    return float(completions == answer)
"""

FILES = {
    "docs/en/index.md": INDEX_EN,
    "docs/zh/index.md": INDEX_ZH,
    "docs/en/rules/exact.md": EXACT_EN,
    "docs/zh/rules/exact.md": EXACT_ZH,
    "docs/en/_toc.yml": TOC.format(caption="Rewards"),
    "docs/zh/_toc.yml": TOC.format(caption="奖励"),
    "docs/en/_config.yml": CONFIG.format(title="Guide", language="en"),
    "docs/zh/_config.yml": CONFIG.format(title="指南", language="zh_CN"),
    "docs/_glossary.yml": GLOSSARY,
    "reference_impl/__init__.py": PACKAGE_INIT,
    "reference_impl/rules/__init__.py": PACKAGE_RULES,
    "reference_impl/rules/exact.py": PACKAGE_EXACT,
}


class Guide:
    """A guide on disk, to be broken.

    Args:
        root: The folder that stands for the root of the repository.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.docs = root / "docs"

    def write(self, file: str, text: str) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def read(self, file: str) -> str:
        return (self.root / file).read_text("utf-8")

    def edit(self, file: str, old: str, new: str) -> None:
        text = self.read(file)
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        self.write(file, text.replace(old, new))

    def line_of(self, file: str, begins: str) -> int:
        """The line of the file that holds the text."""
        lines = self.read(file).splitlines()
        return next(n for n, line in enumerate(lines, 1) if begins in line)

    def reviewed(self, *names: str) -> None:
        """Say that the Chinese pages translate the English ones as they are."""
        for page in names or ("index", "rules/exact"):
            freshness.record(self.docs, page)

    def problems(self) -> list[str]:
        return [str(problem) for problem in checks.run_all(self.docs)]


@pytest.fixture
def guide(tmp_path: Path) -> Guide:
    guide = Guide(tmp_path)
    for file, text in FILES.items():
        guide.write(file, text)
    guide.reviewed()
    return guide

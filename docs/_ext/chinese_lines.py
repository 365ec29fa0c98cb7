"""A line break inside Chinese text is not a space.

HTML shows a line break as a space, and browsers do so between two Chinese characters too.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

CJK = r"[\u2e80-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\u2014\u2018-\u201d\u2026]"
# A paragraph is a row of text nodes; this one, which is no character, marks the seams.
SEAM = "\ufdd0"
BREAK = re.compile(rf"(?<={CJK})({SEAM}*)\n({SEAM}*)(?={CJK})")
VERBATIM = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)


def join_lines(texts: list[str]) -> list[str]:
    """Take out each break between two Chinese characters, also at a seam of two texts.

    Args:
        texts: The texts of one paragraph, at least one.
    """
    return BREAK.sub(r"\1\2", SEAM.join(texts)).split(SEAM)


class JoinChineseLines(SphinxPostTransform):
    default_priority = 900  # after cross-references have their text

    def run(self, **kwargs) -> None:
        if not self.config.language.startswith("zh"):
            return
        for block in list(self.document.findall(nodes.TextElement)):
            if isinstance(block, VERBATIM) or isinstance(block.parent, nodes.TextElement):
                continue
            texts = list(block.findall(nodes.Text))
            if not texts:
                continue
            # Code and formulas keep their text and only stand in the way of a join.
            prose = ["x" if isinstance(t.parent, VERBATIM) else t.astext() for t in texts]
            for node, before, after in zip(texts, prose, join_lines(prose), strict=True):
                if before != after:
                    replace(node, nodes.Text(after))


def replace(old: nodes.Text, new: nodes.Text) -> None:
    # By identity: docutils compares texts by value and would find another line break.
    siblings = old.parent.children
    position = next(i for i, sibling in enumerate(siblings) if sibling is old)
    old.parent[position] = new


def setup(app: Sphinx) -> None:
    app.add_post_transform(JoinChineseLines)

"""`{glossary-table}`: the terms of docs/_glossary.yml as a table, each row with an anchor."""

import re

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .settings import DOCS, language_of

GLOSSARY = DOCS / "_glossary.yml"
COLUMNS = {
    "en": ("English", "Chinese", "Avoid", "Note"),
    "zh": ("英文", "中文", "避免使用", "说明"),
}
WIDTHS = (26, 20, 18, 36)


def anchor_of(term: str) -> str:
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.lower()).strip("-")


class GlossaryTable(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(GLOSSARY))
        language = language_of(self.env.app)
        terms = yaml.safe_load(GLOSSARY.read_text("utf-8"))
        head = self.row([[nodes.Text(title)] for title in COLUMNS[language]])
        rows = [self.term_row(term, language) for term in terms]
        group = nodes.tgroup("", cols=len(WIDTHS))
        group += [nodes.colspec(colwidth=width) for width in WIDTHS]
        group += [nodes.thead("", head), nodes.tbody("", *rows)]
        return [nodes.table("", group, classes=["glossary-table"])]

    def term_row(self, term: dict, language: str) -> nodes.row:
        note = term.get(f"note_{language}", "")
        avoided = "、".join(term.get("avoid", []))
        row = self.row(
            [
                [nodes.Text(term["en"])],
                [nodes.Text(term["zh"])],
                [nodes.Text(avoided)],
                self.parse_inline(note)[0] if note else [],
            ]
        )
        row["ids"] = [anchor_of(term["en"])]
        return row

    def row(self, cells: list[list[nodes.Node]]) -> nodes.row:
        entries = [nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells]
        return nodes.row("", *entries)


def setup(app: Sphinx) -> None:
    app.add_directive("glossary-table", GlossaryTable)

"""The id of a section is the English label above its heading, in both languages.

Sphinx makes ids from the heading's text, and for Chinese text it counts: `id1`, `id2`. The ids of
this guide are the labels that the pages state, so that a deep link survives a change of wording
and the language switch finds the same section.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)


class LabelsAreIds(SphinxTransform):
    # After docutils has handed each label to the heading below it (260).
    default_priority = 300

    def apply(self, **kwargs) -> None:
        labels = {
            id_
            for name, id_ in self.document.nameids.items()
            if id_ and self.document.nametypes.get(name)
        }
        for section in self.document.findall(nodes.section):
            explicit = [id_ for id_ in section["ids"] if id_ in labels]
            if explicit:
                section["ids"] = explicit
            else:
                logger.warning(
                    "the heading %r has no label. Put an English one on the line before it: "
                    "(my-label)=",
                    section.next_node(nodes.title).astext(),
                    location=section,
                )


def setup(app: Sphinx) -> None:
    app.add_transform(LabelsAreIds)

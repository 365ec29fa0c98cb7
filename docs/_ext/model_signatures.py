"""Leave out the signatures of pydantic models in the API reference.

A model takes its attributes as keywords, and the docstring lists them with what they mean. The
signature would repeat them with the machinery of their checks.
"""

from pydantic import BaseModel
from sphinx.application import Sphinx


def leave_out(app: Sphinx, what: str, name: str, obj: object, *_details: object):
    """Return an empty signature for a model, and None, which changes nothing, for the rest."""
    if isinstance(obj, type) and issubclass(obj, BaseModel):
        return "(**settings)", None
    return None


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-signature", leave_out)

"""The pages of this guide pass every check: `python -m docs._tools check`, as a test."""

from pathlib import Path

import pytest

from docs._tools import checks

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.slow
def test_the_guide_has_no_problems():
    problems = checks.run_all(DOCS)
    assert not problems, "\n" + "\n".join(map(str, problems))

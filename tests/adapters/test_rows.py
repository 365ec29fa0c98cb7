"""What adapters share whose trainer keeps the gold answer apart from the row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.adapters.rows import row_columns
from reference_impl.contract.reward_fn import FIELDS

NAMES = st.sampled_from([*FIELDS, "answer", "level", "source"])
ROWS = st.dictionaries(NAMES, st.integers())


@given(row=ROWS, gold=st.one_of(st.none(), st.text()))
def test_no_column_is_lost_and_no_field_is_passed_twice(row, gold):
    before = dict(row)
    if "answer" in row and gold is not None:
        with pytest.raises(ValueError, match="column `answer` too"):
            row_columns(row, gold, "answer")
    else:
        columns = row_columns(row, gold, "answer")
        expected = {name: value for name, value in row.items() if name not in FIELDS}
        assert columns == {"answer": gold} | expected
    assert row == before


def test_there_may_be_no_row():
    assert row_columns(None, "4", "gold") == {"gold": "4"}


@pytest.mark.parametrize("row", ["{}", b"{}", ["answer"], 4])
def test_what_is_no_row_is_refused(row):
    with pytest.raises(TypeError, match=f"is a {type(row).__name__}, not a dict"):
        row_columns(row, "4", "answer")

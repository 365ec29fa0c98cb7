"""Rows are read as they are written, and a bad line is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.check import Case, CasesError, read_cases


def test_every_other_key_is_a_column(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = {"prompt": "2 + 2?", "completions": "#### 4", "answer": "4", "level": 1}
    path.write_text(json.dumps(row) + "\n\n" + json.dumps({**row, "completion_ids": [5, 6]}))
    first, second = read_cases(path)
    assert first == Case("2 + 2?", "#### 4", {"answer": "4", "level": 1})
    assert second.completion_ids == [5, 6]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "not an object"),
        ('{"prompt": "a"}', "lacks `completions`"),
        ('{"prompt": "a", "completions": null}', "`completions` is None"),
        ('{"prompt": [], "completions": "b"}', "`prompt` is a list"),
        ('{"prompt": "a", "completions": " "}', "`completions` is empty"),
        ('{"prompt": "a", "completions": "b", "completion_ids": "c"}', "`completion_ids`"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "completions": "b"}\n' + line)
    with pytest.raises(CasesError, match=r"rows\.jsonl:2: ") as raised:
        read_cases(path)
    assert message in str(raised.value)


@pytest.mark.parametrize("content", [None, b"", b"\n\n", b"\xff\xfe"])
def test_a_file_without_rows_is_refused(tmp_path, content):
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CasesError, match=r"rows\.jsonl"):
        read_cases(path)


def test_a_byte_order_mark_as_some_editors_write_is_no_fault(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "completions": "b"}\n', "utf-8-sig")
    assert [case.prompt for case in read_cases(path)] == ["a"]


@given(st.text(), st.text(min_size=1), st.lists(st.integers(), max_size=9))
def test_stand_in_ids_grow_with_the_text(text, good, ids):
    case = Case("", good, {}, [], ids)
    assert (len(case.ids_of(text)) == 0) == (text == "")
    assert len(case.ids_of(text * 2)) >= len(case.ids_of(text))
    if ids:
        assert case.ids_of(good) == ids

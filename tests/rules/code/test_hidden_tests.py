"""Reading the column of tests, and comparing what came out with what was expected."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl import InvalidGoldError
from reference_impl.rules.code import HiddenTest, parse_tests

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def returned(value, expected, tolerance=1e-6):
    output = value if isinstance(value, bytes) else json.dumps(value).encode()
    return HiddenTest("", "f()", expected).accepts(output, tolerance)


def printed(text, expected, tolerance=1e-6):
    output = text if isinstance(text, bytes) else text.encode()
    return HiddenTest("", "", expected).accepts(output, tolerance)


@given(VALUES)
def test_a_value_is_accepted_for_itself(value):
    assert returned(value, value, tolerance=0)


@given(VALUES, VALUES)
def test_values_are_accepted_if_python_holds_them_equal_and_none_is_a_bool(value, expected):
    if returned(value, expected, tolerance=0):
        assert value == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3.0), (3.0, 3), (0.1 + 0.2, 0.3), (1e20 + 1, 1e20), ((1, 2), [1, 2]), ({}, {})],
)
def test_numbers_are_compared_by_value(value, expected):
    assert returned(value, expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, 1),
        (1, True),
        (0, False),
        (None, 0),
        ("3", 3),
        (3, "3"),
        (3.0001, 3),
        (0.31, 0.3),
        ([1, 2, 3], [1, 2]),
        ([1], 1),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        (10**400, 1e300),
        (b"NaN", 0.0),
        (b"Infinity", 1e308),
        (b"1e999", 1e308),
        (b"", None),
        (b"3 3", 3),
        (b"\xff", "\ufffd"),
        (b"9" * 100_000, 9),
        (b"[" * 100_000, []),
        (b'{"a": 1, "a": 2}', {"a": 1}),
    ],
)
def test_other_values_are_not(value, expected):
    assert not returned(value, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", "3\n"),
        ("3 \n\n", "3"),
        ("1\r\n2\r\n", "1\n2\n"),
        ("0.30000000000000004", "0.3"),
        ("1 0.33333334 x", "1 0.3333333333 x"),
        ("2", "2.0"),
        ("1e-3", "0.001"),
        ("", ""),
    ],
)
def test_printed_text_is_compared_line_by_line(text, expected):
    assert printed(text, expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3 4", "3"),
        ("3\n4", "3"),
        ("3", "3\n4"),
        (" 3", "3"),
        ("1\n\n2", "1\n2"),
        ("1  2", "1 2"),
        ("3.0", "3"),
        ("03", "3"),
        ("0.31", "0.3"),
        ("nan", "0.5"),
        ("inf", "1e300"),
        ("1e999", "1e300"),
        ("٣.٥", "3.5"),
        ("0.5 0.5", "0.5"),
        ("0." + "3" * 100_000, "0.3333"),
        ("YES", "yes"),
        (b"3\xff", "3"),
        (b"3\x00", "3"),
    ],
)
def test_other_text_is_not(text, expected):
    assert not printed(text, expected)


@given(st.floats(-1e15, 1e15), st.floats(-1e15, 1e15))
def test_a_printed_float_is_accepted_if_it_is_close(value, expected):
    close = math.isclose(value, expected, rel_tol=1e-6, abs_tol=1e-6)
    assert printed(repr(value), repr(expected)) == close


@given(st.binary())
def test_no_output_raises(output):
    printed(output, "0.5")
    returned(output, [0.5])


@pytest.mark.parametrize(
    "tests",
    [
        None,
        3,
        {},
        [],
        (),
        "[]",
        "",
        "{",
        "[" * 100_000,
        "3",
        [3],
        [{}],
        [{"input": "1"}],
        [{"input": "1", "output": 1}],
        [{"input": b"1", "output": "1"}],
        [{"input": "\ud800", "output": "1"}],
        [{"input": "1", "output": "1", "call": "f()"}],
        [{"call": "f()", "expected": math.nan}],
        [{"call": "f()", "expected": {1: 2}}],
        [{"call": "f()", "expected": {1, 2}}],
        [{"call": "f(", "expected": 1}],
        [{"call": "f(); g()", "expected": 1}],
        [{"call": "x", "expected": 1}],
        [{"call": "", "expected": 1}],
        [{"call": None, "expected": 1}],
        '[{"call": "f()", "expected": NaN}]',
        '[{"call": "f()", "expected": ' + "[" * 60 + "]" * 60 + "}]",
        [{"input": "1", "output": "1"}, {"input": "1"}],
    ],
)
def test_a_column_that_is_not_well_formed_is_an_error_of_the_data(tests):
    with pytest.raises(InvalidGoldError):
        parse_tests(tests)


@given(
    st.lists(
        st.fixed_dictionaries({"input": st.text(), "output": st.text()})
        | st.fixed_dictionaries({"call": st.just("f(1)"), "expected": VALUES}),
        min_size=1,
        max_size=4,
    )
)
def test_a_list_and_its_json_are_read_alike(tests):
    assert parse_tests(tests) == parse_tests(json.dumps(tests))

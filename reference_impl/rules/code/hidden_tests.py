"""The tests of a data set: what a program gets, and what must come out of it.

What came out is data, and is read as data: text, or plain JSON. The program never sees what is
expected, and has no say in the comparison.
"""

import ast
import json
import math
import re
from dataclasses import dataclass
from typing import Any

from reference_impl.contract.error import InvalidGoldError

_MOST_NESTED = 50
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# A float has 17 digits; a longer numeral is not printed by one.
_LONGEST_NUMERAL = 40


@dataclass(frozen=True)
class HiddenTest:
    """One test: either an input and the output it must give, or a call and its value.

    Attributes:
        input: The standard input, as text.
        call: The call, or "" if the program is tested by its output.
        expected: The output as text, or the value as JSON has it.

    Explained in :ref:`code-execution`.
    """

    input: str
    call: str
    expected: Any

    def accepts(self, output: bytes, tolerance: float) -> bool:
        """Tell whether an output is the expected one.

        Printed output must agree line by line. White space at the end of a line and empty lines at
        the end do not count. A value must be the same JSON value. Where a number with a decimal
        point or an exponent is expected, a number that differs by no more than the tolerance,
        absolute or relative, will do.

        Args:
            output: What the program printed, or its value as JSON.
            tolerance: By how much a float may differ.

        Returns:
            Whether it is.

        Example:
            >>> HiddenTest("", "", "0.5\\n").accepts(b"0.5000000001", 1e-6)
            True
            >>> HiddenTest("", "f()", [1, 2]).accepts(b"[1, 2, 3]", 1e-6)
            False
        """
        try:
            text = output.decode()
            if self.call:
                value = json.loads(text, parse_constant=_refuse_constant)
                return _same_value(value, self.expected, tolerance)
        except (ValueError, RecursionError):  # no UTF-8, no JSON, too many digits, too deep
            return False
        lines, expected = _lines(text), _lines(self.expected)
        return len(lines) == len(expected) and all(
            _same_line(line, other, tolerance) for line, other in zip(lines, expected, strict=True)
        )


def parse_tests(tests: object) -> list[HiddenTest]:
    """Read the tests that a data set's column holds.

    Args:
        tests: A list of tests, or the same as JSON text. A test is
            `{"input": "1 2", "output": "3"}` for a program that reads and prints, or
            `{"call": "add(1, 2)", "expected": 3}` for a function.

    Returns:
        The tests, at least one.

    Raises:
        InvalidGoldError: If the column holds anything else, such as no test at all.

    Example:
        >>> parse_tests('[{"call": "add(1, 2)", "expected": 3}]')
        [HiddenTest(input='', call='add(1, 2)', expected=3)]
        >>> parse_tests("[]")
        Traceback (most recent call last):
            ...
        reference_impl.contract.error.InvalidGoldError: the column `tests` holds no test: every \
program would pass. Mend the row, or drop it from the data set.

    Explained in :ref:`code-execution`.
    """
    if isinstance(tests, str):
        try:
            tests = json.loads(tests, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidGoldError(f"the column `tests` is not JSON: {error}") from error
    if not isinstance(tests, list | tuple):
        raise InvalidGoldError(
            f"the column `tests` is of type {type(tests).__name__}. It must be a list of tests, "
            "or the same as JSON text."
        )
    if not tests:
        raise InvalidGoldError(
            "the column `tests` holds no test: every program would pass. Mend the row, or drop it "
            "from the data set."
        )
    return [_parse_test(test, number) for number, test in enumerate(tests, 1)]


def _parse_test(test: object, number: int) -> HiddenTest:
    keys = set(test) if isinstance(test, dict) else set()
    if keys == {"input", "output"}:
        if not all(isinstance(value, str) for value in test.values()):
            raise InvalidGoldError(f"test {number}: `input` and `output` must both be text")
        if any(_has_surrogates(value) for value in test.values()):
            raise InvalidGoldError(f"test {number}: its text cannot be written as UTF-8")
        return HiddenTest(test["input"], "", test["output"])
    if keys == {"call", "expected"}:
        if not _is_call(test["call"]):
            raise InvalidGoldError(
                f"test {number}: `call` must be one call in Python, such as 'add(1, 2)'"
            )
        if not _is_json(test["expected"], _MOST_NESTED):
            raise InvalidGoldError(
                f"test {number}: `expected` must be a value that JSON has, no NaN or infinity, "
                f"at most {_MOST_NESTED} deep"
            )
        return HiddenTest("", test["call"], test["expected"])
    raise InvalidGoldError(
        f"test {number} must have either the keys `input` and `output`, or `call` and `expected`, "
        "and no others"
    )


def _is_call(source: object) -> bool:
    try:
        return isinstance(source, str) and isinstance(ast.parse(source, mode="eval").body, ast.Call)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_json(value: object, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(
            isinstance(key, str) and _is_json(item, depth - 1) for key, item in value.items()
        )
    if isinstance(value, list):
        return depth > 0 and all(_is_json(item, depth - 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _same_value(value: object, expected: object, tolerance: float) -> bool:
    if isinstance(expected, dict):
        return (
            isinstance(value, dict)
            and value.keys() == expected.keys()
            and all(_same_value(value[key], expected[key], tolerance) for key in expected)
        )
    if isinstance(expected, list):
        return (
            isinstance(value, list)
            and len(value) == len(expected)
            and all(map(_same_value, value, expected, [tolerance] * len(expected)))
        )
    if isinstance(expected, bool) or isinstance(value, bool):
        return value is expected
    if isinstance(expected, float) and isinstance(value, int | float):
        return _close(value, expected, tolerance)
    if isinstance(expected, int) and isinstance(value, int | float):
        return value == expected
    return type(value) is type(expected) and value == expected


def _close(value: float, expected: float, tolerance: float) -> bool:
    try:
        return math.isfinite(value) and math.isclose(
            value, expected, rel_tol=tolerance, abs_tol=tolerance
        )
    except OverflowError:  # an int beyond the floats
        return False


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _same_line(line: str, expected: str, tolerance: float) -> bool:
    if line == expected:
        return True
    words, others = line.split(), expected.split()
    return (
        len(words) == len(others)
        and all(
            word == other or _same_decimal(word, other, tolerance)
            for word, other in zip(words, others, strict=True)
        )
        and any(_is_decimal(other) for other in others)
    )


def _same_decimal(word: str, expected: str, tolerance: float) -> bool:
    return (
        _is_decimal(expected)
        and len(word) <= _LONGEST_NUMERAL
        and _NUMBER.fullmatch(word) is not None
        and _close(float(word), float(expected), tolerance)
    )


def _is_decimal(word: str) -> bool:
    return (
        len(word) <= _LONGEST_NUMERAL
        and not word.lstrip("+-").isdigit()
        and _NUMBER.fullmatch(word) is not None
    )

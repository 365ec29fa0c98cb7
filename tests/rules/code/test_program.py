"""Which program a completion commits to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl import InvalidSampleError
from reference_impl.rules.code import extract_program


@pytest.mark.parametrize(
    ("completion", "program"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("```py\nx = 1\n```", "x = 1\n"),
        ("```Python3 title=main\nx = 1\n```", "x = 1\n"),
        ("```python\nx = 1\n```\n```python\nx = 2\n```", "x = 2\n"),
        ("```python\nx = 1\n```\n```text\n3\n```", "x = 1\n"),
        ("```python\nx = 1\n```<|im_end|>", "x = 1\n"),
        ("````python\n'''\n```\n'''\n````", "'''\n```\n'''\n"),
        ("```python\r\nx = 1\r\n```\r\n", "x = 1\r\n"),
        ("```python\n```", ""),
        ("<think>```python\nx = 1\n```</think>\n```python\nx = 2\n```", "x = 2\n"),
        ("```markdown\n```python\nx = 1\n```", None),
        ("```\nx = 1\n```", None),
        ("```javascript\nx = 1\n```", None),
        ("x = 1", None),
        ("", None),
        ("```python\nx = 1", None),
        ("```python\nx = 1\n```\n```python\nx = 2", None),
        ("```python\nx = 1\n```\n<think>", None),
        ("<think>\n```python\nx = 1\n```", None),
        ("```python\nx = 1\n```</think>", None),
        ("Write ```python x = 1``` inline", None),
        ("> ```python\n> x = 1\n> ```", None),
    ],
)
def test_the_last_closed_python_block_is_the_program(completion, program):
    assert extract_program(completion) == program


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="`<>\n\r")))
def test_a_block_at_the_end_is_found_behind_any_prose(prose, line):
    if "```" in prose or "<think>" in prose:
        prose = ""
    assert extract_program(f"{prose}\n```python\n{line}\n```") == f"{line}\n"


@given(st.text(alphabet="`python \n<think/>~a"))
def test_no_text_raises(text):
    program = extract_program(text)
    assert program is None or program.replace("\n", "") in text.replace("\n", "")


def test_a_long_completion_takes_no_long_time():
    assert extract_program("```" * 300_000 + "```python\n" * 100_000) is None


def test_what_is_no_text_is_refused():
    with pytest.raises(InvalidSampleError):
        extract_program(None)

"""Steps: what each rule splits, and what splitting cannot be used for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_impl.contract import InvalidSampleError
from reference_impl.steps import split_steps

RULES = [("blank_line", ""), ("step_number", ""), ("marker", "<step>")]
pieces = st.lists(
    st.sampled_from(["\n", "\n\n", " ", "a", "Step 1", "\nStep 2", "<step>", ".", "第二步", "é🙂"])
)


def parts(text, *rule, **marker):
    return [text[start:end] for start, end in split_steps(text, *rule, **marker)]


@given(pieces)
def test_the_steps_cover_the_text_and_each_says_something(pieces):
    text = "".join(pieces)
    for rule, marker in RULES:
        found = parts(text, rule, marker=marker)
        assert "".join(found) == (text if found else "")
        for part in found:
            assert any(map(str.isalnum, part.replace(marker, "") if marker else part))


def test_a_step_ends_with_blank_lines():
    assert parts("a\nb\n\n \n c\r\n\r\nd") == ["a\nb\n\n \n ", "c\r\n\r\n", "d"]


def test_a_step_begins_with_its_number():
    text = "Let us see.\nStep 1: a\n\nb\n**Step 2:** c\n## step 3\nd, as in step 2"
    assert parts(text, "step_number") == [
        "Let us see.\nStep 1: a\n\nb\n",
        "**Step 2:** c\n",
        "## step 3\nd, as in step 2",
    ]
    assert parts("第一步：甲\n步骤 2：乙", "step_number") == ["第一步：甲\n", "步骤 2：乙"]
    assert parts("Steps are\nno steps", "step_number") == ["Steps are\nno steps"]


def test_a_step_ends_with_the_marker():
    assert parts("a<step>b<step>", "marker", marker="<step>") == ["a<step>", "b<step>"]


@pytest.mark.parametrize("spam", ["\n\n", "\n\n.\n\n", "\n\n---\n\n", "\n\n\u200b\n\n"])
def test_steps_that_say_nothing_are_none(spam):
    assert len(parts(f"a{spam * 50}b{spam * 50}")) == 2
    assert parts(spam * 50) == []
    assert len(parts("a" + "<step>" * 50, "marker", marker="<step>")) == 1


def test_what_is_no_text_and_what_is_no_rule_is_refused():
    with pytest.raises(InvalidSampleError):
        split_steps(None)
    with pytest.raises(ValueError, match="`rule` is 'lines'"):
        split_steps("a", "lines")
    for rule, marker in [("marker", ""), ("blank_line", "<step>")]:
        with pytest.raises(ValueError, match="marker goes with 'marker'"):
            split_steps("a", rule, marker)

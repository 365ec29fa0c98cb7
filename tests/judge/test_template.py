"""Prompts are data, and their fields are filled in one pass."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_impl.judge.error import JudgeConfigError
from reference_impl.judge.template import FOLDER, JudgeTemplate, load_template

SHIPPED = sorted(path.name.removesuffix(".toml").split(".") for path in FOLDER.glob("*.toml"))
NAMES = ["pair", "ranking", "reference", "rubric", "yes_no"]
JUDGED = {"prompt": "2 + 2?", "reference": "four!", "completion": "It is 4."}


def test_every_template_has_both_languages():
    assert [[name, language] for name in NAMES for language in ["en", "zh"]] == SHIPPED


@pytest.mark.parametrize(("name", "language"), SHIPPED)
def test_a_shipped_template_names_the_fence_and_keeps_judged_text_out_of_the_instructions(
    name, language
):
    template = load_template(name, language)
    assert "fence" in template.system_fields
    assert template.system_fields <= {"fence", "criteria", "scores", "example"}
    assert template.user_fields == load_template(name, "en").user_fields
    assert template.system_fields == load_template(name, "en").system_fields
    has_chinese = re.search("[\u4e00-\u9fff]", template.system) is not None
    assert has_chinese == (language == "zh")


def test_roles_are_separated_and_data_is_quoted():
    system, user = load_template("reference", "en").render(JUDGED, {})
    assert [system["role"], user["role"]] == ["system", "user"]
    [fence] = set(re.findall(r"<completion-([0-9a-f]{16})>", user["content"]))
    assert fence in system["content"]
    for field, text in JUDGED.items():
        assert f"<{field}-{fence}>\n{text}\n</{field}-{fence}>" in user["content"]
        assert text not in system["content"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["{{reference}}", "{{prompt}}", "{{fence}}", "{fence}", "{}", "%s", "$x"]))
def test_braces_in_an_answer_are_text(attack):
    _, user = load_template("reference", "en").render({**JUDGED, "completion": attack}, {})
    assert f">\n{attack}\n</completion-" in user["content"]
    assert user["content"].count("four!") == 1


def test_a_list_is_quoted_text_by_text_with_numbers():
    judged = {"prompt": "2 + 2?", "completions": ["4", "5"]}
    _, user = load_template("ranking", "en").render(judged, {"example": "[1, 2]"})
    found = re.findall(r"<(completion-\d)-[0-9a-f]{16}>\n(.*)\n</", user["content"])
    assert found == [("completion-1", "4"), ("completion-2", "5")]


@pytest.mark.parametrize(
    ("system", "user", "message"),
    [
        ("Grade {{completion}}.", "{{completion}}", "Judged text belongs into `user`"),
        ("Grade.", "It is.", "lacks {{completion}}"),
        ("Grade.", "{{completion}} {{gold}}", "{{gold}}, which this judge does not fill"),
    ],
)
def test_a_template_that_does_not_fit_is_refused(system, user, message):
    with pytest.raises(JudgeConfigError, match=re.escape(message)):
        JudgeTemplate("mine", system, user).check({"completion"})


def test_a_template_without_text_is_refused():
    with pytest.raises(JudgeConfigError, match="no text as `system`"):
        JudgeTemplate("mine", " ", "{{completion}}")
    with pytest.raises(JudgeConfigError, match="no text as `user`"):
        JudgeTemplate("mine", "Grade.", None)


def test_a_template_of_ones_own_is_read_from_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('system = "Grade."\nuser = "{{completion}}"\n', "utf-8")
    assert JudgeTemplate.from_file(path) == JudgeTemplate("mine", "Grade.", "{{completion}}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system = ", "cannot be read"),
        ('system = "Grade."', "must have `system` and `user`"),
        ('system = "a"\nuser = "b"\nmodel = "c"', "must have `system` and `user`"),
        ("system = 1\nuser = 2", "no text as `system`"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(JudgeConfigError, match=message):
        JudgeTemplate.from_file(path)


def test_a_missing_file_a_wrong_name_and_a_wrong_language_are_refused(tmp_path):
    with pytest.raises(JudgeConfigError, match="cannot be read"):
        JudgeTemplate.from_file(tmp_path / "none.toml")
    with pytest.raises(JudgeConfigError, match=r"There are pair, ranking, reference"):
        load_template("points", "en")
    with pytest.raises(JudgeConfigError, match="There are en, zh"):
        load_template("reference", "../en")

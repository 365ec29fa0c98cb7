"""The drift drill: part the real pages from the code, or one language from the other.

Each drift is made in a copy of the project. The commands that ./build_all.sh runs must turn red
and say which file is wrong and how to mend it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("docs", "reference_impl", "benchmarks", "examples", "pyproject.toml", "constraints.txt")
PAGE = "rules/exact-and-numeric.md"


class Copy:
    """A copy of the project in which a drift is made."""

    def __init__(self, root: Path):
        self.root = root
        leave = shutil.ignore_patterns("__pycache__", "_build", "mathjax")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, root / name, ignore=leave)
            else:
                shutil.copy(source, root / name)

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.root / file
        text = path.read_text("utf-8")
        assert old in text, f"the drill looks for {old!r} in {file}: adapt the drill"
        path.write_text(text.replace(old, new, 1), "utf-8")

    def run(self, *command: str) -> tuple[int, str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        ran = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        return ran.returncode, ran.stdout + ran.stderr


def rename_a_function(copy: Copy) -> None:
    for file in ("reference_impl/__init__.py", "reference_impl/rules/__init__.py"):
        copy.replace(file, "numeric_match_reward_fn", "number_match_reward_fn")
    copy.replace(
        "reference_impl/rules/numeric.py",
        "def numeric_match_reward_fn",
        "def number_match_reward_fn",
    )


def change_a_default(copy: Copy) -> None:
    copy.replace(
        "reference_impl/rules/answer.py",
        'DEFAULT_FORMS = ("boxed", "hash", "phrase")',
        'DEFAULT_FORMS = ("boxed", "hash", "phrase", "last_number")',
    )


def change_a_return_value(copy: Copy) -> None:
    file = copy.root / "reference_impl/rules/exact.py"
    assert "1.0" in file.read_text("utf-8")
    file.write_text(file.read_text("utf-8").replace("1.0", "0.9"), "utf-8")


def edit_one_output(copy: Copy) -> None:
    file = copy.root / "docs/_outputs" / Path(PAGE).with_suffix(".ipynb")
    stored = json.loads(file.read_text("utf-8"))
    stored["cells"][0]["outputs"][0]["data"]["text/plain"] = "0.5"
    file.write_text(json.dumps(stored), "utf-8")


def edit_one_chinese_cell(copy: Copy) -> None:
    copy.replace(f"docs/zh/{PAGE}", '"on the way": r"2 is half', '"on the way": r"3 is half')


def drop_a_chinese_section(copy: Copy) -> None:
    file = copy.root / "docs/zh" / PAGE
    text = re.sub(
        r"\(exact-and-numeric-plug-in\)=.*?(?=\(exact-and-numeric-next\)=)",
        "",
        file.read_text("utf-8"),
        flags=re.DOTALL,
    )
    file.write_text(text, "utf-8")


def edit_one_english_sentence(copy: Copy) -> None:
    copy.replace(f"docs/en/{PAGE}", "Nothing is guessed.", "Nothing is ever guessed.")


def break_an_anchor(copy: Copy) -> None:
    copy.replace(f"docs/zh/{PAGE}", "(final-answer)=", "(last-answer)=")


def name_a_symbol_that_does_not_exist(copy: Copy) -> None:
    for language in ("en", "zh"):
        copy.replace(
            f"docs/{language}/{PAGE}",
            "`reference_impl.exact_match_reward_fn`",
            "`reference_impl.exact_match_score_fn`",
        )


def swap_a_glossary_term(copy: Copy) -> None:
    copy.replace(f"docs/zh/{PAGE}", "奖励作弊", "奖励骇客")


def delete_a_page_from_one_toc(copy: Copy) -> None:
    file = copy.root / "docs/zh/_toc.yml"
    lines = [
        line for line in file.read_text("utf-8").splitlines() if "exact-and-numeric" not in line
    ]
    file.write_text("\n".join(lines) + "\n", "utf-8")


def make_a_cell_raise(copy: Copy) -> None:
    for language in ("en", "zh"):
        copy.replace(f"docs/{language}/{PAGE}", "NumericMatch(rel_tol=", "NumericMatch(reltol=")


def use_an_unrunnable_fence(copy: Copy) -> None:
    for language in ("en", "zh"):
        copy.replace(f"docs/{language}/start.md", "```bash\npip", "```python\npip")


# drift: (who makes it, the command that is red, the file and the words of its message)
DRIFTS: dict[str, tuple[Callable[[Copy], None], str, str, str]] = {
    "rename a function": (rename_a_function, "check", f"docs/en/{PAGE}", "numeric_match_reward_fn"),
    "change a default": (change_a_default, "pytest", f"docs/en/{PAGE}", "mismatch"),
    "change a return value": (change_a_return_value, "pytest", f"docs/en/{PAGE}", "mismatch"),
    "edit one output": (edit_one_output, "pytest", f"docs/en/{PAGE}", "mismatch"),
    "edit one Chinese cell": (
        edit_one_chinese_cell,
        "check",
        f"docs/zh/{PAGE}",
        "the code cell differs",
    ),
    "drop a Chinese section": (
        drop_a_chinese_section,
        "check",
        f"docs/zh/{PAGE}",
        "is missing here",
    ),
    "edit one English sentence": (
        edit_one_english_sentence,
        "check",
        f"docs/zh/{PAGE}",
        "was changed",
    ),
    "break an anchor": (break_an_anchor, "check", f"docs/zh/{PAGE}", "(last-answer)="),
    "name an unknown symbol": (
        name_a_symbol_that_does_not_exist,
        "check",
        f"docs/en/{PAGE}",
        "exact_match_score_fn",
    ),
    "swap a glossary term": (swap_a_glossary_term, "check", f"docs/zh/{PAGE}", "奖励骇客"),
    "delete a page from one toc": (
        delete_a_page_from_one_toc,
        "check",
        "docs/zh/_toc.yml",
        "exact-and-numeric",
    ),
    "make a cell raise": (make_a_cell_raise, "pytest", f"docs/en/{PAGE}", "reltol"),
    "put Python where nothing runs it": (
        use_an_unrunnable_fence,
        "check",
        "docs/en/start.md",
        "nothing runs",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("drift", DRIFTS)
def test_each_drift_turns_the_command_red_and_names_file_and_mend(drift, tmp_path):
    make, command, file, words = DRIFTS[drift]
    copy = Copy(tmp_path)
    make(copy)
    if command == "check":
        code, said = copy.run("docs._tools", "check")
        named = [line for line in said.splitlines() if line.startswith(file)]
        assert any(words in line for line in named), said
        assert all("Mend: " in line for line in named)
    else:
        code, said = copy.run("pytest", "-q", "--color=no", f"docs/en/{PAGE}")
        assert file in said
        assert words in said
        assert "python -m docs._tools regenerate" in said or "Traceback" in said
    assert code != 0


@pytest.mark.slow
def test_a_stale_cache_is_never_built_from(tmp_path):
    copy = Copy(tmp_path)
    stale = tmp_path / ".cache/verified.json"
    stale.parent.mkdir()
    code, said = copy.run("docs._tools", "build")
    assert code != 0
    assert "docs._tools verify" in said

    pages = "from docs._tools import notebooks as n; n.Verified().update(n.page_states(), set())"
    subprocess.run([sys.executable, "-c", pages], cwd=tmp_path, check=True)
    change_a_return_value(copy)
    code, said = copy.run("docs._tools", "build")
    assert code != 0
    assert f"en/{PAGE}" in said
    assert "docs._tools verify" in said

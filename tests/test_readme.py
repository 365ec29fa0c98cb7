"""The README's quick start, run as a stranger would: in an environment with nothing in it."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.bare_environment import make_environment, pip

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh.md")


def fences(readme: str, language: str) -> list[str]:
    text = (ROOT / readme).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory) -> Path:
    """A new environment in which the README's first command was run."""
    python = make_environment(tmp_path_factory.mktemp("bare"))
    install = fences("README.md", "bash")[0].strip()
    assert install == "pip install ."
    pip(python, *install.split()[1:], cwd=ROOT)
    return python


@pytest.mark.slow
def test_installing_the_package_brings_nothing_else(bare_python):
    listed = pip(bare_python, "list", "--format=freeze")
    assert {line.split("==")[0] for line in listed.splitlines()} == {"reward-guide"}


@pytest.mark.slow
@pytest.mark.parametrize("readme", READMES)
def test_the_quick_start_prints_what_the_readme_says(readme, bare_python, tmp_path):
    first, own_reward = fences(readme, "python")
    [expected] = fences(readme, "text")
    call = "print(short_reward_fn('', 'x' * 25, [], [], answer='4'))\n"
    ran = subprocess.run(
        [bare_python, "-c", first + own_reward + call],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    *table, own = ran.stdout.splitlines()
    assert table == expected.splitlines()
    assert float(own) == 0.75


def test_both_readmes_give_the_same_commands_and_code():
    english, chinese = ([fences(r, k) for k in ("bash", "python", "text")] for r in READMES)
    assert english == chinese


def test_the_readme_names_the_commands_that_ci_runs():
    ci = (ROOT / ".ci" / "run").read_text("utf-8")
    workflow = (ROOT / ".github" / "workflows" / "guide.yml").read_text("utf-8")
    for command in ("./build_all.sh", "./test_all.sh"):
        assert (ROOT / command).stat().st_mode & 0o111
        for text in (ci, workflow, fences("README.md", "bash")[1]):
            assert command in text


@pytest.mark.parametrize("readme", READMES)
def test_every_file_that_a_readme_names_exists(readme):
    text = (ROOT / readme).read_text("utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    folders = re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
    names = links + re.findall(r"`([^`]+)`", " ".join(folders))
    assert len(names) > 6
    for name in names:
        assert (ROOT / name).exists(), name

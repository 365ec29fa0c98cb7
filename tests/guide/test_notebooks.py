"""The notebook harness: what nbval would let pass must fail here.

One page for each fault stands in a small copy of the project, and one run of pytest judges them.
"""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: python3, display_name: Python 3, language: python}
---

# A page

"""
PLOT = """import io
from IPython.display import Image as Picture
from PIL import Image, ImageDraw
image, data = Image.new("RGB", (640, 480), "white"), io.BytesIO()
ImageDraw.Draw(image).ellipse((100, 100, 300, 300), fill="navy")
image.save(data, "PNG")
Picture(data.getvalue())"""
BLANK_PLOT = PLOT.replace("navy", "white")


def page(*cells: str, header: str = HEADER) -> str:
    return header + "\n\n".join(f"```{{code-cell}} ipython3\n{cell}\n```" for cell in cells) + "\n"


def picture(draw: bool, size: tuple[int, int] = (640, 480)) -> str:
    image = Image.new("RGB", size, "white")
    if draw:
        ImageDraw.Draw(image).line((0, size[1], size[0], 0), fill="black", width=40)
    data = io.BytesIO()
    image.save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode()


def change_outputs(change):
    """Edit the stored notebook of a page, as a careless hand would."""

    def edit(stored: dict) -> dict:
        change(stored["cells"])
        return stored

    return edit


def set_picture(data: str):
    def change(cells):
        [output] = [o for o in cells[0]["outputs"] if "image/png" in o.get("data", {})]
        output["data"]["image/png"] = data

    return change_outputs(change)


def clear_picture(cells):
    for output in cells[0]["outputs"]:
        output.get("data", {}).pop("image/png", None)


def set_text(cells):
    cells[0]["outputs"][0]["text"] = "3\n"


def never_executed(cells):
    cells[0].update(execution_count=None, outputs=[])


def no_outputs(cells):
    cells[0]["outputs"] = []


def edit_error(cells):
    cells[0]["outputs"][0]["evalue"] = "something else"


# name: (page as stored, page as it stands, edit of the stored outputs, words of the message)
RAISES = ":tags: [raises-exception]\n\nraise ValueError('as expected')"
FAULTS = {
    "output-edited": (page("print(2)"), None, change_outputs(set_text), "regenerate"),
    "never-executed": (page("print(2)"), None, change_outputs(never_executed), "not executed"),
    "no-stored-output": (page("print(2)"), None, change_outputs(no_outputs), "Unexpected output"),
    "no-reference": (None, page("print(2)"), None, "no stored outputs"),
    "cell-edited": (page("print(2)"), page("print(1 + 1)"), None, "not those whose outputs"),
    "cell-raises": (page("print(2)"), page("print(2)\n1 / 0"), None, "not those whose outputs"),
    "other-error": (page(RAISES), None, change_outputs(edit_error), "mismatch"),
    "no-header": (None, page("print(2)", header="# A page\n\n"), None, "no notebook header"),
    "picture-gone": (page(PLOT), None, change_outputs(clear_picture), "0 picture(s) are stored"),
    "stored-blank": (page(PLOT), None, set_picture(picture(False)), "stored picture is blank"),
    "drawn-blank": (page(BLANK_PLOT), None, set_picture(picture(True)), "drew a blank picture"),
    "other-picture": (page(PLOT), None, set_picture(picture(True)), "picture 1"),
}
GOOD = {
    "good": page("x = 2", "print(x)"),
    "good-picture": page(PLOT),
    "good-error": page(RAISES),
}
SKIPPED = {"skipped": page("print(2)", "# NBVAL_SKIP\nprint(3)")}


class Project:
    """A copy of the project with pages of our own."""

    def __init__(self, root: Path):
        self.root = root
        for name in ("pyproject.toml", "constraints.txt", "docs/conftest.py", "docs/__init__.py"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        for name in ("docs/_tools", "reference_impl"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "docs/zh").mkdir()

    def write(self, name: str, text: str) -> None:
        path = self.root / "docs/en" / f"{name}.md"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")

    def stored(self, name: str) -> Path:
        return self.root / "docs/_outputs" / f"{name}.ipynb"

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def python(self, code: str) -> subprocess.CompletedProcess:
        return self.run(
            "-c", f"from docs._tools import notebooks\nfrom pathlib import Path\n{code}"
        )

    def regenerate(self, *names: str) -> None:
        pages = [f"Path({name + '.md'!r})" for name in names]
        ran = self.python(f"notebooks.regenerate([{', '.join(pages)}])")
        assert ran.returncode == 0, ran.stderr

    def pytest(self, *arguments: str) -> str:
        options = ("-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-rA")
        return self.run(*options, *arguments).stdout

    def verified(self) -> set[str]:
        record = self.root / ".cache/verified.json"
        return set(json.loads(record.read_text("utf-8"))) if record.exists() else set()


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The project with all pages, and what pytest said about them."""
    project = Project(tmp_path_factory.mktemp("project"))
    stored = {name: text for name, (text, *_) in FAULTS.items() if text} | GOOD | SKIPPED
    first: dict[
        str, str
    ] = {}  # text of a page to the page that is run; the same text, the same outputs
    for name, text in stored.items():
        project.write(name, text)
        first.setdefault(text, name)
    project.regenerate(*first.values())
    for name, text in stored.items():
        if name != first[text]:
            shutil.copy(project.stored(first[text]), project.stored(name))
    for name, (_, now, edit, _) in FAULTS.items():
        if now:
            project.write(name, now)
        if edit:
            path = project.stored(name)
            path.write_text(json.dumps(edit(json.loads(path.read_text("utf-8")))), "utf-8")
    return project, project.pytest("--continue-on-collection-errors", "docs")


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_fails_and_says_why(name, judged):
    project, said = judged
    lines = [line for line in said.splitlines() if f"{name}.md" in line]
    assert any(line.startswith(("FAILED", "ERROR")) for line in lines), lines
    assert FAULTS[name][-1] in said
    assert f"en/{name}.md" not in project.verified()


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_a_good_page_passes_and_is_noted_as_verified(name, judged):
    project, said = judged
    assert f"PASSED docs/en/{name}.md::Cell 0" in said
    assert f"en/{name}.md" in project.verified()


@pytest.mark.slow
def test_a_page_with_a_skipped_cell_is_not_verified(judged):
    project, _ = judged
    assert "en/skipped.md" not in project.verified()


@pytest.mark.slow
def test_the_build_takes_verified_outputs_alone(tmp_path):
    project = Project(tmp_path)
    project.write("good", page("x = 2", "print(x)"))
    project.regenerate("good")
    fill = "notebooks.fill_cache(Path('.cache/outputs'))"

    assert "not verified as they stand" in project.python(fill).stderr

    project.pytest("docs", "-k", "Cell 0")  # a part of a page is no page
    assert "not verified as they stand" in project.python(fill).stderr

    project.pytest("docs")
    assert project.python(fill).returncode == 0
    assert "left from another build" in project.python(fill).stderr

    shutil.rmtree(tmp_path / ".cache/outputs")
    with (tmp_path / "reference_impl/show.py").open("a") as file:
        file.write("\nCHANGED = True\n")
    assert "code changed since" in project.python(fill).stderr


@pytest.mark.slow
def test_stored_outputs_without_a_page_stop_the_run(tmp_path):
    project = Project(tmp_path)
    project.write("good", page("print(2)"))
    project.regenerate("good")
    (tmp_path / "docs/en/good.md").unlink()
    ran = project.run("-m", "pytest", "docs")
    assert ran.returncode != 0
    assert "docs/_outputs/good.ipynb" in ran.stderr + ran.stdout


@pytest.mark.slow
def test_a_page_whose_cell_raises_is_not_stored(tmp_path):
    project = Project(tmp_path)
    project.write("raises", page("x = 0", "1 / x"))
    said = project.python("notebooks.regenerate([Path('raises.md')])").stderr
    assert "docs/en/raises.md: a cell raised ZeroDivisionError" in said
    assert "    1 / x" in said
    assert "Mend: correct the cell" in said
    assert not project.stored("raises").exists()

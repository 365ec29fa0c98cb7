"""Every notebook of the site runs where nothing of the project is installed."""

import json
import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from tests.bare_environment import make_environment, pip
from tests.site.built_site import ROOT, SITE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NOTEBOOKS = sorted(
    path.relative_to(SITE).as_posix() for path in SITE.glob("*/notebooks/**/*.ipynb")
)
ENGLISH = [name for name in NOTEBOOKS if name.startswith("en/")]
MYST = re.compile(
    r"^\([\w-]+\)=|(?<![\w}])\{[a-z][\w:-]*\}`|^:{3,}|^`{3,}\{|^:[\w-]+:", re.MULTILINE
)


@pytest.fixture(scope="session")
def bare_python() -> Path:
    """An environment with ipykernel and matplotlib and nothing else, kept between runs."""
    constraints = ROOT / "constraints.txt"
    state = f"{sys.version}\n{constraints.read_text('utf-8')}"
    folder = ROOT / ".cache" / "bare"
    python = folder / "bin" / "python"
    made_from = folder / "made_from.txt"
    if not made_from.exists() or made_from.read_text("utf-8") != state:
        shutil.rmtree(folder, ignore_errors=True)
        make_environment(folder)
        pip(python, "install", "-c", str(constraints), "ipykernel", "matplotlib")
        made_from.write_text(state, "utf-8")
    return python


@pytest.fixture(scope="session")
def furnished_python(tmp_path_factory) -> Path:
    """An environment with every package that the project needs, and not the project."""
    python = make_environment(tmp_path_factory.mktemp("furnished") / "env")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    folder = python.parents[1] / "lib" / version / "site-packages"
    # What a .pth file names is searched; the .pth files there, the project's among them, are not.
    (folder / "packages.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    return python


@pytest.fixture(scope="session")
def kernels(bare_python, furnished_python, tmp_path_factory) -> KernelSpecManager:
    folder = tmp_path_factory.mktemp("kernels")
    for name, python in {"bare": bare_python, "furnished": furnished_python}.items():
        spec = folder / "kernels" / name
        spec.mkdir(parents=True)
        argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": argv, "display_name": name, "language": "python"}
        (spec / "kernel.json").write_text(json.dumps(kernel), "utf-8")
    return KernelSpecManager(kernel_dirs=[str(folder / "kernels")])


@pytest.mark.parametrize("name", ENGLISH or ["none"])
def test_notebook_runs_in_a_bare_environment(site, kernels, name, tmp_path, monkeypatch):
    assert ENGLISH, "site/ has no notebooks: run ./build_all.sh"
    # The kernel must not find the project through the environment of the test run.
    for variable in ("PYTHONPATH", "VIRTUAL_ENV"):
        monkeypatch.delenv(variable, raising=False)
    notebook = nbformat.read(Path(SITE, name), as_version=4)
    # A notebook says what else it needs: those run where that is installed.
    needs_more = any(
        cell.source.startswith("# This page also needs")
        and re.search("math-verify|torch|openai", cell.source)
        for cell in notebook.cells
    )
    kernel = "furnished" if needs_more else "bare"
    manager = AsyncKernelManager(kernel_name=kernel, kernel_spec_manager=kernels)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, km=manager, timeout=120, resources=resources).execute()
    assert os.listdir(tmp_path) == [], "the notebook writes beside itself"


@pytest.mark.parametrize("name", ENGLISH)
def test_the_chinese_notebook_has_the_code_that_ran(name):
    english, chinese = (
        [cell.source for cell in nbformat.read(SITE / path, 4).cells if cell.cell_type == "code"]
        for path in (name, name.replace("en/", "zh/", 1))
    )
    assert english == chinese


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_has_plain_markdown(name):
    notebook = nbformat.read(Path(SITE, name), as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            raw = MYST.search(cell.source)
            assert not raw, f"{name} shows raw MyST: {cell.source[raw.start() : raw.end() + 60]}"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_keeps_its_outputs_and_hides_its_setup(name):
    cells = nbformat.read(Path(SITE, name), as_version=4).cells
    setup = [cell for cell in cells if cell.id.startswith("setup-")]
    assert all(cell.metadata["jupyter"]["source_hidden"] for cell in setup)
    code = [cell for cell in cells if cell.cell_type == "code" and cell not in setup]
    assert any(cell.outputs for cell in code)

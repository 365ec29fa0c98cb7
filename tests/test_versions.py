"""The lock fits the Python versions and the ranges that pyproject.toml names."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PINS = dict(
    re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
)
# The oldest and the newest that setup_env.sh accepts. Debian 12 has 3.11.2.
PYTHONS = ("3.11.0", "3.12.0")


def test_every_pinned_version_supports_every_python_that_we_name():
    unfit = {}
    for name in PINS:
        needs = metadata.metadata(name).get("Requires-Python") or ""
        if not all(SpecifierSet(needs).contains(version) for version in PYTHONS):
            unfit[name] = needs
    assert unfit == {}, "pin a version that supports them"


def test_what_is_installed_is_what_is_pinned():
    installed = {name: metadata.version(name).partition("+")[0] for name in PINS}
    assert installed == PINS, "remove .venv/state and run ./build_all.sh"


def test_every_dependency_is_pinned_within_its_range():
    pinned = {canonicalize_name(name): version for name, version in PINS.items()}
    for extra in PROJECT["optional-dependencies"].values():
        for requirement in map(Requirement, extra):
            if requirement.name != PROJECT["name"]:
                version = pinned[canonicalize_name(requirement.name)]
                assert requirement.specifier.contains(version), requirement


def test_the_package_itself_depends_on_nothing():
    assert PROJECT["dependencies"] == []

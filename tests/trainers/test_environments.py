"""What is tested with a trainer holds where that trainer is installed."""

import re
import subprocess
from pathlib import Path

import pytest

from benchmarks import trainers
from benchmarks.show import load_result
from reference_impl.adapters.versions import PROVEN
from tests.trainers import environments

HERE = Path(__file__).parent


def test_every_package_is_pinned_to_a_version():
    assert {"areal", "verifiers"} <= set(environments.names())
    for name in environments.names():
        lines = (HERE / f"{name}.txt").read_text("utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert pins
        assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []


def test_no_environment_brings_a_torch_of_its_own():
    for name in environments.names():
        pins = (HERE / f"{name}.txt").read_text("utf-8").lower()
        assert not re.search(r"^(torch|nvidia-.*|triton)==", pins, re.MULTILINE)


def test_a_trainer_that_there_is_not_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no trainer 'arael'\. There are areal"):
        environments.interpreter("arael")


@pytest.mark.slow
def test_a_failed_setup_says_why_and_is_tried_again(monkeypatch, tmp_path):
    monkeypatch.setattr(environments, "PINS", tmp_path)
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    (tmp_path / "broken.txt").write_text("./nowhere\n")
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"environment of broken: ERROR: .*nowhere"):
            environments.interpreter("broken")
    (tmp_path / "broken.txt").write_text("# nothing\n")
    python = environments.interpreter("broken")
    ran = subprocess.run([python, "-c", "import torch, reference_impl"], cwd=tmp_path)
    assert ran.returncode == 0


@pytest.mark.slow
def test_an_environment_is_made_once_until_its_pins_change(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(environments, "PINS", tmp_path)
    monkeypatch.setattr(environments, "CACHE", tmp_path / "cache")
    pins = tmp_path / "empty.txt"
    for text, times in (("# one\n", 1), ("# one\n", 0), ("# two\n", 1)):
        pins.write_text(text)
        environments.interpreter("empty")
        assert capsys.readouterr().out.count("setting up") == times


@pytest.mark.slow
@pytest.mark.parametrize("name", environments.names())
def test_what_is_tested_with_a_trainer_holds_where_it_is_installed(name):
    files = sorted(HERE.glob(f"test_{name}_*.py"))
    assert files
    command = [environments.interpreter(name), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*command, *files], cwd=environments.ROOT, capture_output=True, text=True, timeout=900
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout


def test_every_adapter_has_contract_tests():
    adapters = (environments.ROOT / "reference_impl/adapters").glob("*.py")
    shared = {"__init__", "awaited", "batch", "components", "guard", "messages", "rows", "text"}
    shared |= {"tool_text", "versions"}
    without = {path.stem for path in adapters} - shared - {"openrlhf_server"}
    for path in trainers.proof_files():
        without.discard(path.stem.removeprefix("test_").removesuffix("_adapter"))
    assert without == set()


def test_what_is_proven_is_in_the_range_that_the_adapters_accept():
    stored = load_result("trainers")["trainers"]
    for path in trainers.proof_files():
        [row] = [row for row in stored if row["file"].endswith(f"/{path.name}")]
        distribution = trainers.proof(path)["distribution"]
        if distribution:
            assert row["version"].startswith(PROVEN[distribution])
    assert {trainers.proof(path)["distribution"] for path in trainers.proof_files()} == {
        *PROVEN,
        None,
    }


@pytest.mark.slow
def test_the_table_of_the_guide_says_what_the_contract_tests_are():
    stored = [
        {name: value for name, value in row.items() if name != "tests"}
        for row in load_result("trainers")["trainers"]
    ]
    mend = "run python -m benchmarks.trainers --save, and regenerate the pages with the table"
    assert stored == [trainers.claim(path) for path in trainers.proof_files()], mend

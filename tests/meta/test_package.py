"""What a wheel and the service of systemd are made of: nothing is left out, nothing that they name is missing."""

import configparser
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from edgecore.cli import VERBS

PACKAGES = ("edgecore", "cloudhub_stub")
UNIT = "packaging/edgecore.service"


@pytest.fixture(scope="module")
def project(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))


def test_every_file_of_the_packages_that_is_no_source_is_in_the_wheel(root: Path, project: dict[str, Any]) -> None:
    globs = project["tool"]["setuptools"]["package-data"]
    left_out = [
        path.relative_to(root).as_posix()
        for package in PACKAGES
        for path in (root / package).rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and not _is_data(path.relative_to(root), globs)
    ]
    assert left_out == []


@pytest.mark.parametrize("folder", ["recordings", "mapper", "configurations"])
def test_the_examples_that_the_demo_plays_come_with_the_wheel(root: Path, project: dict[str, Any], folder: str) -> None:
    globs = project["tool"]["setuptools"]["data-files"][f"share/edgecore/examples/{folder}"]
    found = {path for glob in globs for path in root.glob(glob)}
    assert found == {path for path in (root / "examples" / folder).iterdir() if path.is_file()} != set()


def test_the_packages_say_that_they_are_typed(root: Path) -> None:
    assert [package for package in PACKAGES if not (root / package / "py.typed").is_file()] == []


def test_the_licence_is_there_as_the_project_names_it(root: Path, project: dict[str, Any]) -> None:
    assert project["project"]["license"] == "Apache-2.0"
    assert all((root / name).read_text("utf-8").strip() for name in project["project"]["license-files"])


def test_the_version_is_said_in_one_place(root: Path, project: dict[str, Any]) -> None:
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "edgecore.__version__"}
    assert "__version__ =" not in (root / "cloudhub_stub/__init__.py").read_text("utf-8")


def test_the_service_starts_a_verb_that_there_is(root: Path) -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign] - systemd's names have capitals
    unit.read_string((root / UNIT).read_text("utf-8"))
    program, verb, flag, _ = unit["Service"]["ExecStart"].split()
    assert program.endswith("/edgecore")
    assert verb in {known.name for known in VERBS}
    assert flag == "--config"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_understands_the_service_and_its_drop_in(root: Path, tmp_path: Path) -> None:
    unit = tmp_path / "edgecore.service"
    text = (root / UNIT).read_text("utf-8").replace("ExecStart=/opt/edgecore/bin/edgecore", "ExecStart=/bin/true")
    unit.write_text(text)
    (tmp_path / "edgecore.service.d").mkdir()
    shutil.copy(root / "packaging/intercept.conf", tmp_path / "edgecore.service.d")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=20, check=False
    )
    assert [line for line in done.stderr.splitlines() if "edgecore" in line] == []


def _is_data(path: Path, globs: dict[str, list[str]]) -> bool:
    name, package = path.name, ".".join(path.parts[:-1])
    return any(fnmatch(name, glob) for owner in ("*", package) for glob in globs.get(owner, ()))

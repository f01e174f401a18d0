"""The lowest versions that are allowed, as constraints."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.minimum import FILE, constraints, requirements

ROOT = Path(__file__).parents[3]


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_file_says_what_the_project_does() -> None:
    assert FILE.read_text("utf-8") == constraints(requirements(project())), "python -m tools.minimum writes it anew"


def test_a_bound_becomes_that_very_version_and_a_marker_stays() -> None:
    lines = constraints(["b>=1.2", "A-b>=3; sys_platform != 'win32'"]).splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["A-b==3; sys_platform != 'win32'", "b==1.2"]


@pytest.mark.parametrize("wanted", ["b", "b==1", "b>=1,<2", "b>1", "b>=1.*", "b @ https://example.org/b"])
def test_what_has_no_lowest_version_is_refused(wanted: str) -> None:
    with pytest.raises(ValueError, match="name>=version"):
        constraints([wanted])

"""What a clone must not hold and must keep: paths of one machine, and the bits that make scripts run."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = frozenset({".py", ".toml", ".md", ".yaml", ".yml", ".sh", ".cfg", ".ini", ".txt", ""})
_PLACES = "|".join(("home", "root", "Users", "builds"))
MACHINE_PATH = re.compile(rf"(?<![\w.~:/-])/(?:{_PLACES})/[\w.]")
"""An absolute path that only one machine has, not part of a longer path or a URL."""


@pytest.fixture(scope="module")
def sources(root: Path) -> list[Path]:
    """Every file of a clone, and those that are about to be added; without git, every file."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout.decode()
        files = [root / name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        files = list(root.rglob("*"))
    return [path for path in files if path.suffix in SOURCES and path.is_file() and not path.is_symlink()]


def test_no_source_file_names_a_path_of_one_machine(sources: list[Path], root: Path) -> None:
    found = [f"{path.relative_to(root)}:{line}" for path in sources for line in _machine_paths(path.read_text("utf-8"))]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("script", [".ci/run"])
def test_a_script_can_be_executed(root: Path, script: str) -> None:
    path = root / script
    assert os.access(path, os.X_OK), f"chmod +x {script}"
    assert path.read_text("utf-8").startswith("#!")


@pytest.mark.parametrize("place", ["home", "root", "Users"])
def test_a_machine_path_is_found(place: str) -> None:
    assert list(_machine_paths(f'ok = 1\npath = "/{place}/x/y"')) == [2]


@pytest.mark.parametrize("text", ["https://example.org/home/item", "~/home/x", "var/root/x", "/homework/x", "/root"])
def test_part_of_another_path_is_no_machine_path(text: str) -> None:
    assert list(_machine_paths(text)) == []


def _machine_paths(text: str) -> Iterator[int]:
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield number

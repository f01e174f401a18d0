"""The source files, read once for all tests of this folder."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Path in the repository to text, of both programs."""
    files = [path for package in ("edgecore", "cloudhub_stub") for path in (ROOT / package).rglob("*.py")]
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(files)}


@pytest.fixture(scope="session")
def trees(texts: dict[str, str]) -> dict[str, ast.Module]:
    """Path in the repository to syntax tree, of both programs."""
    return {path: ast.parse(text, path) for path, text in texts.items()}

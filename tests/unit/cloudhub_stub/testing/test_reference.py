"""The reference of the Python API: it names what a cloud and an edge have."""

import inspect
import re
from pathlib import Path

import pytest

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge

TEXT = (Path(__file__).parents[4] / "docs/reference/python.md").read_text("utf-8")
NAME = re.compile(r"`(\w+)[(`]")


def named(*titles: str) -> set[str]:
    """Return the names in the first cells of the tables of these sections."""
    sections = [TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0] for title in titles]
    rows = [line for section in sections for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in NAME.findall(row.split("|")[1])}


def names_of(kind: type) -> set[str]:
    """Return the names of methods, properties and what constructors set, of a class and its bases."""
    sources = [inspect.getsource(base) for base in kind.__mro__ if base is not object]
    return {*dir(kind), *re.findall(r"self\.(\w+)(?:: [^=]+)? = ", "".join(sources))}


@pytest.mark.parametrize(("kind", "titles"), [(Cloud, ("The cloud", "Waiting")), (Edge, ("An edge",))])
def test_what_the_reference_names_is_there(kind: type, titles: tuple[str, ...]) -> None:
    assert named(*titles) - names_of(kind) == set()

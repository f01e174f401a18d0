"""The lowest versions that ``pyproject.toml`` allows, as constraints for pip: what ``make test-minimum`` installs.

``python -m tools.minimum`` writes ``constraints-minimum.txt``; a test of the house says when that is to be done.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FILE = ROOT / "constraints-minimum.txt"
HEAD = """\
# The lowest version of each library that pyproject.toml allows, by which `make test-minimum` tests.
# Made by `python -m tools.minimum` from pyproject.toml; do not edit.
"""
_BOUND = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)>=(?P<version>[0-9]+(\.[0-9]+)*)(?P<marker>; .+)?")


def requirements(project: Mapping[str, Any]) -> list[str]:
    """Return what the node needs, and what its tests need: the extra ``dev``."""
    found = project["project"]
    return [*found["dependencies"], *found["optional-dependencies"]["dev"]]


def constraints(wanted: Iterable[str]) -> str:
    """Return the file. Raises ``ValueError`` for a requirement that is not ``name>=version``."""
    lines = []
    for each in wanted:
        bound = _BOUND.fullmatch(each)
        if bound is None:
            raise ValueError(f"cannot tell the lowest version of {each!r}; write it as name>=version")
        lines.append(f"{bound['name']}=={bound['version']}{bound['marker'] or ''}\n")
    return HEAD + "".join(sorted(lines, key=str.lower))


def main() -> int:
    """Write the file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    FILE.write_text(constraints(requirements(project)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

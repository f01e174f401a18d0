"""What a test needs to run command lines as they stand in a document: the two programs as files, and an environment."""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

Table = list[dict[str, str]]


def install(folder: Path) -> None:
    """Make ``edgecore`` and ``cloudhub-stub`` commands in a new folder."""
    folder.mkdir(parents=True)
    for name, module in (("edgecore", "edgecore"), ("cloudhub-stub", "cloudhub_stub")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        (folder / name).chmod(0o755)


def environment(**changes: str) -> dict[str, str]:
    """Return that of this process without its proxies, and with ``changes``."""
    inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**inherited, "PYTHONPATH": str(ROOT), **changes}


def table(text: str) -> Table:
    """Return the rows of a table as ``kubectl`` prints it, by the names of the columns."""
    lines = text.strip().splitlines()
    if not lines:
        return []
    starts = [found.start() for found in re.finditer(r"(?<!\S)\S+( \S+)*", lines[0])]
    ends = [*starts[1:], None]
    cells = [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]


def without(rows: Table, *columns: str) -> Table:
    """Return the rows without what differs from run to run."""
    return [{name: cell for name, cell in row.items() if name not in columns} for row in rows]

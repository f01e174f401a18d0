"""How the open file is, while the node runs: whether it is still there, and what SQLite complained of.

``os.stat`` alone is asked: a process that opens and closes the database file beside SQLite loses SQLite's locks on it.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog

from edgecore.errors import StoreError
from edgecore.store.refusals import DAMAGED, OTHER, refused, trouble, ways_back

log = structlog.get_logger("store")


class _Identity(NamedTuple):
    device: int
    inode: int


class Condition:
    """Of one open file, until it is closed. The writer's thread and the event loop tell it what goes wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = {each: identity for each in _files(path) if (identity := _identity(each))}
        self._damage = ""
        self._lost: set[Path] = set()
        self.troubles: Counter[str] = Counter()
        """How often SQLite said what, by the words of ``refusals.py``; faults of a statement are not counted."""

    def refused(self, deed: str, error: BaseException) -> StoreError:
        """Count ``error``, and return it as ``cannot <deed> <path>: <reason>; <what to do>``."""
        word = trouble(error, self._path)
        said = refused(deed, self._path, error)
        if word != OTHER:
            self.troubles[word] += 1
        if word == DAMAGED and not self._damage:
            self._damage = str(said)
            log.error("database_damaged", path=str(self._path), error=str(said))
        return said

    def reasons(self) -> Iterator[str]:
        """Yield why the file is not as it should be, a line each."""
        if self._damage:
            yield f"database {self._path} is damaged ({self._damage}); stop the node for it"
        for path, opened in self._files.items():
            now = _identity(path)
            if now == opened:
                continue
            what = "deleted" if now is None else "replaced by another file"
            if path not in self._lost:
                self._lost.add(path)
                log.error("database_file_lost", path=str(path), what=what)
            yield (
                f"{path} was {what} under the running node: what it stores is gone when it stops;"
                f" `edgecore meta export` saves the rows it has, then stop it and put a backup back"
                f" ({ways_back(self._path)})"
            )


def _files(path: Path) -> tuple[Path, Path]:
    return path, path.with_name(path.name + "-wal")


def _identity(path: Path) -> _Identity | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - as said above: nothing but this
    except OSError:
        return None
    return _Identity(found.st_dev, found.st_ino)

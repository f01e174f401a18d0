"""Putting one database in the place of another, which is kept aside; interrupted at any moment, none is lost."""

import os
from contextlib import suppress
from pathlib import Path

from edgecore.store.backup import sync_folder

_LOGS = ("-wal", "-journal")
"""What belongs to a database, and must not be met by another of its name."""


def put_in_place(path: Path, aside: Path, new: Path) -> None:
    """Keep what is at ``path``, with its log, as ``aside``; then ``new`` is at ``path``. Raises ``OSError``.

    All three are in one folder. The names of the old are given before one is taken away, and the last step is one
    rename: at no moment is there no database, or a log beside one that it does not belong to.
    """
    if path.exists():
        _link(path, aside)
    for suffix in _LOGS:
        log = path.with_name(path.name + suffix)
        if log.exists():
            log.rename(aside.with_name(aside.name + suffix))
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    sync_folder(path.parent)
    new.replace(path)
    sync_folder(path.parent)


def remove_with_logs(path: Path) -> None:
    """Remove a file of ours and what SQLite made beside it, as far as that goes."""
    for suffix in ("", "-shm", *_LOGS):
        with suppress(OSError):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _link(path: Path, aside: Path) -> None:
    try:
        os.link(path, aside)
    except OSError:  # a file system without links
        path.rename(aside)

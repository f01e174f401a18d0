"""Files and directories that only their owner may use, whatever the umask is; every function raises ``OSError``."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def make_directory(directory: Path) -> None:
    """Make a directory and those above it that are missing, all with mode 0700; what is there keeps its mode.

    ``Path.mkdir(parents=True)`` gives its mode to the last one alone: with a umask of 0 anybody may rename what is in
    the others.
    """
    for place in reversed([*_missing(directory)]):
        place.mkdir(mode=0o700, exist_ok=True)


def _missing(directory: Path) -> Iterator[Path]:
    for place in (directory, *directory.parents):
        try:
            place.stat()
        except OSError:
            yield place
        else:
            return


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file (mode 0600) that is there in full or not at all, also after a crash."""
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink()
        raise
    sync_directory(path.parent)


def copy(source: Path, target: Path) -> None:
    """Copy a file to ``target`` (mode 0600), which must not be there."""
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as to, source.open("rb") as of:
        while block := of.read(_BLOCK_BYTES):
            to.write(block)


def sync_directory(directory: Path) -> None:
    """Return when the names in a directory are on disk."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)

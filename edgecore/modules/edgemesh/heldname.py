"""A name that one process of a machine holds at a time, until it lets go or ends, however that happens.

On Linux it is a Unix socket bound to an abstract name (unix(7)), which belongs to the network namespace, as loopback
addresses and rules do. Elsewhere it is a locked file in the directory for temporary files, the same for all nodes
whatever their state directories are; the files stay there, empty.
"""

import errno
import fcntl
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Protocol


class Held(Protocol):
    """What is held; closing it, or the end of the process, lets go."""

    def close(self) -> None:
        """Let go."""


def hold_name(name: str) -> Held | None:
    """Hold ``name``, which may have slashes; ``None``: another has it. Raises ``OSError`` where nobody can say."""
    return _hold_by_socket(name) if sys.platform == "linux" else _hold_by_file(name)


def _hold_by_socket(name: str) -> Held | None:
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0edgecore/{name}")
    except OSError as error:
        held.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return held


def _hold_by_file(name: str) -> Held | None:
    path = Path(tempfile.gettempdir(), f"edgecore-{name.replace('/', '-')}.lock")
    # Opened for reading only, so that processes of different users can lock the same file.
    held = os.fdopen(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), "rb")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        if error.errno != errno.EWOULDBLOCK:
            raise
        return None
    return held

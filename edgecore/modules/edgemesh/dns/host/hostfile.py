"""Changes one small text file of the host, all at once or not at all, and leaves it alone where that cannot be done.

The new content is written beside the file, synchronised, given mode, owner and extended attributes of the old one, and
renamed over it: a reader sees the old content or the new one, whatever happens meanwhile.

===============  ===============================================================================================
left alone       why
===============  ===============================================================================================
a symbolic link  another program makes the file behind it (systemd-resolved, NetworkManager, resolvconf), and
                 would undo the change or be undone by it
a mount point    cannot be renamed over (Docker and Kubernetes mount the file of a container); written in place a
                 reader might see half of it
a hard link      its other names would keep the old content
===============  ===============================================================================================
"""

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from edgecore.errors import HostFileError
from edgecore.modules.edgemesh.heldname import Held, hold_name

LIMIT_BYTES = 65536
_TRIES = 5
_REASONS = {
    errno.EACCES: "no_permission",
    errno.EPERM: "no_permission",
    errno.EROFS: "no_permission",
    errno.ENOENT: "absent",
    errno.EBUSY: "mounted",
}


class _Seen(NamedTuple):
    """A file as it was read."""

    content: bytes
    status: os.stat_result

    @property
    def version(self) -> tuple[int, ...]:
        return _version(self.status)


def hold(path: Path) -> Held | None:
    """Let nobody else change ``path``, which need not be there; ``None``: another may. Raises ``HostFileError``."""
    try:
        place = path.parent.stat()
        return hold_name(f"host-file/{place.st_dev}/{place.st_ino}/{path.name}")
    except OSError as error:
        raise _refused(path, error) from error


def read(path: Path) -> bytes:
    """Return the content, through symbolic links too. Raises ``HostFileError``: unreadable, no file, too long."""
    return _see(path).content


def change(path: Path, edit: Callable[[bytes], bytes]) -> bool:
    """Let the content become what ``edit`` makes of it; return whether that is anything else.

    Where another program writes the file meanwhile, that is read anew. Raises ``HostFileError``; the file is as it was
    then.
    """
    for _ in range(_TRIES):
        seen = _see(path)
        content = edit(seen.content)
        if content == seen.content:
            return False
        _check(path, seen)
        try:
            if _replace(path, seen, content):
                return True
        except OSError as error:
            raise _refused(path, error) from error
    raise HostFileError(path, "busy", "another program writes it all the time")


def _see(path: Path) -> _Seen:
    try:
        # Not blocking: opening a named pipe would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise HostFileError(path, "no_file", "it is not a regular file")
            content = os.read(descriptor, LIMIT_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refused(path, error) from error
    if len(content) > LIMIT_BYTES:
        raise HostFileError(path, "too_long", f"it has over {LIMIT_BYTES} bytes")
    return _Seen(content, status)


def _check(path: Path, seen: _Seen) -> None:
    """Raise ``HostFileError`` for a file that is not to be replaced."""
    if path.is_symlink():
        raise HostFileError(path, "link", f"it is a link to {path.resolve()}, which another program writes")
    if seen.status.st_nlink > 1:
        raise HostFileError(path, "linked", "it has other names (hard links), which would keep the old content")


def _replace(path: Path, seen: _Seen, content: bytes) -> bool:
    """Return False if the file has changed since it was seen. Raises ``OSError``."""
    draft = path.with_name(f".{path.name}.edgecore")
    draft.unlink(missing_ok=True)  # left by a crash; whoever writes holds the file
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _take_after(path, seen.status, descriptor)
            os.fsync(descriptor)
        if _version(path.lstat()) != seen.version:
            return False
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return True


def _take_after(path: Path, status: os.stat_result, descriptor: int) -> None:
    """Give the new file the owner, the mode and, as far as possible, the extended attributes (SELinux) of the old."""
    own = os.fstat(descriptor)
    if (own.st_uid, own.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(path):
                with suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(path, name))


def _version(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _refused(path: Path, error: OSError) -> HostFileError:
    reason = _REASONS.get(error.errno or 0, "failed")
    detail = "it is a mount point (of a container?)" if reason == "mounted" else error.strerror or str(error)
    return HostFileError(path, reason, detail)

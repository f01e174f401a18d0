"""Files that only their owner may read, written whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from edgecore.errors import ConfigError

LIMIT_BYTES = 1024 * 1024
"""No key, certificate or token is longer; what is longer is something else."""


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` (mode 0600), making its directory (0700) if there is none.

    Whoever reads meanwhile, or after the power failed, finds the old content or the new. Raises ``ConfigError``.
    """
    try:
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror or error}") from error


def read_small(path: Path) -> bytes:
    """Return what is in ``path``. Raises ``ConfigError``, also where it is longer than any file of ours."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > LIMIT_BYTES:
        raise ConfigError(f"cannot read {path}: it is longer than {LIMIT_BYTES} bytes")
    return content

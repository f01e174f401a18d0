"""Keys, certificates and tokens as files: for their owner alone, written whole or not at all."""

from pathlib import Path

from edgecore.errors import ConfigError, reason_of
from edgecore.privatefiles import make_directory, write_atomically

LIMIT_BYTES = 1024 * 1024
"""No key, certificate or token is longer; what is longer is something else."""


def write_private(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` (mode 0600), making its directory (0700) if there is none.

    Whoever reads meanwhile, or after the power failed, finds the old content or the new. Raises ``ConfigError``.
    """
    try:
        make_directory(path.parent)
        write_atomically(path, content)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {reason_of(error)}") from error


def read_small(path: Path) -> bytes:
    """Return what is in ``path``. Raises ``ConfigError``, also where it is longer than any file of ours."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {reason_of(error)}") from error
    if len(content) > LIMIT_BYTES:
        raise ConfigError(f"cannot read {path}: it is longer than {LIMIT_BYTES} bytes; is it the right file?")
    return content

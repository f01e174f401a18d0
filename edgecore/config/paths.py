"""Whether the node may write where its configuration tells it to."""

import os
from pathlib import Path

from edgecore.config.addresses import AUTO
from edgecore.config.keys import leaves
from edgecore.config.modules import EdgeHub
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import ConfigError
from edgecore.privatefiles import make_directory

_WAY_OUT = "`edgecore config --min --user` prints a configuration whose paths an ordinary user can write"


def check_paths(config: EdgeCoreConfig) -> None:
    """Make the directories of the database and of the control socket (mode 0700), and see that they can be written.

    Certificates are looked at when TLS is used: an existing file must be readable, the place of an absent one
    writable. Raises ``ConfigError`` with one line for each path that will not do.
    """
    database = config.database.path
    problems = [_unusable("database.dataSource", database, _try_directory(database) or _try_file(database))]
    if config.control.socket != AUTO:
        problems.append(_unusable("control.socket", config.control_socket, _try_directory(config.control_socket)))
    hub = config.modules.edge_hub
    if hub.enable and hub.websocket.enable and hub.websocket.address.scheme == "wss":
        problems += [_unusable(key, path, _try_certificate(path)) for key, path in _certificates(hub)]
    wrong = [problem for problem in problems if problem]
    if wrong:
        raise ConfigError("\n  ".join(["cannot use the configured paths:", *wrong, _WAY_OUT]))


def _unusable(key: str, path: Path, reason: str) -> str:
    return f"{key}: cannot use {path}: {reason}" if reason else ""


def _certificates(hub: EdgeHub) -> list[tuple[str, Path]]:
    return [
        (path, Path(getattr(hub, setting.attribute)))
        for path, setting in leaves(EdgeHub, "modules.edgeHub")
        if setting.key.state
    ]


def _try_directory(file: Path) -> str:
    """Make the directory of ``file`` if absent; return why it cannot be written, or nothing."""
    directory = file.parent
    try:
        make_directory(directory)
    except OSError as error:
        return f"cannot create the directory {error.filename}: {error.strerror}"
    if not directory.is_dir():
        return f"{directory} is not a directory"
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        return f"cannot write in the directory {directory}: Permission denied"
    return ""


def _try_file(file: Path) -> str:
    if file.is_dir():
        return "it is a directory"
    if file.exists() and not os.access(file, os.R_OK | os.W_OK, effective_ids=True):
        return "cannot write it: Permission denied"
    return ""


def _try_certificate(file: Path) -> str:
    if _exists(file):
        if file.is_dir():
            return "it is a directory"
        return "" if os.access(file, os.R_OK, effective_ids=True) else "cannot read it: Permission denied"
    ancestor = next(place for place in file.parents if _exists(place))
    if not ancestor.is_dir():
        return f"{ancestor} is not a directory"
    if not os.access(ancestor, os.W_OK | os.X_OK, effective_ids=True):
        return f"it does not exist, and cannot write in the directory {ancestor}: Permission denied"
    return ""


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True

"""What a command is about: the flags that name a running node or its database, and what they lead to.

========================  ==================================================================
commands                  flags, of which one can be given
========================  ==================================================================
of a running node         ``--control``, ``--config``
of rows, wherever (meta)  the same, or ``--db``
of the file (db)          ``--config``, which names the file here, or ``--db``
========================  ==================================================================

Where there is no configuration, commands that go on without a node (``intercept``) go by the defaults.
"""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from edgecore.control.client import ControlClient
from edgecore.errors import ConfigError

if TYPE_CHECKING:
    from edgecore.config.load import LoadedConfig


def add_target(parser: argparse.ArgumentParser) -> "argparse._MutuallyExclusiveGroup":
    """Add the flags that name a node; return their group, of which one can be given."""
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--control", type=Path, metavar="SOCKET", help="the control socket of the node")
    _add_config(names, "the configuration that the node runs with, which names its socket")
    return names


def add_rows_target(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a node or a file."""
    add_target(parser).add_argument(
        "--db", type=Path, metavar="FILE", help="a database file (edgecore.db), instead of a running node"
    )


def add_file_target(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a database file."""
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--db", type=Path, metavar="FILE", help="the database file (edgecore.db)")
    _add_config(names, "the configuration that names it, in database.dataSource")


def client_of(args: argparse.Namespace) -> ControlClient:
    """Return a client for the node that the flags name. Raises ``ControlError`` or ``ConfigError``."""
    takes_files = hasattr(args, "db")
    if args.control is not None:
        return ControlClient(args.control, otherwise="--db FILE reads the file of one that is stopped" * takes_files)
    others = "its socket with --control, or a file with --db" if takes_files else "or its socket with --control"
    config = _loaded(args.config, "node", others, by_defaults=_goes_by_defaults(args)).config
    file = f"--db {shlex.quote(str(config.database.path))} reads its file while it is stopped"
    return ControlClient(config.control_socket, otherwise=file * takes_files)


def database_of(args: argparse.Namespace) -> Path:
    """Return the path of the database that the flags name. Raises ``ConfigError``."""
    if args.db is not None:
        path: Path = args.db
        return path.absolute()
    return _loaded(args.config, "database", "or the file with --db").config.database.path


def configuration_of(args: argparse.Namespace) -> "LoadedConfig":
    """Return the configuration that the flags name; its origin is empty for the defaults. Raises ``ConfigError``."""
    return _loaded(args.config, "node", "or its socket with --control", by_defaults=_goes_by_defaults(args))


def is_there(path: Path) -> bool:
    """Return whether there is something at ``path``, or may be: reading it will say why this user may not look."""
    try:
        return path.exists()
    except OSError:
        return True


def _goes_by_defaults(args: argparse.Namespace) -> bool:
    return getattr(args, "by_defaults", False)


def _add_config(names: "argparse._MutuallyExclusiveGroup", what: str) -> None:
    names.add_argument("--config", type=Path, metavar="FILE", help=f"{what} (default: the same as of run)")


def _loaded(path: Path | None, what: str, others: str, *, by_defaults: bool = False) -> "LoadedConfig":
    # Imported here: with the other flags no configuration is read.
    from edgecore.config.host import default_config, this_machine  # noqa: PLC0415
    from edgecore.config.load import DEFAULT_PATH, LoadedConfig, load  # noqa: PLC0415

    if path is None and not is_there(DEFAULT_PATH):
        if by_defaults:
            return LoadedConfig(default_config(this_machine()), (), frozenset(), "")
        raise ConfigError(
            f"cannot tell which {what} is meant: {DEFAULT_PATH} does not exist;"
            f" name the node's configuration with --config, {others}"
        )
    return load(path or DEFAULT_PATH, env=this_machine())

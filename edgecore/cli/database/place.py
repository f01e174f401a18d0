"""Which database a command means: the flags ``--db`` and ``--config``."""

import argparse
from pathlib import Path

from edgecore.errors import StoreError


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    places = parser.add_mutually_exclusive_group()
    places.add_argument("--db", type=Path, metavar="FILE", help="the database file")
    places.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration that names it, in database.dataSource (default: the same as of run)",
    )


def path_of(args: argparse.Namespace) -> Path:
    """Return the path of the database. Raises ``ConfigError`` or ``StoreError``."""
    if args.db is not None:
        path: Path = args.db
        return path.absolute()
    # Imported here: with --db no configuration is read.
    from edgecore.config.host import this_machine  # noqa: PLC0415
    from edgecore.config.load import DEFAULT_PATH, load  # noqa: PLC0415

    if args.config is None and not DEFAULT_PATH.exists():
        raise StoreError(
            f"cannot tell which database is meant: {DEFAULT_PATH} does not exist;"
            " name the file with --db, or the node's configuration with --config"
        )
    return load(args.config or DEFAULT_PATH, env=this_machine()).config.database.path

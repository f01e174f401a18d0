"""Which running node a command speaks to: the flags ``--control`` and ``--config``, and the socket they lead to."""

import argparse
from pathlib import Path

from edgecore.control.client import ControlClient
from edgecore.errors import ControlError


def add_target(parser: argparse.ArgumentParser) -> "argparse._MutuallyExclusiveGroup":
    """Add the flags that name a node; return their group, of which one can be given."""
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--control", type=Path, metavar="SOCKET", help="the control socket of the node")
    names.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration that the node runs with, which names its socket (default: the same as of run)",
    )
    return names


def client_of(args: argparse.Namespace) -> ControlClient:
    """Return a client for the node that the flags name. Raises ``ControlError`` or ``ConfigError``."""
    return ControlClient(args.control or _configured_socket(args.config))


def _configured_socket(config: Path | None) -> Path:
    # Imported here: with --control no configuration is read.
    from edgecore.config.host import this_machine  # noqa: PLC0415
    from edgecore.config.load import DEFAULT_PATH, load  # noqa: PLC0415

    if config is None and not DEFAULT_PATH.exists():
        raise ControlError(
            f"cannot tell which node is meant: {DEFAULT_PATH} does not exist;"
            " name the node's configuration with --config, or its socket with --control"
        )
    return load(config or DEFAULT_PATH, env=this_machine()).config.control_socket

"""Which running stub a command speaks to: the flags ``--control`` and ``--state-dir``."""

import argparse
import os
from pathlib import Path

from cloudhub_stub.statedir import control_socket, default_state_dir
from edgecore.control.client import ControlClient


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add the flags that name a stub."""
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--control", type=Path, metavar="SOCKET", help="the control socket of the stub")
    names.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="the directory that the stub runs with (default: the same as of run)",
    )


def client_of(args: argparse.Namespace, timeout_s: float = 30.0) -> ControlClient:
    """Return a client for the stub that the flags name. Raises ``ConfigError`` where no default can be found."""
    path = args.control or control_socket(state_dir_of(args))
    return ControlClient(path, timeout_s, process="cloudhub-stub", start_command="cloudhub-stub run")


def state_dir_of(args: argparse.Namespace) -> Path:
    """Return ``--state-dir`` or the default."""
    given: Path | None = args.state_dir
    return default_state_dir(os.environ) if given is None else given

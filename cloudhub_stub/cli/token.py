"""``cloudhub-stub token``: the token with which an edge joins."""

import argparse
import json
from typing import Any

from cloudhub_stub.certificates.privatefiles import read_small
from cloudhub_stub.cli.target import add_target, client_of, state_dir_of
from cloudhub_stub.paths import TOKEN
from cloudhub_stub.statedir import token_file

_DESCRIPTION = """\
Print the token with which an edge asks the running stub for its first certificate. It
is good for a day (--token-lifetime of run); a new one is made at half that time, and
older ones stay good until they end."""

_EPILOG = """\
exit code: 0 printed, 1 the stub cannot be reached, has no token, or the file cannot be read

examples:
  cloudhub-stub token | edgecore join --user --server 127.0.0.1:10000 --token-file -
      join an edge of this machine
  cloudhub-stub token --json
      with the time when it ends
  cloudhub-stub token --file
      the token in the file, whether the stub runs or not"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "token",
        help="print the token with which an edge joins",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print it with its end and its file, as JSON")
    how.add_argument("--file", action="store_true", help="read the file in the state directory instead of asking")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the token. Raises ``ControlError`` or ``ConfigError``."""
    if args.file:
        print(read_small(token_file(state_dir_of(args))).decode("ascii", "replace").strip())
        return 0
    found: dict[str, Any] = client_of(args).get(TOKEN)
    print(json.dumps(found, indent=2) if args.json else found["token"])
    return 0

"""``edgecore pods``: the pods of the running node."""

import argparse
from collections.abc import Sequence
from typing import Any

from edgecore.cli.pods_report import pods_table
from edgecore.cli.target import add_target, client_of
from edgecore.clock import SystemClock
from edgecore.control.documents import as_asked

_DESCRIPTION = """\
Ask the running node for its pods, each in a row as kubectl has them: how many of its
containers are ready, how it is, how often containers were started again, since when."""

_EPILOG = """\
exit code:
  0  shown
  1  the node cannot be reached, or has no Edged

examples:
  edgecore pods --config edgecore.yaml
  edgecore pods -n shop -o wide
      with addresses, and what a container that does not run waits for
  edgecore pods -o json | jq '.[] | select(.ready < .containers_wanted)'
      the pods that are not ready"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "pods",
        help="show the pods of the node: ready, status, restarts",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-n", "--namespace", default="", metavar="NS", help="the namespace (default: all)")
    parser.add_argument(
        "-o", "--output", choices=("table", "wide", "json", "yaml"), default="table", help="a table (default), or more"
    )
    parser.add_argument("--no-headers", action="store_true", help="leave out the first line of the table")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the pods, and return the exit code. Raises ``ControlError``."""
    pods: Sequence[dict[str, Any]] = client_of(args).get("/v1/pods", {"namespace": args.namespace})
    document = as_asked(pods, args.output)
    wide, headers = args.output == "wide", not args.no_headers
    print(document or pods_table(pods, SystemClock().now_ms(), wide=wide, headers=headers), end="")
    return 0

"""``cloudhub-stub nodes``: who has connected, and what went to and fro."""

import argparse
import json
from typing import Any

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.paths import NODES

_DESCRIPTION = """\
List the nodes that have connected to the running stub since it started, connected now
or not, how many messages went to and fro, how many were sent and are not acknowledged,
and how many wait or are on their way."""

_EPILOG = """\
exit code: 0 listed, 1 the stub cannot be reached

examples:
  cloudhub-stub nodes
  cloudhub-stub nodes --json | jq '.[] | select(.connected) | .name'"""

_COLUMNS = ("NODE", "CONNECTED", "REGISTERED", "READY", "RECEIVED", "SENT", "ACKED", "UNACKED", "QUEUED", "MALFORMED")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "nodes",
        help="list the nodes that have connected, and what went to and fro",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the nodes."""
    nodes: list[dict[str, Any]] = client_of(args).get(NODES)
    print(json.dumps(nodes, indent=2) if args.json else table(nodes))
    return 0


def table(nodes: list[dict[str, Any]]) -> str:
    """Return the nodes as a table for people."""
    if not nodes:
        return "no node has connected yet"
    rows = [_COLUMNS, *(_row(node) for node in nodes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    connected = f"{node['connected_s']:.0f} s" if node["connected"] else "no"
    numbers = ("received", "sent", "acknowledged", "unacknowledged", "queued", "malformed")
    return (
        node["name"],
        connected,
        _yes(node["registered"]),
        _yes(node["ready"]),
        *(str(node[name]) for name in numbers),
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"

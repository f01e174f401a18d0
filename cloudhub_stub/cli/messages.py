"""``cloudhub-stub messages``: what was sent to a node, and what became of it, also as it happens."""

import argparse
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any, cast
from urllib.parse import urlencode

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.paths import TRACE
from edgecore.control.ages import time_of_day
from edgecore.control.columns import Columns
from edgecore.errors import ControlError

_DESCRIPTION = """\
List the messages that were sent to a node last, oldest first, and what became of each:
sent, acknowledged, delivered (where no acknowledgement is due), given up, superseded by
something newer, or dropped; how often it was sent, and how many milliseconds it took to
the end. Contents are not shown. Times are UTC."""

_EPILOG = """\
exit code: 0 listed, 1 no such node or the stub cannot be asked, 2 wrong usage, 130 ended
by Ctrl-C

examples:
  cloudhub-stub messages edge-1
  cloudhub-stub messages edge-1 -w
      then each message as it is sent, and again when it is known what became of it
  cloudhub-stub messages edge-1 -o json | jq '.[] | select(.state == "given_up")'
  cloudhub-stub messages edge-1 -w -o json
      one JSON object a line"""

_COLUMNS = ("TIME", "STATE", "OPERATION", "RESOURCE", "VERSION", "BYTES", "LANE", "SENDS", "MS", "REASON")

Entry = dict[str, Any]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "messages",
        help="show what was sent to a node, and what became of it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("node", metavar="NODE", help="the name of the node")
    parser.add_argument("-w", "--watch", action="store_true", help="go on as messages are sent and acknowledged")
    parser.add_argument("-o", "--output", choices=("json",), help="print everything, as JSON")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the messages, and return the exit code."""
    client = client_of(args)
    table = MessageTable()
    if not args.watch:
        entries: list[Entry] = client.get(TRACE, {"node": args.node})
        if args.output:
            print(json.dumps(entries, indent=2))
        elif entries:
            print("\n".join(table.lines(entries)))
        else:
            sys.stderr.write(f"nothing was sent to {args.node} yet\n")
        return 0
    stream = client.stream("GET", f"{TRACE}?{urlencode({'node': args.node, 'watch': '1'})}")
    with closing(cast("Generator[Entry]", stream)) as items:
        for entry in items:
            print(json.dumps(entry) if args.output else "\n".join(table.lines([entry])), flush=True)
    raise ControlError(
        f"cannot watch the messages to {args.node} any longer: the stub hung up; "
        "cloudhub-stub status says whether it runs"
    )


class MessageTable:
    """The table of messages, which may come in pieces: the header stands before the first."""

    def __init__(self) -> None:
        self._columns = Columns()
        self._header_due = True

    def lines(self, entries: Sequence[Entry]) -> list[str]:
        """Return the next rows. An entry with ``missed`` says how many changes are left out: this command
        was too slow for them."""
        rows: list[Sequence[str]] = []
        if self._header_due and entries:
            self._header_due = False
            rows.append(_COLUMNS)
        rows += [_row(entry) for entry in entries if "missed" not in entry]
        missed = [f"({entry['missed']} changes came too fast to be shown)" for entry in entries if "missed" in entry]
        return [*self._columns.lines(rows), *missed]


def _row(entry: Entry) -> Sequence[str]:
    took_ms = entry["took_ms"]
    return [
        time_of_day(entry["at_ms"]),
        str(entry["state"]).replace("_", " "),
        str(entry["operation"]),
        str(entry["resource"]),
        str(entry.get("resource_version") or "-"),
        str(entry["bytes"]),
        str(entry["lane"]),
        str(entry["sends"]),
        "-" if took_ms is None else f"{took_ms:g}",
        str(entry.get("reason") or ""),
    ]

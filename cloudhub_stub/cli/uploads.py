"""``cloudhub-stub uploads``: what devices of a node sent up by MQTT."""

import argparse
import json
import sys
from typing import Any

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.paths import UPLOADS
from edgecore.beehive.resource import UPLOAD
from edgecore.control.ages import time_of_day
from edgecore.control.columns import Columns

_DESCRIPTION = """\
List what devices of a node sent up by MQTT for the cloud ($hw/events/upload/# and such),
oldest first: the newest 100 since the stub started, with the beginning of each. FORM is
1.3 for edges that send it up as an answer, and 1.6 for those that call it an upload.
Times are UTC."""

_EPILOG = """\
exit code: 0 listed, 1 no such node or the stub cannot be asked, 2 wrong usage

examples:
  cloudhub-stub uploads edge-1
  cloudhub-stub uploads edge-1 -o json | jq -r '.[].shown'"""

_COLUMNS = ("TIME", "FORM", "BYTES", "TOPIC", "BEGINS")
_SHOWN = 60


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "uploads",
        help="show what devices of a node sent up by MQTT",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("node", metavar="NODE", help="the name of the node")
    parser.add_argument("-o", "--output", choices=("json",), help="print everything, as JSON")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the uploads, and return the exit code."""
    uploads: list[dict[str, Any]] = client_of(args).get(UPLOADS, {"node": args.node})
    if args.output:
        print(json.dumps(uploads, indent=2))
    elif uploads:
        print("\n".join(Columns().lines([_COLUMNS, *map(_row, uploads)])))
    else:
        sys.stderr.write(f"devices of {args.node} sent nothing up yet\n")
    return 0


def _row(upload: dict[str, Any]) -> tuple[str, ...]:
    form = "1.6" if upload["operation"] == UPLOAD else "1.3"
    shown = "".join(each if each.isprintable() else " " for each in upload["shown"][:_SHOWN])
    topic = "".join(each if each.isprintable() else " " for each in upload["topic"])
    return (time_of_day(upload["at_ms"]), form, str(upload["size_bytes"]), topic, shown)

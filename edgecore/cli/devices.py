"""``edgecore devices``: which devices a node has, and what is wanted and known of each."""

import argparse
from collections.abc import Sequence
from typing import Any

from edgecore.cli.devices_report import device_text, devices_table
from edgecore.cli.target import add_target, client_of
from edgecore.control.documents import as_asked
from edgecore.control.mixed_parser import add_mixed_parser

_DESCRIPTION = """\
Ask the running node about its devices: without an ID each in a row, with one its twins,
the deleted ones too, and its attributes.

A twin is one property of a device: EXPECTED is what the cloud wants, ACTUAL what the
device says; DIFFER counts those in which the two are not the same. The versions
(cloud/edge) say how often each end changed a side: the cloud's is the resource version
of the device there. What comes with an older one is refused, and told so to the cloud:
every wish of the cloud for a twin whose EXPECTED-VERSION has an edge number other than 0,
for a program on MQTT has set it. A deleted twin keeps its versions."""

_EPILOG = """\
exit code:
  0  shown
  1  there is no such device, or the node cannot be reached, or has no DeviceTwin

examples:
  edgecore devices --config edgecore.yaml
  edgecore devices thermometer
      one device: its twins, with types, times and versions
  edgecore devices thermometer -o json | jq -r '.twins.temperature.actual.value'
      what it measured last"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers,
        "devices",
        help="show devices: state, twins with what is wanted and what is so, versions",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("id", nargs="?", metavar="ID", help="a device (default: all, in a table)")
    parser.add_argument(
        "-o", "--output", choices=("table", "json", "yaml"), default="table", help="text (default), or everything"
    )
    parser.add_argument("--no-headers", action="store_true", help="leave out the first line of the table of devices")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show what is asked for, and return the exit code. Raises ``ControlError``."""
    client = client_of(args)
    if args.id is not None:
        told: dict[str, Any] = client.get("/v1/device", {"id": args.id})
        print(as_asked(told, args.output) or device_text(told), end="")
        return 0
    every: Sequence[dict[str, Any]] = client.get("/v1/devices", {})
    print(as_asked(every, args.output) or devices_table(every, headers=not args.no_headers), end="")
    return 0

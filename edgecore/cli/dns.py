"""``edgecore dns``: asks the running node for a name, as a program would, and shows why it answers as it does."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from edgecore.cli.dns_report import exit_code, report, short_lines
from edgecore.cli.target import add_target, client_of
from edgecore.errors import ContentError, ControlError
from edgecore.modules.edgemesh.dns.byhand.question import type_number, wire_name

NO_NODE = 9
"""The exit code when nobody could be asked, as that of dig."""

_DESCRIPTION = "Ask the running node about names."

_QUERY_DESCRIPTION = """\
Ask the DNS of the running node for the records of a name. The question goes over the
control socket through the code that answers packets, and the answer comes with its
reason: which rule, which service and which message of the cloud it is from, which
name server gave it, and how old it is."""

_QUERY_EPILOG = """\
exit code:
  0  there are records
  1  there are none: the name does not exist (NXDOMAIN), or has none of that type
  3  the question was not answered (SERVFAIL, REFUSED, ...)
  9  the node cannot be reached, or has no EdgeMesh
  2  wrong usage, also a name or a type that cannot be

examples:
  edgecore dns query nginx-svc.default.svc.cluster.local
      the address of a service, and where it is from
  edgecore dns query 127.251.0.1
      whose fake IP that is (PTR)
  edgecore dns query example.com AAAA --config edgecore.yaml
      a name of the world outside, by way of the node
  edgecore dns query nginx-svc.default --short
      the address alone, for scripts
  edgecore dns query nginx-svc.default --json | jq .rows
      by which messages the node knows of the service"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb and the verbs below it."""
    parser = subparsers.add_parser(
        "dns",
        help="ask the running node for a name",
        description=_DESCRIPTION,
        epilog="examples:\n  edgecore dns query nginx-svc.default.svc.cluster.local\n      its address, and why",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    below = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    query = below.add_parser(
        "query",
        help="show the records of a name and why they are these",
        description=_QUERY_DESCRIPTION,
        epilog=_QUERY_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    query.add_argument("name", metavar="NAME", type=_name, help="the name; an IP address means its reverse name")
    query.add_argument(
        "type",
        metavar="TYPE",
        type=_type,
        nargs="?",
        help="the record type (default: A, or PTR)",
    )
    add_target(query)
    form = query.add_mutually_exclusive_group()
    form.add_argument("--short", action="store_true", help="print the data of the records alone")
    form.add_argument("--json", action="store_true", help="print everything, as JSON")
    query.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the answer and return the exit code."""
    try:
        told: dict[str, Any] = client_of(args).get("/v1/dns/query", {"name": args.name, "type": args.type or ""})
    except ControlError as error:
        sys.stderr.write(f"edgecore: {error}\n")
        return NO_NODE
    if args.json:
        print(json.dumps(told, indent=2))
    elif args.short:
        print("".join(f"{line}\n" for line in short_lines(told)), end="")
    else:
        print(report(told))
    return exit_code(told)


def _name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("cannot ask for a name: it is empty; the root of all names is .")
    return _checked(wire_name, text)


def _type(text: str) -> str:
    return _checked(type_number, text)


def _checked(check: Callable[[str], object], text: str) -> str:
    try:
        check(text)
    except ContentError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text

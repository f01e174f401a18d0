"""``cloudhub-stub describe``: shows one object in detail, with what belongs to it and what happened to it."""

import argparse
import sys
from collections.abc import Iterator

from cloudhub_stub.cli.printing.describing import description
from cloudhub_stub.cli.resources import Asked, add_resources, add_scope, complain, query_of, resources_of
from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.paths import DESCRIBE, OBJECTS
from edgecore.clock import SystemClock
from edgecore.control.client import ControlClient
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import ControlError

_DESCRIPTION = """\
Show objects in detail: their fields, what belongs to them (the pods of a node, the
endpoints of a service), and what happened to them. The values of secrets are not shown,
only how long they are."""

_EPILOG = """\
exit code: 0 shown, 1 an object is not there or the stub cannot be asked, 2 wrong usage

examples:
  cloudhub-stub describe node edge-1
  cloudhub-stub describe pod nginx-deployment-54bf9847f8-sxk94
      why does it not run? see its events
  cloudhub-stub describe deployment/nginx-deployment service/nginx-svc
  cloudhub-stub describe pods -l app=nginx"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "describe", help="show objects in detail", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_resources(parser)
    add_scope(parser)
    add_target(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Show the objects, and return the exit code."""
    asked = resources_of(args)
    if any(each.names for each in asked) and (args.selector or args.all_namespaces):
        args.usage_error("names and -l or -A cannot be had together")
    client = client_of(args)
    shown = failed = 0
    for query in _queries(args, client, asked):
        try:
            answer = client.get(DESCRIBE, query)
        except ControlError as error:
            failed += 1
            complain(str(error))
            continue
        print(("\n\n" if shown else "") + description(answer, SystemClock().now_ms()))
        shown += 1
    if not (shown or failed):
        sys.stderr.write("No resources found\n")
    return int(bool(failed))


def _queries(args: argparse.Namespace, client: ControlClient, asked: list[Asked]) -> Iterator[dict[str, str]]:
    """Yield what to ask for, object by object."""
    for kind, names in asked:
        for name in names:
            yield query_of(args, kind, name)
        if not names:
            for obj in client.get(OBJECTS, query_of(args, kind)):
                metadata = obj["metadata"]
                place = {"namespace": metadata["namespace"]} if kind.namespaced else {}
                yield {"kind": kind.name, **place, "name": metadata["name"]}

"""``edgecore services``: which services a node has, where their traffic goes, and why a pod gets none."""

import argparse
from collections.abc import Sequence
from typing import Any

from edgecore.cli.services_report import service_text, services_table
from edgecore.cli.target import add_target, client_of
from edgecore.control.documents import as_asked
from edgecore.control.mixed_parser import add_mixed_parser

_DESCRIPTION = """\
Ask the running node about its services: without a NAME each in a row, with one its
ports (what is spoken there, and what says so; the strategy; what of the policy is not as
built in), the pods behind each, why each is in or out, and what became of the requests.

NAME is a service, NAMESPACE/NAME, a name of DNS (NAME.NAMESPACE, more behind it) or a
fake IP. A bare name is one of -n, else of default, else of the only namespace that has it.

A backend is out because the cloud says so (not_running, not_ready, terminating,
no_host_port, ...), or because requests fail there (ejected, for the time shown) or the
health check does (check_failed). P50 and P99 are the times within which an answer began,
out of a histogram's buckets. ERRORS count failures at backends, those that were tried
again elsewhere too, and requests that were refused.

In mode intercept PLANE says who moves the bytes: the proxy, or the kernel by itself, which
counts connections and nothing else. With a NAME it says why it is not the kernel."""

_EPILOG = """\
exit code:
  0  shown
  1  there is no such service, or the node cannot be reached, or has no EdgeMesh

examples:
  edgecore services --config edgecore.yaml
  edgecore services nginx-svc
      one service: ports, backends, figures
  edgecore services shop/cart -o json | jq '.ports[].backends[] | select(.state == "out")'
      the backends that get no traffic, with the reason
  watch edgecore services nginx-svc
      the same every two seconds"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers,
        "services",
        help="show services: ports, strategy, backends with why each is in or out, figures",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a service (default: all, in a table)")
    parser.add_argument("-n", "--namespace", default="", metavar="NS", help="the namespace (default: all)")
    parser.add_argument(
        "-o", "--output", choices=("table", "json", "yaml"), default="table", help="text (default), or everything"
    )
    parser.add_argument("--no-headers", action="store_true", help="leave out the first line of the table of services")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show what is asked for, and return the exit code. Raises ``ControlError``."""
    client = client_of(args)
    where = {"namespace": args.namespace}
    if args.name is not None:
        told: dict[str, Any] = client.get("/v1/service", {"name": args.name, **where})
        print(as_asked(told, args.output) or service_text(told), end="")
        return 0
    every: Sequence[dict[str, Any]] = client.get("/v1/services", where)
    print(as_asked(every, args.output) or services_table(every, headers=not args.no_headers), end="")
    return 0

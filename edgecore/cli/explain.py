"""``edgecore explain``: each step from a name to a backend, who says so, and what would happen now."""

import argparse
import json
import sys
from typing import Any

from edgecore.cli.explain_report import report
from edgecore.cli.explain_try import tried
from edgecore.cli.target import add_target, client_of
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import ContentError, ControlError
from edgecore.modules.edgemesh.explain.asked import host_header, parse

WORKS, WORKS_NOT = 0, 1
NO_NODE = 9
"""The exit code when nobody could be asked, as that of ``edgecore dns query``."""

_DESCRIPTION = """\
Ask the running node how a name, a URL or an address leads to a backend: what DNS answers,
which service that is, how connections are taken over, which port, how it is treated and
by which strategy, and each pod behind it, in or out, with the reason. Each fact comes
with who says so: the message of the cloud, and how old that is, a setting, an annotation.
What does not work is explained as well. Nothing is sent to a backend, but by --try; a
name that is none of ours is asked of the name servers, as for any program.

WHAT is NAME, NAME:PORT, NAMESPACE/NAME, a URL (its scheme says the port, if it has none),
or IP:PORT: a fake IP, a pod's own address, the plain listener. Without a port it is every
port of the service. Behind a port there may be /udp or /tcp."""

_EPILOG = """\
exit code:
  0  it would work; without a port: every port of the service would
  1  it would not
  2  wrong usage, also what can be neither a name nor an address
  9  the node cannot be reached, or has no EdgeMesh

examples:
  edgecore explain nginx-svc
      every port of nginx-svc in default, and the pods behind each
  edgecore explain http://nginx-svc.default.svc.cluster.local:12345/
      what a curl would meet, step by step
  edgecore explain shop/cart:80 --try
      the same, and one real request
  edgecore explain 127.0.0.1:40001 --host cart.shop
      what a request at the plain listener with that Host header would meet
  edgecore explain nginx-svc --json | jq '.steps[] | select(.state != "ok")'
      what is amiss, for programs"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers,
        "explain",
        help="show each step from a name to a backend, who says so, and what is amiss",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("what", metavar="WHAT", help="a name, a URL, or an address with a port")
    parser.add_argument("-n", "--namespace", default="", metavar="NS", help="the namespace of a bare name")
    parser.add_argument("--host", default="", metavar="NAME[:PORT]", help="the Host header, at the plain listener")
    parser.add_argument("--try", action="store_true", dest="is_tried", help="send one real request as well")
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the explanation and return the exit code."""
    try:
        parse(args.what, args.namespace)
        if args.host:
            host_header(args.host)
    except ContentError as error:
        sys.stderr.write(f"edgecore: {error}\n")
        return 2
    query = {"what": args.what, "namespace": args.namespace, "host": args.host}
    try:
        told: dict[str, Any] = client_of(args).get("/v1/explain", query)
    except ControlError as error:
        hint = "\n  what one that is stopped knew: edgecore meta list --db FILE" if _is_gone(error) else ""
        sys.stderr.write(f"edgecore: {error}{hint}\n")
        return NO_NODE
    if args.is_tried:
        told["tried"] = tried(told)
    if args.json:
        print(json.dumps(told, indent=2))
    else:
        print(report(told), end="")
    return WORKS if told.get("works") else WORKS_NOT


def _is_gone(error: ControlError) -> bool:
    return str(error).startswith("cannot reach")

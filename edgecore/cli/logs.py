"""``edgecore logs``: what a container of the running node printed."""

import argparse
import sys
from urllib.parse import urlencode

from edgecore.cli.target import add_target, client_of

_DESCRIPTION = """\
Print what a container of the running node wrote to its standard output and error.
Only the runtime "process" keeps that; simulated containers print nothing."""

_EPILOG = """\
exit code:
  0  printed
  1  there is no such pod or container, it was not started yet, or prints nothing;
     or the node cannot be reached

examples:
  edgecore logs nginx-7c5ddbdf54-x2x9k
  edgecore logs -f shop/cart -c web
      one container of several, and what it prints from now on
  edgecore logs --previous --tail 20 nginx
      the last lines before it was started again"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "logs",
        help="print what a container wrote",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("pod", metavar="POD", help="a pod, or NAMESPACE/POD")
    parser.add_argument("-n", "--namespace", default="", metavar="NS", help="the namespace of the pod")
    parser.add_argument("-c", "--container", default="", metavar="NAME", help="the container, if the pod has several")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is printed, until it ends")
    parser.add_argument("-p", "--previous", action="store_true", help="of the container before the last restart")
    parser.add_argument("--tail", type=int, default=None, metavar="N", help="the last N lines alone")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the log, and return the exit code. Raises ``ControlError``."""
    query = {
        "pod": f"{args.namespace}/{args.pod}" if args.namespace and "/" not in args.pod else args.pod,
        "container": args.container,
        "previous": "true" if args.previous else "",
        "follow": "true" if args.follow else "",
        "tail": "" if args.tail is None else str(args.tail),
    }
    for item in client_of(args).stream("GET", f"/v1/logs?{urlencode(query)}"):
        sys.stdout.write(item["text"])
        sys.stdout.flush()
    return 0

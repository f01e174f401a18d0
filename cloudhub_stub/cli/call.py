"""``cloudhub-stub call``: an HTTP request to a service at a node, by its ServiceBus."""

import argparse
import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cli.values import some_seconds
from cloudhub_stub.errors import BadMessage
from cloudhub_stub.paths import CALLS
from edgecore.errors import reason_of

_DESCRIPTION = """\
Call an HTTP service at a node, as the router of later clouds does: the request goes to
ServiceBus of the edge in a message, the answer comes back in another. The body of the
answer is printed as it is. ServiceBus is off by default: modules.serviceBus.enable."""

_EPILOG = """\
exit code: 0 answered with a status below 400; 3 with another, which is said on standard
error; 1 no answer, 2 wrong usage

examples:
  cloudhub-stub call edge-1 8080:/health
  cloudhub-stub call edge-1 8080:/lamps/3?at=10:30 -X PUT -H 'Content-Type: application/json' -d '{"on": true}'
  cloudhub-stub call edge-1 8080:/upload -d @picture.png
      the body from a file; @- is standard input
  cloudhub-stub call edge-1 8080:/health --json | jq .header
      the whole answer; the body in base64"""

BAD_STATUS = 3
_SPARE_S = 10.0
"""How much longer than the stub the command waits."""
_FIRST_BAD_STATUS = 400


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "call",
        help="call an HTTP service at a node",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("node", metavar="NODE", help="the name of the node")
    parser.add_argument("place", metavar="PORT:/PATH", type=_place, help="port and path of the service there")
    parser.add_argument("-X", "--request", metavar="METHOD", help="the method (default: GET, and POST with --data)")
    parser.add_argument(
        "-H",
        "--header",
        metavar="LINE",
        type=_line,
        action="append",
        default=[],
        help="a line of the header, NAME: VALUE; can be given several times",
    )
    parser.add_argument("-d", "--data", metavar="DATA", help="the body; @FILE reads it from a file")
    parser.add_argument(
        "--timeout",
        type=some_seconds,
        default=15.0,
        metavar="S",
        help="wait so long for the answer (default: %(default)g; the edge gives a service 10)",
    )
    parser.add_argument("--json", action="store_true", help="print the whole answer, as JSON")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Call, print, and return the exit code."""
    header: dict[str, list[str]] = {}
    for name, value in args.header:
        header.setdefault(name, []).append(value)
    body = {
        "node": args.node,
        "resource": args.place,
        "method": args.request or ("GET" if args.data is None else "POST"),
        "header": header,
        "body": b64encode(_body(args.data)).decode(),
        "timeout_s": args.timeout,
    }
    answer: dict[str, Any] = client_of(args, args.timeout + _SPARE_S).post(CALLS, body)
    status: int = answer["status_code"]
    if args.json:
        print(json.dumps(answer, indent=2))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(b64decode(answer["body"]))
        sys.stdout.buffer.flush()
    if status < _FIRST_BAD_STATUS:
        return 0
    if not args.json:
        of_the_edge = answer["header"].get("Server") == ["kubeedge-edgecore"]
        whose = f"{args.node} itself answers with" if of_the_edge else "the answer has"
        sys.stderr.write(f"\n{whose} status {status}\n")
    return BAD_STATUS


def _body(data: str | None) -> bytes:
    """Return the body. Raises ``BadMessage`` where its file cannot be read."""
    if data is None:
        return b""
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    file = data[1:]
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise BadMessage(f"cannot read {file}: {reason_of(error)}") from error


def _place(text: str) -> str:
    """Return the resource of the message: the path without its first slash, as KubeEdge writes it."""
    port, colon, path = text.partition(":")
    if not (colon and port.isascii() and port.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form PORT:/PATH")
    return f"{port}:{path.removeprefix('/')}"


def _line(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (colon and name):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME: VALUE")
    return name, value.strip()

"""``cloudhub-stub publish``: something for the MQTT broker of a node."""

import argparse
import sys

from cloudhub_stub.cli import send
from cloudhub_stub.cli.target import add_target
from cloudhub_stub.errors import BadMessage
from cloudhub_stub.publishing import is_topic, publication

_DESCRIPTION = """\
Let EventBus of a node publish something on its MQTT broker, as the router of later
clouds does. The message waits for a node that is not connected, and survives the end of
the stub."""

_EPILOG = """\
exit code: 0 accepted; with --wait also: the node has read it; 1 could not, or not so,
2 wrong usage

examples:
  cloudhub-stub publish edge-1 lamps/3/set on
  cloudhub-stub publish edge-1 lamps/3/set '{"on": true}' --wait
  date | cloudhub-stub publish edge-1 clock/now -
      the payload from standard input"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "publish",
        help="publish something on the MQTT broker of a node",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("node", metavar="NODE", help="the name of the node")
    parser.add_argument("topic", metavar="TOPIC", type=_topic, help="the topic; without wildcards")
    parser.add_argument("payload", metavar="PAYLOAD", help="the text; - reads it from standard input")
    parser.add_argument("--wait", action="store_true", help="wait until it is known that the node has read it")
    parser.add_argument("--json", action="store_true", help="print what happens as JSON, one object a line")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Publish, show, and return the exit code."""
    return send.hand_in(args, [publication(args.topic, _payload(args.payload))])


def _payload(text: str) -> str:
    """Return the payload. Raises ``BadMessage`` where it is no text."""
    if text != "-":
        return text
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise BadMessage("cannot read standard input: not UTF-8; payloads travel as text") from error


def _topic(text: str) -> str:
    if not is_topic(text):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no topic to publish on: it must have no + and no #")
    return text

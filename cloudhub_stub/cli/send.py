"""``cloudhub-stub send``: hands messages to the running stub, which sends them to a node."""

import argparse
import json
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.errors import BadMessage
from cloudhub_stub.paths import MESSAGES
from edgecore.control.client import ControlClient
from edgecore.errors import ControlError, reason_of

_DESCRIPTION = """\
Send messages to a node: one JSON document a line, as on the wire: header, route, content.
The header may be left out, or any of its keys; the stub makes up an id and the time.
Once the command says "accepted", the messages are on the stub's disk and will not be
lost: they wait for the node if it is not connected, are sent again until it has
acknowledged them, and survive the end of the stub. A message about an object that
waits already takes its place, if it is not older."""

_EPILOG = """\
exit code: 0 accepted; with --wait also: each was acknowledged, delivered, or superseded
by a newer one; 1 could not, or not so, 2 wrong usage

examples:
  cloudhub-stub send messages.jsonl
      to the only node that is connected
  cloudhub-stub send messages.jsonl --node edge-1 --wait
      to that node, connected or not, until it has acknowledged them all
  echo '{"route": {"source": "edgecontroller", "group": "resource", "operation": "delete",
    "resource": "default/service/web"}, "content": null}' | tr -d '\\n' | cloudhub-stub send -
      one message from standard input"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "send",
        help="send messages to a node, connected or not",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="JSON Lines; - for standard input")
    parser.add_argument("--node", metavar="NAME", help="the node to send to (default: the only one connected)")
    parser.add_argument("--wait", action="store_true", help="wait until it is known what became of each")
    parser.add_argument("--json", action="store_true", help="print what happens as JSON, one object a line")
    add_target(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Send, show, and return the exit code."""
    return hand_in(args, list(_messages(args.file)))


def hand_in(args: argparse.Namespace, messages: list[Any]) -> int:
    """Hand ``messages`` in for a node, show what becomes of them, and return the exit code."""
    body = {"node": args.node, "messages": messages, "wait": args.wait}
    last: dict[str, Any] = {}
    for last in _events(client_of(args), body):
        print(json.dumps(last) if args.json else report(last), flush=True)
    if args.wait and last.get("event") != "finished":
        raise ControlError(
            "cannot see the messages to their end: the stub hung up; cloudhub-stub status says whether it runs"
        )
    return int(bool(last.get("given_up") or last.get("dropped")))


def report(event: dict[str, Any]) -> str:
    """Return one event for people."""
    match event["event"]:
        case "accepted":
            where = "" if event["connected"] else ", which is not connected: they wait for it"
            if not event.get("known", True):
                where = ", which has never connected since the stub started: they wait for it (is the name right?)"
            number = len(event["ids"])
            return f"{number} message{'s' * (number != 1)} accepted for {event['node']}{where}"
        case "finished":
            counts = ("acknowledged", "delivered", "superseded", "dropped", "given_up")
            return ", ".join(f"{event[name]} {name.replace('_', ' ')}" for name in counts)
        case "given_up":
            return f"{event['resource']}  given up after {event['ms']:g} ms; sent again when the node connects anew"
    why = f" ({event['reason']})" if event["reason"] else ""
    return f"{event['resource']}  {event['event']}{why} after {event['ms']:g} ms"


def _messages(file: str) -> Iterator[Any]:
    """Yield the documents of the file. Raises ``BadMessage``, naming the line."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = reason_of(error) if isinstance(error, OSError) else "not UTF-8"
        raise BadMessage(f"cannot read {file}: {why}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            raise BadMessage(f"cannot read {file}: line {number}: {error}; each line is one message") from error
        if not isinstance(document, dict):
            raise BadMessage(f"cannot read {file}: line {number}: a message is a JSON object")
        yield document


def _events(client: ControlClient, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if not body["wait"]:
        yield client.post(MESSAGES, body)
        return
    with closing(cast("Generator[dict[str, Any]]", client.stream("POST", MESSAGES, body))) as events:
        yield from events

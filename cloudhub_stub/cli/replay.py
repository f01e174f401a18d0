"""``cloudhub-stub replay``: plays a recording to a connected node, and shows how it goes."""

import argparse
import json
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec

from cloudhub_stub.cli.progress import Progress
from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cli.values import count, seconds
from cloudhub_stub.errors import ReplayError
from cloudhub_stub.paths import REPLAY
from cloudhub_stub.replay.addresses import AddressMap
from cloudhub_stub.replay.plan import ReplayOptions, Selection
from edgecore.control.client import ControlClient
from edgecore.errors import ControlError

_DESCRIPTION = """\
Play what the cloud said in a recording (docs/reference/recording-format.md) to a node that is
connected to the running stub: one message after the other, each as soon as the one
before it is acknowledged, sent again as long as it is not, and on over a reconnect of
the node. Messages get ids and times of their own. What answered
requests of the edge that was recorded is left out; the stub answers the edge that is
there. A message that is given up (after 25 seconds, --give-up-after of run) ends the
replay, and so does a node that is gone for two minutes."""

_EPILOG = """\
exit code: 0 every message was acknowledged, 1 could not, 2 wrong usage

examples:
  cloudhub-stub replay examples/recordings/b_services_endpoints_pods.jsonl
      to the only node that is connected, or to the first that connects within 30 s
  cloudhub-stub replay b2_deletes.jsonl --node edge-1 --map 10.66.0.2=127.0.0.2 --map 10.66.0.1=127.0.0.3
      to that node, with addresses of this machine in place of the recorded hosts
  cloudhub-stub replay b2_deletes.jsonl --from 31 --to 31
      line 31 of the file alone: the deletion of a service
  cloudhub-stub replay session.jsonl.zst --node edge-1
      what a node recorded (edgecore run --record); of a session with several nodes, take
      the connections of one first: edgecore recording filter session.jsonl.zst link=1
  cloudhub-stub replay b_services_endpoints_pods.jsonl --only '/(service|endpoints)/' --json
      services and endpoints but no pods, and what happens as a JSON line each"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "replay",
        help="play a recording to a connected node",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the recording: .jsonl, .gz, .zst or .mcap")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="put IP address NEW wherever OLD stands in a message; may be given several times",
    )
    parser.add_argument("--node", metavar="NAME", help="the node to play to (default: the only one connected)")
    parser.add_argument(
        "--wait",
        type=seconds,
        default=30.0,
        metavar="S",
        help="wait so many seconds until it is connected (default: %(default)g)",
    )
    parser.add_argument("--from", dest="from_entry", type=count, metavar="N", help="the first line of the file to play")
    parser.add_argument("--to", dest="to_entry", type=count, metavar="N", help="the last line of the file to play")
    parser.add_argument("--only", metavar="REGEX", help="play only messages in whose resource this is found")
    parser.add_argument("--keep-ids", action="store_true", help="send the recorded message ids and times")
    parser.add_argument("--json", action="store_true", help="print what happens as JSON, one object a line")
    add_target(parser)
    parser.set_defaults(run=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Play, show, and return the exit code."""
    try:
        options = _options(args)
        Selection(options)  # what makes no sense is wrong usage, and said before anybody is asked
    except ReplayError as error:
        args.usage_error(str(error))
    last: dict[str, Any] = {}
    progress = Progress(sys.stdout, live=sys.stdout.isatty())
    for last in _events(client_of(args), options):
        if args.json:
            print(json.dumps(last), flush=True)
        else:
            progress.show(last)
    if last.get("event") == "failed":
        raise ReplayError(last["text"])
    if last.get("event") != "finished":
        raise ControlError(
            "cannot see the replay to its end: the stub hung up; cloudhub-stub status says whether it runs"
        )
    return 0


def _options(args: argparse.Namespace) -> ReplayOptions:
    return ReplayOptions(
        file=str(args.file.absolute()),
        node=args.node,
        wait_s=args.wait,
        map=AddressMap.parse(args.map).pairs,
        from_entry=args.from_entry,
        to_entry=args.to_entry,
        only=args.only,
        keep_ids=args.keep_ids,
    )


def _events(client: ControlClient, options: ReplayOptions) -> Iterator[dict[str, Any]]:
    """Yield the events of the replay; hanging up, which ends it, when this command ends first."""
    stream = client.stream("POST", REPLAY, msgspec.to_builtins(options))
    with closing(cast("Generator[dict[str, Any]]", stream)) as events:
        yield from events

"""``cloudhub-stub status``: where the running stub listens and how it is."""

import argparse
import json
from typing import Any

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.cluster.kinds import KINDS
from cloudhub_stub.paths import STATUS

_DESCRIPTION = """\
Ask the running stub where it listens, who is connected, what its cluster holds, and
what it refused."""

_EPILOG = """\
exit code: 0 it runs, 1 it cannot be reached

examples:
  cloudhub-stub status
  cloudhub-stub status --json | jq -r .listen
      the URL for websocket.server of an edge"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "status",
        help="show where the running stub listens and how it is",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the status."""
    status: dict[str, Any] = client_of(args).get(STATUS)
    print(json.dumps(status, indent=2) if args.json else report(status))
    return 0


def report(status: dict[str, Any]) -> str:
    """Return the status for people."""
    nodes = ", ".join(status["nodes_connected"]) or "none"
    lines = [
        f"cloudhub-stub {status['version']}, running for {status['uptime_s']:.0f} s (process {status['pid']})",
        f"  edges connect to  {status['listen']}",
        f"  certificates      {status['https'] or 'none: ws:// without TLS'}",
        f"  commands use      {status['control']}",
        f"  figures           {status['observe'] or 'off'}",
        f"  connected nodes   {nodes} ({status['nodes_known']} known)",
        f"  cluster           {_cluster(status['cluster'])}",
    ]
    if status["recording"]:
        lines.append(f"  recording         {_recording(status['recording'])}")
    if status["objects_held"]:
        held = f"{status['objects_held']} objects ({status['objects_held_bytes']} bytes)"
        lines.append(f"  sent by hand      {held}, by send and replay")
    lines += [
        f"  waiting           {number} messages for {name}" for name, number in status["queues"]["waiting"].items()
    ]
    if status["unexplained"]:
        lines.append(f"  unexplained       {status['unexplained']} messages: see cloudhub-stub ledger")
    lines += [f"  refused input     {what}: {number}" for what, number in sorted(status["bad_input"].items())]
    return "\n".join(lines)


def _recording(told: dict[str, Any]) -> str:
    """Return how the recording is: where, how much, and what is missing."""
    lost = f", {told['lost']} lost" if told["lost"] else ""
    error = f"; it has ended: {told['error']}" if told["error"] else ""
    return f"{told['path']}, {told['entries']} entries{lost}{error}"


def _cluster(numbers: dict[str, int]) -> str:
    """Return how many objects there are of each kind, by the words of ``get``."""
    return ", ".join(f"{KINDS[kind].plural} {number}" for kind, number in numbers.items()) or "nothing in it"

"""``edgecore status``: how the running node is, for people, for scripts (exit code) and for programs (JSON)."""

import argparse
import json
from typing import Any

from edgecore.cli.status_report import report
from edgecore.cli.target import add_target, client_of

DEGRADED = 3
"""The exit code when the node runs, but not all of it: a module failed, the link is down, or ports are not bound."""

_DESCRIPTION = """\
Ask the running node how it is: its modules and their mailboxes, the link to the
cloud, how many pods are in which phase, the devices, the MQTT brokers, the services
with their addresses and backends, the name servers, and the ports that could not be
bound."""

_EPILOG = """\
exit code:
  0  the node is well
  3  the node runs, but a module failed, the link to the cloud or an MQTT broker that was asked
     for is down, or ports are not bound
  1  the node cannot be reached

examples:
  edgecore status
      the node of the default configuration
  edgecore status --config edgecore.yaml
      the node that runs with this configuration
  edgecore status --control /run/edgecore.sock --json | jq .mesh.services
      the services with their addresses, as JSON
  edgecore status --json | jq .parts.edged.pods
      the pods with phase and address, as JSON"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "status",
        help="show how the running node is",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the status and return the exit code."""
    status: dict[str, Any] = client_of(args).get("/v1/status")
    print(json.dumps(status, indent=2) if args.json else report(status))
    return 0 if status.get("state") == "ok" else DEGRADED

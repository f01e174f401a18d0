"""``edgecore ledger``: what became of every message that went to the cloud or came from it."""

import argparse
import json
from typing import Any

from edgecore.cli.target import add_target, client_of
from edgecore.control.ledger_report import OUTCOMES_EXPLAINED, exit_code, ledger_report

_DESCRIPTION = """\
Ask the running node what became of every message of the link, in both directions:
delivered, acknowledged, superseded by a newer one, coalesced with the same one, or
dropped, with the reason. What is under way for longer than a minute and lies in no
outbox is unexplained: the node has lost it, which must not happen."""

_EPILOG = f"""\
{OUTCOMES_EXPLAINED}

exit code:
  0  every message is accounted for
  3  there are unexplained messages (please report them: it is a bug)
  1  the node cannot be reached

examples:
  edgecore ledger --config edgecore.yaml
      counts, the unexplained messages, and what was dropped lately
  edgecore ledger --json | jq '.directions["edge->cloud"]'
      the way up, as JSON

The book begins anew when the node starts. The same is at /debug/ledger and, as
counters, at /metrics of the address that `edgecore status` names."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "ledger",
        help="show what became of every message of the link",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the ledger and return the exit code."""
    view: dict[str, Any] = client_of(args).get("/v1/ledger")
    print(json.dumps(view, indent=2) if args.json else ledger_report(view))
    return exit_code(view)

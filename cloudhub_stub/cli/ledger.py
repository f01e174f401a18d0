"""``cloudhub-stub ledger``: what became of every message, in either direction."""

import argparse
import json
from typing import Any

from cloudhub_stub.cli.target import add_target, client_of
from cloudhub_stub.paths import LEDGER
from edgecore.control.ledger_report import OUTCOMES_EXPLAINED, exit_code, ledger_report

_DESCRIPTION = """\
Ask the running stub what became of every message since it started, to the nodes and
from them: how many were acknowledged, delivered, superseded by something newer, there
already (coalesced), or dropped, and why. A message that is on its way for long and lies
nowhere is unexplained: there should be none."""

_EPILOG = f"""\
{OUTCOMES_EXPLAINED}

exit code: 0 every message is explained, 1 could not ask, 3 some are not

examples:
  cloudhub-stub ledger
  cloudhub-stub ledger --json | jq '.directions["cloud->edge"]'
      the counts of what went to the nodes
  cloudhub-stub ledger --json | jq '.recently_dropped[]'
      what was dropped last, and why"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "ledger",
        help="show what became of every message",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the ledger, and return the exit code."""
    view: dict[str, Any] = client_of(args).get(LEDGER)
    print(json.dumps(view, indent=2) if args.json else ledger_report(view))
    return exit_code(view)

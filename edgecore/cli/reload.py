"""``edgecore reload``: have the running node read its configuration again, and see what became of each key."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from edgecore.cli.target import add_target, client_of
from edgecore.control.columns import one_line

PARTLY = 3
"""The exit code when not everything that was changed is applied."""

_DESCRIPTION = """\
Have the running node read its configuration file again, as SIGHUP does. What can be
applied at once is; what cannot counts from the next start. A file with anything wrong
in it is refused as a whole, and the node goes on as it was."""

_EPILOG = """\
exit code:
  0  all that was changed is applied, or nothing was changed
  3  some of it needs a restart, or was refused by the part of the node that it is for
  1  the file cannot be used, or the node cannot be reached

`edgecore config --reference` says of each setting whether it is applied by reload.

examples:
  edgecore reload
      the node of the default configuration
  edgecore reload --config edgecore.yaml --json | jq .keys
      what became of each key, as JSON"""

_WORDS = {"applied": "applied", "restart": "needs a restart", "refused": "refused"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "reload",
        help="have the running node read its configuration again",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_target(parser)
    parser.add_argument("--json", action="store_true", help="print what became of each key as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what became of each key and return the exit code."""
    told: dict[str, Any] = client_of(args).post("/v1/reload")
    print(json.dumps(told, indent=2) if args.json else report(told))
    return {"refused": 1, "partly": PARTLY}.get(str(told.get("state")), 0)


def report(told: dict[str, Any]) -> str:
    """Return the answer of the node as text."""
    return "\n".join(map(one_line, _lines(told)))


def _lines(told: dict[str, Any]) -> Iterator[str]:
    if error := told.get("error"):
        yield "refused, and nothing is changed:"
        yield from str(error).splitlines()
        return
    yield from (f"warning: {warning}" for warning in told.get("warnings") or ())
    keys = told.get("keys") or ()
    for key in keys:
        word = _WORDS.get(str(key.get("outcome")), "?")
        reason = f": {key['reason']}" if key.get("reason") else ""
        yield f"{key.get('key')}: {key.get('before')} -> {key.get('now')}: {word}{reason}"
    if not keys:
        yield "nothing is changed"

"""``edgecore meta``: what a node knows, for people; each of its commands is a file in ``metaverbs/``."""

import argparse

from edgecore.cli.metaverbs import checking, diffing, exporting, getting, listing, watching
from edgecore.control.help_text import HelpText

_DESCRIPTION = """\
Show what a node knows: the services, endpoints, pods, configuration and states in the
table meta of its SQLite file; since when each row is as it is, and by which message.

All of it works on a running node (--config, --control) and on a file (--db), also on the
edgecore.db of the Go program, which is only read. The file as a whole, its copies and its
damage are the matter of `edgecore db`."""

_EPILOG = """\
examples:
  edgecore meta list --config edgecore.yaml
  edgecore meta get default/service/nginx-svc
  edgecore meta watch pods
  edgecore meta export --output-file before.json; edgecore meta diff before.json
  edgecore meta check --db /var/lib/kubeedge/edgecore.db

Each command explains itself: edgecore meta COMMAND --help"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "meta",
        help="show what the node knows, and since when",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    parser.set_defaults(run=run)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in (listing, getting, watching, diffing, exporting, checking):
        verb.add_verb(verbs)


def run(args: argparse.Namespace) -> int:
    """Do what the command below says, and return its exit code."""
    code: int = args.run_below(args)
    return code

"""``edgecore db``: the node's database file, apart from what is in it: what it is, copies, damage."""

import argparse
import importlib
from pathlib import Path

from edgecore.cli.target import add_file_target
from edgecore.control.help_text import HelpText

_DESCRIPTION = """\
The SQLite file in which a node keeps all that it knows. Without --db or --config it is
that of the default configuration. What its rows say is the matter of `edgecore meta`."""

_EPILOG = """\
exit code:
  0  done, or nothing is wrong
  1  could not: no such file, a node uses it, no room; nothing has changed
  2  wrong usage
  3  info, check: something is wrong with it; repair: done, but rows are lost

examples:
  edgecore db info --config edgecore.yaml
      what it is, how many rows it has, which backups lie beside it
  edgecore db backup --config edgecore.yaml
      a verified copy beside it, while the node runs or not
  edgecore db check --db /var/lib/kubeedge/edgecore.db
      whether every page is whole, and what to do if not
  edgecore db repair --db edgecore.db
      a new database with all rows that can be read; the damaged one is kept
  edgecore db restore edgecore.db.backup-20260102T030405Z --db edgecore.db
      the backup in its place; what was there is kept

Each verb explains itself: edgecore db backup --help. All of it: docs/reference/database.md"""

_VERBS = (
    (
        "info",
        "looking",
        "info",
        "show what the database is: size, schema, who wrote it, rows, backups",
        "Show what the database is. A node may be using it.",
        (
            "exit code: 0 shown, 3 shown, but its rows cannot be read, 1 there is no such file\n\n"
            "examples:\n  edgecore db info --config edgecore.yaml\n"
            "  edgecore db info --db edgecore.db --json | jq .tables"
        ),
    ),
    (
        "check",
        "looking",
        "check",
        "look at every page, every index and the tables, and say what to do",
        (
            "Look at every page and every index, and whether the tables are those of edgecore. Nothing\n"
            "is changed. A node may be using it.\n\n"
            "This is about the file; what is wrong with its rows says `edgecore meta check`."
        ),
        (
            "exit code: 0 all is well, 3 something is wrong, 1 it cannot be looked at\n\n"
            "examples:\n  edgecore db check --config edgecore.yaml\n  edgecore db check --db edgecore.db --json"
        ),
    ),
    (
        "backup",
        "saving",
        "run_backup",
        "make a verified copy, while a node uses it or not",
        (
            "Make a copy of one moment, for its owner only, and verify it. A node may be using the\n"
            "database; it does not wait for this. A file that exists is never written over."
        ),
        (
            "exit code: 0 done, 1 could not (the file exists, no room, damaged)\n\n"
            "examples:\n  edgecore db backup --config edgecore.yaml\n"
            "      edgecore.db.backup-<time> beside the database\n"
            "  edgecore db backup --db edgecore.db /media/usb/edgecore.db"
        ),
    ),
    (
        "restore",
        "saving",
        "run_restore",
        "put a backup in the place of the database, which is kept aside",
        (
            "Put a copy of FILE in the place of the database. FILE is verified first, and stays. What\n"
            "was there is kept as <name>.before-restore-<time>. Not while a node uses it."
        ),
        (
            "exit code: 0 done, 1 could not (a node uses it, FILE is no whole database); then nothing has changed\n\n"
            "examples:\n  edgecore db restore edgecore.db.backup-20260102T030405Z --config edgecore.yaml"
        ),
    ),
    (
        "repair",
        "saving",
        "run_repair",
        "save what can be read of a damaged database into a new one",
        (
            "Save all rows that can be read into a new database, and say which are lost. The damaged\n"
            "file is kept, as it is, as <name>.damaged-<time>. Not while a node uses it."
        ),
        (
            "exit code: 0 done, nothing is lost; 3 done, rows are lost; 1 could not; then nothing has changed\n\n"
            "examples:\n  edgecore db repair --config edgecore.yaml\n"
            "  mkdir trial && cp edgecore.db* trial && edgecore db repair --db trial/edgecore.db\n"
            "      see first what can be saved; its log (-wal), where there is one, belongs to it"
        ),
    ),
)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "db",
        help="the node's database file: what it is, backup, restore, check, repair",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for name, file, function, summary, description, epilog in _VERBS:
        verb = verbs.add_parser(
            name,
            help=summary,
            description=description,
            epilog=epilog,
            formatter_class=HelpText,
        )
        _add_arguments(name, verb)
        add_file_target(verb)
        verb.set_defaults(run=run, verb=(file, function))


def _add_arguments(name: str, verb: argparse.ArgumentParser) -> None:
    match name:
        case "info" | "check":
            verb.add_argument("--json", action="store_true", help="print everything, as JSON")
        case "backup":
            verb.add_argument("file", nargs="?", type=Path, metavar="FILE", help="where to (default: beside it)")
        case "restore":
            verb.add_argument("file", type=Path, metavar="FILE", help="the backup")
        case "repair":
            verb.add_argument("--verbose", action="store_true", help="name every row that is lost")


def run(args: argparse.Namespace) -> int:
    """Do what the verb says, and return its exit code; its file is loaded only now: it needs what the node needs."""
    file, function = args.verb
    code: int = getattr(importlib.import_module(f"edgecore.cli.database.{file}"), function)(args)
    return code

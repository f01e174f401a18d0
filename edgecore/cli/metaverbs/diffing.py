"""``edgecore meta diff``: what differs between two databases, or exports of them, or one and the running node."""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgecore.cli.metaverbs.source import File, Head, RunningNode, Source, where
from edgecore.cli.metaverbs.words import add_secrets
from edgecore.cli.target import add_target, client_of
from edgecore.control.columns import one_line
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import ContentError, EdgecoreError, reason_of
from edgecore.metadata.diff import (
    NOTHING,
    SIGNS,
    STATUS_PATHS,
    STATUS_TYPES,
    Difference,
    Ignored,
    concealed,
    difference_document,
    differences,
)
from edgecore.metadata.export import rows_of_export
from edgecore.metadata.filters import Filters, full_type
from edgecore.metadata.row import MetaRow, hide

_DESCRIPTION = """\
Show what differs between two states of a node: which rows came (+), went (-) and changed
(~), and in those the places that did. OLD and NEW are database files, or what
`edgecore meta export` printed; without NEW it is the running node. Values are compared as
JSON: neither the order of fields nor spaces count, nor when and by which message a row
came to be so."""

_EPILOG = """\
exit code, as of diff(1): 0 no difference, 1 there are some, 2 something cannot be read

examples:
  edgecore meta diff before.json --config edgecore.yaml
      what changed since `edgecore meta export --config edgecore.yaml > before.json`
  edgecore meta diff edgecore.db.bak edgecore.db --type pods,services
  edgecore meta diff a.db b.db --ignore-status --ignore 'metadata.labels*'
  edgecore meta diff a.db b.db -o json | jq -r '.[].key'"""

_SQLITE = b"SQLite format 3\x00"
_VALUE_SHOWN = 100
TROUBLE = 2


def add_verb(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "diff", help="show what differs between two states", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="a database file, or an export")
    parser.add_argument("new", type=Path, nargs="?", metavar="NEW", help="the same (default: the running node)")
    parser.add_argument("--type", default="", metavar="TYPE[,TYPE]", help="compare rows of these types alone")
    parser.add_argument("-n", "--namespace", metavar="NS", help="compare those of this namespace alone")
    parser.add_argument("--name", metavar="NAME", help="compare those of this name alone; may have * and ?")
    parser.add_argument(
        "--ignore-status",
        action="store_true",
        help="pass over podstatus and nodestatus, and the status and resourceVersion of objects",
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="PATH",
        help="pass over a place in the values, such as spec.replicas or 'metadata.*' (again for more)",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="lines, or a JSON document")
    add_secrets(parser)
    add_target(parser)
    parser.set_defaults(run_below=run, usage_error=parser.error)


def run(args: argparse.Namespace) -> int:
    """Show the differences, and return the exit code."""
    if args.new is not None and (args.config or args.control):
        args.usage_error("NEW, and --config or --control, cannot be had together")
    try:
        return _compare(args)
    except EdgecoreError as error:
        sys.stdout.flush()
        sys.stderr.write(f"edgecore: {error}\n")
        return TROUBLE


def _compare(args: argparse.Namespace) -> int:
    filters = Filters(
        tuple(full_type(word) for word in args.type.split(",") if word),
        (args.namespace,) if args.namespace else (),
        (args.name,) if args.name else (),
    )
    ignored = Ignored(
        STATUS_TYPES if args.ignore_status else (), (*args.ignore, *(STATUS_PATHS if args.ignore_status else ()))
    )
    old = _state(args.old)
    new = RunningNode(client_of(args)) if args.new is None else _state(args.new)
    by_size = _Counter()
    found = differences(
        by_size.counted(old.rows(filters, secrets=True)), by_size.counted(new.rows(filters, secrets=True)), ignored
    )
    shown = (difference if args.show_secrets else concealed(difference) for difference in found)
    count = _print_json(shown) if args.output == "json" else _print_text(shown)
    if by_size.count:
        sys.stderr.write(f"(secrets hidden in an export: {by_size.count}; of them the sizes alone are compared)\n")
    if not count:
        sys.stderr.write(f"no difference between {where(old.head)} and {where(new.head)}\n")
    return int(count > 0)


class _Counter:
    """Counts the rows whose values are hidden."""

    def __init__(self) -> None:
        self.count = 0

    def counted(self, rows: Iterator[MetaRow]) -> Iterator[MetaRow]:
        for row in rows:
            self.count += row.hidden
            yield row


class Export:
    """The rows of an exported document."""

    def __init__(self, path: Path, text: bytes) -> None:
        self.head: Head = {"database": str(path)}
        try:
            self._rows = rows_of_export(text)
        except ContentError as error:
            raise ContentError(f"cannot read {path}: {error}") from error

    def rows(self, filters: Filters, *, secrets: bool, values: bool = True) -> Iterator[MetaRow]:
        """See ``Source``."""
        return (row if secrets else hide(row) for row in self._rows if filters.match(row))


def _state(path: Path) -> Source:
    """Return the rows of a file, whichever of the two kinds it is of. Raises ``EdgecoreError``."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
            text = b"" if start == _SQLITE else start + file.read()
    except OSError as error:
        raise EdgecoreError(f"cannot read {path}: {reason_of(error)}") from error
    if start == _SQLITE:
        return File(path)
    if text.lstrip()[:1] != b"{":
        raise EdgecoreError(
            f"cannot read {path}: it is neither a SQLite database nor an export; edgecore meta export makes one"
        )
    return Export(path, text)


def _print_json(found: Iterator[Difference]) -> int:
    documents = [difference_document(difference) for difference in found]
    print(json.dumps(documents, indent=2, ensure_ascii=False, default=str))
    return len(documents)


def _print_text(found: Iterator[Difference]) -> int:
    count = 0
    for difference in found:
        count += 1
        print(one_line(f"{SIGNS[difference.kind]} {difference.key}"))
        for change in difference.changes:
            print(one_line(f"    {change.path}: {_short(change.before)} -> {_short(change.after)}"))
    return count


def _short(value: Any) -> str:
    if value is NOTHING:
        return "nothing"
    dumped: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False).encode
    text = value if isinstance(value, str) and value.startswith("<hidden") else dumped(value)
    return text if len(text) <= _VALUE_SHOWN else f"{text[: _VALUE_SHOWN - 3]}..."

"""``edgecore meta list``: rows as a table, names, or whole documents."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice

from edgecore.cli.metaverbs.shown import COLUMNS, WIDE_COLUMNS, cells, document
from edgecore.cli.metaverbs.source import source_of, where
from edgecore.cli.metaverbs.words import FILTERS_EXPLAINED, add_filter_words, add_secrets, add_since, filters_of
from edgecore.cli.target import add_rows_target
from edgecore.clock import SystemClock
from edgecore.control.columns import Columns
from edgecore.control.documents import as_yaml
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.metadata.row import MetaRow

_DESCRIPTION = f"""\
List what a node knows: the rows of its table meta, with their size in bytes, since when
each is as it is, and who sent the message that made it so (-o wide: which message).

{FILTERS_EXPLAINED}"""

_EPILOG = """\
exit code: 0 listed (also when there are none), 1 the node or file cannot be read

examples:
  edgecore meta list --config edgecore.yaml
      all rows of the running node
  edgecore meta list pods,services -n default 'nginx*'
  edgecore meta list --since 10m -o wide
      what came or changed in the last ten minutes, and by which message
  edgecore meta list svc --db /var/lib/kubeedge/edgecore.db -o name
      of a file, such as that of a Go edgecore, which names no messages: <unknown>
  edgecore meta list pods -o json | jq -r '.[].value.spec.nodeName'"""

_TABLE, _WIDE, _JSON, _YAML, _NAME = "table", "wide", "json", "yaml", "name"
_ROWS_A_PIECE = 500
"""A table is printed in pieces of that many rows; the columns of a later piece may be wider."""


def add_verb(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "list", help="list rows, with age and source", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_filter_words(parser)
    add_since(parser)
    parser.add_argument(
        "-o",
        "--output",
        choices=(_TABLE, _WIDE, _JSON, _YAML, _NAME),
        default=_TABLE,
        help="a table (default), one with more columns, whole documents, or keys alone",
    )
    parser.add_argument("--no-headers", action="store_true", help="leave out the first line of a table")
    add_secrets(parser)
    add_rows_target(parser)
    parser.set_defaults(run_below=run)


def run(args: argparse.Namespace) -> int:
    """List the rows, and return the exit code."""
    source = source_of(args)
    values = args.output in (_JSON, _YAML)
    rows = source.rows(filters_of(args), secrets=args.show_secrets, values=values)
    count = 0
    for line in _lines(args, rows):
        print(line)
        count += 1
    if not count:
        sys.stderr.write(f"no such rows in {where(source.head)}\n")
    return 0


def _lines(args: argparse.Namespace, rows: Iterator[MetaRow]) -> Iterator[str]:
    match args.output:
        case "json":
            return _json(rows)
        case "yaml":
            return _yaml(rows)
        case "name":
            return (row.key if row.key.isprintable() else repr(row.key) for row in rows)
    return _table(rows, wide=args.output == _WIDE, headers=not args.no_headers)


def _table(rows: Iterator[MetaRow], *, wide: bool, headers: bool) -> Iterator[str]:
    columns, now_ms = Columns(), SystemClock().now_ms()
    head: list[tuple[str, ...]] = [WIDE_COLUMNS if wide else COLUMNS] if headers else []
    while piece := [cells(row, now_ms, wide=wide) for row in islice(rows, _ROWS_A_PIECE)]:
        yield from columns.lines([*head, *piece])
        head = []


def _json(rows: Iterable[MetaRow]) -> Iterator[str]:
    before = "["
    for row in rows:
        yield before + json.dumps(document(row), ensure_ascii=False)
        before = ","
    yield "[]" if before == "[" else "]"


def _yaml(rows: Iterable[MetaRow]) -> Iterator[str]:
    empty = True
    for row in rows:
        yield as_yaml([document(row)]).rstrip("\n")
        empty = False
    if empty:
        yield "[]"

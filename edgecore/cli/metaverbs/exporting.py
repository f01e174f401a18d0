"""``edgecore meta export``: all rows as one document, or the Kubernetes objects among them as manifests."""

import argparse
import os
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from edgecore.cli.metaverbs.source import Source, source_of
from edgecore.cli.metaverbs.words import FILTERS_EXPLAINED, add_filter_words, add_secrets, filters_of
from edgecore.cli.target import add_rows_target
from edgecore.clock import SystemClock
from edgecore.control.ages import timestamp
from edgecore.control.documents import as_yaml
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import EdgecoreError, reason_of
from edgecore.metadata.export import export_lines, is_object, kubernetes_objects
from edgecore.metadata.row import MetaRow

_DESCRIPTION = f"""\
Print what a node knows: as one JSON document of all rows, with the message by which each
is so, which `edgecore meta diff` compares; or as YAML, the Kubernetes objects alone, as
one List that kubectl and cloudhub-stub apply, without what only their old cluster knows
(uid, resourceVersion, status, ...). Secrets are hidden in the one, left out of the other.

{FILTERS_EXPLAINED}"""

_EPILOG = """\
exit code: 0 printed, 1 the node or file cannot be read

examples:
  edgecore meta export --config edgecore.yaml --output-file before.json
      for this user's eyes alone (mode 0600); later: edgecore meta diff before.json
  edgecore meta export --db edgecore.db | jq -r '.rows[] | select(.origin == null) | .key'
  edgecore meta export services,configmaps -o yaml | cloudhub-stub apply -f -"""

_JSON, _YAML = "json", "yaml"


def add_verb(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "export", help="print all rows, or manifests of them", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_filter_words(parser)
    parser.add_argument(
        "-o", "--output", choices=(_JSON, _YAML), default=_JSON, help="all rows (default), or the objects as manifests"
    )
    parser.add_argument("--output-file", type=Path, metavar="FILE", help="write to FILE, readable by this user alone")
    add_secrets(parser)
    add_rows_target(parser)
    parser.set_defaults(run_below=run)


def run(args: argparse.Namespace) -> int:
    """Print or write the document, and return the exit code. Raises ``EdgecoreError``."""
    source = source_of(args)
    rows = source.rows(filters_of(args), secrets=args.show_secrets)
    lines = _manifests(rows) if args.output == _YAML else _document(source, rows)
    if args.output_file is None:
        for line in lines:
            print(line)
    else:
        _write_private(args.output_file, lines)
        sys.stderr.write(f"written to {args.output_file}\n")
    return 0


def _document(source: Source, rows: Iterator[MetaRow]) -> Iterator[str]:
    first = list(next_of(rows))  # a running node says what it is before its first row
    return export_lines(chain(first, rows), {**source.head, "exported_at": timestamp(SystemClock().now_ms())})


def next_of(rows: Iterator[MetaRow]) -> Iterator[MetaRow]:
    """Yield the first of ``rows``, if there is one."""
    yield from (row for row in (next(rows, None),) if row is not None)


def _manifests(rows: Iterator[MetaRow]) -> Iterator[str]:
    hidden = others = 0

    def objects() -> Iterator[MetaRow]:
        nonlocal hidden, others
        for row in rows:
            hidden += row.hidden
            others += not is_object(row)
            yield row

    yield "apiVersion: v1\nkind: List\nmetadata: {}"
    begun = False
    for manifest in kubernetes_objects(objects()):
        if not begun:
            yield "items:"
        begun = True
        yield as_yaml([manifest]).rstrip("\n")
    if not begun:
        yield "items: []"
    if hidden:
        yield f"# left out: {hidden} secrets; --show-secrets prints them"
    if others:
        yield f"# left out: {others} rows that are no objects of Kubernetes"


def _write_private(path: Path, lines: Iterator[str]) -> None:
    """Write ``path`` (mode 0600), whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with open(part, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.writelines(f"{line}\n" for line in lines)
        part.replace(path)
    except OSError as error:
        raise EdgecoreError(f"cannot write {path}: {reason_of(error)}") from error
    finally:
        part.unlink(missing_ok=True)

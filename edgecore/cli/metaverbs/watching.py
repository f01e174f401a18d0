"""``edgecore meta watch``: each change of a row as it happens, of a node or of a file."""

import argparse
import asyncio
import json
import sys
from typing import Any

from edgecore.cli.metaverbs.source import File, RunningNode, source_of, where
from edgecore.cli.metaverbs.words import FILTERS_EXPLAINED, add_filter_words, add_secrets, filters_of
from edgecore.cli.target import add_rows_target
from edgecore.clock import SystemClock
from edgecore.control.ages import time_of_day
from edgecore.control.columns import one_line
from edgecore.control.mixed_parser import add_mixed_parser
from edgecore.errors import ControlError
from edgecore.metadata.diff import SIGNS, Difference, concealed, difference_document, differences
from edgecore.metadata.filters import Filters
from edgecore.metadata.reading import all_rows
from edgecore.metadata.row import Json, MetaRow, row_document
from edgecore.store.databasefile import DatabaseFile

_DESCRIPTION = f"""\
Show each change from now on: + a row came, - it went, ~ it changed, with the places in
the value that did, and the message by which. A value that is only sent again is none.

A file (--db) is looked at twice a second: what changed twice in between is one change.

{FILTERS_EXPLAINED}"""

_EPILOG = """\
exit code: 130 ended by Ctrl-C, 1 the node stopped, or cannot be asked, or the file not read

examples:
  edgecore meta watch --config edgecore.yaml
  edgecore meta watch pods,podstatus -n default
  edgecore meta watch all 'nginx*' -o json | jq -c '[.change, .key, .origin.message_id]'
  edgecore meta watch --db /var/lib/kubeedge/edgecore.db"""

POLL_S = 0.5
_PATHS_SHOWN = 4
_UNKNOWN_ORIGIN = "by an unknown message"


def add_verb(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = add_mixed_parser(
        subparsers, "watch", help="show each change as it happens", description=_DESCRIPTION, epilog=_EPILOG
    )
    add_filter_words(parser)
    parser.add_argument("-o", "--output", choices=("json",), help="a JSON document a line, with the row")
    add_secrets(parser)
    add_rows_target(parser)
    parser.set_defaults(run_below=run)


def run(args: argparse.Namespace) -> int:
    """Show changes until somebody ends it. Raises ``ControlError`` or ``StoreError``."""
    source = source_of(args)
    if isinstance(source, File):
        return asyncio.run(_follow(args, source, filters_of(args)))
    return _listen(args, source, filters_of(args))


def _listen(args: argparse.Namespace, source: RunningNode, filters: Filters) -> int:
    query = {**filters.query(), "secrets": str(int(args.show_secrets))}
    for change in source.stream("/v1/meta/watch", query, told=_say_where):
        if change.get("missed"):
            sys.stderr.write(f"({change['missed']} changes came too fast to be shown)\n")
        _show(args, change)
    raise ControlError("cannot watch any longer: the node hung up; edgecore status says whether it runs")


async def _follow(args: argparse.Namespace, source: File, filters: Filters) -> int:
    clock = SystemClock()
    with DatabaseFile(source.path) as file:
        version, rows = file.version(), _all(file, filters)
        _say_where(source.head)
        while True:
            await clock.sleep(POLL_S)
            if (now := file.version()) == version:
                continue
            version, before, rows = now, rows, _all(file, filters)
            for difference in differences(before, rows):
                _show(args, _document(difference if args.show_secrets else concealed(difference), clock.now_ms()))


def _all(file: DatabaseFile, filters: Filters) -> list[MetaRow]:
    with file.snapshot():
        return list(all_rows(file.rows, filters))


def _document(difference: Difference, now_ms: int) -> Json:
    """Return what a running node says of a change; of a row that went nobody knows by which message."""
    row = difference.after or difference.before
    origin = None if difference.after is None else difference.after.origin
    return {
        **difference_document(difference),
        "seen_at_ms": now_ms,
        "origin": None if origin is None else origin._asdict(),
        **({} if row is None else {"row": row_document(row)}),
    }


def _say_where(head: Json) -> None:
    sys.stderr.write(f"watching {where(head)}, until Ctrl-C\n")
    sys.stderr.flush()


def _show(args: argparse.Namespace, change: Json) -> None:
    print(json.dumps(change, ensure_ascii=False) if args.output else one_line(change_line(change)), flush=True)


def change_line(change: Json) -> str:
    """Return a change as a line: time of the day in UTC, sign, key, places, message."""
    origin: Json | None = change.get("origin")
    at_ms = change["seen_at_ms"] if origin is None else origin["at_ms"]
    by = _UNKNOWN_ORIGIN if origin is None else _by(origin)
    paths = [str(one["path"]) for one in change.get("paths", ())]
    more = [f"and {len(paths) - _PATHS_SHOWN} more"] if len(paths) > _PATHS_SHOWN else []
    places = ", ".join([*paths[:_PATHS_SHOWN], *more])
    size = change["row"]["size"] if change.get("row") else 0
    what = places or f"{size} bytes"
    return f"{time_of_day(at_ms)} {SIGNS[change['change']]} {change['key']}  {what}  {by}"


def _by(origin: dict[str, Any]) -> str:
    message = origin["message_id"] or "no message"
    return f"by {message} ({origin['operation']} from {origin['source']})"

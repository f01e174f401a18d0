"""``edgecore recording info``: what is in a recording."""

import argparse
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edgecore.cli.recordings.files import Inputs, input_file
from edgecore.control.columns import aligned, one_line
from edgecore.control.help_text import HelpText
from edgecore.recording.editing.streams import outlines
from edgecore.recording.editing.summary import Summary
from edgecore.recording.entries import SessionHead
from edgecore.recording.lines import parse_entry
from edgecore.recording.selection import KIND_WORDS
from edgecore.store.refusals import size

TORN = 3
"""The exit code for a recording that ends in the middle of a line, or in which entries were lost."""
_TOLD = 12

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WORDS = {key: word for word, key in reversed(KIND_WORDS.items())}

_EPILOG = """\
exit code: 0 shown, 1 could not, 3 shown, but entries were lost, or its end is torn

examples:
  edgecore recording info session.jsonl.zst
  edgecore recording info session.jsonl.zst --json | jq .kinds"""


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "info",
        help="who recorded it, how long it is, what is in it",
        description="Show who recorded it, how long it is, how many entries of which kind are in it, and its notes.",
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    verb.add_argument("file", type=input_file, metavar="FILE", help="the recording; - is standard input")
    verb.add_argument("--json", action="store_true", help="print everything, as JSON")
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print it, and return the exit code."""
    summary, inputs = Summary(), Inputs("reading")
    try:
        for outline, line in outlines(args.file, inputs.read(args.file)):
            summary.add(outline, len(line))
            if outline.kind == "session" and summary.head is None:
                head = parse_entry(line, outline.line)
                summary.head = head if isinstance(head, SessionHead) else None
    finally:
        inputs.end()
    summary.torn = " ".join(inputs.torn)
    if args.json:
        print(json.dumps({"file": str(args.file), **summary.as_json()}, indent=2))
    else:
        print("\n".join(_lines(args.file, summary)))
    return TORN if summary.torn or summary.lost else 0


def _lines(path: Path, summary: Summary) -> Iterator[str]:
    yield aligned([*_facts(path, summary)])
    if summary.kinds:
        yield ""
        yield aligned([("KIND", "ENTRIES"), *((_WORDS.get(k, k), f"{n:,}") for k, n in summary.kinds.most_common())])
    if summary.routes:
        rows = [(way, source, operation, f"{n:,}") for (way, source, operation), n in summary.routes.most_common(_TOLD)]
        yield ""
        yield aligned([("WAY", "SOURCE", "OPERATION", "MESSAGES"), *rows])
        if len(summary.routes) > _TOLD:
            yield f"... and {len(summary.routes) - _TOLD} more (--json names them)"
    if summary.notes:
        yield ""
        yield from (
            f"line {line}  {_seconds(t_ns - summary.first_ns)}  {one_line(text)}"
            for line, t_ns, text in summary.notes[:_TOLD]
        )
        if summary.kinds["note"] > _TOLD:
            yield f"... and {summary.kinds['note'] - _TOLD} more notes (edgecore recording filter FILE kind=note)"


def _facts(path: Path, summary: Summary) -> Iterator[tuple[str, str]]:
    head = summary.head
    yield "file", f"{path}, {size(path.stat().st_size)}" if path.is_file() else str(path)
    yield "format", f"version {summary.version}" + (", secrets replaced" if head and head.redacted else "")
    if head and (head.program or head.node):
        yield "recorded", " at ".join(word for word in (head.program, head.node) if word)
    if head and head.kinds:
        yield "kinds", ", ".join(_WORDS.get(kind, kind) for kind in head.kinds)
    yield "entries", f"{summary.count:,}, {size(summary.bytes)}"
    if summary.count:
        yield "from", _moment(summary.first_ns)
        yield "until", f"{_moment(summary.last_ns)} ({_seconds(summary.last_ns - summary.first_ns)})"
    if summary.links:
        yield "connections", str(len(summary.links))
    if summary.lost:
        yield "lost", f"{summary.lost:,} entries: the disk was too slow, or refused them"
    if summary.torn:
        yield "torn", summary.torn


def _moment(t_ns: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=t_ns // 1000)
    except OverflowError:
        return f"{t_ns} ns after 1970"
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(ns: int) -> str:
    return f"+{ns / 10**9:.3f} s"

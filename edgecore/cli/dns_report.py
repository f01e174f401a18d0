"""The answer of a node to a question for a name, as text for people: records as dig has them, then the reason."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edgecore.cli.status_report import led_text
from edgecore.control.columns import one_line
from edgecore.timespans import duration

Json = Mapping[str, Any]

ANSWERED, NO_RECORDS, NOT_ANSWERED = 0, 1, 3


def exit_code(told: Json) -> int:
    """Return 0 where there are records, 1 where there are none, 3 where the question was not answered."""
    if told.get("status") == "NOERROR":
        return ANSWERED if told.get("answer") else NO_RECORDS
    return NO_RECORDS if told.get("status") == "NXDOMAIN" else NOT_ANSWERED


def short_lines(told: Json) -> list[str]:
    """Return the data of the records of the answer."""
    return [one_line(str(record.get("data"))) for record in told.get("answer") or ()]


def report(told: Json) -> str:
    """Return the text: the records of all sections, the status, why."""
    sections = [_section(name, told.get(name) or ()) for name in ("answer", "authority", "additional")]
    return "\n\n".join([*filter(None, sections), "\n".join(map(one_line, _reason(told)))])


def _section(name: str, records: Iterable[Json]) -> str:
    rows = [[str(record.get(key)) for key in ("name", "ttl", "type", "data")] for record in records]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (f"{row[0]:{widths[0]}}  {row[1]:>{widths[1]}}  IN  {row[2]:{widths[2]}}  {row[3]}" for row in rows)
    heading = [] if name == "answer" else [f"{name}:"]
    return "\n".join([*heading, *map(one_line, lines)]) if rows else ""


def _reason(told: Json) -> Iterator[str]:
    status = f"{told.get('status', '?')}, {told.get('type', '?')} of {told.get('name', '?')}"
    flags = " ".join(told.get("flags") or ())
    yield f"status:   {status} (flags {flags}; {told.get('bytes', '?')} bytes)"
    if told.get("unreadable"):
        yield f"          the reply cannot be read: {told['unreadable']}"
    yield f"because:  {told.get('why', '?')} (rule {told.get('rule', '?')})"
    if told.get("ready"):
        yield "          from the table of ready answers"
    yield from _rows(told.get("rows") or ())
    if upstream := told.get("upstream"):
        yield f"upstream: {_upstream(upstream)}"
    if led := told.get("led"):
        yield f"asked by: {led_text(led)}"


def _rows(rows: Iterable[Json]) -> Iterator[str]:
    for row in rows:
        what = f"{row.get('operation')} {row.get('resource')} of {row.get('source')}"
        since = duration(row.get("age_s") or 0)
        yield f"known by: {row.get('row')}, for {since}, from {what}, message {row.get('message_id')}"


def _upstream(how: Json) -> str:
    outcome, tried = how.get("outcome"), ", ".join(map(_tried, how.get("tried") or ()))
    zone = f" (of the zone {how['zone']})" if how.get("zone") else ""
    if outcome in ("hit", "stale"):
        age, who = duration(how.get("age_s") or 0), how.get("server") or "a name server"
        over = ", its time over, as no name server answers" if outcome == "stale" else ""
        return f"from the cache, {age} old, by {who}{zone}{over}"
    if outcome in ("miss", "joined"):
        return f"{how.get('server') or 'a name server'}{zone} answered just now{f' ({tried})' if tried else ''}"
    if how.get("reason") == "no_upstream":
        return f"there is no name server to ask{zone}"
    return f"no answer{zone}: {how.get('reason') or outcome}{f': {tried}' if tried else ''}"


def _tried(one: Json) -> str:
    return f"{one.get('server')} {one.get('word')} after {round(1000 * (one.get('after_s') or 0))} ms"

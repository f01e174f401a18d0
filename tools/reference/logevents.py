"""The page of what the programs log, and of the reasons for which input is refused."""

import ast
from collections.abc import Iterator
from typing import NamedTuple

from tools.reference.sources import Source, Sources, Unknown

_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
_TOLD = ("then", "text", "advice", "hint", "try")
"""Keys whose fixed words explain the event."""

_HEAD = """\
# Log events

A line of the log is one event: a fixed word, with values as keys. On a terminal it is coloured text, elsewhere
JSON (`observe.logFormat`), each with `timestamp`, `level`, `logger` and `event`; `observe.logLevel` says from
which level on. Values are never secrets nor payloads of users. `edgecore top` shows the latest warnings and
errors. (Written by `make reference`.)
"""
_BAD_INPUT = """\
## Reasons of `bad_input`

What a peer sent and what could not be used is counted (`edgecore_bad_input_total`), logged as `bad_input` with
`module`, `reason` and `peer`, and otherwise survived. Where the reason is found while reading, it is not in this
list.
"""


class Event(NamedTuple):
    """One event that is logged somewhere."""

    logger: str
    name: str
    level: str
    keys: tuple[str, ...]
    told: str


def log_events_page(sources: Sources) -> str:
    """Return the page."""
    found = [event for file in sources.files for event in events_of(file)]
    lines = [_HEAD]
    for logger in sorted({event.logger for event in found}):
        lines += [f"## `{logger}`", "", "| event | level | keys | says |", "| --- | --- | --- | --- |"]
        lines += [_row(one) for one in _merged(event for event in found if event.logger == logger)]
        lines.append("")
    lines += [_BAD_INPUT, "| module | reasons |", "| --- | --- |"]
    reasons = sorted({pair for file in sources.files for pair in reasons_of(file)})
    for module in sorted({module for module, _ in reasons}):
        listed = ", ".join(f"`{reason}`" for of, reason in reasons if of == module)
        lines.append(f"| `{module}` | {listed} |")
    return "\n".join(lines).rstrip() + "\n"


def events_of(file: Source) -> Iterator[Event]:
    """Yield what a file logs; a line that passes on the words of another program is none."""
    logger = next(iter(_loggers(file)), "")
    for call in file.calls():
        match call:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=method), args=[first, *_]) if (
                method in _LEVELS and logger
            ):
                keys = tuple(sorted(keyword.arg for keyword in call.keywords if keyword.arg))
                told = "; ".join(_words(file, call))
                for (name,) in file.values(first):
                    yield Event(logger, name, _LEVELS[method], keys, told)


def reasons_of(file: Source) -> Iterator[tuple[str, str]]:
    """Yield module and reason of each ``bad_input`` whose words are fixed."""
    for call in file.calls():
        match call:
            case ast.Call(func=ast.Attribute(attr="bad_input" | "_bad_input"), args=[module, reason, *_]):
                yield from (
                    (of, why) for of, why in file.values(module, reason) if isinstance(of, str) and isinstance(why, str)
                )


def _loggers(file: Source) -> Iterator[str]:
    for call in file.calls():
        match call:
            case ast.Call(func=ast.Attribute(attr="get_logger"), args=[name]):
                try:
                    yield file.value(name, {})
                except Unknown:
                    continue


def _words(file: Source, call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg in _TOLD:
            try:
                yield str(file.value(keyword.value, {}))
            except Unknown:
                continue


def _merged(events: Iterator[Event]) -> Iterator[Event]:
    """Yield one event a name and level, with the keys of all its lines."""
    found: dict[tuple[str, str], Event] = {}
    for event in sorted(events):
        merged, before = event, found.get((event.name, event.level))
        if before is not None:
            told = before.told if event.told in before.told else "; ".join(filter(None, (before.told, event.told)))
            merged = event._replace(keys=tuple(sorted({*before.keys, *event.keys})), told=told)
        found[event.name, event.level] = merged
    yield from found.values()


def _row(event: Event) -> str:
    keys = ", ".join(f"`{key}`" for key in event.keys)
    told = event.told.replace("|", "\\|")
    return f"| `{event.name}` | {event.level} | {keys} | {told} |"

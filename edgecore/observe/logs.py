"""Logs: one line an event on standard error, for people or as JSON; secrets masked, libraries' own logs among them.

A line never raises into the code that logs, whatever the values are and whatever became of the stream.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any, TextIO

import structlog

from edgecore.errors import ConfigError

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FORMATS = ("auto", "console", "json")
"""``auto`` is ``console`` on a terminal, ``json`` otherwise."""

_SECRET_KEYS = frozenset({"token", "authorization", "password", "secret"})
_MASK = "***"
_Event = MutableMapping[str, Any]


def configure_logging(
    level: str, fmt: str, stream: TextIO | None = None, *, also: Callable[[Mapping[str, Any]], None] | None = None
) -> None:
    """Send this process's logs to ``stream`` (standard error): events of ``level`` and above, as ``fmt``.

    ``also`` is shown each of them, secrets masked; it must not raise. Libraries that use ``logging`` are heard from
    WARNING on. Raises ``ConfigError`` for an unknown level or format.
    """
    if level not in LEVELS:
        raise ConfigError(f"cannot log at level {level!r}: there is no such level; choose one of {', '.join(LEVELS)}")
    if fmt not in FORMATS:
        raise ConfigError(f"cannot log as {fmt!r}: there is no such form; choose one of {', '.join(FORMATS)}")
    out = sys.stderr if stream is None else stream
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            mask_secrets,
            *((_shown_to(also),) if also is not None else ()),
            *(_console(out) if fmt == "console" or (fmt == "auto" and out.isatty()) else _json()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *names: _Lines(out, *names),
        # Loggers are made at import; caching the first use would freeze them before this function was called.
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_Bridge()], level=max(logging.WARNING, LEVELS[level]), force=True)


def mask_secrets(_logger: Any, _method: str, event: _Event) -> _Event:
    """Hide values under keys that name a secret, in the event and in mappings directly in it (such as headers)."""
    for key, value in event.items():
        if _is_secret(key):
            event[key] = _masked(value)
        elif isinstance(value, Mapping):
            event[key] = {inner: _masked(held) if _is_secret(inner) else held for inner, held in value.items()}
    return event


def _shown_to(also: Callable[[Mapping[str, Any]], None]) -> structlog.types.Processor:
    def show(_logger: Any, _method: str, event: _Event) -> _Event:
        also(event)
        return event

    return show


def _is_secret(key: object) -> bool:
    return isinstance(key, str) and key.lower() in _SECRET_KEYS


def _masked(value: object) -> object:
    return _MASK if value else value  # that there is none is no secret


def _add_logger_name(logger: Any, _method: str, event: _Event) -> _Event:
    event.setdefault("logger", logger.name)
    return event


def _json() -> list[structlog.types.Processor]:
    return [structlog.processors.format_exc_info, _main_keys_first, structlog.processors.JSONRenderer(default=repr)]


def _console(stream: TextIO) -> list[structlog.types.Processor]:
    renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=_write_traceback)
    return [_escape_values, renderer]


def _main_keys_first(_logger: Any, _method: str, event: _Event) -> _Event:
    return {key: event[key] for key in ("timestamp", "level", "logger", "event")} | dict(event)


def _escape_values(_logger: Any, _method: str, event: _Event) -> _Event:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _escaped(value)
    return event


def _write_traceback(out: TextIO, exc_info: structlog.types.ExcInfo) -> None:
    lines = "".join(traceback.format_exception(*exc_info)).split("\n")
    out.write("\n" + "\n".join(map(_escaped, lines)).rstrip())


def _escaped(text: str) -> str:
    """A terminal obeys control characters; what a peer sent must not command it."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


class _Lines:
    """The end of the chain: writes each line whole and at once."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        self.name = name
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads any more, or the stream is closed
            self._stream.write(line + "\n")
            self._stream.flush()

    log = debug = info = warning = warn = error = critical = exception = fatal = msg


class _Bridge(logging.Handler):
    """Hands records of ``logging`` to structlog, under the name of their own logger."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        report = log.error if record.levelno >= logging.ERROR else log.warning
        report("library_message", text=_text(record), exc_info=record.exc_info)


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # the library's format does not fit its values, which must not hurt the library
        return f"{record.msg!r} {record.args!r}"

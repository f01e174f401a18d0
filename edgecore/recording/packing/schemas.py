"""The keys of each kind of line, as JSON Schema for the viewers that open an MCAP file (pure)."""

from typing import Any

import msgspec

_INTEGER = {"type": "integer"}
_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_ALWAYS = {"t_ns": _INTEGER, "n": _INTEGER, "causes": {"type": "array", "items": _INTEGER}}
_LINK = {"link": {"type": ["integer", "string"]}, "dir": _TEXT}
_WRITE = {"type": "array", "items": {}}

KEYS_OF: dict[str, dict[str, Any]] = {
    "session": {
        "session": _INTEGER,
        "program": _TEXT,
        "node": _TEXT,
        "kinds": {"type": "array", "items": _TEXT},
        "redacted": _FLAG,
    },
    "text": {**_LINK, "text": _TEXT},
    "http": {**_LINK, "http": _TEXT, "body_hex": _TEXT},
    "event": {**_LINK, "event": {"enum": ["open", "eof", "error"]}, "tls": _TEXT, "detail": _TEXT},
    "note": {"note": _TEXT, "topic": _TEXT, "payload": _TEXT, "out": _TEXT},
    "bus": {"bus": _TEXT, "from": _TEXT, "to": _TEXT, "injected": _FLAG},
    "mqtt": {"mqtt": _TEXT, "dir": _TEXT, "broker": _TEXT, "payload": _TEXT, "payload_hex": _TEXT, "id": _TEXT},
    "commit": {"commit": {"type": "array", "items": _WRITE}},
    "dns": {"dns": _TEXT, "answer": _TEXT, "client": _TEXT, "transport": {"enum": ["udp", "tcp"]}, "us": _INTEGER},
    "request": {
        "request": _TEXT,
        "client": _TEXT,
        "service": _TEXT,
        "handling": _TEXT,
        "backend": _TEXT,
        "status": _INTEGER,
        "reason": _TEXT,
        "in": _INTEGER,
        "bytes_out": _INTEGER,
        "us": _INTEGER,
        "retries": _INTEGER,
    },
    "fault": {"fault": _TEXT, "detail": _TEXT},
    "state": {"state": {"type": "object"}},
    "lost": {"lost": _INTEGER, "reason": _TEXT},
}
"""Kind to its keys, without those that every line may have."""


def schema_of(kind: str) -> bytes:
    """Return the schema of the lines of ``kind``, as JSON."""
    return msgspec.json.encode(
        {
            "title": f"edgecore.{kind}",
            "type": "object",
            "properties": {**_ALWAYS, **KEYS_OF[kind]},
            "required": ["t_ns", kind],
        }
    )

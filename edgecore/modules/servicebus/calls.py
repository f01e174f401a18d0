"""What a message asks for: one HTTP request to one service (pure; ``kubeedge edge/pkg/servicebus@v1.3.1``).

=========  =====================================================================
part       where it stands
=========  =====================================================================
service    the resource up to its first colon: a port
path       the rest of it, colons and all, with the query
method     the operation, as it is
header     ``header`` of the content: name to a list of values
body       ``body`` of the content: base64
=========  =====================================================================
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from edgecore.beehive.message import Message, content_value
from edgecore.errors import ContentError
from edgecore.modules.servicebus.answers import Refusal, Refused
from edgecore.modules.servicebus.places import Places

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
"""A method, or the name of a header line (RFC 9110, 5.6.2)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_AS_IT_IS = "%/?:@!$&'()*+,;=~-._[]|"
"""Characters of a path that are not escaped beside letters and digits."""

_NOT_SENT = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Header lines that are the business of the connection."""
ACCEPT = ("Accept", "*/*")
AGENT = ("User-Agent", "edgecore")


class Call(NamedTuple):
    """One request, checked: nothing in it can end a line or a request too early."""

    method: str
    place: str
    """``host:port``."""
    path: str
    """With the slash at its beginning, and the query."""
    header: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def url(self) -> str:
        """What is called."""
        return f"http://{self.place}{self.path}"


def read_call(message: Message, places: Places) -> Call | Refused:
    """Return the request that ``message`` asks for, or why there is none. Never raises, whatever the message."""
    port, colon, rest = message.route.resource.partition(":")
    if not colon:
        return Refused(Refusal.RESOURCE, "resource_malformed", message.route.resource)
    try:
        content = content_value(message)
    except ContentError:
        return Refused(Refusal.CONTENT, "content_malformed")
    try:
        header, body = _header(_member(content, "header")), _body(_member(content, "body"))
    except (TypeError, ValueError):
        return Refused(Refusal.REQUEST, "content_malformed")
    place = places.find(port)
    if place is None:
        return Refused(Refusal.CALL, "port_not_allowed")
    path = _path(rest)
    method = message.route.operation or "GET"
    if path is None:
        return Refused(Refusal.CALL, "path_malformed")
    if not _TOKEN.fullmatch(method) or method.upper() == "CONNECT":
        return Refused(Refusal.CALL, "method_malformed")
    if any(not _TOKEN.fullmatch(name) or _BAD_VALUE.search(value) for name, value in header):
        return Refused(Refusal.CALL, "header_malformed")
    return Call(method, place, path, tuple(_sent(header)), body)


def _member(content: Any, name: str) -> Any:
    """Return a member of the content; Go takes ``null`` for an empty object, and names in any case.

    Raises ``TypeError`` where the content is no object.
    """
    if content is None:
        return None
    if not isinstance(content, Mapping):
        raise TypeError(type(content).__name__)
    if name in content:
        return content[name]
    return next((value for key, value in content.items() if key.lower() == name), None)


def _header(value: Any) -> list[tuple[str, str]]:
    """Return the lines of a header. Raises ``TypeError``."""
    lines: list[tuple[str, str]] = []
    if value is None:
        return lines
    if not isinstance(value, Mapping):
        raise TypeError(type(value).__name__)
    for name, values in value.items():
        if values is not None and not isinstance(values, list):
            raise TypeError(type(values).__name__)
        for each in values or ():
            if not isinstance(each, str):
                raise TypeError(type(each).__name__)
            lines.append((name, each))
    return lines


def _body(value: Any) -> bytes:
    """Return what the base64 says. Raises ``TypeError``, ``ValueError``."""
    if value is None:
        return b""
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return b64decode(value.replace("\r", "").replace("\n", ""), validate=True)


def _path(text: str) -> str | None:
    """Return the path as it is written in a request; ``None`` where it cannot be."""
    text = text.partition("#")[0]
    if _CONTROL.search(text) or _BAD_ESCAPE.search(text.partition("?")[0]):
        return None
    return "/" + quote(text.removeprefix("/"), safe=_AS_IT_IS, errors="replace")


def _sent(header: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    names = {name.lower() for name, _ in header}
    yield from ((name, value) for name, value in header if name.lower() not in _NOT_SENT)
    yield from (line for line in (ACCEPT, AGENT) if line[0].lower() not in names)

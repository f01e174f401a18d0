"""Lines of the access log: JSON, one object a line, always with the same keys in the same order (pure).

What is told is kept as it is until there are many of it, and all that becomes bytes in one go, which costs a
microsecond for each; made one by one between requests, by code that the processor's caches have lost, it were several.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.spec import Handling

MAX_PATH = 2048
"""Characters of a path; what is beyond is cut off."""
_MAX_NAMES = 4096
PROTOCOLS: dict[Handling, str] = {"http": "http", "bytes": "tcp", "sniff": "tcp", "datagrams": "udp"}
"""What is spoken, by how it is forwarded."""
_NOT_QUOTED = "".join(map(chr, range(0x80)))
_SURROGATE = re.compile("[\ud800-\udfff]")

_Names = tuple[str, str]


class Line(msgspec.Struct, gc=False):
    """One line. Times are in milliseconds, to the microsecond."""

    time: str
    """Of its end: RFC 3339, in UTC."""
    client: str
    service: str
    """``namespace/name``; empty where nobody could say."""
    port: int
    protocol: str
    """``http``, ``tcp`` or ``udp``."""
    pod: str
    backend: str
    method: str
    path: str
    status: int
    reason: str
    bytes_in: int
    bytes_out: int
    duration_ms: float
    first_byte_ms: float
    connect_ms: float
    retries: int


class LineMaker:
    """Makes lines of what was served; remembers the texts that come again."""

    def __init__(self) -> None:
        self._at_ms = -1
        self._stamp = ""
        self._second = -1
        self._second_text = ""
        self._names: dict[Host, _Names] = {}

    def lines(self, told: Sequence[Served]) -> bytes:
        """Return the lines of all that was told as bytes, each with a newline at its end, whatever their texts are."""
        return _encoded([self.line(served) for served in told])

    def line(self, served: Served) -> Line:
        """Return the line. Of ``target`` nothing behind a ``?`` is told."""
        if served.ended_ms != self._at_ms:
            self._tick(served.ended_ms)
        host = served.host
        pod, backend = ("", "") if host is None else self._names.get(host) or self._name(host)
        path = served.target
        if "?" in path or len(path) > MAX_PATH:
            path = path.partition("?")[0][:MAX_PATH]
        if not path.isascii():
            path = _quoted(path)[:MAX_PATH]
        service = served.service
        connect_s = served.connect_s
        return Line(
            self._stamp,
            served.client,
            f"{service[0]}/{service[1]}" if service is not None else "",
            served.port,
            PROTOCOLS[served.handling],
            pod,
            backend,
            served.method,
            path,
            served.status,
            served.reason,
            served.bytes_in,
            served.bytes_out,
            int(served.duration_s * 1e6) / 1e3,
            int(served.first_byte_s * 1e6) / 1e3,
            int(connect_s * 1e6) / 1e3 if connect_s else 0.0,
            served.retries,
        )

    def _tick(self, now_ms: int) -> None:
        self._at_ms = now_ms
        second, ms = divmod(now_ms, 1000)
        if second != self._second:
            self._second = second
            self._second_text = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
            self._names.clear()  # another pod may be there by now, and hosts that are gone are let go
        self._stamp = f"{self._second_text}.{ms:03d}Z"

    def _name(self, host: Host) -> _Names:
        if len(self._names) >= _MAX_NAMES:
            self._names.clear()
        names = self._names[host] = (host.backend.pod, str(host.endpoint))
        return names


def _quoted(path: str) -> str:
    """Return ``path``, whose characters stand for the bytes of the client, as a URI that means the same.

    Written as they are, some of them would be commands to a terminal (C1 controls, such as CSI).
    """
    try:
        sent = path.encode("latin-1")
    except UnicodeEncodeError:
        sent = path.encode("utf-8", "surrogateescape")
    return quote(sent, safe=_NOT_QUOTED)


_encoder = msgspec.json.Encoder()


def _encoded(lines: Sequence[Line]) -> bytes:
    try:
        return _encoder.encode_lines(lines)
    except UnicodeEncodeError:  # half a surrogate pair: bytes of a client that are no UTF-8
        return _encoder.encode_lines([_told(line) for line in lines])


def _told(line: Line) -> Line:
    return msgspec.structs.replace(
        line, method=_SURROGATE.sub("\ufffd", line.method), path=_SURROGATE.sub("\ufffd", line.path)
    )

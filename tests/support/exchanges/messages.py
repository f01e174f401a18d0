"""Requests and answers of every legal form, each with what it means: how it is written is drawn, what it says is known.

What is said here of a message is meant to be read beside RFC 9110 and 9112, and not to be found out from the proxy.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

Fields = list[tuple[bytes, bytes]]
"""Names in lower case, values without the spaces around them."""

HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"x-hop"))
"""``X-Hop`` is named by a Connection header wherever it occurs here."""


def end_to_end(fields: Fields) -> Fields:
    """Return the fields that are for the other end; how a body is framed is read off the body."""
    return [(name, value) for name, value in fields if name not in HOP_BY_HOP]


@dataclass(frozen=True)
class Asked:
    """A request: its bytes, and what whoever it is for is to see of it."""

    wire: bytes
    method: bytes
    path: bytes
    fields: Fields
    body: bytes
    trailers: Fields
    minor: int
    keep: bool
    """The connection may go on after it."""


@dataclass(frozen=True)
class Told:
    """An answer: its bytes, and what it says."""

    wire: bytes
    status: int
    fields: Fields
    body: bytes
    trailers: Fields
    interim: list[int]
    """The statuses of the heads before it."""
    closes: bool
    """The backend closes the connection after it."""
    unlimited: bool
    """Only the end of the connection ends it."""
    chunked: bool


_gaps = st.sampled_from([b" ", b" ", b" ", b"", b"\t", b"  \t "])
_ends = st.sampled_from([b"", b"", b"", b" ", b"\t "])
_values = st.sampled_from(
    [b"", b"a", b'a, b;c="d\\" e"', b"\xe9\xff", b"a\tb", b"x" * 300, b"close", b"HTTP/1.1 200 OK", b"a:b:c", b"0"]
)
_request_names = st.sampled_from(
    [b"Accept", b"X-A", b"x-lower", b"X.~!#$%&'*+-^_`|1", b"Cookie", b"X-Forwarded-For", b"Content-Type", b"1"]
)
_answer_names = st.sampled_from([b"Server", b"Set-Cookie", b"X-A", b"x-lower", b"Date", b"ETag", b"X.~!#$%&'*+|"])
_trailers = st.lists(
    st.tuples(
        st.sampled_from([b"X-T", b"x-sum", b"Content-Length", b"Trailer", b"Host"]), st.just(b" "), _values, _ends
    ),
    max_size=3,
)
_NO_TRAILERS = frozenset((b"content-length", b"trailer", b"host"))
_bodies = st.sampled_from(
    [b"", b"x", b"hello", b"0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n", bytes(range(256)) * 3]
)

Line = tuple[bytes, bytes, bytes, bytes]
"""Name, the gap after the colon, value, and what stands behind it."""


_PASSING: list[Line] = [
    (b"Keep-Alive", b" ", b"timeout=5", b""),
    (b"Proxy-Connection", b" ", b"keep-alive", b""),
    (b"TE", b" ", b"trailers", b""),
    (b"TE", b" ", b"gzip;q=0.5, trailers", b""),
]
_MINOR = [1] * 9 + [0]


def _now_and_then(values: list[T]) -> st.SearchStrategy[list[T]]:
    """Draw one of ``values``, but most of the time none."""
    return st.integers(0, 3).flatmap(lambda n: st.just([]) if n else st.sampled_from(values).map(lambda one: [one]))


_connections = (
    _now_and_then([b"keep-alive", b"keep-alive", b"Keep-Alive, X-Hop", b"close", b"keep-alive, close"]),
    _now_and_then([b"keep-alive", b"x-hop", b"keep-alive, X-Hop,", b"close", b"Close", b",,close"]),
)
"""Values of Connection, in HTTP/1.0 and 1.1."""


def _written(lines: list[Line]) -> bytes:
    return b"".join(b"%b:%b%b%b\r\n" % line for line in lines)


def _meant(lines: list[Line]) -> Fields:
    return [(name.lower(), value.strip(b" \t")) for name, _, value, _ in lines]


@st.composite
def _chunks(draw: st.DrawFn, body: bytes) -> tuple[bytes, Fields]:
    """Return a body in chunks, as sloppy as is allowed, and its trailers."""
    out, at = [], 0
    while at < len(body):
        size = draw(st.integers(1, len(body) - at))
        number = draw(st.sampled_from([b"%x", b"%X", b"%04x"])) % size
        extension = draw(st.sampled_from([b"", b"", b";", b";a", b';a="b c"']))
        out.append(number + extension + b"\r\n" + body[at : at + size] + b"\r\n")
        at += size
    out.append(draw(st.sampled_from([b"0", b"000", b"0;last"])) + b"\r\n")
    lines: list[Line] = draw(_trailers)
    kept = [line for line in lines if line[0].lower() not in _NO_TRAILERS]
    return b"".join(out) + _written(lines) + b"\r\n", _meant(kept)


@st.composite
def _lines_among(draw: st.DrawFn, needed: list[Line], names: st.SearchStrategy[bytes]) -> list[Line]:
    """Return lines that have to be there, among others that anybody may send."""
    lines: list[Line] = draw(st.lists(st.tuples(names, _gaps, _values, _ends), max_size=4))
    for line in needed:
        lines.insert(draw(st.integers(0, len(lines))), line)
    return lines


@st.composite
def requests(draw: st.DrawFn, door: bytes = b"10.1.0.1:80") -> Asked:
    """Return a request of HTTP/1.1, or now and then 1.0, as it comes in by ``door``."""
    minor = draw(st.sampled_from(_MINOR))
    method = draw(
        st.sampled_from([b"GET", b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"PATCH", b"OPTIONS", b"M-SEARCH"])
    )
    path = draw(st.sampled_from([b"/", b"/a?b=c&d", b"/%2e%2E/;x", b"//x//", b"/" + b"p" * 200, b'/{}|^`"<>']))
    authority = draw(st.sampled_from([b"web", b"web.default:80", b"[::1]:8080", b"web.", b"a_b.c~d"]))
    target = path
    needed: list[Line] = []
    form = draw(st.sampled_from(["origin", "origin", "origin", "absolute", "star"]))
    host = draw(st.sampled_from([b"Host", b"host", b"HOST"]))
    has_host = minor == 1 or draw(st.booleans())
    if form == "absolute" and not path.startswith(b"//"):
        target = b"http://" + authority + path
        if has_host:
            needed.append((host, b" ", b"other:81", b""))
    elif has_host:
        needed.append((host, draw(_gaps), authority, draw(_ends)))
    if form == "star":
        method, target, path = b"OPTIONS", b"*", b"*"
    absolute = target.startswith(b"http://")

    keep = minor == 1
    for line in draw(_connections[minor]):
        needed.append((b"Connection", b" ", line, b""))
        keep = b"close" not in line.lower() and (keep or b"keep-alive" in line.lower())
        if b"x-hop" in line.lower():
            needed.append((b"X-Hop", b" ", b"1", b""))
    needed += draw(_now_and_then(_PASSING))

    framing = draw(st.sampled_from(["none", "none", "length", "chunked"]))
    body = draw(_bodies) if framing != "none" else b""
    tail, trailers = body, list[tuple[bytes, bytes]]()
    if framing == "length" or (framing == "chunked" and minor == 0):
        needed.append((draw(st.sampled_from([b"Content-Length", b"content-length"])), b" ", b"%d" % len(body), b""))
    elif framing == "chunked":
        needed.append((b"Transfer-Encoding", b" ", draw(st.sampled_from([b"chunked", b"Chunked"])), b""))
        tail, trailers = draw(_chunks(body))
    if framing != "none" and minor == 1 and draw(st.booleans()):
        needed.append((b"Expect", b" ", b"100-continue", b""))

    lines = draw(_lines_among(needed, _request_names))
    fields = _meant(lines)
    if absolute:
        fields = [(name, authority if name == b"host" else value) for name, value in fields]
    if not has_host:
        fields.insert(0, (b"host", authority if absolute else door))
    blank = draw(st.sampled_from([b"", b"", b"", b"\r\n", b"\r\n\r\n"]))
    wire = blank + b"%b %b HTTP/1.%d\r\n" % (method, target, minor) + _written(lines) + b"\r\n" + tail
    return Asked(wire, method, path, end_to_end(fields), body, trailers, minor, keep)


@st.composite
def answers(draw: st.DrawFn, method: bytes) -> Told:
    """Return an answer to a request with ``method``, framed in any way."""
    minor = draw(st.sampled_from(_MINOR))
    status = draw(st.sampled_from([200, 200, 200, 201, 206, 204, 304, 302, 404, 416, 500, 503, 299, 599]))
    phrase = draw(st.sampled_from([b" OK", b" ", b" \xe9\t!", b" Not What You Think"]))
    bare = method == b"HEAD" or status in (204, 304)
    framing = draw(st.sampled_from(["length"] * 6 + ["chunked", "chunked", "close"]))
    if framing == "chunked" and (minor == 0 or status == 204):
        framing = "length"
    body = draw(_bodies)
    tail, trailers = body, list[tuple[bytes, bytes]]()
    needed: list[Line] = []
    if framing == "length":
        name = draw(st.sampled_from([b"Content-Length", b"content-length"]))
        needed.append((name, draw(_gaps), b"%d" % len(body), draw(_ends)))
    elif framing == "chunked":
        needed.append((b"Transfer-Encoding", b" ", draw(st.sampled_from([b"chunked", b"CHUNKED"])), b""))
        tail, trailers = draw(_chunks(body))
    closes = minor == 0
    for line in draw(_connections[minor]):
        needed.append((b"Connection", b" ", line, b""))
        closes = b"close" in line.lower() or (closes and b"keep-alive" not in line.lower())
        if b"x-hop" in line.lower():
            needed.append((b"X-Hop", b" ", b"1", b""))
    lines = draw(_lines_among(needed, _answer_names))
    interim = draw(st.lists(st.sampled_from([100, 102, 103]), max_size=2)) if minor == 1 else []
    before = b"".join(b"HTTP/1.1 %d Wait\r\nX-Early: 1\r\n\r\n" % one for one in interim)
    head = b"HTTP/1.%d %d%b\r\n" % (minor, status, phrase) + _written(lines) + b"\r\n"
    fields = end_to_end(_meant(lines))
    told = Told(
        before + head + tail, status, fields, body, trailers, interim,
        closes=closes or framing == "close", unlimited=framing == "close", chunked=framing == "chunked",
    )  # fmt: skip
    if status == 204:
        told = replace(told, fields=[field for field in fields if field[0] != b"content-length"])
    if bare:
        told = replace(told, wire=before + head, body=b"", trailers=[], unlimited=False, chunked=False, closes=closes)
    return told


PLAIN = (
    Asked(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n", b"GET", b"/", [(b"host", b"web")], b"", [], 1, keep=True),
    Told(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, [(b"content-length", b"2")], b"ok", [], [],
        closes=False, unlimited=False, chunked=False,
    ),
)  # fmt: skip
"""What most conversations are made of."""


@st.composite
def _exchanges(draw: st.DrawFn) -> tuple[Asked, Told]:
    asked = draw(requests())
    return asked, PLAIN[1] if draw(st.booleans()) and asked.method != b"HEAD" else draw(answers(asked.method))


@st.composite
def conversations(draw: st.DrawFn, most: int = 4) -> tuple[list[Asked], list[Told]]:
    """Return requests of one client, and the answer to each."""
    pairs = draw(st.lists(_exchanges(), min_size=1, max_size=most))
    if draw(st.integers(0, 3)):  # then there is an idle connection for the others
        pairs.insert(0, PLAIN)
    return [asked for asked, _ in pairs], [told for _, told in pairs]

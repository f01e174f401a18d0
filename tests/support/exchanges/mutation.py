"""Requests and answers, changed in every way that a wrong peer, or a bad line, might change them.

A changed stream follows from a seed and a number alone, so that each can be made once more.
"""

import random
from collections.abc import Callable

from tests.support.exchanges.messages import PLAIN

Change = Callable[[bytes, random.Random], bytes]

REQUESTS = (
    PLAIN[0].wire,
    b"GET /a?b HTTP/1.1\r\nhost: web:80\r\nConnection: keep-alive\r\nCookie: a=b\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: web\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /p HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-T: v\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    b"GET http://web.default/x HTTP/1.1\r\nHost: other\r\nTE: trailers\r\nX-Hop: 1\r\nConnection: X-Hop, TE\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: web\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET /ws HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello",
    b"CONNECT web:80 HTTP/1.1\r\nHost: web\r\n\r\n",
    b"BREW /pot HTTP/1.1\r\nHost: web\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n",
)
ANSWERS = (
    PLAIN[1].wire,
    b"HTTP/1.1 200 OK\r\nServer: n\r\nContent-Length: 0\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: v\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbusy",
    b"HTTP/1.0 200 OK\r\n\r\nuntil close",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello",
)
PIECES = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b";", b"\r\n\r\n", b"\r\n ", b"\xff", b"\x80",
    b"HTTP/1.1", b"HTTP/0.0",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Content-Length: -1\r\n", b"Content-Length: 1, 1\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding : chunked\r\n",
    b"Host: x\r\n", b"Host: a b\r\n", b"Connection: close\r\n", b"Connection: content-length\r\n", b"Upgrade: h2c\r\n",
    b"0\r\n\r\n", b"ffffffffffffffff\r\n", b"3\r\nabc\r\n", b"99999999999999999999", b"GET / HTTP/1.1\r\n", b"X" * 3000,
    b"\x16\x03\x01\x00\x05hello", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)  # fmt: skip


def _flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(PIECES) + data[at:]


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    at, piece = rng.randint(0, len(data)), rng.choice(PIECES)
    return data[:at] + piece + data[at + len(piece) :]


def _delete(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + data[at + rng.choice((1, 1, 2, 20)) :]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randint(0, len(data))]


def _line(data: bytes, rng: random.Random) -> bytes:
    """Put a line among those of the head, where a whole line may stand."""
    lines = data.split(b"\r\n")
    lines.insert(rng.randint(0, len(lines)), rng.choice(PIECES).strip(b"\r\n"))
    return b"\r\n".join(lines)


def _double(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\r\n")
    line = rng.randrange(len(lines))
    return b"\r\n".join([*lines[: line + 1], *lines[line:]])


def _case(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + data[at : at + 20].swapcase() + data[at + 20 :]


def _garbage(_data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice((1, 4, 100, 2000)))


_CHANGES: tuple[Change, ...] = (
    _flip, _insert, _insert, _overwrite, _delete, _truncate, _line, _line, _double, _case, _garbage,
)  # fmt: skip


def stream(seeds: tuple[bytes, ...], rng: random.Random) -> bytes:
    """Return some messages one after the other, of which some are changed; most are whole."""
    out = []
    for _ in range(rng.choice((1, 2, 3, 5))):
        message = rng.choice(seeds)
        for _ in range(rng.choice((0, 0, 0, 1, 1, 2))):
            message = rng.choice(_CHANGES)(message, rng)
        out.append(message)
    return b"".join(out)

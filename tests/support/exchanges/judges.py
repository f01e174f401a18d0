"""h11 reads what the proxy forwards: it knows nothing of the proxy, and takes apart only what is well-formed."""

from dataclasses import dataclass, field
from typing import NamedTuple

import h11

from tests.support.exchanges.messages import Fields, end_to_end

_NEVER = 1 << 30


class Read(NamedTuple):
    """One message, as h11 has read it."""

    first: tuple[bytes, ...]
    """Method and target of a request, the status of an answer."""
    fields: Fields
    body: bytes
    trailers: Fields
    interim: list[int]


@dataclass
class _Message:
    first: tuple[bytes, ...] = ()
    fields: Fields = field(default_factory=list)
    body: bytes = b""
    interim: list[int] = field(default_factory=list)

    def take(self, event: object) -> Read | None:
        """Take an event; return the message once it is complete."""
        if isinstance(event, h11.Request):
            self.first, self.fields = (event.method, event.target), end_to_end(list(event.headers))
        elif isinstance(event, h11.InformationalResponse):
            self.interim.append(event.status_code)
        elif isinstance(event, h11.Response):
            self.first, self.fields = (b"%d" % event.status_code,), end_to_end(list(event.headers))
        elif isinstance(event, h11.Data):
            self.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return Read(self.first, self.fields, self.body, end_to_end(list(event.headers)), self.interim)
        return None


class Requests:
    """What a backend gets on one connection. Raises ``h11.RemoteProtocolError`` at what is no request."""

    def __init__(self) -> None:
        self.complete: list[Read] = []
        self._judge = h11.Connection(h11.SERVER, max_incomplete_event_size=_NEVER)
        self._message = _Message()

    def take(self, data: bytes) -> int:
        """Take more bytes; return how many requests have been completed by them."""
        before = len(self.complete)
        if data:
            self._judge.receive_data(data)
        while True:
            event = self._judge.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return len(self.complete) - before
            read = self._message.take(event)
            if read is not None:
                self.complete.append(read)
                self._message = _Message()
                self._judge.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                self._judge.send(h11.EndOfMessage())
                self._judge.start_next_cycle()


def read_answers(data: bytes, methods: list[bytes], *, closed: bool) -> tuple[list[Read], bytes]:
    """Return the answers in ``data`` to requests with these methods, and the bytes after the last one.

    ``closed``: the connection has ended after ``data``. Raises ``h11.RemoteProtocolError`` at what is no answer.
    """
    judge = h11.Connection(h11.CLIENT, max_incomplete_event_size=_NEVER)
    judge.receive_data(data)
    if closed:
        judge.receive_data(b"")
    found: list[Read] = []
    for method in methods:
        judge.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        judge.send(h11.EndOfMessage())
        message = _Message()
        while (read := message.take(event := judge.next_event())) is None:
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return found, judge.trailing_data[0]
        found.append(read)
        if judge.our_state is h11.MUST_CLOSE or judge.their_state is not h11.DONE:
            break
        judge.start_next_cycle()
    return found, judge.trailing_data[0]

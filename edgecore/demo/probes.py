"""What a user would do with dig and curl, with nothing but sockets, and every byte kept for showing."""

import http.client
import socket
import struct
from typing import NamedTuple

TYPE_A = 1
CLASS_IN = 1
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_QUERY_ID = 0xED6E
_RECURSION_DESIRED = 0x0100
_TIMEOUT_S = 10.0


class DnsExchange(NamedTuple):
    """One question and its answer."""

    question: bytes
    answer: bytes

    @property
    def rcode(self) -> str:
        """The response code by name (RFC 1035 section 4.1.1)."""
        return RCODES.get(self.answer[3] & 0x0F, str(self.answer[3] & 0x0F))

    @property
    def address(self) -> str:
        """The address in the only A record, or nothing."""
        answers = struct.unpack_from("!H", self.answer, 6)[0]
        # Header and question come back as they were; then the record: name pointer 2, type 2, class 2, TTL 4, length 2.
        start = len(self.question) + 12
        return socket.inet_ntoa(self.answer[start : start + 4]) if answers == 1 else ""


class HttpExchange(NamedTuple):
    """One request's answer."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: str


def ask(server: tuple[str, int], name: str) -> DnsExchange:
    """Ask a DNS server for the A record of ``name``. Raises ``OSError``."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    question = struct.pack("!6H", _QUERY_ID, _RECURSION_DESIRED, 1, 0, 0, 0) + labels + b"\0"
    question += struct.pack("!2H", TYPE_A, CLASS_IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(_TIMEOUT_S)
        client.connect(server)
        client.send(question)
        return DnsExchange(question, client.recv(4096))


def get(address: tuple[str, int], target: str, host: str) -> HttpExchange:
    """Send ``GET target`` to ``address``, naming ``host``. Raises ``OSError`` or ``http.client.HTTPException``."""
    connection = http.client.HTTPConnection(*address, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", target, headers={"Host": host})
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
        return HttpExchange(response.status, response.reason, response.getheaders(), body)
    finally:
        connection.close()

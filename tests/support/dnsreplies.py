"""Replies of upstream servers, put together record by record; nothing is compressed but where a test says so."""

from ipaddress import ip_address

A, NS, CNAME, SOA, MX, TXT, AAAA, SRV, DNAME, OPT, RRSIG, ANY = 1, 2, 5, 6, 15, 16, 28, 33, 39, 41, 46, 255


def name(text: str) -> bytes:
    """``www.example`` as it stands in a packet."""
    labels = [label.encode() for label in text.split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def question(text: str, rtype: int = A) -> bytes:
    return name(text) + rtype.to_bytes(2, "big") + b"\0\1"


def query(text: str, rtype: int = A, *, flags: int = 0x0100, opt: bytes = b"", query_id: bytes = b"\x12\x34") -> bytes:
    """A query as a stub resolver sends it."""
    counts = b"\0\1\0\0\0\0" + (b"\0\1" if opt else b"\0\0")
    return query_id + flags.to_bytes(2, "big") + counts + question(text, rtype) + opt


def opt(payload: int = 1232, *, dnssec_ok: bool = False, extended_rcode: int = 0) -> bytes:
    flags = 0x8000 if dnssec_ok else 0
    return b"\0\0\x29" + payload.to_bytes(2, "big") + bytes((extended_rcode, 0)) + flags.to_bytes(2, "big") + b"\0\0"


def rr(owner: str | bytes, rtype: int, ttl: int, data: bytes, rclass: int = 1) -> bytes:
    wire = name(owner) if isinstance(owner, str) else owner
    fixed = rtype.to_bytes(2, "big") + rclass.to_bytes(2, "big") + ttl.to_bytes(4, "big")
    return wire + fixed + len(data).to_bytes(2, "big") + data


def address(owner: str | bytes, text: str = "192.0.2.1", ttl: int = 300) -> bytes:
    packed = ip_address(text).packed
    return rr(owner, A if len(packed) == 4 else AAAA, ttl, packed)


def cname(owner: str | bytes, target: str | bytes, ttl: int = 300) -> bytes:
    return rr(owner, CNAME, ttl, name(target) if isinstance(target, str) else target)


def soa(owner: str | bytes, ttl: int = 900, minimum: int = 60) -> bytes:
    times = b"".join(each.to_bytes(4, "big") for each in (1, 7200, 1800, 86400, minimum))
    return rr(owner, SOA, ttl, name("ns.example") + name("hostmaster.example") + times)


def reply(
    asked: bytes,
    *answers: bytes,
    authority: tuple[bytes, ...] = (),
    additional: tuple[bytes, ...] = (),
    rcode: int = 0,
    flags: int = 0x8180,
) -> bytes:
    """The reply to the query ``asked``, under its id."""
    end = asked.index(b"\0", 12) + 5
    counts = b"".join(len(section).to_bytes(2, "big") for section in (answers, authority, additional))
    head = asked[:2] + (flags | rcode).to_bytes(2, "big") + b"\0\1" + counts + asked[12:end]
    return head + b"".join((*answers, *authority, *additional))


def records(packet: bytes) -> list[tuple[str, int, int, bytes]]:
    """Owner, type, TTL and data of each record behind the question, OPT left out; data as it stands there."""
    end = packet.index(b"\0", 12) + 5
    count = sum(int.from_bytes(packet[at : at + 2], "big") for at in (6, 8, 10))
    found = []
    at = end
    for _ in range(count):
        owner, at = _read(packet, at)
        rtype, ttl = int.from_bytes(packet[at : at + 2], "big"), int.from_bytes(packet[at + 4 : at + 8], "big")
        size = int.from_bytes(packet[at + 8 : at + 10], "big")
        if rtype != OPT:
            found.append((owner, rtype, ttl, packet[at + 10 : at + 10 + size]))
        at += 10 + size
    assert at == len(packet)
    return found


def _read(packet: bytes, at: int) -> tuple[str, int]:
    labels, end = [], None
    while length := packet[at]:
        if length >= 0xC0:
            end = end or at + 2
            at = (length & 0x3F) << 8 | packet[at + 1]
            continue
        labels.append(packet[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), end or at + 1

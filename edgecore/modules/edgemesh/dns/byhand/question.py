"""Questions as people write them: a name and a type, and the query packet that asks (pure, without dnslib)."""

import re
from ipaddress import ip_address

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.dns.packets.labels import LABEL_LIMIT_BYTES, NAME_LIMIT_BYTES, wire

TYPES = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "HINFO": 13,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "NAPTR": 35,
    "DS": 43,
    "DNSKEY": 48,
    "SVCB": 64,
    "HTTPS": 65,
    "CAA": 257,
    "ANY": 255,
}
"""Others are written by number: ``TYPE99`` (RFC 3597 section 5)."""

_NAMES = {number: name for name, number in TYPES.items()}
_HEADER = bytes.fromhex("0100 0001 0000 0000 0001")  # RD; one question, one additional record
_OPT = bytes.fromhex("00 0029 1000 00 00 0000 0000")  # EDNS version 0, up to 4,096 bytes
_CLASS_IN = b"\0\1"
_PIECE = re.compile(rb"\\([0-9]{3})|\\(.)|(\.)|(.)", re.DOTALL)


def type_number(text: str) -> int:
    """Return the number of a record type, in any case. Raises ``ContentError``."""
    name = text.upper()
    if name in TYPES:
        return TYPES[name]
    digits = name.removeprefix("TYPE")
    if re.fullmatch("[0-9]{1,5}", digits) and 0 < int(digits) < 65536:
        return int(digits)
    raise ContentError(
        f"cannot ask for records of type {text!r}: ask for {', '.join(TYPES)}, or another one by its number, as TYPE99"
    )


def type_name(number: int) -> str:
    """Return what people call a record type."""
    return _NAMES.get(number, f"TYPE{number}")


def reverse_name(text: str) -> str | None:
    """Return the name that the PTR records of an IP address have; ``None`` where ``text`` is no address."""
    try:
        return f"{ip_address(text).reverse_pointer}."
    except ValueError:
        return None


def wire_name(text: str) -> bytes:
    """Return a name as it stands in a packet; ``\\.`` and ``\\DDD`` are bytes of a label (RFC 1035 section 5.1).

    A name with letters beyond ASCII is taken for an international one (RFC 5891). Raises ``ContentError``.
    """
    labels = [b""]
    for decimal, escaped, dot, plain in _PIECE.findall(_ascii(text)):
        if dot:
            labels.append(b"")
        elif decimal and int(decimal) > 255:
            raise ContentError(f"cannot ask for {text!r}: \\{decimal.decode()} is no byte")
        else:
            labels[-1] += bytes((int(decimal),)) if decimal else escaped or plain
    if labels[-1] == b"":
        labels.pop()
    if not all(0 < len(label) <= LABEL_LIMIT_BYTES for label in labels):
        raise ContentError(f"cannot ask for {text!r}: between two dots there are 1 to {LABEL_LIMIT_BYTES} bytes")
    written = wire(labels)
    if len(written) > NAME_LIMIT_BYTES:
        raise ContentError(f"cannot ask for {text!r}: a name has up to {NAME_LIMIT_BYTES} bytes")
    return written


def query_packet(name: str, qtype: int, query_id: int = 0) -> bytes:
    """Return the query for ``name``, with recursion desired and EDNS. Raises ``ContentError``."""
    return query_id.to_bytes(2, "big") + _HEADER + wire_name(name) + qtype.to_bytes(2, "big") + _CLASS_IN + _OPT


def _ascii(text: str) -> bytes:
    if text in ("", "."):
        return b""
    try:
        return text.encode() if text.isascii() else text.encode("idna")
    except UnicodeError as error:
        raise ContentError(f"cannot ask for {text!r}: {error}") from None

# mypy: allow-untyped-calls
# (dnslib carries no annotations)
"""A reply as people and programs read it: its flags, and its records in the form of zone files (RFC 1035 section 5)."""

from typing import Any

from dnslib import RR, DNSRecord
from dnslib.buffer import BufferError as BadBuffer
from dnslib.dns import DNSError

from edgecore.modules.edgemesh.dns.byhand.question import type_name

RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")
_BADVERS = 16
_FLAGS = ((2, 0x04, "aa"), (2, 0x02, "tc"), (2, 0x01, "rd"), (3, 0x80, "ra"), (3, 0x20, "ad"), (3, 0x10, "cd"))
_OPT = 41


def present(reply: bytes) -> dict[str, Any]:
    """Return the reply as JSON values: ``status``, ``flags``, the three sections, ``bytes``.

    Of a reply that cannot be read there are status and flags alone, and ``unreadable`` says why.
    """
    head: dict[str, Any] = {
        "status": rcode_name(reply[3] & 0x0F),
        "flags": [name for at, bit, name in _FLAGS if reply[at] & bit],
        "bytes": len(reply),
        "answer": [],
        "authority": [],
        "additional": [],
    }
    try:
        record = DNSRecord.parse(reply)
        sections = {"answer": record.rr, "authority": record.auth, "additional": record.ar}
        told = {name: [_record(one) for one in section if one.rtype != _OPT] for name, section in sections.items()}
        extended = next((one.edns_rcode for one in record.ar if one.rtype == _OPT), 0)
    except (DNSError, BadBuffer, ValueError, LookupError, RecursionError) as error:
        return {**head, "unreadable": str(error) or type(error).__name__}
    return {**head, "status": rcode_name(reply[3] & 0x0F | extended << 4), **told}


def rcode_name(rcode: int) -> str:
    """Return what people call a response code."""
    if rcode == _BADVERS:
        return "BADVERS"
    return RCODES[rcode] if rcode < len(RCODES) else f"RCODE{rcode}"


def _record(record: RR) -> dict[str, Any]:
    return {
        "name": str(record.rname),
        "ttl": int(record.ttl),
        "type": type_name(record.rtype),
        "data": str(record.rdata),
    }

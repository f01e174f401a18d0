"""The names of all services, with the answers to their commonest questions, A and AAAA, ready as bytes.

A service is asked for by its full name, ``<service>.<namespace>.svc.<domain>``, or by a short one:
``<service>.<namespace>.svc``, ``<service>.<namespace>`` and, in the namespace ``default``, ``<service>``. A short name
counts as a zone of its own, so the SOA of its negative answers is its own too: that of the cluster domain would not be
above the name (RFC 2308 section 3).
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from ipaddress import IPv4Address
from typing import NamedTuple

from dnslib import RR

from edgecore.errors import ConfigError
from edgecore.modules.edgemesh.dns.packet import HEADER_BYTES, LABEL_LIMIT_BYTES, NAME_LIMIT_BYTES, Query
from edgecore.modules.edgemesh.dns.records import (
    CLASS_IN,
    NOERROR,
    TYPE_A,
    TYPE_AAAA,
    address_record,
    compose,
    soa_record,
)
from edgecore.modules.edgemesh.names import ServiceKey

NEGATIVE_TTL_S = 5
"""A service that was asked for before it came must not stay unknown for as long as a known one stays known."""

Labels = tuple[bytes, ...]

_DEFAULT_NAMESPACE = b"default"
_SVC = b"svc"
_OPT_REPLY = bytes.fromhex(
    "00 0029 04d0 00 00 0000 0000"
)  # root, OPT, payload 1232, rcode 0, version 0, no flags, empty
_OPT_REPLY_DO = bytes.fromhex("00 0029 04d0 00 00 8000 0000")


class Standing(Enum):
    """What a name is to us."""

    SERVICE = "service"
    APEX = "apex"
    EMPTY = "empty"
    """No records of its own, but names below it."""
    MISSING = "missing"
    OUTSIDE = "outside"


class _Ready(NamedTuple):
    """A reply without its id, flags, question and OPT."""

    counts: bytes
    """QDCOUNT, ANCOUNT, NSCOUNT."""
    tail: bytes
    """What follows the question; its pointers count from the packet's start, so they hold for any spelling."""


class NameTable:
    """Which service has which fake IP. Names that differ in case only are one name; the last ``set`` holds."""

    def __init__(self, cluster_domain: str = "cluster.local", ttl_s: int = 64, *, complete: bool = True) -> None:
        self.complete = complete
        """False while there may be services that are not set yet: then nobody may be told that a name is missing."""
        self.domain = _domain_labels(cluster_domain)
        self.ttl_s = ttl_s
        self._addresses: dict[tuple[bytes, bytes], IPv4Address] = {}
        self._namespaces: dict[bytes, int] = {}
        self._ready: dict[bytes, _Ready] = {}
        self._nodata_by_zone: dict[int, _Ready] = {}
        self._answered = _ready((b"a",), answers=[address_record((b"a",), IPv4Address(0), ttl_s)])
        self._heads = dict(_ready_heads())

    def __len__(self) -> int:
        return len(self._addresses)

    def set(self, service: ServiceKey, address: str) -> bool:
        """Answer for ``service`` with IPv4 ``address``; return False if its name has no room in a DNS name.

        Raises ``ValueError`` if ``address`` is not an IPv4 address.
        """
        namespace, name = key = _folded(service)
        ip = IPv4Address(address)
        if not _fits((name, namespace, _SVC, *self.domain)):
            return False
        if self._addresses.get(key) == ip:
            return True
        if key not in self._addresses:
            self._namespaces[namespace] = self._namespaces.get(namespace, 0) + 1
        self._addresses[key] = ip
        # Of the name there is only a pointer in it, to the question; the address is its end.
        answered = _Ready(self._answered.counts, self._answered.tail[: -len(ip.packed)] + ip.packed)
        for labels in self._names_of(key):
            self._ready[_question(labels, TYPE_A)] = answered
            self._ready[_question(labels, TYPE_AAAA)] = self._nodata(labels)
        return True

    def remove(self, service: ServiceKey) -> None:
        """Forget ``service``; does nothing if it is not known."""
        key = _folded(service)
        if self._addresses.pop(key, None) is None:
            return
        self._namespaces[key[0]] -= 1
        if not self._namespaces[key[0]]:
            del self._namespaces[key[0]]
        for labels in self._names_of(key):
            del self._ready[_question(labels, TYPE_A)]
            del self._ready[_question(labels, TYPE_AAAA)]

    def ready(self, packet: bytes) -> bytes | None:
        """Return the reply to a plain A or AAAA question for a service; ``None``: it takes a closer look.

        Plain: no flags but RD, AD and CD; nothing behind the question, or an OPT record of version 0 with at most one
        option. The first zero byte ends the name: labels with zero bytes in them are in no table.
        """
        end = packet.find(0, HEADER_BYTES) + 5
        question = packet[HEADER_BYTES:end]
        # Lengths are below "A" and pass through lower() unchanged, and no type but 1 and 28 becomes 1 or 28.
        ready = self._ready.get(question.lower())
        head = self._heads.get(packet[2:HEADER_BYTES])
        if ready is None or head is None:
            return None
        flags, additional, opt = head
        rest = packet[end:]
        if not (_is_plain_opt(rest) if opt else not rest):
            return None
        if opt and rest[7] & 0x80:
            opt = _OPT_REPLY_DO
        return b"".join((packet[:2], flags, ready.counts, additional, question, ready.tail, opt))

    def find(self, labels: Labels) -> tuple[Standing, IPv4Address | None]:
        """Return what the name ``labels``, in any case, is; with the address if it is a service's."""
        name = tuple(label.lower() for label in labels)
        if self._is_inside(name):
            return self._find_inside(name[: -len(self.domain)])
        if len(name) == 1:
            address = self._addresses.get((_DEFAULT_NAMESPACE, name[0]))
        elif len(name) == 2 or (len(name) == 3 and name[2] == _SVC):
            address = self._addresses.get((name[1], name[0]))
        else:
            address = None
        return (Standing.OUTSIDE, None) if address is None else (Standing.SERVICE, address)

    def soa(self, labels: Labels) -> RR:
        """Return the SOA record of the zone that the name ``labels`` is in, spelled as the name is."""
        return soa_record(self._zone(labels), min(self.ttl_s, NEGATIVE_TTL_S))

    def _nodata(self, labels: Labels) -> _Ready:
        """Return the ready answer without records; it depends only on where in the packet the name's zone begins."""
        zone_at = len(_wire(labels)) - len(_wire(self._zone(labels)))
        if zone_at not in self._nodata_by_zone:
            self._nodata_by_zone[zone_at] = _ready(labels, authority=[self.soa(labels)])
        return self._nodata_by_zone[zone_at]

    def _zone(self, labels: Labels) -> Labels:
        is_inside = self._is_inside(tuple(label.lower() for label in labels))
        return labels[-len(self.domain) :] if is_inside else labels

    def _is_inside(self, name: Labels) -> bool:
        return name[-len(self.domain) :] == self.domain

    def _find_inside(self, name: Labels) -> tuple[Standing, IPv4Address | None]:
        match name:
            case ():
                return Standing.APEX, None
            case (b"svc",):
                return Standing.EMPTY, None
            case (namespace, b"svc") if namespace in self._namespaces:
                return Standing.EMPTY, None
            case (service, namespace, b"svc") if (namespace, service) in self._addresses:
                return Standing.SERVICE, self._addresses[namespace, service]
            case _:
                return Standing.MISSING, None

    def _names_of(self, key: tuple[bytes, bytes]) -> Iterator[Labels]:
        """Yield the full name and the short ones; not one that would hide a name of the cluster domain."""
        namespace, name = key
        yield (name, namespace, _SVC, *self.domain)
        short = [(name, namespace, _SVC), (name, namespace)]
        if namespace == _DEFAULT_NAMESPACE:
            short.append((name,))
        yield from (labels for labels in short if not self._is_inside(labels))


def _domain_labels(text: str) -> Labels:
    labels = tuple(label.lower() for label in text.rstrip(".").encode().split(b"."))
    if not _fits((b"hostmaster", *labels)):
        raise ConfigError(f"cannot serve cluster domain {text!r}: a label has 1 to 63 bytes, a name up to 255")
    return labels


def _folded(service: ServiceKey) -> tuple[bytes, bytes]:
    namespace, name = (text.encode(errors="surrogatepass").lower() for text in service)
    return namespace, name


def _fits(labels: Labels) -> bool:
    return all(0 < len(label) <= LABEL_LIMIT_BYTES for label in labels) and len(_wire(labels)) <= NAME_LIMIT_BYTES


def _wire(labels: Labels) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


def _question(labels: Labels, qtype: int) -> bytes:
    return _wire(labels) + bytes((0, qtype, 0, CLASS_IN))


def _ready(labels: Labels, *, answers: Sequence[RR] = (), authority: Sequence[RR] = ()) -> _Ready:
    """Compose a whole reply and keep what is the same in all replies to that question."""
    end = HEADER_BYTES + len(_question(labels, TYPE_A))
    query = Query(labels, TYPE_A, CLASS_IN, end)
    reply = compose(bytes(HEADER_BYTES), query, NOERROR, authoritative=True, answers=answers, authority=authority)
    return _Ready(reply[4:10], reply[end:])


def _ready_heads() -> Iterator[tuple[bytes, tuple[bytes, bytes, bytes]]]:
    """Yield bytes 2 to 11 of each plain query, with the flags, the ARCOUNT and the OPT record of its reply."""
    for recursion in (0x00, 0x01):
        for checking in (0x00, 0x10, 0x20, 0x30):  # CD, which is repeated, and AD, which is not
            flags = bytes((0x84 | recursion, 0x80 | checking & 0x10))  # QR, AA; RA
            for additional, opt in ((b"\0\0", b""), (b"\0\1", _OPT_REPLY)):
                yield bytes((recursion, checking)) + b"\0\1\0\0\0\0" + additional, (flags, additional, opt)


def _is_plain_opt(rest: bytes) -> bool:
    """Say whether ``rest`` is one OPT record of version 0, with at most one option, and nothing else."""
    size = len(rest)
    if rest[:3] != b"\x00\x00\x29" or rest[6:7] != b"\0" or int.from_bytes(rest[9:11], "big") != size - 11:
        return False
    return size == 11 or (size >= 15 and int.from_bytes(rest[13:15], "big") == size - 15)

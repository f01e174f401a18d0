"""Queries as bytes, and the services of the recording."""

import json
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from dnslib import QTYPE, DNSRecord
from dnslib.label import DNSLabel

from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPort

OPTS = {
    "": b"",
    "plain": bytes.fromhex("00 0029 1000 00 00 0000 0000"),
    "cookie": bytes.fromhex("00 0029 04d0 00 00 0000 000c 000a 0008 0123456789abcdef"),
    "dnssec": bytes.fromhex("00 0029 1000 00 00 8000 0000"),
    "tiny": bytes.fromhex("00 0029 0000 00 00 0000 0000"),
    "version 1": bytes.fromhex("00 0029 1000 00 01 0000 0000"),
    "version 1, dnssec": bytes.fromhex("00 0029 1000 00 01 8000 0000"),
}


@pytest.fixture(scope="session")
def query() -> Callable[..., bytes]:
    """query(name, type, opt="", flags=RD, qclass=IN): a query with id 0x1234; ``opt`` is a key of OPTS or bytes."""

    def make(name: str, qtype: str = "A", *, opt: str | bytes = "", flags: int = 0x0100, qclass: int = 1) -> bytes:
        edns = OPTS[opt] if isinstance(opt, str) else opt
        labels = DNSLabel(name).label
        wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
        counts = b"\0\1\0\0\0\0" + (b"\0\1" if edns else b"\0\0")
        end = getattr(QTYPE, qtype).to_bytes(2, "big") + qclass.to_bytes(2, "big")
        return b"\x12\x34" + flags.to_bytes(2, "big") + counts + wire + end + edns

    return make


@pytest.fixture
def recorded_names() -> NameTable:
    """The services that the recorded Go node had, with its fake IPs."""
    names = NameTable()
    names.serve_pool(IPv4Network("9.251.0.0/16"))
    http = PublishedPort("http-0", "TCP", 12345)
    for namespace, name, address, ports, external_name in [
        ("default", "kubernetes", "9.251.0.1", (), ""),
        ("default", "nginx-svc", "9.251.0.2", (http,), ""),
        ("default", "headless-svc", "9.251.0.5", (), ""),
        ("kube-system", "sys-svc", "9.251.0.7", (), ""),
        ("default", "ext-svc", None, (), "a.test"),
    ]:
        key = ServiceKey(namespace, name)
        assert names.set(Published(key, address, ports, external_name=external_name))
    return names


@pytest.fixture(scope="session")
def recording() -> list[dict[str, Any]]:
    path = Path(__file__).parents[3] / "data" / "dns.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="session")
def shown() -> Callable[[bytes], str]:
    """shown(reply): flags, rcode, records and OPT as one line."""

    def show(packet: bytes) -> str:
        record = DNSRecord.parse(packet)
        header = record.header
        words = [word for word in ("aa", "tc", "rd", "ra", "ad", "cd") if getattr(header, word)]
        words.append(f"rcode={header.rcode}")
        words += [f"{QTYPE[rr.rtype]}={rr.rdata}/{rr.ttl}" for rr in record.rr]
        words += [f"{QTYPE[rr.rtype]}:{rr.rname}/{rr.ttl}" for rr in record.auth]
        opts = [rr for rr in record.ar if rr.rtype == QTYPE.OPT]
        words += [f"+{rr.rname} {QTYPE[rr.rtype]}={rr.rdata}/{rr.ttl}" for rr in record.ar if rr not in opts]
        words += [f"opt({rr.edns_len},{rr.edns_rcode},{rr.edns_ver},{rr.edns_do})" for rr in opts]
        return " ".join(words)

    return show

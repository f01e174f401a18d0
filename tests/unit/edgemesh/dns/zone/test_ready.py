"""The bytes that are ready, against those that dnslib makes."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.packets.labels import wire, wire_bytes
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, PLAIN_LIMIT_BYTES, Query, read_query
from edgecore.modules.edgemesh.dns.packets.records import NOERROR, NXDOMAIN, address_record, compose, soa_record
from edgecore.modules.edgemesh.dns.zone.ready import PACK_FIRST, ReadyAnswers

V4, V6 = IPv4Address("127.251.0.1"), IPv6Address("fd00:ec::7ffb:1")
LABEL = st.binary(min_size=1, max_size=63)
NAME = st.lists(LABEL, min_size=1, max_size=6).map(tuple).filter(lambda labels: wire_bytes(labels) <= 255)


def asked(packet: bytes) -> Query:
    read = read_query(packet)
    assert isinstance(read, Query)
    return read


@given(NAME, st.data(), st.sampled_from([NOERROR, NXDOMAIN]))
def test_negative_answer_is_the_composed_one_and_fits_every_asker(labels, data, rcode):
    before = data.draw(st.integers(0, len(labels) - 1))
    zone = labels[before:]
    packet = b"\x12\x34\1\x10\0\1\0\0\0\0\0\0" + wire(labels) + b"\0\x10\0\1"
    query = asked(packet)
    reply = ReadyAnswers(64, 5).negative(packet, query, rcode, query.end - 4 - wire_bytes(zone))
    assert len(reply) <= PLAIN_LIMIT_BYTES
    hidden = {b"hostmaster", b"ns", b"dns"}.intersection(labels)  # dnslib would point at these too
    if not hidden and wire_bytes(zone) + 11 <= 255:
        soa = soa_record(zone, 5)
        assert reply == compose(packet, query, rcode, authoritative=True, authority=[soa], limit_bytes=4096)


@pytest.mark.parametrize("qtype", ["A", "AAAA"])
@pytest.mark.parametrize("opt", ["", "plain", "cookie", "dnssec", "tiny"])
def test_addresses_are_the_composed_ones(qtype, opt, query):
    table = ReadyAnswers(64, 5, has_ipv6=True)
    table.set(wire((b"web",)), table.of(V4, V6, 12))
    packet = query("wEb", qtype, opt=opt)
    record = address_record((b"wEb",), V4 if qtype == "A" else V6, 64)
    assert table.reply(packet) == compose(packet, asked(packet), NOERROR, authoritative=True, answers=[record])


@pytest.mark.parametrize("payload", [0, 511, 1232, 1233, 4096, 65535])
@pytest.mark.parametrize("do", [0, 1])
@pytest.mark.parametrize(
    "options", ["", "000a00080123456789abcdef", "0003 0000", "000a00080123456789abcdef 0003 0000", "000c 0003 000000"]
)
def test_opt_record_of_any_payload_and_options_is_ready(payload, do, options, query):
    data = bytes.fromhex(options)
    opt = b"\0\0\x29" + payload.to_bytes(2, "big") + bytes((0, 0, do << 7, 0)) + len(data).to_bytes(2, "big") + data
    table = ReadyAnswers(64, 5)
    table.set(wire((b"web",)), table.of(V4, None, 12))
    packet = query("web", opt=opt)
    record = address_record((b"web",), V4, 64)
    assert table.reply(packet) == compose(packet, asked(packet), NOERROR, authoritative=True, answers=[record])


def test_services_share_the_tail_of_their_negative_answers():
    table = ReadyAnswers(64, 5)
    assert table.of(V4, None, 30)[1] is table.of(IPv4Address("127.251.0.2"), None, 30)[1]


def test_name_is_in_the_table_once_and_then_no_more(query):
    table = ReadyAnswers(64, 5)
    table.set(wire((b"web",)), table.of(V4, None, 12))
    assert len(table) == 1
    table.remove(wire((b"web",)))
    table.remove(wire((b"web",)))
    assert len(table) == 0
    assert table.reply(query("web", "AAAA")) is None


def test_table_that_has_grown_answers_as_before(query):
    table = ReadyAnswers(64, 5)
    total = 3 * PACK_FIRST
    for number in range(total):
        labels = (b"svc-%d" % number, b"default", b"svc", b"cluster", b"local")
        ready = table.of(IPv4Address(number), None, HEADER_BYTES + wire_bytes(labels[:3]) - 1)
        table.set(wire(labels), ready)
        table.set(wire(labels[:1]), ready)
    table.remove(wire((b"svc-7",)))
    assert len(table) == 2 * total - 1
    assert table.reply(query("svc-7")) is None
    for number in range(total):
        for name in {f"svc-{number}.default.svc.cluster.local", f"svc-{number}"} - {"svc-7"}:
            reply = table.reply(query(name))
            assert reply is not None
            assert reply[-4:] == number.to_bytes(4, "big")
            assert table.reply(query(name, "AAAA")) is not None

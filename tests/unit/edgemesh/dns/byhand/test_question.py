"""Names and types as people write them."""

import pytest
from dnslib import DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.dns.byhand.question import (
    TYPES,
    query_packet,
    reverse_name,
    type_name,
    type_number,
    wire_name,
)
from edgecore.modules.edgemesh.dns.packets.packet import Query, name_text, read_query


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("web.default.svc.cluster.local", (b"web", b"default", b"svc", b"cluster", b"local")),
        ("web.default.", (b"web", b"default")),
        ("Web", (b"Web",)),
        (".", ()),
        ("", ()),
        (r"a\.b.c", (b"a.b", b"c")),
        (r"a\000\255.c", (b"a\0\xff", b"c")),
        ("b\u00fccher.example", (b"xn--bcher-kva", b"example")),
        ("_http._tcp.web", (b"_http", b"_tcp", b"web")),
    ],
)
def test_a_name_is_asked_for_as_it_is_written(text, labels):
    query = read_query(query_packet(text, 1))
    assert isinstance(query, Query)
    assert (query.labels, query.qtype, query.qclass, query.edns_version) == (labels, 1, 1, 0)


@pytest.mark.parametrize("text", ["a..b", ".a", "..", "a" * 64, ".".join(["a" * 60] * 5), r"a\256", "\u00fc" * 70])
def test_a_name_that_no_packet_can_hold_is_refused(text):
    with pytest.raises(ContentError, match="cannot ask for"):
        wire_name(text)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=6))
def test_a_name_that_is_shown_can_be_asked_for(labels):
    wire = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    assert wire_name(name_text(wire)) == wire


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_refused(text):
    try:
        wire = wire_name(text)
    except ContentError:
        return
    assert len(wire) <= 255


def test_a_query_is_what_other_libraries_read():
    record = DNSRecord.parse(query_packet("web.default", 33, 7))
    assert (record.header.id, record.header.rd, record.header.qr, str(record.q.qname)) == (7, 1, 0, "web.default.")
    assert record.q.qtype == 33
    assert record.ar[0].edns_len == 4096


@pytest.mark.parametrize(("text", "number"), [("A", 1), ("aaaa", 28), ("TYPE33", 33), ("type65280", 65280), ("99", 99)])
def test_a_type_has_a_name_or_a_number(text, number):
    assert type_number(text) == number


@pytest.mark.parametrize("text", ["", "NOSUCH", "TYPE", "TYPE0", "TYPE65536", "-1", "TYPE-1", "TYPE\u0663"])
def test_a_type_that_is_none_is_refused_and_the_others_are_named(text):
    with pytest.raises(ContentError, match="SRV"):
        type_number(text)


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_shown_by_its_name(name):
    assert type_name(type_number(name)) == name
    assert type_name(65280) == "TYPE65280"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("127.251.0.1", "1.0.251.127.in-addr.arpa."),
        ("::1", "1." + "0." * 31 + "ip6.arpa."),
        ("web", None),
        ("127.1", None),
    ],
)
def test_an_address_has_a_reverse_name(text, name):
    assert reverse_name(text) == name

"""Aliases, and the replies that come of what upstream servers say."""

import pytest
from dnslib import CNAME, QTYPE, RR, SOA, A, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.packets.packet import Query, read_query
from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import ALIASES_LIMIT, Reply, decide
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published

SITE = "site.prod.svc.cluster.local"
TARGET = (b"www", b"example")


def aliases(**targets: str) -> NameTable:
    """Services of the namespace prod that stand for other names, and the service web.prod."""
    names = NameTable()
    names.set(Published(ServiceKey("prod", "web"), "127.251.0.1"))
    for name, target in targets.items():
        assert names.set(Published(ServiceKey("prod", name), None, external_name=target))
    return names


@pytest.fixture
def chase(query) -> Chase:
    return chase_of(query(SITE, opt="plain"))


def chase_of(packet: bytes, limit: int = 1232) -> Chase:
    decision = decide(packet, aliases(site="www.example"), limit)
    assert isinstance(decision, Chase)
    return decision


def upstream_reply(*records: RR, rcode: int = 0, name: str = "www.example", authority: tuple[RR, ...] = ()) -> bytes:
    record = DNSRecord.question(name).reply(ra=1, aa=0)
    record.header.rcode = rcode
    record.add_answer(*records)
    record.add_auth(*authority)
    return bytes(record.pack())


ADDRESS = RR("www.example", QTYPE.A, ttl=300, rdata=A("192.0.2.7"))
OUTER_SOA = RR("example", QTYPE.SOA, ttl=60, rdata=SOA("ns.example", "root.example", (1, 2, 3, 4, 5)))
FOUND = upstream_reply(ADDRESS)
NS_SOA = "SOA:example./60"
ALIAS = "CNAME=www.example./64"


@pytest.mark.parametrize("qtype", ["A", "AAAA", "SRV", "MX"])
@pytest.mark.parametrize("name", [SITE, "Site.Prod.svc", "site.prod"])
def test_alias_of_a_name_outside_is_asked_for_upstream(name, qtype, query):
    decision = decide(query(name, qtype), aliases(site="WWW.example."))
    assert isinstance(decision, Chase)
    assert decision.targets == (TARGET,)
    read = read_query(decision.asking(TARGET))
    assert isinstance(read, Query)
    assert (read.labels, read.qtype) == (TARGET, getattr(QTYPE, qtype))
    assert decision.links(TARGET) == ((b"\x03www\x07example\0", 64),)
    assert decision.question(TARGET) == decision.asking(TARGET)[12:]


@pytest.mark.parametrize("qtype", ["CNAME", "ANY"])
def test_alias_itself_is_answered_by_us(qtype, query, shown):
    decision = decide(query(SITE, qtype), aliases(site="www.example"))
    assert isinstance(decision, Reply)
    assert shown(decision.packet) == f"aa rd ra rcode=0 {ALIAS}"


@pytest.mark.parametrize(("flags", "kept"), [(0x0000, 0x0000), (0x0100, 0x0100), (0x0130, 0x0110)])
@pytest.mark.parametrize(("opt", "edns", "do"), [("", None, False), ("tiny", 0, False), ("dnssec", 0, True)])
def test_question_upstream_has_the_asker_s_flags(flags, kept, opt, edns, *, do, query):
    asking = chase_of(query(SITE, flags=flags, opt=opt)).asking(TARGET)
    assert int.from_bytes(asking[2:4], "big") == kept
    read = read_query(asking)
    assert isinstance(read, Query)
    assert (read.edns_version, read.dnssec_ok) == (edns, do)


@pytest.mark.parametrize(
    ("targets", "name", "qtype", "expected"),
    [
        (
            {"site": "web.prod.svc.cluster.local"},
            "site.prod",
            "A",
            "rcode=0 CNAME=web.prod.svc.cluster.local./64 A=127.251.0.1/64",
        ),
        ({"site": "web.prod"}, "site.prod", "A", "rcode=0 CNAME=web.prod./64 A=127.251.0.1/64"),
        (
            {"site": "web.prod.svc.cluster.local"},
            "site.prod",
            "AAAA",
            "rcode=0 CNAME=web.prod.svc.cluster.local./64 SOA:cluster.local./5",
        ),
        (
            {"site": "no.prod.svc.cluster.local"},
            "site.prod",
            "A",
            "rcode=3 CNAME=no.prod.svc.cluster.local./64 SOA:cluster.local./5",
        ),
        (
            {"a": "b.prod", "b": "web.prod"},
            "a.prod",
            "A",
            "rcode=0 CNAME=b.prod./64 CNAME=web.prod./64 A=127.251.0.1/64",
        ),
    ],
)
def test_alias_of_a_name_of_ours_is_answered_by_us(targets, name, qtype, expected, query, shown):
    decision = decide(query(name, qtype), aliases(**targets))
    assert isinstance(decision, Reply)
    assert shown(decision.packet) == f"aa rd ra {expected}"


@pytest.mark.parametrize("targets", [{"a": "a.prod"}, {"a": "b.prod", "b": "A.Prod.svc.cluster.local"}])
def test_circle_of_aliases_is_servfail(targets, query, shown):
    decision = decide(query("a.prod"), aliases(**targets))
    assert isinstance(decision, Reply)
    assert (decision.outcome, shown(decision.packet)) == ("failed", "rd ra rcode=2")


def test_longest_chain_is_followed(query):
    chain = {f"a{number}": f"a{number + 1}.prod" for number in range(ALIASES_LIMIT - 1)}
    names = aliases(**chain, **{f"a{ALIASES_LIMIT - 1}": "www.example"})
    decision = decide(query("a0.prod"), names)
    assert isinstance(decision, Chase)
    assert len(decision.aliases) == ALIASES_LIMIT


def test_while_the_table_is_incomplete_an_alias_of_an_unknown_name_of_ours_is_servfail(query):
    names = aliases(site="late.prod.svc.cluster.local")
    names.complete = False
    decision = decide(query("site.prod"), names)
    assert isinstance(decision, Reply)
    assert decision.outcome == "failed"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (upstream_reply(ADDRESS), f"rcode=0 {ALIAS} A=192.0.2.7/300"),
        (
            upstream_reply(RR("www.example", QTYPE.CNAME, ttl=9, rdata=CNAME("x.example")), ADDRESS),
            f"rcode=0 {ALIAS} CNAME=x.example./9 A=192.0.2.7/300",
        ),
        (upstream_reply(authority=(OUTER_SOA,)), f"rcode=0 {ALIAS} {NS_SOA}"),
        (upstream_reply(rcode=3, authority=(OUTER_SOA,)), f"rcode=3 {ALIAS} {NS_SOA}"),
    ],
    ids=["address", "alias", "no_data", "no_name"],
)
def test_what_upstream_servers_say_stands_behind_the_alias(reply, expected, chase, shown):
    packet, is_answer = chase.finished(TARGET, reply)
    assert is_answer
    assert shown(packet) == f"aa rd ra {expected} opt(1232,0,0,0)"
    assert packet[:2] == chase.packet[:2]
    assert packet[12 : chase.query.end] == chase.packet[12 : chase.query.end]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(None, id="none"),
        pytest.param(b"", id="empty"),
        pytest.param(FOUND[:-1], id="cut off"),
        pytest.param(FOUND + bytes(4096), id="too long"),
        pytest.param(upstream_reply(rcode=2), id="SERVFAIL"),
        pytest.param(upstream_reply(rcode=5), id="REFUSED"),
    ],
)
def test_without_a_reply_of_use_the_alias_is_servfail(reply, chase, shown):
    packet, is_answer = chase.finished(TARGET, reply)
    assert not is_answer
    assert shown(packet) == "rd ra rcode=2 opt(1232,0,0,0)"


def test_truncated_reply_is_passed_on_as_truncated(chase):
    reply = bytearray(upstream_reply())
    reply[2] |= 2
    packet, _ = chase.finished(TARGET, bytes(reply))
    assert packet[2] & 2


@pytest.mark.parametrize(("opt", "size"), [("", 512), ("plain", 1232)])
def test_long_answer_is_cut_to_what_the_asker_takes(opt, size, query):
    many = [RR("www.example", QTYPE.A, ttl=300, rdata=A(f"192.0.2.{number}")) for number in range(100)]
    packet, _ = chase_of(query(SITE, opt=opt)).finished(TARGET, upstream_reply(*many))
    assert len(packet) <= size
    assert packet[2] & 2
    whole, _ = chase_of(query(SITE, opt=opt), 65535).finished(TARGET, upstream_reply(*many))
    assert len(DNSRecord.parse(whole).rr) == 101


def test_search_ends_with_the_first_name_that_exists(query, shown):
    missing = b"missing"
    packet = query("x.default.svc.cluster.local")
    read = read_query(packet)
    assert isinstance(read, Query)
    chase = Chase(packet, read, (), (TARGET,), 1232, search=(read.labels, 5), missing=missing)
    assert chase.links(TARGET) == ((b"\x03www\x07example\0", 5),)
    assert chase.exists(None)
    assert not chase.exists(upstream_reply(rcode=3))
    assert chase.finished(TARGET, upstream_reply(rcode=3)) == (missing, True)
    found, _ = chase.finished(TARGET, upstream_reply(ADDRESS))
    assert shown(found) == "aa rd ra rcode=0 CNAME=www.example./5 A=192.0.2.7/300"


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda rest: FOUND[:12] + rest))
def test_any_bytes_from_upstream_servers_give_a_reply(reply):
    question = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\x04site\x04prod\0\0\1\0\1"
    packet, _ = chase_of(question).finished(TARGET, reply)
    assert len(packet) <= 512
    assert packet[12:].startswith(question[12:])
    DNSRecord.parse(packet)


def test_names_made_long_by_pointers_are_not_passed_on(chase, shown):
    name = (b"\x3f" + b"a" * 63) * 3
    head = b"\0\0\x81\x80\0\1\0\1\0\0\0\0" + name + b"\0\0\1\0\1"
    longer = b"\x3f" + b"b" * 63 + b"\xc0\x0c" + b"\0\1\0\1\0\0\0\1\0\4\1\2\3\4"
    assert shown(chase.finished(TARGET, head + longer)[0]).startswith("rd ra rcode=2")

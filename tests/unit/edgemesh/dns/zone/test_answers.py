"""What packets get: answers, flags and codes by the RFCs; never an exception."""

import json
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest
from dnslib import QTYPE, DNSRecord
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.packets.labels import wire
from edgecore.modules.edgemesh.dns.packets.packet import (
    HEADER_BYTES,
    PAYLOAD_BYTES,
    TCP_LIMIT_BYTES,
    Malformed,
    Query,
    read_query,
    room,
)
from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import Drop, Forward, Reply, decide, ready_outcome
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.dns.zone.search import SearchList
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort

SOA = "SOA:cluster.local./5"
OPTS = [
    b"",
    bytes.fromhex("00 0029 1000 00 00 0000 0000"),
    bytes.fromhex("00 0029 0000 00 00 8000 0000"),
    bytes.fromhex("00 0029 04d0 00 00 0000 000c 000a 0008 0123456789abcdef"),
    bytes.fromhex("00 0029 ffff 00 01 0000 0000"),
]
RECORDED = [
    bytes.fromhex(json.loads(line)["query"])
    for line in (Path(__file__).parents[4] / "data" / "dns.jsonl").read_text().splitlines()
]


@pytest.fixture(scope="module")
def names() -> NameTable:
    table = NameTable()
    table.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
    table.set(Published(ServiceKey("prod", "db"), "127.251.0.2"))
    return table


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("web.default.svc.cluster.local", "A", "aa rd ra rcode=0 A=127.251.0.1/64"),
        ("db.prod.svc.cluster.local", "A", "aa rd ra rcode=0 A=127.251.0.2/64"),
        ("db.prod.svc", "A", "aa rd ra rcode=0 A=127.251.0.2/64"),
        ("db.prod", "A", "aa rd ra rcode=0 A=127.251.0.2/64"),
        ("web", "A", "aa rd ra rcode=0 A=127.251.0.1/64"),
        ("web.default.svc.cluster.local", "AAAA", f"aa rd ra rcode=0 {SOA}"),
        ("web.default.svc.cluster.local", "ANY", "aa rd ra rcode=0 A=127.251.0.1/64"),
        ("db.prod", "ANY", "aa rd ra rcode=0 A=127.251.0.2/64"),
        ("prod.svc.cluster.local", "ANY", f"aa rd ra rcode=0 {SOA}"),
        ("no.default.svc.cluster.local", "ANY", f"aa rd ra rcode=3 {SOA}"),
        ("web.default.svc.cluster.local", "MX", f"aa rd ra rcode=0 {SOA}"),
        ("web.default.svc.cluster.local", "SRV", f"aa rd ra rcode=0 {SOA}"),
        ("web.default.svc.cluster.local", "HTTPS", f"aa rd ra rcode=0 {SOA}"),
        ("web.default.svc.cluster.local", "SOA", f"aa rd ra rcode=0 {SOA}"),
        ("db.prod", "AAAA", "aa rd ra rcode=0 SOA:db.prod./5"),
        ("db.prod", "TXT", "aa rd ra rcode=0 SOA:db.prod./5"),
        ("web", "AAAA", "aa rd ra rcode=0 SOA:web./5"),
        ("no.default.svc.cluster.local", "A", f"aa rd ra rcode=3 {SOA}"),
        ("no.default.svc.cluster.local", "AAAA", f"aa rd ra rcode=3 {SOA}"),
        ("web.no.svc.cluster.local", "A", f"aa rd ra rcode=3 {SOA}"),
        ("a.web.default.svc.cluster.local", "A", f"aa rd ra rcode=3 {SOA}"),
        ("x.cluster.local", "A", f"aa rd ra rcode=3 {SOA}"),
        ("ns.dns.cluster.local", "A", f"aa rd ra rcode=0 {SOA}"),
        ("dns.cluster.local", "A", f"aa rd ra rcode=0 {SOA}"),
        ("cluster.local", "A", f"aa rd ra rcode=0 {SOA}"),
        ("svc.cluster.local", "A", f"aa rd ra rcode=0 {SOA}"),
        ("prod.svc.cluster.local", "A", f"aa rd ra rcode=0 {SOA}"),
        ("X.Cluster.Local", "A", "aa rd ra rcode=3 SOA:Cluster.Local./5"),
    ],
)
@pytest.mark.parametrize("opt", ["", "plain", "cookie"])
def test_cluster_name_is_answered_by_us(name, qtype, expected, *, opt, names, query, shown):
    packet = query(name, qtype, opt=opt)
    decision = decide(packet, names)
    assert isinstance(decision, Reply)
    assert shown(decision.packet) == expected + (" opt(1232,0,0,0)" if opt else "")
    assert names.ready(packet) in (None, decision.packet)


@pytest.mark.parametrize(("opt", "do"), [("plain", 0), ("dnssec", 1)])
@pytest.mark.parametrize("qtype", ["A", "AAAA", "TXT"])
def test_do_bit_is_repeated(qtype, opt, do, names, query, shown):
    decision = decide(query("web.default", qtype, opt=opt), names)
    assert isinstance(decision, Reply)
    assert shown(decision.packet).endswith(f" opt(1232,0,0,{do})")


@pytest.mark.parametrize("qtype", ["SOA", "ANY"])
def test_soa_of_the_domain_is_an_answer(qtype, names, query, shown):
    decision = decide(query("cluster.local", qtype), names)
    assert isinstance(decision, Reply)
    assert shown(decision.packet).startswith("aa rd ra rcode=0 SOA=ns.dns.cluster.local. hostmaster.cluster.local. 1 ")


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("www.example.com", "A"),
        ("www.example", "A"),
        ("db", "A"),
        ("web.default.example", "A"),
        ("notcluster.local", "A"),
        ("local", "NS"),
        (".", "NS"),
        ("1.0.251.127.in-addr.arpa", "PTR"),
    ],
)
@pytest.mark.parametrize("opt", ["", "plain"])
def test_other_name_is_forwarded_as_it_came(name, qtype, opt, names, query):
    packet = query(name, qtype, opt=opt)
    assert decide(packet, names) == Forward(packet, query(name, qtype)[12:])


@pytest.mark.parametrize("name", ["late.default.svc.cluster.local", "svc.cluster.local", "prod.svc.cluster.local"])
@pytest.mark.parametrize(("opt", "shown_opt"), [("", ""), ("plain", " opt(1232,0,0,0)")])
def test_while_the_table_is_incomplete_an_unknown_cluster_name_is_servfail(name, opt, shown_opt, query, shown):
    names = NameTable(complete=False)
    names.set(Published(ServiceKey("prod", "db"), "127.251.0.2"))
    decision = decide(query(name, opt=opt), names)
    assert isinstance(decision, Reply)
    assert (decision.outcome, shown(decision.packet)) == ("failed", "rd ra rcode=2" + shown_opt)


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("db.prod.svc.cluster.local", "A", "aa rd ra rcode=0 A=127.251.0.2/64"),
        ("db.prod.svc.cluster.local", "TXT", f"aa rd ra rcode=0 {SOA}"),
        ("cluster.local", "A", f"aa rd ra rcode=0 {SOA}"),
    ],
)
def test_while_the_table_is_incomplete_what_is_known_is_answered(name, qtype, expected, query, shown):
    names = NameTable(complete=False)
    names.set(Published(ServiceKey("prod", "db"), "127.251.0.2"))
    decision = decide(query(name, qtype), names)
    assert isinstance(decision, Reply)
    assert shown(decision.packet) == expected


def test_while_the_table_is_incomplete_other_names_are_forwarded(query):
    assert isinstance(decide(query("www.example.com"), NameTable(complete=False)), Forward)


def test_once_the_table_is_complete_an_unknown_cluster_name_is_missing(query, shown):
    names = NameTable(complete=False)
    names.complete = True
    decision = decide(query("late.default.svc.cluster.local"), names)
    assert isinstance(decision, Reply)
    assert decision.outcome == "nxdomain"


@pytest.mark.parametrize(
    ("flags", "qclass", "opt", "outcome", "expected"),
    [
        (0x0100, 3, "", "refused", "rd ra rcode=5"),
        (0x0100, 255, "plain", "refused", "rd ra rcode=5 opt(1232,0,0,0)"),
        (0x2000, 1, "", "notimp", "ra rcode=4"),
        (0x2800, 1, "plain", "notimp", "ra rcode=4 opt(1232,0,0,0)"),
        (0x0100, 1, "version 1", "badvers", "rd ra rcode=0 opt(1232,1,0,0)"),
        (0x0100, 1, "version 1, dnssec", "badvers", "rd ra rcode=0 opt(1232,1,0,1)"),
    ],
)
@pytest.mark.parametrize("name", ["web.default.svc.cluster.local", "www.example.com"])
def test_query_that_we_do_not_serve_is_told_so(flags, qclass, opt, outcome, expected, *, name, names, query, shown):
    packet = query(name, flags=flags, qclass=qclass, opt=opt)
    decision = decide(packet, names)
    assert isinstance(decision, Reply)
    assert (decision.outcome, shown(decision.packet)) == (outcome, expected)


def test_other_opcode_without_a_readable_question_gets_a_bare_notimp(names):
    notify = b"\x12\x34\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00"
    assert decide(notify, names) == Reply(b"\x12\x34\xa0\x84" + bytes(8), "notimp")


@pytest.mark.parametrize("size", range(12))
def test_packet_without_a_whole_header_is_dropped(size, names):
    assert decide(bytes(size), names) == Drop("short")


def test_reply_is_dropped_so_that_servers_cannot_be_set_on_each_other(names, query):
    assert decide(query("www.example", flags=0x8180), names) == Drop("not_a_query")


def test_longest_reply_fits_an_asker_without_edns(query):
    long = "a" * 63
    names = NameTable(".".join(["d" * 53, "e" * 53]))
    names.set(Published(ServiceKey(long, long), "127.251.0.1"))
    for name in (f"{long}.{long}.svc", f"{long}.{long}.svc.{'d' * 53}.{'e' * 53}", f"{long}.{'d' * 53}.{'e' * 53}"):
        decision = decide(query(name, "AAAA", opt="tiny"), names)
        assert isinstance(decision, Reply)
        assert len(decision.packet) <= 512


def everything() -> NameTable:
    """A table with a name of every kind, short ones that arbitrary bytes may hit."""
    names = NameTable("c", domains=["cluster.local"], ipv6_prefix=IPv6Network("fd00::/96"), search=SearchList(["e"]))
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    port = PublishedPort("p", "TCP", 80)
    names.set(Published(ServiceKey("default", "web"), "127.251.0.1", (port,)))
    names.set(Published(ServiceKey("default", "nginx-svc"), "127.251.0.2"))
    names.set(Published(ServiceKey("n", "s"), None, (port,) * 40, (PublishedPod("h", "127.251.0.3"),) * 2))
    names.set(Published(ServiceKey("default", "x"), None, external_name="web.default"))
    names.set(Published(ServiceKey("default", "y"), None, external_name="o"))
    return names


EVERYTHING = everything()


def check(packet: bytes, names: NameTable, limit: int = PAYLOAD_BYTES) -> None:
    """The invariants of a decision about any bytes."""
    decision = decide(packet, names, limit)
    ready = names.ready(packet)
    assert ready is None or decision == Reply(ready, ready_outcome(ready))
    query = read_query(packet) if len(packet) >= HEADER_BYTES else None
    most = room(query if isinstance(query, Query) else None, limit)
    match decision:
        case Reply(reply):
            check_reply(packet, query, reply, most)
        case Forward(forwarded, question):
            assert forwarded == packet
            assert packet[12:].startswith(question)
        case Chase(targets=targets):
            assert isinstance(query, Query)
            for target in targets:
                check_reply(packet, query, decision.finished(target, None)[0], most)
                assert isinstance(read_query(decision.asking(target)), Query)
        case Drop(reason):
            assert reason in {"short", "not_a_query"}


def check_reply(packet: bytes, query: Query | Malformed | None, reply: bytes, most: int) -> None:
    assert reply[:2] == packet[:2]
    assert reply[2] & 0x80
    assert not reply[3] & 0x20
    assert len(reply) <= most
    if not isinstance(query, Query):
        assert reply[4:] == bytes(8)
        return
    assert reply[12 : query.end] == packet[12 : query.end]
    with suppress(UnicodeDecodeError):
        for label in query.labels:
            label.decode()
        record = DNSRecord.parse(reply)  # it reads labels of UTF-8 only
        opts = [rr for rr in record.ar if rr.rtype == QTYPE.OPT]
        assert len(opts) == (query.edns_version is not None)


@given(packet=st.binary(max_size=120))
def test_arbitrary_bytes_never_raise(packet):
    check(packet, EVERYTHING)


@given(
    head=st.sampled_from([b"\x12\x34\x01\0\0\1\0\0\0\0\0\0", b"\x12\x34\x01\0\0\1\0\0\0\0\0\1"]),
    rest=st.binary(max_size=60),
)
def test_arbitrary_bytes_behind_a_good_header_never_raise(head, rest):
    check(head + rest, EVERYTHING)


LABELS = "web default svc c cluster local n s S h x y o _p _tcp 1 0 251 127 in-addr arpa ns dns dns-version " + "z" * 63
NAME = st.lists(st.sampled_from(LABELS.encode().split()), max_size=7)


@given(
    name=NAME,
    qtype=st.sampled_from([1, 2, 5, 6, 12, 16, 28, 33, 41, 65, 252, 255]),
    opt=st.sampled_from(OPTS),
    limit=st.sampled_from([512, PAYLOAD_BYTES, 4096, TCP_LIMIT_BYTES]),
    flags=st.sampled_from([b"\0\0", b"\1\0", b"\1\x30"]),
)
def test_every_reply_about_names_of_ours_keeps_to_the_rules(name, qtype, opt, limit, flags):
    question = wire(name) + bytes((0, qtype, 0, 1))
    counts = b"\0\1\0\0\0\0\0" + (b"\1" if opt else b"\0")
    check(b"\xab\xcd" + flags + counts + question + opt, EVERYTHING, limit)


@given(data=st.data(), packet=st.sampled_from(RECORDED))
def test_mutated_recorded_queries_never_raise(data, packet):
    mutated = bytearray(packet)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated)))
        match data.draw(st.sampled_from(["flip", "insert", "cut"])):
            case "flip" if at < len(mutated):
                mutated[at] = data.draw(st.sampled_from([0, 1, 0x29, 0x3F, 0x40, 0xC0, 0xFF]))
            case "insert":
                mutated[at:at] = data.draw(st.binary(min_size=1, max_size=12))
            case "cut":
                del mutated[at:]
    check(bytes(mutated), EVERYTHING)

"""One row for each type of record and each kind of name."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from dnslib import DNSRecord

from edgecore.modules.edgemesh.dns.packets.packet import TCP_LIMIT_BYTES
from edgecore.modules.edgemesh.dns.zone.answers import Reply, decide
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort

WEB = "web.default.svc.cluster.local."
DB = "db.prod.svc.cluster.local."
HTTP, DNS_TCP, DNS_UDP = (
    PublishedPort("http-0", "TCP", 80),
    PublishedPort("dns", "TCP", 53),
    PublishedPort("dns", "UDP", 53),
)
PODS = (PublishedPod("db-0", "127.251.0.10"), PublishedPod("db-1", "127.251.0.11"))
SOA = "SOA:cluster.local./5"
WEB_TO = f"SRV=0 100 80 {WEB}/64"
ADDRESS = f"+{WEB} A=127.251.0.1/64"
NO_ANY = "HINFO=\\# 9 075246433834383200/64"
POD_ADDRESSES = f"+db-0.{DB} A=127.251.0.10/64 +db-1.{DB} A=127.251.0.11/64"
REVERSE_SOA = "SOA:251.127.in-addr.arpa./5"


def table(**settings) -> NameTable:
    names = NameTable(**settings)
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    names.set(Published(ServiceKey("default", "web"), "127.251.0.1", (HTTP, DNS_TCP, DNS_UDP)))
    names.set(Published(ServiceKey("prod", "db"), None, (HTTP,), PODS))
    names.set(
        Published(ServiceKey("prod", "cache"), "127.251.0.3", (HTTP,), (PublishedPod("cache-0", "127.251.0.12"),))
    )
    names.set(Published(ServiceKey("prod", "bare"), None))
    return names


def answer(names: NameTable, packet: bytes) -> bytes:
    decision = decide(packet, names)
    assert isinstance(decision, Reply)
    assert names.ready(packet) in (None, decision.packet)
    return decision.packet


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        # A port: its SRV, and the address of the target.
        (f"_http-0._tcp.{WEB}", "SRV", f"{WEB_TO} {ADDRESS}"),
        (f"_HTTP-0._tcp.{WEB}", "SRV", f"{WEB_TO} {ADDRESS}"),
        (f"_dns._udp.{WEB}", "SRV", f"SRV=0 100 53 {WEB}/64 {ADDRESS}"),
        (f"_http-0._tcp.{WEB}", "ANY", NO_ANY),
        (f"_http-0._tcp.{WEB}", "A", SOA),
        (f"_http-0._udp.{WEB}", "SRV", f"!{SOA}"),
        (f"_no._tcp.{WEB}", "SRV", f"!{SOA}"),
        (f"_tcp.{WEB}", "SRV", SOA),
        (f"_sctp.{WEB}", "SRV", f"!{SOA}"),
        (f"x._http-0._tcp.{WEB}", "SRV", f"!{SOA}"),
        # Short names of a port lead to the full name.
        ("_http-0._tcp.web.default.svc", "SRV", f"{WEB_TO} {ADDRESS}"),
        ("_http-0._tcp.web.default", "SRV", f"{WEB_TO} {ADDRESS}"),
        ("_http-0._tcp.web", "SRV", f"{WEB_TO} {ADDRESS}"),
        # A service: all its ports.
        (WEB, "SRV", f"{WEB_TO} SRV=0 100 53 {WEB}/64 SRV=0 100 53 {WEB}/64 {ADDRESS}"),
        (WEB, "A", "A=127.251.0.1/64"),
        (WEB, "AAAA", SOA),
        (WEB, "ANY", "A=127.251.0.1/64"),
        # A service without an address of its own has those of its pods, and they are the targets.
        (DB, "A", "A=127.251.0.10/64 A=127.251.0.11/64"),
        (DB, "ANY", NO_ANY),
        (
            f"_http-0._tcp.{DB}",
            "SRV",
            f"SRV=0 100 80 db-0.{DB}/64 SRV=0 100 80 db-1.{DB}/64 {POD_ADDRESSES}",
        ),
        (f"db-1.{DB}", "A", "A=127.251.0.11/64"),
        (f"DB-1.{DB}", "A", "A=127.251.0.11/64"),
        (f"db-1.{DB}", "AAAA", SOA),
        (f"db-1.{DB}", "SRV", SOA),
        ("db-1.db.prod.svc", "A", "A=127.251.0.11/64"),
        (f"db-2.{DB}", "A", f"!{SOA}"),
        (f"x.db-1.{DB}", "A", f"!{SOA}"),
        ("cache.prod.svc.cluster.local", "A", "A=127.251.0.3/64"),
        ("bare.prod.svc.cluster.local", "A", SOA),
        ("bare.prod.svc.cluster.local", "SRV", SOA),
        # The domain itself.
        ("cluster.local", "SOA", "SOA=ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5/5"),
        ("cluster.local", "NS", "NS=ns.dns.cluster.local./64"),
        ("cluster.local", "TXT", SOA),
        ("dns-version.cluster.local", "TXT", 'TXT="1.1.0"/64'),
        ("dns-version.cluster.local", "ANY", 'TXT="1.1.0"/64'),
        ("dns-version.cluster.local", "A", SOA),
        ("ns.dns.cluster.local", "A", SOA),
        ("dns.cluster.local", "A", SOA),
        ("x.dns.cluster.local", "A", f"!{SOA}"),
        # Addresses.
        ("1.0.251.127.in-addr.arpa", "PTR", f"PTR={WEB}/64"),
        ("1.0.251.127.IN-ADDR.ARPA", "ANY", f"PTR={WEB}/64"),
        ("1.0.251.127.in-addr.arpa", "A", REVERSE_SOA),
        ("10.0.251.127.in-addr.arpa", "PTR", "PTR=db-0.db.prod.svc.cluster.local./64"),
        ("99.0.251.127.in-addr.arpa", "PTR", f"!{REVERSE_SOA}"),
        ("0.251.127.in-addr.arpa", "PTR", REVERSE_SOA),
        ("251.127.in-addr.arpa", "NS", "NS=ns.dns.cluster.local./64"),
        (
            "251.127.in-addr.arpa",
            "SOA",
            "SOA=ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5/5",
        ),
    ],
)
def test_name_has_the_records_of_its_kind(name, qtype, expected, query, shown):
    rcode = 3 if expected.startswith("!") else 0
    assert shown(answer(table(), query(name, qtype))) == f"aa rd ra rcode={rcode} {expected.removeprefix('!')}"


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        (WEB, "AAAA", "AAAA=fd00:ec::7ffb:1/64"),
        (WEB, "A", "A=127.251.0.1/64"),
        (f"db-0.{DB}", "AAAA", "AAAA=fd00:ec::7ffb:a/64"),
        (f"_dns._udp.{WEB}", "SRV", f"SRV=0 100 53 {WEB}/64 {ADDRESS} +{WEB} AAAA=fd00:ec::7ffb:1/64"),
        (IPv6Address("fd00:ec::7ffb:1").reverse_pointer, "PTR", f"PTR={WEB}/64"),
    ],
)
def test_with_a_prefix_a_name_has_an_ipv6_address_too(name, qtype, expected, query, shown):
    names = table(ipv6_prefix=IPv6Network("fd00:ec::/96"))
    assert shown(answer(names, query(name, qtype))) == f"aa rd ra rcode=0 {expected}"


@pytest.mark.parametrize("name", [WEB, "web", "web.default.svc", f"db-0.{DB}"])
@pytest.mark.parametrize("qtype", ["A", "AAAA"])
def test_address_is_ready_with_a_prefix_too(name, qtype, query):
    names = table(ipv6_prefix=IPv6Network("fd00:ec::/96"))
    packet = query(name, qtype, opt="plain")
    assert names.ready(packet) == answer(names, packet)


def test_name_server_has_the_addresses_that_we_listen_on(query, shown):
    names = table()
    names.server_addresses = (IPv4Address("127.0.0.1"), IPv6Address("::1"))
    assert shown(answer(names, query("ns.dns.cluster.local"))) == "aa rd ra rcode=0 A=127.0.0.1/64"
    server = "ns.dns.cluster.local."
    expected = f"NS={server}/64 +{server} A=127.0.0.1/64 +{server} AAAA=::1/64"
    assert shown(answer(names, query("cluster.local", "NS"))) == f"aa rd ra rcode=0 {expected}"


@pytest.mark.parametrize("name", [f"_http-0._tcp.{WEB}".upper(), f"_http-0._tcp.{WEB}"])
def test_target_is_spelled_as_the_asker_spells_the_service(name, query):
    reply = answer(table(), query(name, "SRV"))
    assert str(DNSRecord.parse(reply).rr[0].rdata.target) == name.split(".", 2)[2]


def many_pods(count: int) -> NameTable:
    names = NameTable()
    pods = tuple(PublishedPod(f"big-{number}", f"127.251.{number >> 8}.{number & 255}") for number in range(count))
    names.set(Published(ServiceKey("prod", "big"), None, (HTTP,), pods))
    return names


@pytest.mark.parametrize(
    ("opt", "limit", "pods", "answers", "additional", "tc"),
    [
        ("", 1232, 6, 6, 6, 0),
        ("", 1232, 8, 8, 0, 0),
        ("", 1232, 20, 8, 0, 1),
        ("plain", 1232, 15, 15, 15, 0),
        ("plain", 1232, 20, 20, 0, 0),
        ("plain", 1232, 60, 22, 0, 1),
        ("plain", 4096, 50, 50, 50, 0),
        ("plain", TCP_LIMIT_BYTES, 500, 500, 500, 0),
        ("", TCP_LIMIT_BYTES, 500, 500, 500, 0),
        ("tiny", TCP_LIMIT_BYTES, 1000, 1000, 0, 0),
        ("", TCP_LIMIT_BYTES, 3000, 1210, 0, 1),
    ],
)
def test_what_has_no_room_is_left_out_and_tc_says_so(opt, limit, pods, answers, additional, *, tc, query):
    packet = query("_http-0._tcp.big.prod.svc.cluster.local", "SRV", opt=opt)
    decision = decide(packet, many_pods(pods), limit)
    assert isinstance(decision, Reply)
    record = DNSRecord.parse(decision.packet)
    assert (len(record.rr), len(record.ar) - bool(opt), record.header.tc) == (answers, additional, tc)
    assert len(decision.packet) <= (limit if limit == TCP_LIMIT_BYTES or opt == "plain" else 512)
    assert [str(rr.rdata.target) for rr in record.rr] == [
        f"big-{number}.big.prod.svc.cluster.local." for number in range(answers)
    ]
    assert [str(rr.rname) for rr in record.ar[:additional]] == [
        f"big-{number}.big.prod.svc.cluster.local." for number in range(additional)
    ]


@pytest.mark.parametrize(("hide", "rcode"), [(False, 0), (True, 3)])
@pytest.mark.parametrize("name", [WEB, "web", "web.default.svc", f"_http-0._tcp.{WEB}"])
@pytest.mark.parametrize("qtype", ["A", "AAAA", "SRV"])
def test_service_that_is_not_ready_resolves_or_is_missing_by_setting(name, qtype, hide, rcode, query):
    names = NameTable(hide_unready=hide)
    ready = Published(ServiceKey("default", "web"), "127.251.0.1", (HTTP,))
    names.set(ready._replace(is_ready=False))
    assert answer(names, query(name, qtype))[3] & 15 == rcode
    names.set(ready)
    assert answer(names, query(name, qtype))[3] & 15 == 0


def test_every_domain_is_answered_in_its_own_name(query, shown):
    names = table(domains=["example.net", "sub.cluster.local"])
    for domain in ("cluster.local", "example.net", "sub.cluster.local"):
        name = f"web.default.svc.{domain}"
        assert shown(answer(names, query(name))) == "aa rd ra rcode=0 A=127.251.0.1/64"
        assert names.ready(query(name)) is not None
        assert shown(answer(names, query(name, "TXT"))) == f"aa rd ra rcode=0 SOA:{domain}./5"
        reply = shown(answer(names, query(f"_http-0._tcp.{name}", "SRV")))
        assert f"SRV=0 100 80 {name}./64" in reply
    assert shown(answer(names, query("x.example.net"))) == "aa rd ra rcode=3 SOA:example.net./5"


def test_name_of_one_label_is_in_the_namespace_of_the_setting(query, shown):
    names = table(namespace="prod")
    assert shown(answer(names, query("cache"))) == "aa rd ra rcode=0 A=127.251.0.3/64"
    assert not isinstance(decide(query("web"), names), Reply)


@pytest.mark.parametrize("qtype", ["AXFR", "IXFR"])
@pytest.mark.parametrize("name", ["cluster.local", "www.example"])
def test_transfer_of_a_zone_is_refused(name, qtype, query, shown):
    assert shown(answer(table(), query(name, qtype))) == "rd ra rcode=5"

"""Long replies to one network are bounded."""

import pytest

from edgecore.modules.edgemesh.dns.listening.amplification import (
    BURST_BYTES,
    NETWORKS_LIMIT,
    RATE_BYTES_PER_S,
    Allowance,
    come_by_tcp,
    is_long,
    network_of,
)
from edgecore.modules.edgemesh.dns.packets.packet import TCP_LIMIT_BYTES
from edgecore.modules.edgemesh.dns.zone.answers import Reply, decide


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2fff::1", "2001:db8:1:2f00::/56"),
        ("fe80::1%eth0", "fe80::/56"),
        ("127.0.0.1", ""),
        ("::1", ""),
    ],
)
def test_network_is_a_24_or_a_56_and_loopback_is_none(host, network):
    assert network_of(host) == network


def test_network_gets_its_burst_and_then_its_rate_whichever_of_its_hosts_asks():
    allowance = Allowance()
    hosts = [f"192.0.2.{number % 256}" for number in range(BURST_BYTES // 1000)]
    assert all(allowance.allows(host, 1000, 0.0) for host in hosts)
    assert not allowance.allows("192.0.2.9", 1000, 0.0)
    assert sum(allowance.allows("192.0.2.9", 1024, 1.0) for _ in range(1000)) == RATE_BYTES_PER_S // 1024


def test_other_network_and_loopback_are_not_cut_meanwhile():
    allowance = Allowance()
    assert not allowance.allows("192.0.2.1", BURST_BYTES + 1, 0.0)
    assert allowance.allows("192.0.3.1", BURST_BYTES, 0.0)
    assert all(allowance.allows("127.0.0.1", BURST_BYTES, 0.0) for _ in range(9))


def test_number_of_networks_remembered_is_bounded():
    allowance = Allowance()
    for number in range(NETWORKS_LIMIT + 10):
        assert allowance.allows(f"10.{number >> 8}.{number & 255}.1", 1000, 0.0)
    assert len(allowance) == NETWORKS_LIMIT


@pytest.mark.parametrize("opt", ["", "plain", "dnssec"])
def test_reply_that_sends_to_tcp_repeats_the_question_and_is_no_longer_than_a_plain_query(
    opt, query, recorded_names, shown
):
    packet = query("nginx-svc.default.svc.cluster.local", "MX", opt=opt)
    decision = decide(packet, recorded_names, TCP_LIMIT_BYTES)
    assert isinstance(decision, Reply)
    reply = come_by_tcp(packet, decision.packet)
    assert len(reply) == len(packet)
    assert (
        reply[12 : len(query("nginx-svc.default.svc.cluster.local", "MX"))]
        == packet[12:][: len(reply) - 12][: len(query("nginx-svc.default.svc.cluster.local", "MX")) - 12]
    )
    assert shown(reply).startswith("aa tc rd ra rcode=0")


def test_reply_without_a_question_stays_a_header(query):
    packet = query("a.example")
    assert come_by_tcp(packet, packet[:2] + b"\x80\x01" + bytes(8)) == packet[:2] + b"\x82\x01" + bytes(8)


def test_reply_of_four_times_the_query_is_not_long():
    assert not is_long(40, 160)
    assert is_long(40, 161)

"""The server on a real socket."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
from dnslib import DNSRecord
from structlog.testing import capture_logs

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import ServiceKey

RECORDED = {
    entry["desc"]: bytes.fromhex(entry["query"])
    for entry in map(json.loads, (Path(__file__).parents[3] / "data" / "dns.jsonl").read_text().splitlines())
}
WEB = bytes(DNSRecord.question("web.default.svc.cluster.local").pack())
OTHER = bytes(DNSRecord.question("www.example").pack())


def rcode(reply: bytes) -> int:
    return reply[3] & 15


async def test_service_is_answered_on_the_port_in_use(running, send):
    async with running() as server:
        reply = await send(server.addresses[0], WEB)()
    assert reply[:2] == WEB[:2]
    assert [str(rr.rdata) for rr in DNSRecord.parse(reply).rr] == ["127.251.0.1"]
    assert server.counts["answered"] == 1


async def test_service_set_and_removed_while_running_is_answered_and_then_not(running, names, send):
    packet = bytes(DNSRecord.question("db.prod.svc.cluster.local").pack())
    async with running() as server:
        assert rcode(await send(server.addresses[0], packet)()) == 3
        names.set(ServiceKey("prod", "db"), "127.251.0.2")
        assert rcode(await send(server.addresses[0], packet)()) == 0
        names.remove(ServiceKey("prod", "db"))
        assert rcode(await send(server.addresses[0], packet)()) == 3


@pytest.mark.parametrize("desc", [desc for desc in RECORDED if desc.startswith("CRASH ") and desc != "CRASH short5"])
async def test_packet_that_ended_the_go_node_gets_formerr_and_the_server_goes_on(desc, running, send, metrics):
    packet = RECORDED[desc]
    async with running() as server:
        assert await send(server.addresses[0], packet)() == packet[:2] + b"\x81\x81" + bytes(8)
        assert rcode(await send(server.addresses[0], WEB)()) == 0
        assert server.counts["formerr"] == 1
    assert sum(metrics.bad_input_counts.values()) == 1


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(b"", id="empty"),
        pytest.param(RECORDED["CRASH short5"], id="short"),
        pytest.param(RECORDED["a response (QR=1) packet"], id="a reply"),
    ],
)
async def test_packet_without_an_answer_is_counted_and_the_server_goes_on(packet, running, send):
    async with running() as server:
        send(server.addresses[0], packet)
        assert rcode(await send(server.addresses[0], WEB)()) == 0
        assert server.counts["dropped"] == 1


async def test_flood_of_bad_packets_is_two_log_lines_and_every_one_is_counted(running, send, clock, metrics):
    async with running() as server:
        with capture_logs() as logs:
            for _ in range(100):
                await send(server.addresses[0], RECORDED["CRASH label"])()
            await clock.advance(1.0)
        assert server.status()["bad_packets"] == {"truncated_name": 100}
        assert b'edgecore_dns_bad_packets_total{reason="truncated_name"} 100.0' in metrics.render()
    first, second = logs
    assert (first["event"], first["module"], first["reason"]) == ("bad_input", "edgemesh.dns", "truncated_name")
    assert first["peer"].startswith("127.0.0.1:")
    assert first["packet"] == RECORDED["CRASH label"].hex()
    assert (first["left_out"], second["left_out"]) == (0, 98)


async def test_other_name_is_forwarded_and_its_answer_relayed(running, send, upstream):
    other = await upstream()
    async with running(upstreams=[other.address]) as server:
        reply = await send(server.addresses[0], OTHER)()
    assert reply[:2] == OTHER[:2]
    assert [str(rr.rdata) for rr in DNSRecord.parse(reply).rr] == ["127.0.9.9"]
    assert server.counts["forwarded"] == 1


async def test_silent_upstream_does_not_keep_cluster_names_waiting(running, send, upstream, silent, clock):
    other = await upstream(silent)
    async with running(upstreams=[other.address]) as server:
        receive = send(server.addresses[0], OTHER)
        await other.asked()
        assert rcode(await send(server.addresses[0], WEB)()) == 0
        await clock.advance(1.5)
        await other.asked(2)
        await clock.advance(1.5)
        assert rcode(await receive()) == 2
        assert server.counts["failed"] == 1


async def test_dead_upstream_is_servfail_with_one_log_line(running, send, dead_address):
    with capture_logs() as logs:
        async with running(upstreams=[dead_address]) as server:
            assert rcode(await send(server.addresses[0], OTHER)()) == 2
    failed = [entry for entry in logs if entry["event"] == "dns_query_failed"]
    assert [(entry["reason"], entry["name"], entry["left_out"]) for entry in failed] == [
        ("no_reply", "www.example.", 0)
    ]


async def test_query_beyond_the_limit_is_servfail_at_once(running, send, upstream, silent):
    other = await upstream(silent)
    async with running(upstreams=[other.address], in_flight_limit=2) as server:
        for _ in range(2):
            send(server.addresses[0], OTHER)
        await other.asked(2)
        assert server.status()["in_flight"] == 2
        assert rcode(await send(server.addresses[0], OTHER)()) == 2
        assert server.counts["busy"] == 1


async def test_own_address_among_the_upstreams_is_not_asked(running, send):
    async with running() as server:
        address = server.addresses[0]
    async with running(listen=[address], upstreams=[address]) as server:
        assert rcode(await send(server.addresses[0], OTHER)()) == 2
        assert server.counts["failed"] == 1
        assert server.status()["upstreams"] == []


async def test_resolv_conf_is_asked_for_the_upstreams_when_none_are_set(running, tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.11\n")
    async with running(upstreams=None) as server:
        assert server.status()["upstreams"] == ["127.0.0.11:53"]


async def test_stop_forgets_the_queries_in_flight_and_frees_the_port(running, send, upstream, silent):
    other = await upstream(silent)
    async with running(upstreams=[other.address]) as server:
        address = server.addresses[0]
        send(address, OTHER)
        await other.asked()
        await server.stop()
        assert server.addresses == ()
        assert server.status()["in_flight"] == 0
        await server.start()
        assert len(server.addresses) == 1
    async with running(listen=[address]):
        pass


async def test_taken_address_is_a_listen_error_and_no_listener(running):
    async with running() as first:
        with pytest.raises(ListenError) as e:
            async with running(listen=[("127.0.0.1", 0), first.addresses[0]]):
                pass
    assert e.value.reason == "in_use"


async def test_without_addresses_two_nodes_take_two_ports_from_the_first_on(running):
    auto = {"listen": None, "first_port": 11053}
    async with running(**auto) as first, running(**auto) as second:
        assert first.addresses[0][0] == second.addresses[0][0] == "127.0.0.1"
        assert 11053 <= first.addresses[0][1] < second.addresses[0][1] < 11153


async def test_every_address_is_served(running, send):
    async with running(listen=[("127.0.0.1", 0), ("127.0.0.2", 0)]) as server:
        for address in server.addresses:
            assert rcode(await send(address, WEB)()) == 0
        assert server.status()["listening"] == [f"{host}:{port}" for host, port in server.addresses]


async def test_asker_that_is_gone_before_its_answer_ends_nothing(running, send, upstream, silent):
    other = await upstream(silent)
    async with running(upstreams=[other.address]) as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.sendto(OTHER, server.addresses[0])
            await other.asked()
        other.transport.sendto(other.queries[0][:2] + b"\x81\x83" + OTHER[4:], other.askers[0])
        while server.counts["forwarded"] == 0:
            await asyncio.sleep(0)
        for _ in range(2):
            assert rcode(await send(server.addresses[0], WEB)()) == 0


async def test_metrics_show_each_outcome(running, send, metrics):
    async with running() as server:
        await send(server.addresses[0], WEB)()
        await send(server.addresses[0], WEB[:-3] + b"\x1c\0\1")()
        text = metrics.render().decode()
    assert 'edgecore_dns_queries_total{outcome="answered"} 1.0' in text
    assert 'edgecore_dns_queries_total{outcome="nodata"} 1.0' in text
    assert 'edgecore_dns_queries_total{outcome="busy"} 0.0' in text
    assert "edgecore_dns_names 1.0" in text
    assert json.loads(json.dumps(server.status()))["queries"] == {"answered": 1, "nodata": 1}

"""The server on a real socket."""

import asyncio
import errno
import gc
import json
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from dnslib import RR, A, DNSRecord
from structlog.testing import capture_logs

from edgecore.modules.edgemesh.dns.listening import listeners
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.resolver.resolved import ResolverSettings
from edgecore.modules.edgemesh.dns.server import DnsServer
from edgecore.modules.edgemesh.dns.zone.search import SearchList
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published

RECORDED = {
    entry["desc"]: bytes.fromhex(entry["query"])
    for entry in map(json.loads, (Path(__file__).parents[3] / "data" / "dns.jsonl").read_text().splitlines())
}
WEB = bytes(DNSRecord.question("web.default.svc.cluster.local").pack())
MX_RECORD = bytes.fromhex("c00c 000f 0001 0000012c 0004 000a c00c")
OTHER = bytes(DNSRecord.question("www.example").pack())


def address_reply(query: bytes) -> bytes:
    reply = DNSRecord.parse(query).reply(aa=0)
    reply.add_answer(RR(reply.q.qname, rdata=A("127.0.9.9"), ttl=300))
    return bytes(reply.pack())


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
        names.set(Published(ServiceKey("prod", "db"), "127.251.0.2"))
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
        await clock.advance(4.5)
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
    async with running(upstreams=[other.address], resolving=ResolverSettings(in_flight_limit=4)) as server:
        for n in range(2):
            send(server.addresses[0], bytes(DNSRecord.question(f"n{n}.example").pack()))
        await other.asked(2)
        assert (server.status()["in_flight"], server.status()["questions_in_flight"]) == (2, 2)
        assert rcode(await send(server.addresses[0], OTHER)()) == 2
        assert server.counts["busy"] == 1


async def test_query_of_another_name_is_answered_from_the_cache_the_second_time(running, send, upstream, metrics):
    other = await upstream()
    async with running(upstreams=[other.address]) as server:
        for _ in range(3):
            reply = await send(server.addresses[0], OTHER)()
            assert [str(rr.rdata) for rr in DNSRecord.parse(reply).rr] == ["127.0.9.9"]
        assert (server.counts["forwarded"], server.counts["cached"], len(other.queries)) == (1, 2, 1)
        text = metrics.render().decode()
    where = f"127.0.0.1:{other.address[1]}"
    for line in (
        'edgecore_dns_resolved_total{how="hit"} 2.0',
        'edgecore_dns_resolved_total{how="miss"} 1.0',
        "edgecore_dns_cache_entries 1.0",
        f'edgecore_dns_upstream_queries_total{{server="{where}"}} 1.0',
        f'edgecore_dns_upstream_failures_total{{server="{where}"}} 0.0',
        f'edgecore_dns_upstream_up{{server="{where}"}} 1.0',
        f'edgecore_dns_upstream_rtt_seconds{{server="{where}"}} 0.0',
    ):
        assert line in text


async def test_service_hides_what_was_cached_for_its_name_at_once(running, send, upstream, names):
    packet = bytes(DNSRecord.question("db.prod", "MX").pack())
    other = await upstream(lambda asked: [asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + packet[12:] + MX_RECORD])
    async with running(upstreams=[other.address]) as server:
        for _ in range(2):
            assert (await send(server.addresses[0], packet)())[7] == 1
        names.set(Published(ServiceKey("prod", "db"), "127.251.0.2"))
        assert (await send(server.addresses[0], packet)())[7] == 0
        names.remove(ServiceKey("prod", "db"))
        assert (await send(server.addresses[0], packet)())[7] == 1
        assert len(other.queries) == 1


async def test_names_of_a_zone_are_asked_of_its_servers(running, send, upstream):
    zone, other = await upstream(), await upstream()
    async with running(upstreams=[other.address], zones={"example": [zone.address]}) as server:
        await send(server.addresses[0], OTHER)()
        assert (len(zone.queries), len(other.queries)) == (1, 0)
        assert [(each["address"], each["zone"], each["state"]) for each in server.status()["upstreams"]] == [
            (f"127.0.0.1:{other.address[1]}", None, "untried"),
            (f"127.0.0.1:{zone.address[1]}", "example", "ok"),
        ]


@pytest.fixture
def site(names) -> bytes:
    """A question for a service that stands for www.example."""
    names.set(Published(ServiceKey("prod", "site"), None, external_name="www.example"))
    return bytes(DNSRecord.question("site.prod.svc.cluster.local").pack())


async def test_alias_is_answered_with_what_the_upstream_server_has(site, running, send, upstream):
    other = await upstream()
    async with running(upstreams=[other.address]) as server:
        reply = DNSRecord.parse(await send(server.addresses[0], site)())
        assert [str(rr.rdata) for rr in reply.rr] == ["www.example.", "127.0.9.9"]
        assert server.counts["forwarded"] == 1
    assert DNSRecord.parse(other.queries[0]).q.qname == "www.example"


async def test_alias_without_an_upstream_is_servfail_with_one_log_line(site, running, send):
    with capture_logs() as logs:
        async with running() as server:
            assert rcode(await send(server.addresses[0], site)()) == 2
            assert server.counts["failed"] == 1
    failed = [entry for entry in logs if entry["event"] == "dns_query_failed"]
    assert [(entry["reason"], entry["name"]) for entry in failed] == [("no_upstream", "www.example.")]


async def test_alias_beyond_the_limit_is_servfail_at_once(site, running, send, upstream, silent):
    other = await upstream(silent)
    async with running(upstreams=[other.address], resolving=ResolverSettings(in_flight_limit=1)) as server:
        send(server.addresses[0], bytes(DNSRecord.question("other.example").pack()))
        await other.asked()
        assert rcode(await send(server.addresses[0], site)()) == 2
        assert server.counts["busy"] == 1


async def test_search_is_ended_by_the_first_name_that_the_upstream_server_has(names, running, send, upstream):
    def script(query: bytes) -> list[bytes]:
        has_it = DNSRecord.parse(query).q.qname == "www.example"
        return [address_reply(query) if has_it else query[:2] + b"\x81\x83" + query[4:]]

    names.search = SearchList(["corp.example"])
    other = await upstream(script)
    async with running(upstreams=[other.address]) as server:
        packet = bytes(DNSRecord.question("www.example.default.svc.cluster.local").pack())
        reply = DNSRecord.parse(await send(server.addresses[0], packet)())
        assert [str(rr.rdata) for rr in reply.rr] == ["www.example.", "127.0.9.9"]
        packet = bytes(DNSRecord.question("no.example.default.svc.cluster.local").pack())
        assert rcode(await send(server.addresses[0], packet)()) == 3
    asked = [str(DNSRecord.parse(query).q.qname) for query in other.queries]
    assert asked == ["www.example.corp.example.", "www.example.", "no.example.corp.example.", "no.example."]


async def test_name_server_of_the_domain_is_where_the_server_listens(running, send):
    async with running(listen=[("127.0.0.1", 0), ("0.0.0.0", 0)]) as server:
        packet = bytes(DNSRecord.question("ns.dns.cluster.local").pack())
        reply = DNSRecord.parse(await send(server.addresses[0], packet)())
    assert [str(rr.rdata) for rr in reply.rr] == ["127.0.0.1"]


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
        assert [each["address"] for each in server.status()["upstreams"]] == ["127.0.0.11:53"]


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


async def test_address_is_listened_at_once_there_is_a_file_for_it_again(running, send, clock, monkeypatch):
    listen, scarce = listeners.UdpListener, [OSError(errno.EMFILE, "Too many open files")]

    def listen_or_not(*arguments):
        if scarce:
            raise scarce.pop()
        return listen(*arguments)

    monkeypatch.setattr(listeners, "UdpListener", listen_or_not)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.91.0.1", 0))  # nobody else takes ports of this address meanwhile
        address = probe.getsockname()
    async with running(listen=[address]) as server:
        assert [told["reason"] for told in server.status()["not_listening"]] == ["failed"]
        await clock.advance(listeners.RETRY_S)
        assert rcode(await send(address, WEB)()) == 0


async def test_taken_address_is_told_and_listened_at_once_it_is_free(running, send, clock):
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(running())
        taken = first.addresses[0]
        with capture_logs() as logs:
            async with running(listen=[("127.0.0.1", 0), taken]) as server:
                assert len(server.addresses) == 1
                assert rcode(await send(server.addresses[0], WEB)()) == 0
                (told,) = server.status()["not_listening"]
                assert (told["address"], told["reason"]) == (f"127.0.0.1:{taken[1]}", "in_use")
                await clock.advance(5.0)
                await first.stop()
                await clock.advance(5.0)
                assert rcode(await send(taken, WEB)()) == 0
                assert server.status()["not_listening"] == []
    events = [entry for entry in logs if entry.get("address") == f"127.0.0.1:{taken[1]}"]
    assert [(entry["event"], entry.get("after_s")) for entry in events] == [
        ("dns_not_listening", None),
        ("dns_listening", 10.0),
    ]


async def test_without_addresses_two_nodes_take_two_ports_from_the_first_on(running):
    auto = {"listen": [("127.0.0.1", 11053, True)]}
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
        asked = other.queries[0]
        other.transport.sendto(asked[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + OTHER[12:], other.askers[0])
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


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_start_that_is_given_up_at_any_moment_leaves_no_socket(steps, running):
    async with running(listen=[]) as server:
        server._binds = (Bind("127.0.0.1", 0),)
        starting = asyncio.ensure_future(server.start())
        for _ in range(steps):
            await asyncio.sleep(0)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        addresses = server.addresses
        await server.stop()
    gc.collect()  # a socket that nobody closed is told of now
    async with running(listen=addresses) as again:
        assert again.addresses == addresses


def test_questions_carry_no_mark_in_any_process_where_no_rule_looks_for_it(names, clock, metrics, random_id):
    recipe = Recipe(upstreams=(), processes=2, mark=7)
    server = DnsServer(names, recipe, [], clock=clock, metrics=metrics, random_id=random_id)
    assert server.resolver.upstream.mark == 7
    server.leave_unmarked()
    [begin, *_] = server._crew.everything()
    assert (server.resolver.upstream.mark, begin.recipe.mark) == (0, 0)

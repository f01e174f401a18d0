"""Upstream servers that are silent, wrong, dead or unwilling: what the asker gets, and when."""

import asyncio
import socket

import pytest
from dnslib import DNSRecord

from edgecore.modules.edgemesh.dns.upstream import Upstream

PACKET = bytes.fromhex("1234 0100 0001 0000 0000 0000 03777777 076578616d706c65 00 0001 0001")
QUESTION = PACKET[12:]


@pytest.fixture
def ask(clock, random_id):
    """task = ask(server, ...): the reply to PACKET, in a task."""
    asker = Upstream(clock, random_id, list)

    def start(*servers) -> asyncio.Task[bytes | None]:
        return asyncio.ensure_future(asker.ask(PACKET, QUESTION, servers))

    start.upstream = asker
    return start


def addresses(reply: bytes | None) -> list[str]:
    assert reply is not None
    return [str(rr.rdata) for rr in DNSRecord.parse(reply).rr]


def with_rcode(rcode: int):
    return lambda query: [query[:2] + bytes((0x81, 0x80 | rcode)) + query[4:]]


async def test_query_goes_out_under_another_id_and_the_reply_comes_back_under_the_asker_s(ask, upstream):
    server = await upstream()
    reply = await ask(server.address)
    assert server.queries == [b"\xaa\x00" + PACKET[2:]]
    assert reply[:2] == PACKET[:2]
    assert addresses(reply) == ["127.0.9.9"]


async def test_each_query_has_a_port_and_an_id_of_its_own(ask, upstream):
    server = await upstream()
    await asyncio.gather(*(ask(server.address) for _ in range(20)))
    assert len(set(server.askers)) == 20
    assert len({query[:2] for query in server.queries}) == 20


async def test_silent_server_is_left_for_the_next_after_its_time(ask, upstream, silent, clock):
    first, second = await upstream(silent), await upstream()
    reply = ask(first.address, second.address)
    await first.asked()
    await clock.advance(1.4)
    assert second.queries == []
    await clock.advance(0.1)
    assert addresses(await reply) == ["127.0.9.9"]


async def test_lost_query_is_sent_again(ask, upstream, clock):
    server = await upstream(lambda query: [] if query[:2] == b"\xaa\x00" else with_rcode(3)(query))
    reply = ask(server.address)
    await server.asked()
    await clock.advance(1.5)
    assert (await reply)[3] & 15 == 3


async def test_all_silent_is_no_reply_after_four_and_a_half_seconds(ask, upstream, silent, clock):
    servers = [await upstream(silent) for _ in range(3)]
    reply = ask(*(server.address for server in servers))
    for server in servers:
        assert not reply.done()
        await server.asked()
        await clock.advance(1.5)
    assert await reply is None
    assert clock.monotonic() == 4.5


async def test_dead_port_is_left_at_once(ask, upstream, dead_address, clock):
    server = await upstream()
    assert addresses(await ask(dead_address, server.address)) == ["127.0.9.9"]
    assert clock.monotonic() == 0


async def test_all_dead_is_no_reply_at_once(ask, dead_address, clock):
    assert await ask(dead_address) is None
    assert clock.monotonic() == 0


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda query: bytes((query[0], query[1] ^ 1)) + query[2:], id="wrong id"),
        pytest.param(lambda query: query.replace(b"www", b"ww2"), id="wrong question"),
        pytest.param(lambda query: query[:-3] + b"\x1c\0\1", id="wrong type"),
        pytest.param(lambda query: query[:11], id="no header"),
    ],
)
async def test_wrong_reply_is_ignored_and_the_right_one_behind_it_is_taken(lie, ask, upstream):
    def script(query: bytes) -> list[bytes]:
        right = with_rcode(3)(query)[0]
        return [lie(with_rcode(0)(query)[0]), right]

    server = await upstream(script)
    assert (await ask(server.address))[3] & 15 == 3
    assert ask.upstream.ignored == 1


async def test_reply_from_another_port_of_the_server_is_never_seen(ask, upstream, silent, clock):
    server = await upstream(silent)
    reply = ask(server.address)
    await server.asked()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        forger.sendto(with_rcode(0)(server.queries[0])[0], server.askers[0])
    await clock.advance(1.5)
    await server.asked(2)
    await clock.advance(1.5)
    assert await reply is None
    assert ask.upstream.ignored == 0


@pytest.mark.parametrize("rcode", [2, 4, 5])
async def test_server_that_refuses_is_left_for_the_next(rcode, ask, upstream):
    unwilling, willing = await upstream(with_rcode(rcode)), await upstream()
    assert addresses(await ask(unwilling.address, willing.address)) == ["127.0.9.9"]


async def test_refusal_is_passed_on_when_nobody_does_better(ask, upstream, dead_address):
    unwilling = await upstream(with_rcode(5))
    reply = await ask(unwilling.address, dead_address)
    assert reply == PACKET[:2] + b"\x81\x85" + PACKET[4:]
    assert len(unwilling.queries) == 1


async def test_truncated_reply_is_passed_on_with_its_tc_bit(ask, upstream):
    server = await upstream(lambda query: [query[:2] + b"\x83\x80" + query[4:]])
    assert (await ask(server.address))[2] & 2


async def test_no_servers_is_no_reply(ask):
    assert await ask() is None


async def test_server_that_the_system_will_not_send_to_is_left_for_the_next(ask, upstream):
    server = await upstream()
    assert addresses(await ask(("127.0.0.1", 0), server.address)) == ["127.0.9.9"]


async def test_ourselves_on_the_wildcard_address_are_never_asked(upstream, clock, random_id):
    ourselves = await upstream()
    asker = Upstream(clock, random_id, lambda: [("0.0.0.0", ourselves.address[1])])
    assert await asker.ask(PACKET, QUESTION, [ourselves.address]) is None
    assert ourselves.queries == []


async def test_cancelled_question_leaves_no_socket_and_no_timer(ask, upstream, silent, clock):
    server = await upstream(silent)
    reply = ask(server.address)
    await server.asked()
    reply.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reply
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(server.askers[0])
    await clock.advance(5)
    assert len(server.queries) == 1

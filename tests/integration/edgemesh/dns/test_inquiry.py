"""Upstream servers that are silent, slow, wrong, dead or unwilling: what comes of a question, and when."""

import asyncio
import socket

import pytest

from dnsreplies import address, name, query, records, reply, soa
from edgecore.modules.edgemesh.dns.packets.messages import Question
from edgecore.modules.edgemesh.dns.resolver.health import State
from edgecore.modules.edgemesh.dns.resolver.inquiry import Asked, Inquiry
from edgecore.modules.edgemesh.dns.resolver.upstream import Upstream

WWW = Question(name("www.example"), b"\0\1\0\1")
POINTER = b"\xc0\x0c"


@pytest.fixture
async def ask(clock, random_id):
    """task = ask(server, ...): what comes of asking these for the address of www.example."""
    changes = []
    upstream = Upstream(clock, random_id, list, on_change=changes.append)

    def start(*servers) -> asyncio.Task[Asked]:
        return asyncio.ensure_future(Inquiry(upstream, WWW, servers).run())

    start.upstream = upstream
    start.changes = changes
    yield start
    upstream.close()
    assert (upstream.sockets, upstream.streams) == (0, 0)


def addresses(asked: Asked) -> list[str]:
    assert asked.finding is not None
    packet = query("www.example")
    packet = packet[:4] + b"\0\1" + asked.finding.counts + b"\0\0" + packet[12:] + asked.finding.tail
    return [".".join(map(str, data)) for _, _, _, data in records(packet)]


def with_rcode(rcode: int):
    return lambda asked: [reply(asked, rcode=rcode)]


def framed(packet: bytes) -> bytes:
    return len(packet).to_bytes(2, "big") + packet


def truncated(asked: bytes) -> list[bytes]:
    return [reply(asked, address(POINTER, "192.0.2.99"), flags=0x8380)]


def words(asked: Asked) -> list[str]:
    return [tried.word for tried in asked.tried]


async def test_query_has_an_id_of_its_own_and_nothing_of_the_asker_s_options(ask, upstream):
    server = await upstream()
    asked = await ask(server.address)
    assert server.queries == [
        b"\xaa\x00\x01\x20\0\1\0\0\0\0\0\1" + WWW.wire + bytes.fromhex("00 0029 04d0 0000 0000 0000")
    ]
    assert addresses(asked) == ["127.0.9.9"]
    assert (asked.server, words(asked)) == (server.address, ["answered"])


async def test_each_query_has_a_port_and_an_id_of_its_own(ask, upstream):
    server = await upstream()
    await asyncio.gather(*(ask(server.address) for _ in range(20)))
    assert len(set(server.askers)) == 20
    assert len({query[:2] for query in server.queries}) == 20


async def test_second_server_is_asked_when_the_first_is_silent_for_a_moment(ask, upstream, silent, clock):
    first, second = await upstream(silent), await upstream()
    ask.upstream.health.asked(second.address, 0.0)  # it is not tried beside the first
    answer = ask(first.address, second.address)
    await first.asked()
    await clock.advance(0.39)
    assert second.queries == []
    await clock.advance(0.01)
    asked = await answer
    assert addresses(asked) == ["127.0.9.9"]
    assert [(tried.server, tried.word) for tried in asked.tried] == [
        (second.address, "answered"),
        (first.address, "silent"),
    ]


async def test_slow_server_may_still_answer_while_another_is_asked(ask, upstream, silent, clock):
    first, second = await upstream(silent), await upstream(silent)
    answer = ask(first.address, second.address)
    await first.asked()
    await clock.advance(0.7)
    await second.asked()
    first.transport.sendto(reply(first.queries[0], address(POINTER, "192.0.2.1")), first.askers[0])
    asked = await answer
    assert addresses(asked) == ["192.0.2.1"]
    assert asked.rtt_s == 0.7


async def test_lost_query_is_sent_again_from_the_same_port(ask, upstream, clock):
    seen = []
    server = await upstream(lambda asked: seen.append(asked) or (with_rcode(3)(asked) if len(seen) == 2 else []))
    answer = ask(server.address)
    await server.asked()
    await clock.advance(1.2)
    assert (await answer).finding.rcode == 3
    assert server.queries[0] == server.queries[1]
    assert server.askers[0] == server.askers[1]


async def test_all_silent_is_nothing_after_four_and_a_half_seconds(ask, upstream, silent, clock):
    servers = [await upstream(silent) for _ in range(3)]
    answer = ask(*(server.address for server in servers))
    await servers[0].asked()
    await clock.advance(4.4)
    assert not answer.done()
    await clock.advance(0.1)
    asked = await answer
    assert asked.finding is None
    assert words(asked) == ["silent"] * 3
    assert {ask.upstream.health.of(server.address).state for server in servers} == {State.FAILING}


async def test_dead_port_is_left_at_once(ask, upstream, dead_address, clock):
    server = await upstream()
    assert addresses(await ask(dead_address, server.address)) == ["127.0.9.9"]
    assert clock.monotonic() == 0
    assert [(change.server, change.is_away, change.reason) for change in ask.changes] == [
        (dead_address, True, "unreachable")
    ]


async def test_all_dead_is_nothing_at_once(ask, dead_address, clock):
    asked = await ask(dead_address)
    assert (asked.finding, words(asked), clock.monotonic()) == (None, ["unreachable"], 0)


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(lambda packet: bytes((packet[0], packet[1] ^ 1)) + packet[2:], id="wrong id"),
        pytest.param(lambda packet: packet.replace(b"www", b"ww2"), id="wrong question"),
        pytest.param(lambda packet: packet.replace(b"\0\1\0\1", b"\0\x1c\0\1"), id="wrong type"),
        pytest.param(lambda packet: packet[:11], id="no header"),
    ],
)
async def test_wrong_reply_is_ignored_and_the_right_one_behind_it_is_taken(lie, ask, upstream):
    server = await upstream(lambda asked: [lie(reply(asked)), reply(asked, rcode=3)])
    assert (await ask(server.address)).finding.rcode == 3
    assert ask.upstream.ignored == 1


async def test_flood_of_wrong_replies_ends_the_conversation(ask, upstream):
    flooded = await upstream(lambda asked: [bytes((n,)) + reply(asked)[1:] for n in range(100)])
    other = await upstream()
    ask.upstream.health.asked(other.address, 0.0)
    asked = await ask(flooded.address, other.address)
    assert addresses(asked) == ["127.0.9.9"]
    assert words(asked) == ["flooded", "answered"]


async def test_reply_from_another_port_of_the_server_is_never_seen(ask, upstream, silent, clock):
    server = await upstream(silent)
    answer = ask(server.address)
    await server.asked()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
        forger.sendto(reply(server.queries[0]), server.askers[0])
    await clock.advance(4.5)
    assert (await answer).finding is None
    assert ask.upstream.ignored == 0


@pytest.mark.parametrize(
    ("unwilling", "word"),
    [
        (with_rcode(2), "servfail"),
        (with_rcode(5), "refused"),
        (with_rcode(9), "refused"),
        (lambda asked: [reply(asked, address("bank.example"))], "lame"),
        (lambda asked: [reply(asked, address(b"\xc0\x1d"))], "unreadable"),
    ],
)
async def test_server_that_is_of_no_use_is_left_for_the_next_at_once(unwilling, word, ask, upstream, clock):
    first, second = await upstream(unwilling), await upstream()
    ask.upstream.health.asked(second.address, 0.0)
    asked = await ask(first.address, second.address)
    assert addresses(asked) == ["127.0.9.9"]
    assert words(asked) == [word, "answered"]
    assert clock.monotonic() == 0


async def test_refusal_is_passed_on_when_nobody_does_better(ask, upstream, dead_address):
    server = await upstream(with_rcode(5))
    asked = await ask(server.address, dead_address)
    assert (asked.finding.rcode, len(server.queries)) == (5, 1)


async def test_refusal_is_passed_on_after_two_seconds_when_the_others_are_silent(ask, upstream, silent, clock):
    unwilling, other = await upstream(with_rcode(2)), await upstream(silent)
    answer = ask(unwilling.address, other.address)
    await other.asked()
    await clock.advance(1.99)
    assert not answer.done()
    await clock.advance(0.01)
    assert (await answer).finding.rcode == 2


async def test_lame_answer_of_the_only_server_is_servfail(ask, upstream):
    server = await upstream(lambda asked: [reply(asked, address("bank.example"))])
    assert (await ask(server.address)).finding.rcode == 2


@pytest.mark.parametrize("rcode", [1, 4])
@pytest.mark.parametrize("is_bare", [False, True])
async def test_server_that_cannot_read_edns_is_asked_without_and_that_is_remembered(rcode, is_bare, ask, upstream):
    def old(asked: bytes) -> list[bytes]:
        if asked[11] == 0:
            return [reply(asked, address(POINTER))]
        return [asked[:2] + bytes((0x81, 0x80 | rcode)) + bytes(8)] if is_bare else with_rcode(rcode)(asked)

    server = await upstream(old)
    for _ in range(2):
        assert addresses(await ask(server.address)) == ["192.0.2.1"]
    assert [asked[11] for asked in server.queries] == [1, 0, 0]
    assert server.queries[0][:2] != server.queries[1][:2]


async def test_truncated_answer_is_fetched_whole_over_tcp(ask, upstream):
    many = [address(POINTER, f"192.0.2.{n}") for n in range(200)]
    server = await upstream(truncated, stream=lambda asked: framed(reply(asked, *many)))
    asked = await ask(server.address)
    assert len(addresses(asked)) == 200
    assert not asked.finding.is_truncated
    assert server.streamed[0][:2] != server.queries[0][:2]
    assert server.streamed[0][2:] == server.queries[0][2:]


@pytest.mark.parametrize(
    ("sent", "word"),
    [
        pytest.param(lambda asked: framed(reply(asked, address(POINTER)))[:-3], "tcp_closed", id="closed midway"),
        pytest.param(lambda asked: b"", "tcp_closed", id="closed at once"),
        pytest.param(lambda asked: b"\xff", "tcp_closed", id="half a length"),
        pytest.param(lambda asked: framed(b"not DNS at all, whatever it may be"), "tcp_garbage", id="garbage"),
        pytest.param(lambda asked: framed(b""), "tcp_garbage", id="empty"),
        pytest.param(lambda asked: framed(reply(asked, flags=0x8380)), "tcp_garbage", id="truncated again"),
        pytest.param(lambda asked: framed(reply(asked.replace(b"www", b"ww2"))), "tcp_garbage", id="wrong question"),
    ],
)
async def test_truncated_answer_is_all_there_is_when_tcp_fails(sent, word, ask, upstream):
    server = await upstream(truncated, stream=sent)
    asked = await ask(server.address)
    assert asked.finding.is_truncated
    assert addresses(asked) == ["192.0.2.99"]
    assert words(asked) == [word]


async def test_truncated_answer_is_all_there_is_when_tcp_is_refused(ask, upstream, clock):
    server = await upstream(truncated)
    asked = await ask(server.address)
    assert (asked.finding.is_truncated, words(asked), clock.monotonic()) == (True, ["tcp_refused"], 0)


async def test_truncated_answer_is_all_there_is_when_tcp_is_silent(ask, upstream, clock):
    server = await upstream(truncated, stream=lambda _: None)
    answer = ask(server.address)
    await server.asked()
    while not ask.upstream.streams:
        await asyncio.sleep(0)
    await clock.advance(2.5)
    asked = await answer
    assert (asked.finding.is_truncated, words(asked)) == (True, ["tcp_silent"])


async def test_whole_answer_of_another_is_better_than_part_of_one(ask, upstream):
    first, second = await upstream(truncated), await upstream()
    ask.upstream.health.asked(second.address, 0.0)
    asked = await ask(first.address, second.address)
    assert addresses(asked) == ["127.0.9.9"]
    assert words(asked) == ["tcp_refused", "answered"]


async def test_no_servers_are_nothing(ask):
    assert await ask() == Asked(None)


async def test_server_that_the_system_will_not_send_to_is_left_for_the_next(ask, upstream):
    server = await upstream()
    assert addresses(await ask(("127.0.0.1", 0), server.address)) == ["127.0.9.9"]


async def test_ourselves_on_the_wildcard_address_are_never_asked(upstream, clock, random_id):
    ourselves = await upstream()
    shared = Upstream(clock, random_id, lambda: [("0.0.0.0", ourselves.address[1])])
    asked = await Inquiry(shared, WWW, [ourselves.address]).run()
    assert (asked.finding, words(asked), ourselves.queries) == (None, ["ourselves"], [])


async def test_without_sockets_nothing_is_asked_and_no_server_is_blamed(upstream, clock, random_id):
    server = await upstream()
    shared = Upstream(clock, random_id, list, sockets_limit=0)
    asked = await Inquiry(shared, WWW, [server.address]).run()
    assert (asked.finding, words(asked)) == (None, ["no_sockets"])
    assert shared.health.of(server.address).failures == 0


async def test_cancelled_question_leaves_no_socket_and_no_timer(ask, upstream, silent, clock):
    server = await upstream(silent)
    answer = ask(server.address)
    await server.asked()
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer
    assert ask.upstream.sockets == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(server.askers[0])
    await clock.advance(5)
    assert len(server.queries) == 1


async def test_cancelled_question_over_tcp_leaves_no_connection(ask, upstream):
    server = await upstream(truncated, stream=lambda _: None)
    answer = ask(server.address)
    while not ask.upstream.streams:
        await asyncio.sleep(0)
    answer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answer


async def test_late_answer_tells_how_quick_a_server_is(ask, upstream, silent, clock):
    slow, quick = await upstream(silent), await upstream()
    answer = ask(slow.address, quick.address)
    await answer
    await clock.advance(0.3)
    slow.transport.sendto(reply(slow.queries[0]), slow.askers[0])
    while ask.upstream.sockets:
        await asyncio.sleep(0)
    health = ask.upstream.health
    assert (health.of(slow.address).rtt_s, health.of(slow.address).state) == (0.3, State.OK)
    assert health.ranked([slow.address, quick.address]) == [quick.address, slow.address]


async def test_server_that_never_answers_is_asked_last_and_away_in_the_end(ask, upstream, silent, clock):
    dead, well = await upstream(silent), await upstream()
    for turn in range(3):
        await ask(dead.address, well.address)
        await clock.advance(30)
        assert len(dead.queries) == turn + 1
    assert [(change.server, change.reason) for change in ask.changes] == [(dead.address, "silent")]
    asked = await ask(dead.address, well.address)
    assert clock.monotonic() == 90
    assert asked.server == well.address


async def test_flapping_server_is_used_again_once_it_answers(ask, upstream, clock):
    state = {"up": False}
    flapping = await upstream(lambda asked: [reply(asked, address(POINTER, "192.0.2.7"))] if state["up"] else [])
    other = await upstream(with_rcode(3))
    for _ in range(3):
        await ask(flapping.address, other.address)
        await clock.advance(30)
    assert ask.upstream.health.of(flapping.address).state is State.AWAY
    state["up"] = True
    await ask(flapping.address, other.address)
    while ask.upstream.sockets:
        await asyncio.sleep(0)
    assert ask.changes[-1].is_away is False
    assert (await ask(flapping.address, other.address)).server == flapping.address


async def test_question_over_ipv6_is_put_as_well(ask, upstream):
    server = await upstream(lambda asked: [reply(asked, authority=(soa("example"),))], host="::1")
    assert (await ask(server.address)).finding.keep_s == 60

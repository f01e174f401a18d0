"""Questions and answers are shown to who looks, whichever way they take through the server."""

import asyncio
from typing import Any

import pytest
from dnslib import DNSRecord

from edgecore.addresses import join_address
from edgecore.modules.edgemesh.dns.listening import mmsg
from edgecore.recording.watch import Watch

WEB = bytes(DNSRecord.question("web.default.svc.cluster.local").pack())
MAIL = bytes(DNSRecord.question("web.default.svc.cluster.local", "MX").pack())
OTHER = bytes(DNSRecord.question("www.example").pack())
NO_QUERY = b"\0" * 12

Shown = list[tuple[Any, ...]]


@pytest.fixture(params=["many at once", "one by one"])
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's calls for many packets, and without."""
    if request.param == "one by one":
        monkeypatch.setattr(mmsg, "is_there", lambda: False)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def shown(watch: Watch) -> Shown:
    """What is shown, from now on."""
    shown: Shown = []
    watch.dns = lambda *told: shown.append(told)
    return shown


@pytest.mark.usefixtures("mode")
async def test_ready_answers_are_shown_with_their_client(running: Any, send: Any, watch: Watch, shown: Shown) -> None:
    watch.dns, show = None, watch.dns
    async with running(watch=watch) as server:
        await send(server.addresses[0], WEB)()
        assert shown == []
        watch.dns = show
        reply = await send(server.addresses[0], WEB)()

    ((client, *told),) = shown
    assert told == ["udp", WEB, reply, 0]
    assert client.startswith("127.0.0.1:")


@pytest.mark.usefixtures("mode")
async def test_cached_answers_are_shown_too(running: Any, send: Any, upstream: Any, watch: Watch, shown: Shown) -> None:
    async with running(upstreams=[(await upstream()).address], watch=watch) as server:
        replies = [await send(server.addresses[0], OTHER)() for _ in range(2)]

    assert [told[1:4] for told in shown] == [("udp", OTHER, reply) for reply in replies]


async def test_answers_that_take_time_are_shown_with_how_long_they_took(
    running: Any, send: Any, upstream: Any, clock: Any, silent: Any, watch: Watch, shown: Shown
) -> None:
    server_outside = await upstream(silent)
    async with running(upstreams=[server_outside.address], watch=watch) as server:
        receive = send(server.addresses[0], OTHER)
        await server_outside.asked()
        assert shown == []
        for _ in range(20):
            await clock.advance(1.0)
        reply = await receive()

    (told,) = shown
    assert told[1:4] == ("udp", OTHER, reply)
    assert told[4] >= 1_000_000


async def test_answers_by_tcp_are_shown(running: Any, watch: Watch, shown: Shown) -> None:
    async with running(watch=watch) as server:
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        replies = []
        for packet in (WEB, MAIL):
            writer.write(len(packet).to_bytes(2, "big") + packet)
            size = int.from_bytes(await reader.readexactly(2), "big")
            replies.append(await reader.readexactly(size))
        client = join_address(*writer.get_extra_info("sockname"))
        writer.close()

    assert [told[:4] for told in shown] == [(client, "tcp", WEB, replies[0]), (client, "tcp", MAIL, replies[1])]


async def test_what_gets_no_answer_is_shown_without_one(running: Any, send: Any, watch: Watch, shown: Shown) -> None:
    packet = b"\0\0\x80" + NO_QUERY[3:]  # a reply, which is not answered
    async with running(watch=watch) as server:
        send(server.addresses[0], packet)
        await send(server.addresses[0], WEB)()

    assert [told[1:4] for told in shown if told[2] == packet] == [("udp", packet, b"")]

"""UDP through the proxy: clients, flows and hosts with real sockets; time stands still unless a test moves it."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from edgecore.clock import SystemClock, VirtualClock
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy import lookups
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.datagrams.flow import HELD_DATAGRAMS
from edgecore.modules.edgemesh.proxy.datagrams.listener import DatagramListener
from edgecore.modules.edgemesh.receivebuffer import widen
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from tests.integration.edgemesh.proxy.conftest import NGINX, MakeRig, Rig
from tests.support.upstreams import fresh_upstreams

PATIENCE_S = 5


class Datagrams(asyncio.DatagramProtocol):
    """One socket: what came is in ``received``, with senders; ``answer`` says what goes back for each."""

    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self.received: list[tuple[bytes, Any]] = []
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport = cast("asyncio.DatagramTransport", None)
        self._answer = answer

    @property
    def address(self) -> Endpoint:
        return Endpoint(*self.transport.get_extra_info("sockname")[:2])

    @property
    def senders(self) -> set[Any]:
        return {sender for _, sender in self.received}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.received.append((data, addr))
        self.waiting.put_nowait(data)
        for reply in self._answer(data):
            self.transport.sendto(reply, addr)

    def error_received(self, exc: Exception) -> None:
        """Refused: the other side is closed."""

    async def next(self) -> bytes:
        return await asyncio.wait_for(self.waiting.get(), PATIENCE_S)


class World:
    """A rig, its hosts that echo, and clients."""

    def __init__(self, rig: Rig, clock: VirtualClock | SystemClock, cleanup: AsyncExitStack) -> None:
        self.rig = rig
        self.clock = clock
        self.lines: list[Served] = []
        self._cleanup = cleanup
        rig.proxy._gateway.access = self.lines.append
        rig.directory.services[NGINX] = []
        rig.directory.upstreams = fresh_upstreams(clock)

    async def host(self, name: str = "", address: str = "127.0.0.1", port: int = 0) -> Datagrams:
        """Start a host that answers with its name and what it got, and let the service have it."""
        echo = await self.open(lambda data: [name.encode() + data], local=(address, port))
        self.endpoints.append(echo.address)
        return echo

    @property
    def endpoints(self) -> list[Endpoint]:
        found = self.rig.directory.services[NGINX]
        assert isinstance(found, list)
        return found

    async def listen(self) -> DatagramListener:
        listener = await self.rig.proxy.listen("127.0.0.1", 0, NGINX, "udp")
        assert isinstance(listener, DatagramListener)
        return listener

    async def client(self, listener: DatagramListener) -> Datagrams:
        """A client that takes replies of the listener's own address only, as its socket is connected."""
        return await self.open(lambda data: [], remote=listener.address)

    async def open(self, answer: Callable[[bytes], list[bytes]], local: Any = None, remote: Any = None) -> Datagrams:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: Datagrams(answer), local_addr=local, remote_addr=remote
        )
        self._cleanup.callback(transport.close)
        return protocol

    def upstream(self, listener: DatagramListener) -> Upstream:
        """What forwards for the listener's port, after the directory has heard of every change."""
        found = self.rig.directory.upstream(NGINX, listener.address.port, "udp")
        assert isinstance(found, Upstream)
        return found

    def only_host(self, listener: DatagramListener) -> Host:
        (host,) = self.upstream(listener).hosts.values()
        return host

    @property
    def dropped(self) -> dict[str, int]:
        return self.rig.proxy._gateway.datagrams.tally.dropped


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(make_rig: MakeRig) -> AsyncIterator[MakeWorld]:
    async with AsyncExitStack() as cleanup:

        async def make(clock: VirtualClock | SystemClock | None = None, **limits: Any) -> World:
            clock = clock or VirtualClock()
            rig = await make_rig(clock, **limits)
            return World(rig, clock, cleanup)

        yield make


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    return await make_world()


async def said(client: Datagrams, data: bytes) -> bytes:
    """Send ``data`` and return what comes back."""
    client.transport.sendto(data)
    return await client.next()


async def test_replies_come_from_the_address_that_was_asked_and_to_the_one_who_asked(world: World) -> None:
    await world.host("a:")
    listener = await world.listen()
    clients = [await world.client(listener) for _ in range(20)]
    for number, client in enumerate(clients):
        client.transport.sendto(b"%d" % number)
    assert [await client.next() for client in clients] == [b"a:%d" % number for number in range(20)]
    assert listener.flows == 20


async def test_a_flow_stays_at_its_host_and_the_next_one_goes_to_the_next(world: World) -> None:
    hosts = [await world.host(f"{name}:") for name in "ab"]
    listener = await world.listen()
    one, other = await world.client(listener), await world.client(listener)
    assert [await said(one, b"1"), await said(other, b"1"), await said(one, b"2")] == [b"a:1", b"b:1", b"a:2"]
    assert [len(host.senders) for host in hosts] == [1, 1]


async def test_a_host_may_speak_first_and_more_than_once(world: World) -> None:
    backend = await world.open(lambda data: [data, data + data], local=("127.0.0.1", 0))
    world.endpoints.append(backend.address)
    client = await world.client(await world.listen())
    assert await said(client, b"x") == b"x"
    assert await client.next() == b"xx"
    backend.transport.sendto(b"news", backend.received[0][1])
    assert await client.next() == b"news"


@pytest.mark.parametrize("size", [1, 1473, 65_507])
async def test_a_datagram_of_any_size_comes_whole(world: World, size: int) -> None:
    await world.host()
    client = await world.client(await world.listen())
    data = bytes(range(256)) * 256
    assert await said(client, data[:size]) == data[:size]


async def test_an_empty_datagram_comes_as_one_both_ways(world: World) -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as backend,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        for sock in (backend, client):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        world.endpoints.append(Endpoint(*backend.getsockname()))
        tally = world.rig.proxy._gateway.datagrams.tally
        client.sendto(b"", (await world.listen()).address)
        await world.rig.until(lambda: tally.forwarded)
        data, sender = backend.recvfrom(10)
        assert data == b""
        backend.sendto(b"", sender)
        await world.rig.until(lambda: tally.replied)
        assert client.recv(10) == b""


async def test_a_silent_flow_is_forgotten_and_its_client_chooses_anew(world: World) -> None:
    for name in "ab":
        await world.host(f"{name}:")
    listener = await world.listen()
    client = await world.client(listener)
    assert await said(client, b"1") == b"a:1"
    await cast("VirtualClock", world.clock).advance(59)
    assert (await said(client, b"2"), listener.flows) == (b"a:2", 1)
    await cast("VirtualClock", world.clock).advance(61)
    assert listener.flows == 0
    assert await said(client, b"3") == b"b:3"


async def test_the_time_of_silence_follows_the_policy(world: World) -> None:
    await world.host()
    listener = await world.listen()
    await said(await world.client(listener), b"1")
    world.rig.directory.policy = Policy(udp_idle_timeout_s=2.0)
    world.upstream(listener)
    await cast("VirtualClock", world.clock).advance(10)
    assert listener.flows == 0


async def test_a_flow_is_accounted_for_from_its_first_datagram_to_its_end(world: World) -> None:
    backend = await world.host("a:")
    listener = await world.listen()
    client = await world.client(listener)
    await said(client, b"12")
    await said(client, b"345")
    host, upstream = world.only_host(listener), world.upstream(listener)
    assert (host.requests, host.active, host.connections, len(host.users)) == (1, 1, 1, 1)
    assert (sum(host.latency), upstream.codes) == (1, {0: 1})
    await cast("VirtualClock", world.clock).advance(61)
    assert (host.requests, host.active, host.connections, len(host.users)) == (1, 0, 0, 0)
    assert upstream.codes == {0: 1}
    (line,) = world.lines
    assert (line.client, line.host, line.handling) == (str(client.address), host, "datagrams")
    assert (line.reason, line.bytes_in, line.bytes_out, line.status) == ("", 5, 9, 0)
    assert str(backend.address) == str(host.endpoint)


async def test_a_dead_host_is_blamed_and_the_next_datagram_goes_to_another(world: World) -> None:
    dead = await world.host("a:")
    await world.host("b:")
    listener = await world.listen()
    client = await world.client(listener)
    assert await said(client, b"1") == b"a:1"
    host = world.upstream(listener).hosts[dead.address]
    dead.transport.close()
    await asyncio.sleep(0)
    client.transport.sendto(b"2")  # gone: nobody has said yet that nobody is there
    await world.rig.until(lambda: host.errors)
    assert (host.errors, host.failures, listener.flows) == ({"connection_refused": 1}, 1, 0)
    assert await said(client, b"3") == b"b:3"
    assert [line.reason for line in world.lines] == ["connection_refused"]


async def test_datagrams_in_a_row_to_a_dead_host_are_sent_to_another_from_the_second_on(world: World) -> None:
    dead = await world.host("a:")
    await world.host("b:")
    client = await world.client(await world.listen())
    dead.transport.close()
    await asyncio.sleep(0)
    for data in (b"1", b"2", b"3"):
        client.transport.sendto(data)
    assert [await client.next(), await client.next()] == [b"b:2", b"b:3"]


async def test_a_host_that_came_back_is_found_again_and_forgiven(world: World) -> None:
    first = await world.host("a:")
    listener = await world.listen()
    client = await world.client(listener)
    await said(client, b"1")
    host = world.only_host(listener)
    first.transport.close()
    await asyncio.sleep(0)
    client.transport.sendto(b"2")
    await world.rig.until(lambda: host.failures)
    await world.open(lambda data: [b"again:" + data], local=tuple(first.address))
    assert await said(client, b"3") == b"again:3"
    assert host.failures == 0


async def test_a_host_that_is_removed_answers_what_it_got_and_gets_nothing_more(world: World) -> None:
    slow = await world.open(lambda data: [], local=("127.0.0.1", 0))
    world.endpoints.append(slow.address)
    listener = await world.listen()
    client = await world.client(listener)
    client.transport.sendto(b"1")
    assert await slow.next() == b"1"
    world.endpoints.clear()
    await world.host("b:")
    world.upstream(listener)
    slow.transport.sendto(b"late", slow.received[0][1])
    assert await client.next() == b"late"
    assert await said(client, b"2") == b"b:2"
    assert len(slow.received) == 1
    assert [line.reason for line in world.lines] == ["backend_gone"]


async def test_a_flow_of_a_host_that_is_removed_ends_at_last(world: World) -> None:
    await world.host("a:")
    listener = await world.listen()
    client = await world.client(listener)
    await said(client, b"1")
    world.endpoints.clear()
    world.upstream(listener)
    assert listener.flows == 1
    await cast("VirtualClock", world.clock).advance(31)
    assert listener.flows == 0


async def test_a_flow_leaves_a_host_that_is_left_out(world: World) -> None:
    await world.host("a:")
    await world.host("b:")
    listener = await world.listen()
    client = await world.client(listener)
    assert await said(client, b"1") == b"a:1"
    upstream = world.upstream(listener)
    next(iter(upstream.hosts.values())).checked = False
    upstream.refresh()
    assert await said(client, b"2") == b"b:2"


async def test_a_flow_stays_where_all_hosts_are_left_out_alike(world: World) -> None:
    await world.host("a:")
    await world.host("b:")
    listener = await world.listen()
    client = await world.client(listener)
    await said(client, b"1")
    upstream = world.upstream(listener)
    for host in upstream.hosts.values():
        host.checked = False
    upstream.refresh()
    assert upstream.panicking
    assert await said(client, b"2") == b"a:2"


async def test_without_a_host_datagrams_are_dropped_and_counted_with_the_reason(world: World) -> None:
    listener = await world.listen()
    client = await world.client(listener)
    client.transport.sendto(b"1")
    await world.rig.until(lambda: world.dropped)
    assert world.dropped == {"no_pods": 1}
    assert (world.upstream(listener).refused, world.rig.errors()) == ({"no_pods": 1}, {"no_pods": 1})
    assert world.upstream(listener).codes == {0: 1}
    assert [(line.reason, line.host) for line in world.lines] == [("no_pods", None)]
    await world.host("a:")
    assert await said(client, b"2") == b"a:2"


async def test_a_service_that_is_not_known_is_counted_with_the_reason(world: World) -> None:
    world.rig.directory.services[NGINX] = Refusal(503, "unknown_service", "cannot reach it: unknown")
    client = await world.client(await world.listen())
    client.transport.sendto(b"1")
    await world.rig.until(lambda: world.dropped)
    assert world.dropped == {"unknown_service": 1}


async def test_more_flows_than_are_allowed_are_refused_while_the_others_are_in_use(make_world: MakeWorld) -> None:
    world = await make_world(max_flows=4, max_flow_share=0.5)
    await world.host("a:")
    listener = await world.listen()
    clients = [await world.client(listener) for _ in range(3)]
    assert [await said(client, b"1") for client in clients[:2]] == [b"a:1", b"a:1"]
    clients[2].transport.sendto(b"1")
    await world.rig.until(lambda: world.dropped)
    assert world.dropped == {"too_many_flows": 1}
    assert await said(clients[0], b"2") == b"a:2"


async def test_a_silent_flow_makes_room_for_a_new_one(make_world: MakeWorld) -> None:
    world = await make_world(max_flows=2, max_flow_share=1.0)
    await world.host("a:")
    listener = await world.listen()
    clients = [await world.client(listener) for _ in range(3)]
    for client in clients[:2]:
        await said(client, b"1")
    await cast("VirtualClock", world.clock).advance(2)
    assert await said(clients[0], b"2") == b"a:2"
    assert await said(clients[2], b"1") == b"a:1"
    assert listener.flows == 2
    assert [(line.client, line.reason) for line in world.lines] == [(str(clients[1].address), "evicted")]


async def test_a_host_with_a_name_is_looked_up_and_gets_what_came_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "is_reachable", lambda address: True)
    named = await world.host("a:")
    world.endpoints[:] = [Endpoint("localhost", named.address.port)]
    client = await world.client(await world.listen())
    for number in range(HELD_DATAGRAMS):
        client.transport.sendto(b"%d" % number)
    assert [await client.next() for _ in range(HELD_DATAGRAMS)] == [b"a:%d" % number for number in range(16)]


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "localhost"])
async def test_a_host_whose_name_stands_for_nothing_is_blamed(world: World, name: str) -> None:
    world.endpoints.append(Endpoint(name, 53))
    listener = await world.listen()
    client = await world.client(listener)
    client.transport.sendto(b"1")
    await world.rig.until(lambda: world.dropped)
    assert (world.dropped, listener.flows) == ({"connect_failed": 1}, 0)
    assert world.only_host(listener).errors == {"connect_failed": 1}


async def test_a_host_that_no_way_leads_to_is_passed_over(world: World) -> None:
    world.endpoints.append(Endpoint("255.255.255.255", 9))  # a broadcast, which the system refuses
    await world.host("b:")
    listener = await world.listen()
    assert await said(await world.client(listener), b"1") == b"b:1"
    assert [host.errors for host in world.upstream(listener).hosts.values()] == [{"unreachable": 1}, {}]


async def test_a_burst_of_a_thousand_clients_loses_nothing(make_world: MakeWorld) -> None:
    world = await make_world(SystemClock())
    backend = await world.host()
    widen(backend.transport.get_extra_info("socket"))
    listener = await world.listen()
    room = listener._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    at_once = min(1000, room // 2048)  # as many as fit, whatever the system counts for a small one
    clients = []
    try:
        for number in range(1000):
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            clients.append(client)
            client.setblocking(False)
            client.connect(listener.address)
            client.send(b"%d" % number)
            if len(clients) % at_once == 0:
                await world.rig.until(lambda: len(backend.received) == len(clients))
        await world.rig.until(lambda: len(backend.received) == 1000 and listener.flows == 1000)
        await asyncio.sleep(0.05)
        assert [client.recv(100) for client in clients] == [b"%d" % number for number in range(1000)]
        assert world.dropped == {}
    finally:
        for client in clients:
            client.close()


async def test_a_client_that_floods_does_not_keep_others_waiting(make_world: MakeWorld) -> None:
    world = await make_world(SystemClock())
    await world.host()
    echo = await world.open(lambda data: [data], local=("127.0.0.1", 0))
    other = ServiceKey("default", "other")
    world.rig.directory.services[other] = [echo.address]
    quiet = await world.rig.proxy.listen("127.0.0.1", 0, other, "udp")
    assert isinstance(quiet, DatagramListener)
    flooder, client = await world.client(await world.listen()), await world.client(quiet)
    flooding = True

    async def flood() -> None:
        while flooding:
            for _ in range(100):
                flooder.transport.sendto(bytes(100))
            await asyncio.sleep(0)

    task = asyncio.ensure_future(flood())
    try:
        for number in range(20):
            assert await said(client, b"%d" % number) == b"%d" % number
    finally:
        flooding = False
        await task


async def test_a_socket_that_cannot_be_read_is_told_of_once_a_second(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def recvfrom_into(self, room: memoryview) -> None:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")

    listener = await world.listen()
    with monkeypatch.context() as broken, capture_logs() as logged:
        broken.setattr(listener, "_socket", Broken())
        for _ in range(1000):
            listener._drain()
    assert [(line["event"], line["reason"]) for line in logged] == [("request_failed", "datagrams_unreadable")]
    assert world.rig.proxy.status()["errors"] == {"datagrams_unreadable": 1000}


async def test_a_closed_listener_leaves_its_port_to_the_next(world: World) -> None:
    await world.host("a:")
    listener = await world.listen()
    client = await world.client(listener)
    await said(client, b"1")
    listener.close()
    listener.abort()
    assert (listener.over, listener.flows, world.only_host(listener).active) == (True, 0, 0)
    again = await world.rig.proxy.listen(*listener.address, NGINX, "udp")
    assert await said(client, b"2") == b"a:2"
    again.close()


async def test_the_plain_listener_takes_no_datagrams(world: World) -> None:
    with pytest.raises(ListenError, match="of no service"):
        await world.rig.proxy.listen("127.0.0.1", 0, None, "udp")


async def test_metrics_tell_of_flows_and_datagrams(world: World) -> None:
    await world.host()
    listener = await world.listen()
    await said(await world.client(listener), b"1")
    world.rig.directory.services[NGINX] = []
    await cast("VirtualClock", world.clock).advance(61)
    (await world.client(listener)).transport.sendto(b"1")
    await world.rig.until(lambda: world.dropped)
    text = world.rig.metrics.render().decode()
    for line in (
        "edgecore_proxy_flows_total 1.0",
        'edgecore_proxy_flows_forgotten_total{reason="silent"} 1.0',
        'edgecore_proxy_datagrams_total{direction="to_backend"} 1.0',
        'edgecore_proxy_datagrams_total{direction="to_client"} 1.0',
        'edgecore_proxy_datagrams_dropped_total{reason="no_pods"} 1.0',
    ):
        assert line in text

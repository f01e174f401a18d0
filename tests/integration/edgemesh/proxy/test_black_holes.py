"""Backends that swallow what they get, backends that all fail, and clients that are slow: others do not wait for them.

Time stands still unless it is moved: who is answered meanwhile has waited for no timeout.
"""

import asyncio
import contextlib
import random
import socket
from asyncio import StreamReader, StreamWriter

import pytest

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.health.judge import HealthJudge
from edgecore.modules.edgemesh.upstream.policy import Policy

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLIENTS = 30
SLOW = 1000


@contextlib.contextmanager
def full_backlog():
    """Yield the address of a listener that lets nobody in."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            yield Endpoint(*full.getsockname())


async def swallow(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read()


def judged(rig):
    """Have the health of backends judged as in a node."""
    clock = rig.directory.upstreams._clock
    rig.directory.upstreams._make_health = HealthJudge(clock, random.Random(7)).judge
    return rig


async def ask_all(rig, listener, request: bytes) -> list:
    """Return clients that have each sent a request."""
    clients = [await rig.connect(listener) for _ in range(CLIENTS)]
    for client in clients:
        await client.send(request)
    return clients


@pytest.mark.parametrize("hole", ["full backlog", "no answer"])
async def test_black_hole_holds_up_only_who_fell_in_and_they_come_out_again(make_rig, vclock, nginx, hole: str) -> None:
    rig = judged(await make_rig(vclock, Policy(connect_timeout_s=5.0, request_timeout_s=5.0, retry_budget_min=30)))
    with full_backlog() as full:
        for host in ("127.0.0.2", "127.0.0.3"):
            await rig.backend(lambda _: OK, host=host)
        if hole == "full backlog":
            black = full
            rig.directory.services[nginx].append(black)
        else:
            black = (await rig.raw_backend(swallow, host="127.0.0.4")).endpoint
        listener = await rig.listen()
        clients = await ask_all(rig, listener, GET)
        upstream = rig.upstream(listener)
        stuck = CLIENTS // 3
        await rig.until(lambda: upstream.codes == {200: CLIENTS - stuck} and upstream.hosts[black].active == stuck)
        seen = await asyncio.gather(*(answered(client) for client in clients))
        assert sum(seen) == CLIENTS - stuck  # though no time has passed

        await vclock.advance(5.2)  # and the others go on to another backend
        await rig.until(lambda: upstream.codes == {200: CLIENTS})
        assert upstream.why(upstream.hosts[black]) == "ejected"
        before = upstream.hosts[black].requests
        for client in await ask_all(rig, listener, GET):
            assert (await client.answer())[0] == 200
        assert upstream.hosts[black].requests == before
        assert rig.errors() == {}


async def answered(client) -> bool:
    """Say whether an answer is there."""
    try:
        await asyncio.wait_for(client.reader.readuntil(b"ok"), 0.05)
    except TimeoutError:
        return False
    return True


async def test_request_that_may_not_be_sent_again_is_504_after_its_timeout(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=5.0))
    black = await rig.raw_backend(swallow, host="127.0.0.4")
    backend = await rig.backend(lambda _: OK, host="127.0.0.2")
    listener = await rig.listen()
    client, other = await rig.connect(listener), await rig.connect(listener)
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
    await rig.until(lambda: black.open)
    assert (await other.get())[0] == 200
    await vclock.advance(5.2)
    status, headers, _ = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"]) == (504, b"response_timeout")
    assert len(backend.requests) == 1


@pytest.mark.parametrize(
    ("policy", "status", "reason"),
    [
        # With too few well all are used: what comes then is what the last one did.
        (Policy(eject_after=2, retries=0), 502, "connect_failed"),
        (Policy(eject_after=2, retries=0, eject_max_share=1.0), 502, "connect_failed"),
        # Only who wants no panic, and no bound to what is left out, is told that all are.
        (Policy(eject_after=2, retries=0, eject_max_share=1.0, panic_share=0.0), 503, "all_ejected"),
        # Half of them may be left out, so the others are asked.
        (Policy(eject_after=2, retries=0, eject_max_share=0.5, panic_share=0.0), 502, "connect_failed"),
    ],
    ids=["as shipped", "panic", "no panic", "a half"],
)
async def test_all_ejected_is_said_only_when_nobody_may_be_asked(
    make_rig, vclock, nginx, policy: Policy, status: int, reason: str
) -> None:
    rig = judged(await make_rig(vclock, policy))
    with contextlib.ExitStack() as bound:
        nobody = [bound.enter_context(socket.socket()) for _ in range(4)]
        for sock in nobody:
            sock.bind(("127.0.0.1", 0))
        rig.directory.services[nginx] = [Endpoint(*sock.getsockname()) for sock in nobody]
        listener = await rig.listen()
        client = await rig.connect(listener)
        for _ in range(24):
            found, headers, _ = await client.get()
        assert (found, headers[b"X-Edgecore-Reason"].decode()) == (status, reason)
        upstream = rig.upstream(listener)
        assert upstream.panicking == (len(upstream.available) == 4 and policy.eject_max_share == 1.0)

        nobody[0].listen()
        server = await asyncio.start_server(serve_ok, sock=nobody[0].dup())
        try:
            await vclock.advance(policy.eject_base_s + 1)  # each has another chance
            assert 200 in [(await client.get())[0] for _ in range(8)]
        finally:
            server.close()
            await rig.proxy.stop()


async def serve_ok(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError):
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)
    writer.close()


async def test_thousand_slow_clients_do_not_stop_a_fast_one(rig) -> None:
    """A half of them sends a request byte by byte, the others read a long answer bit by bit."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while b"/long" not in await reader.readuntil(b"\r\n\r\n"):
            writer.write(OK)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(bytes(65_536))
            await writer.drain()

    await rig.raw_backend(serve)
    listener = await rig.listen()
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.socket()) for _ in range(SLOW)]
        senders, readers = slow[::2], slow[1::2]
        for sock in slow:
            sock.setblocking(False)
            if sock in readers[:50]:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(sock, listener.address)
        for sock in readers[:50]:
            sock.send(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        for sock in readers[50:]:
            sock.send(GET)
        fast = await rig.connect(listener)
        for number in range(len(GET) - 1):
            for sock in senders:
                sock.send(GET[number : number + 1])
            for _ in range(4):
                assert (await fast.get())[0] == 200
            for sock in readers[:50]:
                with contextlib.suppress(BlockingIOError):
                    sock.recv(10)
        await rig.until(lambda: rig.proxy.status()["connections"] == SLOW + 1)
        upstream = rig.upstream(listener)
        served = 4 * (len(GET) - 1) + SLOW // 2
        await rig.until(lambda: sum(upstream.codes.values()) == served)
        assert sum(host.active for host in upstream.hosts.values()) == 50  # none of the long ones is through
        for sock in senders:
            sock.send(GET[-1:])
        await rig.until(lambda: upstream.codes == {200: served + SLOW // 2})
        assert rig.errors() == {}

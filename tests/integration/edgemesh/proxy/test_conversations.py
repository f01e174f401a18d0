"""Whole conversations over real sockets: the same bytes pass as without (see the unit test of the same name)."""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections import deque

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecore.clock import SystemClock
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.observe.metrics import Metrics
from tests.support.exchanges.delivery import Delivery, Outcome, deliver
from tests.support.exchanges.judges import Requests
from tests.support.exchanges.messages import Asked, Told, conversations
from tests.support.exchanges.simulation import DOOR, WEB, Cut, Loop, OneService, at_random, whole
from tests.support.upstreams import fresh_upstreams, port_spec

EXAMPLES = min(500, settings().max_examples)


class Backend:
    """A backend as in the simulation, at a socket."""

    def __init__(self, told: list[Told], cut: Cut) -> None:
        self.received = b""
        self._answers = deque(told)
        self._cut = cut

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        judge = Requests()
        while data := await reader.read(65536):
            self.received += data
            for _ in range(judge.take(data)):
                answer = self._answers.popleft()
                for piece in self._cut(answer.wire):
                    writer.write(piece)
                    await asyncio.sleep(0)
                if answer.closes:
                    writer.close()
                    return
        writer.close()


async def converse(asked: list[Asked], told: list[Told], cut: Cut, expected: Outcome) -> None:
    backend = Backend(told, cut)
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    clock = SystemClock()
    upstreams = fresh_upstreams(clock)
    upstream = upstreams.put(port_spec(WEB, 80, [Endpoint(*server.sockets[0].getsockname())]))
    proxy = MeshProxy(OneService(upstream), upstreams, clock, Metrics(), ProxyLimits())
    listener = await proxy.listen("127.0.0.1", 0, WEB)
    reader, writer = await asyncio.open_connection(*listener.address)
    try:
        for piece in cut(b"".join(one.wire for one in asked)):
            writer.write(piece)
            await asyncio.sleep(0)
        reading = reader.read() if expected.closed else reader.readexactly(len(expected.to_client))
        assert await asyncio.wait_for(reading, 10) == expected.to_client
        door = str(listener.address).encode()  # what who names no host has spoken to
        assert backend.received == expected.to_backend.replace(str(DOOR).encode(), door)
    finally:
        writer.close()
        await proxy.stop()
        server.close()
        await server.wait_closed()


def until_close(asked: list[Asked], told: list[Told]) -> tuple[list[Asked], list[Told]]:
    """Leave out what comes behind ``Connection: close``: who goes on sending may be reset (RFC 9112 section 9.6)."""
    count = next((number for number, one in enumerate(asked, 1) if not one.keep), len(asked))
    return asked[:count], told[:count]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.SelectorEventLoop], ids=["uvloop", "asyncio"])
@settings(max_examples=EXAMPLES)
@given(conversation=conversations(), seed=st.integers(0, 2**32))
def test_the_same_bytes_pass_over_sockets(new_loop, conversation: tuple[list[Asked], list[Told]], seed: int) -> None:
    asked, told = until_close(*conversation)
    with asyncio.Runner(loop_factory=Loop) as runner:
        expected = runner.run(deliver(asked, told, Delivery(whole, whole, in_turns=False)))
    for cut in (whole, at_random(random.Random(seed))):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(converse(asked, told, cut, expected))

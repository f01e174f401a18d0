"""Clients and backends that send what they like, without sockets: nothing is raised, nothing is left, all is counted.

What follows from a seed is made once more with ``EDGECORE_FUZZ_SEED`` and ``EDGECORE_FUZZ_FRAMES=120:121``.
"""

import asyncio
import os
import random

import h11
import pytest
import structlog

from fuzz.health import Complaints
from tests.support.exchanges.judges import Requests, read_answers
from tests.support.exchanges.mutation import ANSWERS, REQUESTS, stream
from tests.support.exchanges.simulation import Loop, Simulation, Wire, at_random, each_byte, whole

STREAMS = 1500


class Backend:
    """Sends a stream piece by piece whenever it gets anything that ends a head, and closes in the end or does not."""

    wire: Wire

    def __init__(self, rng: random.Random) -> None:
        self.got = bytearray()
        self.judge = Requests()
        self.objection: h11.RemoteProtocolError | None = None
        self._rng = rng
        self._left = rng.choice((0, 1, 2, 9))

    def received(self, data: bytes) -> None:
        self.got += data
        self._look(data)
        if b"\r\n\r\n" not in data and self._rng.random() < 0.5:
            return
        if not self._left:
            self.wire.incoming.append(None)
            return
        self._left -= 1
        self.wire.incoming += self._rng.choice((whole, at_random(self._rng)))(stream(ANSWERS, self._rng))
        if self._rng.random() < 0.2:
            self.wire.incoming.append(None)

    def finished(self) -> None: ...

    def _look(self, data: bytes) -> None:
        """Have h11 look at what is forwarded, for as long as it is HTTP."""
        if self.objection is None and b"\r\nupgrade:" not in self.got.lower():
            try:
                self.judge.take(data)
            except h11.RemoteProtocolError as error:
                self.objection = error


async def fuzz(number: int, seed: int) -> Simulation:
    rng = random.Random(f"{seed}/{number}")
    simulation = Simulation(lambda: Backend(rng), rng.randrange(2**32), max_header_bytes=rng.choice((2000, 65_536)))
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: raised.append(context))
    sent = stream(REQUESTS, rng)
    simulation.wire.incoming += rng.choice((whole, each_byte, at_random(rng)))(sent)
    if rng.random() < 0.7:
        simulation.wire.incoming.append(None)
    await simulation.run()
    for backend in simulation.backends:  # those that said nothing, or not all, leave now
        backend.wire.lose()
        await simulation.run()
    simulation.wire.incoming.append(None)
    await simulation.run()
    await simulation.clock.advance(400)  # past every timeout
    await simulation.run()
    assert raised == []
    assert simulation.wire.closed
    await simulation.end()
    return simulation


def check(simulation: Simulation) -> None:
    """Look at what came of it: whatever was sent, what the proxy writes itself is well-formed."""
    got = bytes(simulation.client.got)
    assert not got or got.startswith(b"HTTP/1.1 "), got
    at = 0
    while (at := got.find(b"\r\nX-Edgecore-Reason: ", at) + 1) > 0:
        start, body = got.rindex(b"HTTP/1.1 ", 0, at), got.index(b"\r\n\r\n", at) + 4
        bare = got[body:].startswith(b"HTTP/1.1 ") or body == len(got)  # to HEAD
        (read,), _ = read_answers(got[start:], [b"HEAD" if bare else b"GET"], closed=True)
        assert bare or (read.body.endswith(b"\n") and read.body.count(b"\n") == 1)
        assert simulation.gateway.errors
    for backend in simulation.backends:
        assert backend.objection is None, (backend.objection, bytes(backend.got))
        assert len(backend.judge.complete) <= simulation.host.requests


@pytest.mark.timeout(900)
def test_whatever_clients_and_backends_send_nothing_is_raised_and_nothing_left(
    request: pytest.FixtureRequest, scale: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("EDGECORE_FUZZ_SEED") or request.config.getoption("randomly_seed", default=0))
    first, _, last = os.environ.get("EDGECORE_FUZZ_FRAMES", f"0:{STREAMS * scale}").partition(":")
    errors = set[str]()
    complaints = Complaints()
    monkeypatch.setattr(structlog._config._CONFIG, "default_processors", [complaints.of_log])
    with asyncio.Runner(loop_factory=Loop) as runner:
        for number in range(int(first), int(last)):
            try:
                simulation = runner.run(fuzz(number, seed))
                check(simulation)
            except BaseException as error:
                error.add_note(f"again: EDGECORE_FUZZ_SEED={seed} EDGECORE_FUZZ_FRAMES={number}:{number + 1}")
                raise
            assert complaints.found == []
            errors |= set(simulation.gateway.errors)
    if int(last) - int(first) >= STREAMS:
        often = {"bad_header", "not_http", "truncated", "bad_response"}
        assert not often - errors

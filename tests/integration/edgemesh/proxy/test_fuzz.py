"""Clients and backends that send what they like, over sockets: nothing is raised, all is counted, nothing is left open.

See the unit test of the same name: the same streams, many more of them, without sockets.
"""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from pathlib import Path

import pytest
import structlog

from edgecore.modules.edgemesh.proxy.entrance.loopacceptor import HANDLES
from edgecore.modules.edgemesh.upstream.policy import Policy
from fuzz.health import Complaints
from tests.support.exchanges.mutation import ANSWERS, REQUESTS, stream

STREAMS = 300
AT_ONCE = 10


def open_files() -> int:
    """Return how many files this process has open; 0 where the system does not tell."""
    files = Path("/proc/self/fd")
    return len(list(files.iterdir())) if files.exists() else 0


@pytest.mark.timeout(600)
async def test_whatever_is_sent_over_sockets_nothing_is_raised_and_nothing_left_open(
    make_rig, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, scale: int
) -> None:
    rng = random.Random(request.config.getoption("randomly_seed", default=0))
    complaints = Complaints()
    monkeypatch.setattr(structlog._config._CONFIG, "default_processors", [complaints.of_log])
    asyncio.get_running_loop().set_exception_handler(complaints.of_loop)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        for _ in range(rng.randint(0, 3)):
            if not await reader.read(65_536):
                break
            writer.write(stream(ANSWERS, rng))
            await writer.drain()

    quickly = Policy(request_timeout_s=0.2, idle_timeout_s=0.2)  # who waits for more from the other waits in vain
    rig = await make_rig(policy=quickly, linger_s=0.05, idle_timeout_s=0.2, backend_idle_timeout_s=0.2)
    await rig.raw_backend(serve)
    listener = await rig.listen()
    open_before = open_files()

    async def once() -> bytes:
        reader, writer = await asyncio.open_connection(*listener.address)
        try:
            writer.write(stream(REQUESTS, rng))
            await writer.drain()
            if rng.random() < 0.3:
                writer.transport.abort()
            else:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            return b""
        finally:
            writer.close()

    answered = 0
    for _ in range(STREAMS * scale // AT_ONCE):
        for got in await asyncio.gather(*(once() for _ in range(AT_ONCE))):
            assert not got or got.startswith(b"HTTP/1.1 ")
            answered += bool(got)
    await rig.until(lambda: not rig.proxy.status()["connections"] and not rig.gateway.backends.number)
    assert complaints.found == []
    assert answered > STREAMS * scale / 3
    assert {"not_http", "backend_closed"} <= set(rig.errors())
    await rig.until(lambda: open_files() < open_before + HANDLES)  # a busy door may still have its further handles
    upstreams = list(rig.directory.upstreams)
    assert [host.active for upstream in upstreams for host in upstream.hosts.values()] == [0]

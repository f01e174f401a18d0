"""Faults on connections with TLS, on both event loops: cuts, silence, and a restart with messages under way."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from cloudhub_stub.app import Stub
from cloudhub_stub.faults.spec import FaultSpec
from cloudhub_stub.sender import SendOptions

STATUS = "default/nodestatus/edge-1"


@pytest.fixture
async def stub(make_stub: Any) -> Stub:
    made: Stub = await make_stub(plain=False, https="127.0.0.1:0")
    return made


@pytest.fixture
async def connect(stub: Stub, joiner: Any, make_edge: Any) -> Any:
    """Return a function that connects the edge, which has joined."""
    await joiner.join(stub)
    return lambda: make_edge(stub, tls=joiner.context(joiner.certificate))


def inject(stub: Stub, kind: str, **fields: Any) -> None:
    stub.faults.inject(msgspec.convert({"fault": kind, **fields}, FaultSpec))


async def send(stub: Stub, name: str) -> None:
    route = {"source": "edgecontroller", "group": "resource", "operation": "insert", "resource": f"default/pod/{name}"}
    document = {"header": {"msg_id": name, "resourceversion": "1"}, "route": route, "content": {}}
    await stub.sender.send(SendOptions(messages=[document], node="edge-1"))


async def close_code(edge: Any) -> int | None:
    with suppress(ConnectionClosed):
        while True:
            await edge.connection.recv()
    code: int | None = edge.connection.close_code
    return code


async def test_what_was_on_its_way_at_a_cut_comes_with_the_next_connection(
    stub: Stub, connect: Any, turns: Any
) -> None:
    edge = await connect()
    await send(stub, "a")
    assert (await edge.receive())["header"]["msg_id"] == "a"
    inject(stub, "cut")
    assert await close_code(edge) == 1006
    again = await connect()
    await again.take_and_acknowledge(1)
    await turns(lambda: stub.cloud.ledger.under_way == 0)


async def test_a_half_open_connection_says_nothing_until_the_node_is_back(stub: Stub, connect: Any, turns: Any) -> None:
    edge = await connect()
    assert (await edge.ask("insert", STATUS, {}))["content"] == "OK"
    inject(stub, "half-open")
    pong = await edge.connection.ping()
    await send(stub, "a")
    await edge.connection.send("x" * 1_000_000)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(edge.receive(), 0.2)
    assert (pong.done(), edge.connection.close_code) == (False, None)
    again = await connect()
    assert await close_code(edge) == 1006
    await again.take_and_acknowledge(1)
    await turns(lambda: stub.cloud.ledger.under_way == 0)
    assert not stub.faults.busy
    pong.cancel()


async def test_a_restart_loses_no_message_and_comes_back_with_the_certificate_in_its_file(
    stub: Stub, connect: Any, tmp_path: Path, turns: Any
) -> None:
    edge = await connect()
    await send(stub, "a")
    await edge.receive()
    (tmp_path / "pki" / "server.crt").unlink()
    inject(stub, "restart")
    assert await close_code(edge) == 1006
    await turns(lambda: not stub.faults.view()["restarting"])
    again = await connect()
    shown = again.connection.transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert shown == ssl.PEM_cert_to_DER_cert((tmp_path / "pki" / "server.crt").read_text())
    await again.take_and_acknowledge(1)
    assert again.taken[0]["header"]["msg_id"] == "a"
    await turns(lambda: stub.cloud.ledger.under_way == 0)


async def test_a_stub_with_a_half_open_connection_stops_at_once(stub: Stub, connect: Any) -> None:
    edge = await connect()
    inject(stub, "half-open")
    await asyncio.wait_for(stub.stop(), 0.9)
    assert await close_code(edge) == 1006

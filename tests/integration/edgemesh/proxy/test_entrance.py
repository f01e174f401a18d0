"""How who comes in is told apart, and what happens where a port changes while it is listened for."""

import asyncio
import errno
import os
import socket
from asyncio import StreamReader, StreamWriter

import pytest

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import OriginalDestination
from edgecore.modules.edgemesh.workers.sharing import Sharing

OTHER = ServiceKey("kube-system", "other")
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def shout(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data.upper())


async def test_request_is_served_as_http_however_its_bytes_come(rig) -> None:
    rig.directory.handling = "sniff"
    await rig.backend()
    listener = await rig.listen()
    for sizes in ((len(REQUEST),), (1,) * len(REQUEST), (3, 30)):
        client = await rig.connect(listener)
        rest = REQUEST
        for size in sizes:
            await client.send(rest[:size])
            rest = rest[size:]
            await asyncio.sleep(0.001)
        assert (await client.answer())[0] == 200
    assert rig.proxy.status()["connections"] == 3
    assert {line.handling for line in rig.served} <= {"http"}


@pytest.mark.parametrize(
    "head", [b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\n", b"hello there\r\n", b"GET / HTTP/2.0\r\n"]
)
async def test_what_is_no_request_is_bytes(rig, head: bytes) -> None:
    rig.directory.handling = "sniff"
    await rig.raw_backend(shout)
    client = await rig.client()
    await client.send(head)
    assert await client.exactly(len(head)) == head.upper()


async def test_client_that_waits_for_the_server_is_bytes_after_a_while(make_rig) -> None:
    rig = await make_rig(sniff_timeout_s=0.05)
    rig.directory.handling = "sniff"

    async def greet(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await shout(reader, writer)

    await rig.raw_backend(greet)
    client = await rig.client()
    assert await client.until(b"\r\n") == b"220 ready\r\n"
    await client.send(REQUEST)  # too late to be told apart
    assert await client.exactly(len(REQUEST)) == REQUEST.upper()


async def test_half_a_request_line_is_bytes_after_a_while(make_rig) -> None:
    rig = await make_rig(sniff_timeout_s=0.05)
    rig.directory.handling = "sniff"
    await rig.raw_backend(shout)
    client = await rig.client()
    await client.send(b"get /")
    assert await client.exactly(5) == b"GET /"


@pytest.mark.parametrize("head", [b"", b"get /"])
async def test_client_that_ends_before_it_is_known_is_bytes(make_rig, head: bytes) -> None:
    rig = await make_rig(sniff_timeout_s=60)
    rig.directory.handling = "sniff"
    await rig.raw_backend(shout)
    client = await rig.client()
    await client.send(head)
    client.writer.write_eof()
    assert await client.rest() == head.upper()


async def test_stop_ends_those_who_have_said_nothing(make_rig) -> None:
    rig = await make_rig(sniff_timeout_s=60)
    rig.directory.handling = "sniff"
    await rig.raw_backend(shout)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await rig.until(lambda: rig.proxy.status()["connections"] == 1)
    listener.close()
    await rig.until(lambda: listener.over)
    await rig.proxy.stop()
    with pytest.raises(ConnectionResetError):
        await client.rest()


async def test_stop_while_a_request_is_handed_over_leaves_nothing(rig) -> None:
    rig.directory.handling = "sniff"
    await rig.backend()
    listener = await rig.listen()
    clients = [await rig.connect(listener) for _ in range(10)]
    for client in clients:
        client.writer.write(REQUEST)
    await asyncio.sleep(0)
    await rig.proxy.stop()
    assert rig.proxy.status()["connections"] == 0


@pytest.mark.parametrize(
    ("first", "then"), [("http", "bytes"), ("http", "sniff"), ("bytes", "http"), ("sniff", "http")]
)
async def test_port_that_changes_is_served_as_it_is_now(rig, first, then) -> None:
    await rig.backend()
    rig.directory.handling = first
    listener = await rig.listen()
    for handling in (then, first, then):
        rig.directory.handling = handling
        client = await rig.connect(listener)
        await client.send(REQUEST)
        assert (await client.answer())[0] == 200
        upstream = rig.directory.upstream(listener.service, listener.address.port)
        relayed = [guest for guest in listener._doors.front.clients if type(guest).__name__ == "BytesConnection"]
        assert len(relayed) == (handling == "bytes")
        assert upstream.spec.handling == handling
        await client.close()
        await rig.until(lambda: not rig.proxy.status()["connections"])


async def test_bytes_that_come_with_the_connection_are_not_lost_where_the_port_has_changed(rig) -> None:
    await rig.raw_backend(shout)
    listener = await rig.listen()
    rig.directory.handling = "bytes"
    with socket.create_connection(tuple(listener.address)) as client:
        client.sendall(b"early")  # before the proxy has had a turn
        client.setblocking(False)
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), 5) == b"EARLY"


async def test_accepting_goes_on_when_file_descriptors_are_left_again(rig, monkeypatch) -> None:
    rig.directory.handling = "bytes"
    await rig.raw_backend(shout)
    listener = await rig.listen()
    accept, refused = socket.socket.accept, []

    def scarce(sock):
        if len(refused) < 2:
            refused.append(sock)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return accept(sock)

    monkeypatch.setattr(socket.socket, "accept", scarce)
    client = await rig.connect(listener)
    await client.send(b"x")
    assert await client.exactly(1) == b"X"
    assert len(refused) == 2
    assert rig.errors() == {"cannot_accept": 2}


async def test_closing_while_none_are_accepted_leaves_no_timer(rig, monkeypatch) -> None:
    rig.directory.handling = "bytes"
    await rig.raw_backend(shout)
    listener = await rig.listen()
    scarce = OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def refuse(sock):
        raise scarce

    with monkeypatch.context() as patched:
        patched.setattr(socket.socket, "accept", refuse)
        client = await rig.connect(listener)
        await rig.until(rig.errors)
        listener.close()
    with pytest.raises(ConnectionResetError):  # it was in the system's queue, and goes with that
        await client.rest()
    assert listener.over


async def test_one_listener_serves_all_that_is_led_to_it(rig, nginx) -> None:
    rig.directory.handling = "sniff"
    backend = await rig.raw_backend(shout)
    rig.directory.services[OTHER] = [backend.endpoint]
    meant = iter((Endpoint("9.251.0.1", 80), Endpoint("9.251.0.2", 443), Endpoint("9.251.0.9", 80)))
    services = {"9.251.0.1": nginx, "9.251.0.2": OTHER}
    destination = OriginalDestination(services.get, lambda client: next(meant))
    listener = await rig.proxy.listen("127.0.0.1", 0, None, destination=destination)
    clients = [await rig.connect(listener) for _ in range(2)]
    for client in clients:
        await client.send(b"\0x")
        assert await client.exactly(2) == b"\0X"
    assert set(rig.directory.asked) == {(nginx, 80), (OTHER, 443)}
    with pytest.raises(ConnectionResetError):
        await (await rig.connect(listener)).rest()
    assert rig.errors() == {"unknown_destination": 1}
    listener.abort()
    assert listener.over


async def test_two_proxies_share_a_port_and_a_third_party_does_not_get_it(rig, make_rig, nginx) -> None:
    second = await make_rig()
    first = await rig.proxy.listen("127.0.0.1", 0, nginx, sharing=Sharing.FIRST)
    port = first.address.port
    more = await second.proxy.listen("127.0.0.1", port, nginx, sharing=Sharing.MORE)
    assert more.address == first.address
    with pytest.raises(ListenError) as caught:
        await second.proxy.listen("127.0.0.1", port, nginx, sharing=Sharing.FIRST)
    assert caught.value.reason == "in_use"

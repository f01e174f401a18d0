"""The UDP socket: many packets at once, all families, wildcard addresses, and a flood."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from dnslib import DNSRecord
from structlog.testing import capture_logs

from edgecore.modules.edgemesh.dns.listening import mmsg, udp
from edgecore.modules.edgemesh.dns.listening.udp import HEAP_BUDGET, UdpListener
from edgecore.modules.edgemesh.dns.tally import Tally

WEB = bytes(DNSRecord.question("web.default.svc.cluster.local").pack())
ANSWER = bytes(7) + b"\1"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


class FakeAnswers:
    """Knows what begins with ``r``, has cached what begins with ``c``; the rest is received, and kept."""

    def __init__(self) -> None:
        self.tally = Tally()
        self.show = None
        self.asked: list[bytes] = []
        self.received: list[tuple[bytes, Any]] = []
        self.cut: dict[str, int] = {}

    def ready(self, packet: bytes) -> bytes | None:
        self.asked.append(packet)
        return ANSWER + packet if packet[:1] == b"r" else None

    def cached(self, packet: bytes, *, is_tcp: bool = False) -> bytes | None:
        return ANSWER + packet if packet[:1] == b"c" else None

    def receive(self, packet: bytes, asker: Any) -> None:
        if packet == b"fault":
            raise RuntimeError("this is the fault")
        self.received.append((packet, asker))

    def fitted(self, query: bytes, reply: bytes, host: str) -> bytes:
        return b"fitted for " + host.encode() if query == b"c" else reply

    def surplus(self, client: str, queries: int) -> None:
        self.cut[client] = self.cut.get(client, 0) + queries

    def no_query(self, reason: str, peer: str, packet: bytes) -> None:
        raise AssertionError("UDP asks the server for that")


@pytest.fixture(params=["many at once", "one by one"])
def mode(request, monkeypatch):
    """With the system's calls for many packets, where it has them, and without."""
    if request.param == "one by one":
        monkeypatch.setattr(mmsg, "is_there", lambda: False)
    elif not mmsg.is_there():
        pytest.skip("this system has no recvmmsg")
    return request.param


@pytest.fixture
async def listening(mode) -> Any:
    """answers, listener, socket(source): a listener on loopback, and clients of it."""
    answers = FakeAnswers()
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setblocking(False)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    bound.bind(("127.0.0.1", 0))
    listener = UdpListener(bound, answers)
    with ExitStack() as stack:

        def client(source: str = "127.0.0.1") -> socket.socket:
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind((source, 0))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            sock.connect(listener.address)
            sock.setblocking(False)
            return sock

        yield answers, listener, client
        listener.close()
        listener.close()


def replies(sock: socket.socket) -> Iterator[bytes]:
    """Yield what is there."""
    while True:
        try:
            yield sock.recv(65535)
        except BlockingIOError:
            return


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_each_packet_gets_its_own_reply_and_its_sender_has_it(listening):
    answers, _, client = listening
    clients = [client() for _ in range(5)]
    sent: dict[socket.socket, list[bytes]] = {sock: [] for sock in clients}
    for number in range(300):
        packet = b"%c%011d" % (b"rcx"[number % 3], number)
        clients[number % 5].send(packet)
        sent[clients[number % 5]].append(packet)
    await until(lambda: len(answers.received) == 100)
    for packet, asker in answers.received:
        asker.send(ANSWER + packet)
    await turns()
    for sock, packets in sent.items():
        assert sorted(replies(sock)) == sorted(ANSWER + packet for packet in packets)
    assert (answers.tally.queries["answered"], answers.tally.queries["cached"]) == (100, 100)


async def test_asker_is_known_by_its_address(listening):
    answers, _, client = listening
    sock = client("127.0.0.9")
    sock.send(b"x")
    await until(lambda: bool(answers.received))
    asker = answers.received[0][1]
    assert (asker.host, asker.text, asker.is_tcp) == ("127.0.0.9", f"127.0.0.9:{sock.getsockname()[1]}", False)


async def test_long_reply_goes_out_as_far_as_it_may(listening):
    answers, _, client = listening
    sock = client("127.0.0.9")
    sock.send(b"c")
    await until(lambda: answers.tally.queries["cached"] == 1)
    assert list(replies(sock)) == [b"fitted for 127.0.0.9"]


async def test_packet_that_is_too_long_comes_cut_and_an_empty_one_empty(listening):
    answers, _, client = listening
    sock = client()
    for packet in (b"x" * 9000, b"", b"x" * 1200):
        sock.send(packet)
    await until(lambda: len(answers.received) == 3)
    assert [len(packet) for packet, _ in answers.received] == [1472, 0, 1200]


async def test_fault_with_one_packet_is_logged_and_the_others_are_answered(listening):
    answers, _, client = listening
    sock = client()
    with capture_logs() as logs:
        for packet in (b"r1", b"fault", b"r2"):
            sock.send(packet)
        await until(lambda: answers.tally.queries["answered"] == 2)
    assert [entry["event"] for entry in logs] == ["dns_query_not_handled"]


async def test_reply_that_the_system_does_not_take_is_counted_and_the_others_go_out(listening, monkeypatch):
    answers, listener, client = listening
    sock = client()
    sock.send(b"x")
    await until(lambda: bool(answers.received))
    asker = answers.received[0][1]
    monkeypatch.setattr(asker, "_peer", ("127.0.0.1", 0))
    asker.send(b"to port 0")
    assert answers.tally.replies["unsent"] == 1
    listener.close()
    asker.send(b"after the close")
    assert answers.tally.replies["unsent"] == 2


async def test_flood_of_one_client_leaves_room_for_the_others(listening, monkeypatch):
    monkeypatch.setattr(udp, "HEAP", 300)
    answers, _, client = listening
    flooding, modest = client("127.0.0.2"), client("127.0.0.3")
    for number in range(500):
        flooding.send(b"r%d" % number)
    for number in range(20):
        modest.send(b"r%d" % number)
    await until(lambda: bool(answers.cut))
    await turns()
    assert len(list(replies(modest))) == 20
    assert list(answers.cut) == ["127.0.0.2"]
    answered = len(list(replies(flooding)))
    assert answered + answers.cut["127.0.0.2"] == 500
    assert answered <= udp.BATCH + HEAP_BUDGET


async def test_burst_of_a_client_that_is_alone_is_answered_whole(listening, monkeypatch):
    monkeypatch.setattr(udp, "HEAP", 300)
    answers, _, client = listening
    sock = client()
    for number in range(600):
        sock.send(b"r%d" % number)
    await until(lambda: answers.tally.queries["answered"] == 600)
    assert answers.cut == {}


@pytest.mark.parametrize("mode", ["many at once"], indirect=True)  # one by one it is the system's part
async def test_forged_sender_with_port_0_does_not_keep_the_replies_of_others_back(listening):
    _, listener, client = listening
    sock = client()
    slots = listener._slots
    asyncio.get_running_loop().remove_reader(listener._socket)
    for number in range(3):
        sock.send(b"r%d" % number)
    packets = slots.receive()
    slots._names[28 + 2 : 28 + 4] = b"\0\0"
    assert slots.sender(1) == ("127.0.0.1", 0)
    assert slots.send([ANSWER + packet for packet in packets]) == 1
    assert list(replies(sock)) == [ANSWER + b"r0", ANSWER + b"r2"]


@pytest.mark.parametrize(
    "listen", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6), "0.0.0.0", pytest.param("::", marks=needs_ipv6)]
)
async def test_every_family_is_served_on_udp_and_tcp(listen, running):
    asked = {"0.0.0.0": "127.0.0.5", "::": "::1"}.get(listen, listen)
    family = socket.AF_INET6 if ":" in asked else socket.AF_INET
    loop = asyncio.get_running_loop()
    async with running(listen=[(listen, 0)]) as server, asyncio.timeout(10):
        port = server.addresses[0][1]
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect((asked, port))  # so it takes only what comes from there
            client.send(WEB)
            assert (await loop.sock_recv(client, 512))[-4:] == b"\x7f\xfb\0\1"
        reader, writer = await asyncio.open_connection(asked, port)
        writer.write(len(WEB).to_bytes(2, "big") + WEB)
        size = int.from_bytes(await reader.readexactly(2), "big")
        assert (await reader.readexactly(size))[-4:] == b"\x7f\xfb\0\1"
        writer.close()


@needs_ipv6
async def test_asker_of_ipv6_is_known_by_its_address(running, metrics):
    with capture_logs() as logs:
        async with running(listen=[("::1", 0)]) as server, asyncio.timeout(10):
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
                client.setblocking(False)
                client.connect(server.addresses[0])
                client.send(WEB[:-2])
                await asyncio.get_running_loop().sock_recv(client, 512)
                port = client.getsockname()[1]
    assert [entry["peer"] for entry in logs if entry["event"] == "bad_input"] == [f"[::1]:{port}"]

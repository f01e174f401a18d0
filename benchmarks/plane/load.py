"""Load, and what it is put on: ``load.py WORK HOST PORT [SECONDS]``, each a process of its own.

| serves | is asked by | which prints what was done, and the seconds |
| --- | --- | --- |
| ``drain`` | ``stream`` | bytes that came over one TCP connection |
| ``greet`` | ``connect`` | TCP connections, one after the other, each until the server ends it |
| ``echo`` | ``ask`` | UDP questions of 64 bytes and their answers, one after the other |
| ``sink`` | ``blast`` | UDP datagrams of 64 bytes that came to the other side |

Behind that stands what one datagram took, in microseconds: of ``ask`` the median of the round trips, of ``blast`` what
it cost its sender, but for the least 5 %; 0 of the others. A server says ``ready`` and goes on until it is killed.
"""

import contextlib
import os
import socket
import statistics
import struct
import sys
import time
from collections.abc import Callable

SIZE = 64
_PIECE = 1 << 20
_AT_A_TIME = 64
_RESET = struct.pack("ii", 1, 0)

Done = tuple[int, float, float]
"""How much, in how many seconds, and the microseconds of one."""


def _ready() -> None:
    print("ready", flush=True)


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((host, port))
    _ready()
    return sock


def _connected(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(0.2)
    sock.connect((host, port))
    return sock


def drain(host: str, port: int) -> None:
    """Take what comes, and say at the end how many bytes that were."""
    buffer = bytearray(_PIECE)
    with socket.create_server((host, port)) as server:
        _ready()
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                total = 0
                while size := client.recv_into(buffer):
                    total += size
                client.sendall(b"%d" % total)


def stream(host: str, port: int, seconds: float) -> Done:
    """Send without a copy, so that this is not what bounds the figure."""
    piece = os.memfd_create("piece")
    os.truncate(piece, _PIECE)
    with socket.create_connection((host, port), 10.0) as sock:
        sock.settimeout(None)
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.sendfile(sock.fileno(), piece, 0, _PIECE)
        sock.shutdown(socket.SHUT_WR)
        total = int(sock.recv(32))
        return total, time.perf_counter() - began, 0.0


def greet(host: str, port: int) -> None:
    """End each connection as soon as it is there."""
    with socket.create_server((host, port), backlog=1024) as server:
        _ready()
        while True:
            server.accept()[0].close()


def connect(host: str, port: int, seconds: float) -> Done:
    """Connect, see the end, and leave nothing in TIME_WAIT."""
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.connect((host, port))
            sock.recv(1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        count += 1
    return count, time.perf_counter() - began, 0.0


def echo(host: str, port: int) -> None:
    """Answer each datagram with itself."""
    with _bound(host, port) as sock:
        while True:
            packet, peer = sock.recvfrom(2048)
            sock.sendto(packet, peer)


def ask(host: str, port: int, seconds: float) -> Done:
    """Ask one question after the other; those that are lost are asked again."""
    packet, took = bytes(SIZE), []
    with _connected(host, port) as sock:
        began = asked = time.perf_counter()
        while asked - began < seconds:
            asked = time.perf_counter()
            with contextlib.suppress(OSError):
                sock.send(packet)
                sock.recv(SIZE)
                took.append(time.perf_counter() - asked)
    return len(took), asked - began, statistics.median(took or [0.0]) * 1e6


def sink(host: str, port: int) -> None:
    """Count datagrams; one of a single byte is answered with their number, and they are counted anew."""
    with _bound(host, port) as sock:
        count = 0
        while True:
            packet, peer = sock.recvfrom(SIZE)
            if len(packet) == 1:
                sock.sendto(b"%d" % count, peer)
                count = 0
            else:
                count += 1


def blast(host: str, port: int, seconds: float) -> Done:
    """Send as many as the system takes, then ask how many came."""
    packet, costs = bytes(SIZE), []
    with _connected(host, port) as sock:
        began = now = time.perf_counter()
        while now - began < seconds:
            for _ in range(_AT_A_TIME):
                sock.send(packet)
            before, now = now, time.perf_counter()
            costs.append((now - before) / _AT_A_TIME)
        for _ in range(20):
            with contextlib.suppress(OSError):
                sock.send(b"?")
                return int(sock.recv(32)), now - began, sorted(costs)[len(costs) // 20] * 1e6
    return 0, now - began, 0.0


SERVERS: dict[str, Callable[[str, int], None]] = {"drain": drain, "greet": greet, "echo": echo, "sink": sink}
CLIENTS: dict[str, Callable[[str, int, float], Done]] = {
    "stream": stream,
    "connect": connect,
    "ask": ask,
    "blast": blast,
}

if __name__ == "__main__":
    work, where, number, *rest = sys.argv[1:]
    if work in SERVERS:
        SERVERS[work](where, int(number))
    else:
        print(*CLIENTS[work](where, int(number), float(rest[0])))

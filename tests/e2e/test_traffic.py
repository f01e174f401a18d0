"""Traffic through a whole node while its backends are killed and taken away."""

import http.client
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edgecore.demo import probes

CLIENTS = 8
REQUESTS = 1000
"""Of each client, in a short run."""
KILL_AT = 2000
"""So many answers of all clients together before the backend is killed."""

PROGRAM = """
import asyncio, sys

class Answering(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.got = b""
    def data_received(self, data):
        self.got += data
        while b"\\r\\n\\r\\n" in self.got:
            self.got = self.got.partition(b"\\r\\n\\r\\n")[2]
            self.transport.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")

async def main():
    server = await asyncio.get_running_loop().create_server(Answering, sys.argv[1], 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class Process:
    """A backend as a process of its own, so that it can be killed."""

    def __init__(self, host: str) -> None:
        command = [sys.executable, "-c", PROGRAM, host]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.address = (host, int(self.process.stdout.readline()))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    started = [Process(f"127.0.0.{number}") for number in (2, 3, 4)]
    yield started
    for each in started:
        each.kill()


class Load:
    """Clients that send GET after GET, each on a connection that it keeps as long as it can."""

    def __init__(self, address: tuple[str, int], requests: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self._address = address
        self._requests = requests
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> int:
        return sum(self.outcomes.copy().values())

    def until(self, number: int) -> None:
        deadline = time.monotonic() + 60
        while self.done < number:
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=30)
        for _ in range(self._requests):
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                answer.read()
                outcome = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                outcome = type(error).__name__
            self.outcomes[outcome] += 1
        connection.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("strategy", ["RoundRobin", "LeastRequest"])
def test_backend_killed_under_load_fails_less_than_one_request_in_a_thousand(
    programs: Any, words: Any, processes: list[Process], scale: int, strategy: str
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, edgeMesh__lbStrategy=strategy)
    cloud.send(*words.arrival("web", 12345, *(each.address for each in processes)))
    address = (node.service("web")["fake_ip"], 12345)

    load = Load(address, REQUESTS * scale)
    load.until(KILL_AT)
    processes[0].kill()
    load.join()

    total = CLIENTS * REQUESTS * scale
    failed = total - load.outcomes["200"]
    assert load.done == total
    assert failed < total / 1000, load.outcomes
    dead = "{}:{}".format(*processes[0].address)
    assert {line["endpoint"] for line in node.lines("backend_ejected")} == {dead}
    processes.pop(0)


def test_download_from_a_pod_that_is_taken_away_is_finished_and_others_go_elsewhere(
    programs: Any, words: Any, backend: Callable[..., tuple[str, int]], slow_backend: Any
) -> None:
    cloud = programs.cloud()
    node = programs.node(cloud=cloud)
    cloud.send(*words.arrival("web", 12345, slow_backend.address))
    address = (node.service("web")["fake_ip"], 12345)
    download = http.client.HTTPConnection(*address, timeout=30)
    download.request("GET", "/")
    answer = download.getresponse()
    assert answer.read(5) == b"first"

    there = backend("127.0.0.3")
    cloud.send(words.pods("web", [words.pod("web-1", there)]))
    deadline = time.monotonic() + 20
    while probes.get(address, "/", "web").body != "127.0.0.3 serves /":
        assert time.monotonic() < deadline
    for _ in range(20):
        assert probes.get(address, "/", "web").body == "127.0.0.3 serves /"

    slow_backend.go_on.set()
    assert answer.read() == b"second"
    download.close()
    assert slow_backend.requests == 1


class SlowBackend:
    """Sends a half of its one answer, and the other when ``go_on`` is set."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.requests = 0
        self._sock = socket.create_server(("127.0.0.2", 0))
        self.address = self._sock.getsockname()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._sock.accept()
        with connection:
            while b"\r\n\r\n" not in connection.recv(65_536):
                pass
            self.requests += 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nfirst")
            self.go_on.wait(50)
            connection.sendall(b"second")
            while connection.recv(65_536):
                self.requests += 1

    def stop(self) -> None:
        self.go_on.set()
        self._thread.join()
        self._sock.close()


@pytest.fixture
def slow_backend(programs: Any) -> Iterator[SlowBackend]:
    backend = SlowBackend()
    yield backend
    programs.end()
    backend.stop()

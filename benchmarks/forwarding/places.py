"""Where a proxy answers, the processes that do, and what they cost."""

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from fleet.child import cpu_s, rss_bytes

PATIENCE_S = 30.0
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class Place(NamedTuple):
    """A proxy: as HTTP at ``web``, as bytes at ``bytes``, if it does that (port 0: it does not).

    Where others are given, these are for large bodies.
    """

    name: str
    pid: int
    host: str
    web: int
    bytes: int = 0
    web_large: int = 0
    bytes_large: int = 0

    @property
    def url(self) -> str:
        """Where it forwards HTTP."""
        return f"http://{self.host}:{self.web}"

    @property
    def bytes_url(self) -> str:
        """Where it forwards bytes; the origin speaks HTTP."""
        return f"http://{self.host}:{self.bytes}"

    @property
    def pids(self) -> list[int]:
        """The process, and those that it started."""
        children = [path.read_text().split() for path in Path(f"/proc/{self.pid}/task").glob("*/children")]
        return [self.pid, *(int(pid) for pids in children for pid in pids)]

    @property
    def cpu_s(self) -> float:
        """The processor time that they have used."""
        return sum(map(cpu_s, self.pids))

    @property
    def rss_bytes(self) -> int:
        """The memory that they hold."""
        return sum(map(rss_bytes, self.pids))

    def forget_peak(self) -> int:
        """Measure ``peak_bytes`` from now on; return what is held now."""
        for pid in self.pids:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        return self.rss_bytes

    @property
    def peak_bytes(self) -> int:
        """The most memory that they held."""
        found = (_PEAK.search(Path(f"/proc/{pid}/status").read_text()) for pid in self.pids)
        return sum(int(each[1]) * 1024 for each in found if each is not None)


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the end of the block; what it says is in ``log``."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition: Callable[[], object], what: str) -> None:
    """Return once it holds. Raises ``SystemExit`` when that takes too long."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > PATIENCE_S:
            raise SystemExit(f"{what} does not answer within {PATIENCE_S:g} s")
        time.sleep(0.02)


def serves(host: str, port: int) -> bool:
    """Say whether a request is answered there now."""
    with suppress(OSError), socket.create_connection((host, port), 2.0) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n")
        return client.recv(15) == b"HTTP/1.1 200 OK"
    return False


def free_port() -> int:
    """Return a port that is free now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""The origin and the peers: nginx, haproxy and the bare relay, each with one process or thread that forwards."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from naming.cores import LOAD, SERVER, on, pin

from forwarding.places import Place, free_port, running, serves, until

HERE = Path(__file__).parent
HOST = "127.0.0.1"
LARGE_BYTES = 1 << 30
CONFIGS = ("haproxy.cfg", "nginx.conf")


@contextmanager
def origin(directory: Path, large_bytes: int = LARGE_BYTES) -> Iterator[int]:
    """Run the backend of all; yield its port at ``HOST``."""
    directory.chmod(0o755)
    with (directory / "large").open("wb") as large:
        large.truncate(large_bytes)
    port = free_port()
    config = filled("origin.conf", directory, port)
    with running([*on(LOAD), "nginx", "-c", str(config), "-p", str(directory)], directory / "origin.out") as process:
        until(lambda: serves(HOST, port), "the origin")
        pin(process.pid, LOAD)
        yield port


@contextmanager
def nginx(directory: Path, origin_port: int) -> Iterator[Place]:
    """Run nginx as a proxy."""
    port = free_port()
    config = filled("nginx.conf", directory, origin_port, port)
    with running([*on(SERVER), "nginx", "-c", str(config), "-p", str(directory)], directory / "nginx.out") as process:
        until(lambda: serves(HOST, port), "nginx")
        yield Place("nginx", process.pid, HOST, port)


@contextmanager
def haproxy(directory: Path, origin_port: int) -> Iterator[Place]:
    """Run haproxy, for HTTP and for bytes."""
    web, as_bytes, web_large, bytes_large = ports = [free_port() for _ in range(4)]
    config = filled("haproxy.cfg", directory, origin_port, *ports)
    with running([*on(SERVER), "haproxy", "-db", "-f", str(config)], directory / "haproxy.out") as process:
        until(lambda: all(serves(HOST, port) for port in ports), "haproxy")
        yield Place("haproxy", process.pid, HOST, web, as_bytes, web_large, bytes_large)


@contextmanager
def relay(directory: Path, origin_port: int) -> Iterator[Place]:
    """Run the bare relay."""
    told = directory / "relay.out"
    command = [sys.executable, str(HERE / "relay.py"), HOST, str(origin_port)]
    with running([*on(SERVER), *command], told) as process:
        until(lambda: told.read_text().strip().isdigit(), "the bare relay")
        yield Place("bare relay", process.pid, HOST, int(told.read_text()))


def filled(name: str, directory: Path, origin_port: int, *ports: int) -> Path:
    """Write a configuration with its addresses into ``directory``; return where it is."""
    text = (HERE / name).read_text()
    for word, port in zip(("ORIGIN", "PORT", "BYTES", "LARGE", "LARGE_BYTES"), (origin_port, *ports), strict=False):
        text = text.replace(f"@{word}@", f"{HOST}:{port}")
    path = directory / name
    path.write_text(text.replace("@DIRECTORY@", str(directory)))
    return path

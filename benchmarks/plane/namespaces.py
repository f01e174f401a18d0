"""Two machines beside the one that the benchmark itself is in: the server, and a client without any rule."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "nft": "nftables"}

NODE, SERVER = "10.96.1.1", "10.96.1.2"
"""Ends of one pair of virtual cables."""
BARE, SERVER_OF_BARE = "10.96.2.1", "10.96.2.2"
"""Ends of another."""


class Machines(NamedTuple):
    """What comes before a command that is to run there; nothing: in the node's namespace."""

    server: list[str]
    bare: list[str]


def why_not() -> str:
    """Return why no network namespace can be made; empty: one can. All ``TOOLS`` are there."""
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


def inside(arguments: list[str]) -> int:
    """Run the benchmark again in a namespace of its own, and return its exit code."""
    return subprocess.run([*_unshare(), sys.executable, *arguments], check=False).returncode


def _unshare() -> list[str]:
    if os.geteuid() == 0:
        return ["unshare", "--net", "--mount"]
    return ["unshare", "--user", "--map-root-user", "--net", "--mount"]


@contextmanager
def machines() -> Iterator[Machines]:
    """Make the others and join them; they go with the block, or with this process."""
    _ip("link set lo up")
    with _namespace() as server, _namespace() as bare:
        _ip(f"link add to-server type veth peer name to-node netns {server}")
        _ip(f"link add to-bare netns {server} type veth peer name to-server netns {bare}")
        for pid, end, address in (
            (os.getpid(), "to-server", NODE),
            (server, "to-node", SERVER),
            (bare, "to-server", BARE),
            (server, "to-bare", SERVER_OF_BARE),
        ):
            _ip("link set lo up", pid)
            _ip(f"addr add {address}/24 dev {end}", pid)
            _ip(f"link set {end} up", pid)
        yield Machines(_enter(server), _enter(bare))


@contextmanager
def _namespace() -> Iterator[int]:
    """Hold a namespace by a process that ends with its standard input; yield the process."""
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(b"!")
        holder.stdin.flush()
        if holder.stdout.read(1) != b"!":
            raise SystemExit("cannot make a second network namespace")
        yield holder.pid


def _enter(pid: int) -> list[str]:
    return ["nsenter", "--target", str(pid), "--net"]


def _ip(command: str, pid: int | None = None) -> None:
    subprocess.run([*(_enter(pid) if pid else []), "ip", *command.split()], check=True)

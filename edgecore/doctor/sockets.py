"""Who listens where, as the tables in ``/proc/net`` tell (proc(5)), and whether a node can listen there too (pure)."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from typing import NamedTuple

from edgecore.addresses import join_address
from edgecore.doctor.finding import Finding

TABLES = {"tcp": "/proc/net/tcp", "tcp6": "/proc/net/tcp6", "udp": "/proc/net/udp", "udp6": "/proc/net/udp6"}
UNIX_TABLE = "/proc/net/unix"

_LISTEN, _UNCONNECTED = "0A", "07"
_POOL = re.compile(r"@edgecore/fake-ip-pool/(\S+)")
_NET_BIND_SERVICE = 1 << 10


class Listening(NamedTuple):
    """A socket that takes connections or datagrams."""

    protocol: str
    """``tcp`` or ``udp``."""
    host: str
    port: int
    inode: str


class Wanted(NamedTuple):
    """A place where a node is to listen."""

    what: str
    """The key of the setting."""
    protocol: str
    host: str
    port: int
    next_free: bool
    """Whether the node takes the next port where this one is in use."""


def listening_sockets(tables: Mapping[str, str | None]) -> list[Listening]:
    """Return the sockets in the texts of ``TABLES``, by name; lines that are not understood are left out."""
    found = []
    for name, text in tables.items():
        for line in (text or "").splitlines()[1:]:
            words = line.split()
            wanted_state = _LISTEN if name.startswith("tcp") else _UNCONNECTED
            if len(words) < 10 or words[3] != wanted_state:
                continue
            host, _, port = words[1].partition(":")
            try:
                found.append(Listening(name[:3], _address(host), int(port, 16), words[9]))
            except ValueError:
                continue
    return found


def in_the_way(wanted: Wanted, sockets: Iterable[Listening]) -> Listening | None:
    """Return the socket because of which ``wanted`` cannot be bound."""
    if wanted.port == 0:
        return None
    place = ip_address(wanted.host)
    for one in sockets:
        there = ip_address(one.host)
        is_same = there == place or (there.version == place.version and (there.is_unspecified or place.is_unspecified))
        both = isinstance(there, IPv6Address) and there.is_unspecified  # on Linux, IPv4 with it, mostly
        if one.protocol == wanted.protocol and one.port == wanted.port and (is_same or both):
            return one
    return None


def check_ports(wanted: Sequence[Wanted], sockets: Sequence[Listening], owners: Mapping[str, str]) -> list[Finding]:
    """Say which of the ``wanted`` places are free, of a node that does not run; ``owners``: programs by inode."""
    findings = []
    for one in wanted:
        other = in_the_way(one, sockets)
        place = f"{one.protocol} {join_address(one.host, one.port)} ({one.what})"
        if other is None:
            continue
        who = f"by {owners[other.inode]}" if other.inode in owners else "by a program of another user"
        by = f"is in use {who} on {join_address(other.host, other.port)}"
        if one.next_free:
            findings.append(Finding("note", "ports", f"{place} {by}: the node takes the next port that is free"))
        else:
            advice = f"stop that program, or set {one.what} to another address; see: sudo ss -lpn sport = :{one.port}"
            findings.append(Finding("problem", "ports", f"{place} {by}", advice))
    shown = ", ".join(dict.fromkeys(join_address(one.host, one.port) for one in wanted))
    return findings or [Finding("ok", "ports", f"free: {shown}")] if wanted else []


def check_privilege(
    wanted: Iterable[Wanted], first_unprivileged: str | None, process_status: str | None
) -> list[Finding]:
    """Say whether this user may listen on the ports below 1024.

    The texts are ``/proc/sys/net/ipv4/ip_unprivileged_port_start`` and ``/proc/self/status``.
    """
    first = int(first_unprivileged) if first_unprivileged and first_unprivileged.strip().isdecimal() else 1024
    capabilities = re.search(r"^CapEff:\s*([0-9a-fA-F]+)", process_status or "", re.MULTILINE)
    if capabilities is not None and int(capabilities[1], 16) & _NET_BIND_SERVICE:
        return []
    low = dict.fromkeys((one.port, one.what) for one in wanted if 0 < one.port < first)
    return [
        Finding(
            "problem",
            "ports",
            f"this user may not listen on port {port} ({what})",
            "run the node as root, give its service AmbientCapabilities=CAP_NET_BIND_SERVICE, or "
            f"sudo sysctl -w net.ipv4.ip_unprivileged_port_start={port}",
        )
        for port, what in low
    ]


def check_pool(candidates: Sequence[IPv4Network], unix_table: str | None) -> list[Finding]:
    """Say whether a pool of fake IPs is left, of those that a node tries in turn."""
    if unix_table is None:
        return [Finding("note", "fake_ips", "cannot see which pools of fake IPs other nodes hold")]
    held = set(_POOL.findall(unix_table))
    free = [pool for pool in candidates if str(pool) not in held]
    if not free:
        text = f"other nodes of this machine hold all pools of fake IPs, {candidates[-1]} to {candidates[0]}"
        advice = "stop one of them, or set modules.edgeMesh.rootlessSubNet to another loopback /16"
        return [Finding("problem", "fake_ips", text, advice)]
    taken = f"; other nodes hold {', '.join(sorted(held))}" if held else ""
    return [Finding("ok", "fake_ips", f"a pool of fake IPs is free: {free[0]}{taken}")]


class Descriptor(NamedTuple):
    """An open file of a process."""

    pid: str
    program: str
    link: str
    """What ``/proc/PID/fd/N`` leads to."""


def owners_by_inode(descriptors: Iterable[Descriptor]) -> dict[str, str]:
    """Return who has each socket, by its inode."""
    prefix = "socket:["
    return {
        one.link[len(prefix) : -1]: f"{one.program} (pid {one.pid})"
        for one in descriptors
        if one.link.startswith(prefix)
    }


def _address(text: str) -> str:
    """Return the address that the kernel writes as hexadecimal words of 32 bits, in its own byte order."""
    data = bytes.fromhex(text)
    step = -1 if sys.byteorder == "little" else 1
    packed = b"".join(data[at : at + 4][::step] for at in range(0, len(data), 4))
    return str(IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed))

"""The text of a resolv.conf (resolv.conf(5)), pure: what it says; our line put first into it, and taken out again.

The line that is ours carries a mark, so that it is known again by whoever comes later: a node that starts after a
crash, a person, ``edgecore doctor``. All else stays as it is to the byte: comments, odd line ends, order.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

DNS_PORT = 53
SERVERS_READ = 3
"""A C library asks no more than the first three."""

MARK = b"# edgecore: first while it runs"
"""Behind an address ``#`` begins a comment for every stub resolver that is known (glibc, musl, c-ares, Go, Java)."""

_OUR_LINE = re.compile(rb"nameserver[ \t]+([^ \t\r\n]+)[ \t]+" + re.escape(MARK) + rb"[ \t]*\r?\n?")


class ResolvConf(NamedTuple):
    """What a stub resolver takes from the file."""

    servers: tuple[str, ...]
    search: tuple[str, ...]
    options: tuple[str, ...]


def nameservers(text: str) -> tuple[tuple[str, int], ...]:
    """Return the servers in their order, each once.

    Like glibc: the keyword begins the line and blank space follows it, ``#`` and ``;`` end the value. Unlike glibc,
    more than three servers count, since our own address, which is not asked, may be among the first three; and no
    server means none, not one on this host.
    """
    servers: dict[tuple[str, int], None] = {}
    for line in text.splitlines():
        host = _host(line)
        if host is not None:
            servers[host, DNS_PORT] = None
    return tuple(servers)


def search_domains(text: str) -> tuple[str, ...]:
    """Return the search domains in their order: those of the last line with ``search`` or ``domain`` (as in glibc)."""
    domains: tuple[str, ...] = ()
    for line in text.splitlines():
        _, *values = line.replace("#", ";").partition(";")[0].split() or [""]
        if line.startswith(("search ", "search\t")):
            domains = tuple(values)
        elif line.startswith(("domain ", "domain\t")) and values:
            domains = (values[0],)
    return domains


def read_resolv_conf(text: str) -> ResolvConf:
    """Return what the file says; ``servers`` as ``nameservers`` does."""
    options: list[str] = []
    for line in text.splitlines():
        if line.startswith(("options ", "options\t")):
            options += line.replace("#", ";").partition(";")[0].split()[1:]
    return ResolvConf(tuple(host for host, _ in nameservers(text)), search_domains(text), tuple(options))


def put_first(content: bytes, host: str) -> bytes:
    """Return ``content`` with our server, the IP address ``host``, before all others, and there once."""
    return b"nameserver " + host.encode() + b" " + MARK + b"\n" + take_out(content)


def take_out(content: bytes) -> bytes:
    """Return ``content`` without our line; what ``put_first`` made becomes what it was."""
    return b"".join(line for line in _lines(content) if not _OUR_LINE.fullmatch(line))


def marked_host(content: bytes) -> str | None:
    """Return the address in our line; ``None``: there is no such line."""
    found = next(filter(None, map(_OUR_LINE.fullmatch, _lines(content))), None)
    return found[1].decode(errors="replace") if found else None


def nameable(addresses: Iterable[tuple[str, int]]) -> str | None:
    """Return the IP address under which a resolv.conf can name a server that listens on ``addresses``.

    There are no ports in a resolv.conf: it has to be port 53. A wildcard is named by loopback. Loopback goes before
    other addresses, and IPv4 before IPv6. ``None``: nothing there can be named.
    """
    hosts = [ip_address(host) for host, port in addresses if port == DNS_PORT]
    loopback = {4: ip_address("127.0.0.1"), 6: ip_address("::1")}
    named = [loopback[host.version] if host.is_unspecified else host for host in hosts]
    named.sort(key=lambda host: (not host.is_loopback, host.version))  # stable: else in the order of the settings
    return str(named[0]) if named else None


def _lines(content: bytes) -> list[bytes]:
    """Return the lines with their ends; only a line feed ends one, as for the C library."""
    return re.findall(rb"[^\n]*\n|[^\n]+", content)


def _host(line: str) -> str | None:
    """Return the address in a ``nameserver`` line; IPv6 may carry a zone (``fe80::1%eth0``)."""
    keyword = "nameserver"
    if not line.startswith((f"{keyword} ", f"{keyword}\t")):
        return None
    value = line[len(keyword) :].replace("#", ";").partition(";")[0].split()
    try:
        return str(ip_address(value[0]))
    except (IndexError, ValueError):
        return None

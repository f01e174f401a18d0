"""Reads the name servers out of a resolv.conf text (resolv.conf(5))."""

from ipaddress import ip_address

DNS_PORT = 53


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

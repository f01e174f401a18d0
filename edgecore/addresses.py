"""``host:port`` as text, and taken apart again; what a host is, is not looked at."""

import re

_PORT = re.compile(r"[0-9]{1,5}")
_PORT_LIMIT = 65535


def join_address(host: str, port: int) -> str:
    """Return ``host:port``, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of ``host:port`` or ``[IPv6]:port``, the host without brackets; port 0 is one.

    Raises ``ValueError`` when ``text`` is neither.
    """
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address stands in brackets")
    if not host:
        raise ValueError("the host is missing")
    if not _PORT.fullmatch(port) or int(port) > _PORT_LIMIT:
        raise ValueError("the port is not a number from 0 to 65535")
    return host, int(port)

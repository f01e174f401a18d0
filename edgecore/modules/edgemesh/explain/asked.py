"""What a person asks to have explained: a name, a URL, an address, with a port or without, as text and taken apart."""

import ipaddress
import re
from typing import NamedTuple

from edgecore.errors import ContentError
from edgecore.modules.edgemesh.proxy.http.target import host_port
from edgecore.modules.edgemesh.upstream.spec import Transport

_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}
_SCHEMES: dict[str, Transport] = {**dict.fromkeys((*_PORTS, "tcp"), "tcp"), "udp": "udp"}
_FORMS = "ask for NAME, NAME:PORT, NAMESPACE/NAME, a URL, or IP:PORT"
_LABEL = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?")
_NAME_LIMIT = 253


class Asked(NamedTuple):
    """See the module."""

    text: str
    host: str
    """A name of DNS, without a dot at its end, or an IP address."""
    is_address: bool = False
    port: int | None = None
    """``None``: every port."""
    transport: Transport | None = None
    """``None``: whichever the service has."""
    scheme: str = ""
    """Of a URL."""
    namespace: str = ""
    """Given beside a name, or before it."""


def parse(text: str, namespace: str = "") -> Asked:
    """Take ``text`` apart; ``namespace`` is where a name of one label is. Raises ``ContentError``."""
    scheme, rest = "", text.strip()
    if "://" in rest:
        scheme, _, rest = rest.partition("://")
        scheme = scheme.lower()
        if scheme not in _SCHEMES:
            raise _unusable(text, f"no URL that begins with {scheme}: leads through the mesh")
        authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
        user, at, rest = authority.rpartition("@")
        text = text.replace(user + at, "", 1)  # a password, maybe, which is nobody's business
    rest, transport = _transport(rest, scheme)
    within, slash, name = rest.partition("/")
    if slash:
        namespace, rest = within, name
    if (slash or namespace) and not _LABEL.fullmatch(namespace):
        raise _unusable(text, f"{namespace!r} is no namespace")
    host, port = _split(text, rest)
    if port is None:
        port = _PORTS.get(scheme)
    address = _address(host)
    if address:
        return Asked(text, address, is_address=True, port=port, transport=transport, scheme=scheme)
    host = host.removesuffix(".")
    labels = host.split(".")
    if not host or len(host) > _NAME_LIMIT or not all(map(_LABEL.fullmatch, labels)):
        raise _unusable(text, f"{host!r} is neither a name of DNS nor an IP address")
    if namespace and len(labels) == 1:
        host = f"{host}.{namespace}"
    elif slash:
        raise _unusable(text, "behind a namespace there is one word, the service")
    return Asked(text, host, port=port, transport=transport, scheme=scheme, namespace=namespace)


def host_header(text: str) -> tuple[str, int]:
    """Return name and port of a Host header, by the rules of the proxy. Raises ``ContentError``."""
    found = host_port(text.encode("ascii", "replace"))
    if found is None or not found[0]:
        raise ContentError(f"cannot explain the Host header {text!r}: it is no NAME or NAME:PORT")
    return found


def _transport(rest: str, scheme: str) -> tuple[str, Transport | None]:
    """Return the text without ``/tcp`` or ``/udp`` at its end, and what it said."""
    before, slash, last = rest.rpartition("/")
    if slash and ":" in before and last.lower() in ("tcp", "udp"):
        return before, "udp" if last.lower() == "udp" else "tcp"
    return rest, _SCHEMES.get(scheme)


def _split(text: str, rest: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", rest)
    if bracketed:
        host, digits = bracketed[1], bracketed[2]
    elif rest.count(":") == 1:
        host, _, digits = rest.partition(":")
    else:
        host, digits = rest, None
    if digits is None:
        return host, None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and 0 < int(digits) < 65_536):
        raise _unusable(text, f"{digits!r} is no port: it can be from 1 to 65535")
    return host, int(digits)


def _address(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""


def _unusable(text: str, why: str) -> ContentError:
    return ContentError(f"cannot explain {text!r}: {why}; {_FORMS}")

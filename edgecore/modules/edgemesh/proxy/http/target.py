"""Where a request is bound, from its request target and its Host header (RFC 9112 section 3.2)."""

import re
from typing import NamedTuple

HTTP_PORT = 80

# RFC 3986 section 3.2 without user information, which RFC 9110 section 4.2.4 forbids.
_AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z\-._~%!$&'()*+;=]*)(?::([0-9]{0,5}))?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp]://([^/?#]+)(.*)")


class Target(NamedTuple):
    """A request target, taken apart."""

    path: bytes
    """In origin form (``/path?query``), or ``*``: what the backend gets to see."""
    authority: bytes
    """What stood in an absolute target; empty for the other forms."""


def split_target(method: bytes, target: bytes) -> Target | None:
    """Return the parts of ``target``; None if it has none of the forms that a request can have."""
    if target.startswith(b"/"):
        return Target(target, b"")
    if target == b"*":
        return Target(target, b"") if method == b"OPTIONS" else None
    match = _ABSOLUTE.fullmatch(target)
    if match is None or host_port(match[1]) is None:
        return None
    authority, path = match[1], match[2]
    if not path:
        return Target(b"*" if method == b"OPTIONS" else b"/", authority)
    return Target(path if path.startswith(b"/") else b"/" + path, authority)


def host_port(authority: bytes) -> tuple[str, int] | None:
    """Return host (without brackets, perhaps empty) and port (80 if none is named); None if it is no authority."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        return None
    port = int(match[2] or HTTP_PORT)
    return (match[1].strip(b"[]").decode("ascii"), port) if 0 < port < 65_536 else None


def is_authority(text: bytes) -> bool:
    """Say whether ``host_port`` would take ``text`` apart."""
    match = _AUTHORITY.fullmatch(text)
    return match is not None and (not match[2] or 0 < int(match[2]) < 65_536)

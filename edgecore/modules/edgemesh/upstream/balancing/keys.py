"""By what of a request it is decided where it goes: the client's address, a header, or a cookie."""

from collections.abc import Callable
from hashlib import blake2b

from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking
from edgecore.modules.edgemesh.upstream.policy import HashBy

KeyOf = Callable[[Asking], bytes]
"""Returns what stands for a client: never empty, of any length, and chosen by the client."""

COOKIE = "edgemesh-affinity"
"""The name of the cookie where none is given."""


def key_of(by: HashBy, name: str) -> KeyOf:
    """Return what reads the key; who has no such header or cookie goes by the address."""
    if by == "header" and name:
        header = name.lower().encode()
        return lambda asking: asking.header(header) or asking.ip.encode()
    if by == "cookie":
        cookie = (name or COOKIE).encode()
        return lambda asking: asking.cookie(cookie) or asking.ip.encode()
    return lambda asking: asking.ip.encode()


def digest_of(data: bytes) -> bytes:
    """Return 8 bytes that are the same in every process and after every start."""
    return blake2b(data, digest_size=8).digest()

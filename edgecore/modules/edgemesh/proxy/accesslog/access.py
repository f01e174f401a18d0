"""What is told of each request, connection or flow that was served or refused: one line of the access log."""

from collections.abc import Callable

import msgspec

from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.spec import Handling


class Served(msgspec.Struct, gc=False, kw_only=True):
    """See the module. Times are in seconds, sizes in bytes of bodies (HTTP) or of all that passed."""

    client: str
    """Address and port."""
    service: ServiceKey | None
    """``None``: nobody could say."""
    port: int
    handling: Handling
    host: Host | None = None
    """Where it went; ``None``: nowhere."""
    method: str = ""
    target: str = ""
    """Of an HTTP request: what was asked for."""
    head: bytes = b""
    """All of the request's, where somebody looks; it holds what is secret, and is never in the log."""
    status: int = 0
    """Of the answer; 0 where no HTTP is spoken or no answer began."""
    reason: str = ""
    """Why it was refused or failed, a fixed snake_case word; empty if all went well."""
    bytes_in: int = 0
    """From the client."""
    bytes_out: int = 0
    """To the client."""
    duration_s: float = 0.0
    """From the first byte of the client to the last one for it."""
    first_byte_s: float = 0.0
    """Of these, until the answer began."""
    connect_s: float = 0.0
    """Of these, for connecting; 0 where a connection was used again."""
    retries: int = 0
    ended_ms: int = 0
    """Unix time of its end; for who takes the line to write."""


Tell = Callable[[Served], None]
"""Takes one line. Called when what it tells of is over; it must be quick, and it never raises."""

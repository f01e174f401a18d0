"""What the proxy allows its peers: sizes, numbers and waiting times."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyLimits:
    """Bounds of one ``HttpProxy``. A client connection costs at most about twice ``max_buffer_bytes`` each way."""

    max_header_bytes: int = 65_536
    """Of the head of a request or an answer, the empty line included; of the trailers of a chunked body as well."""
    max_connections: int = 10_000
    """Of clients, over all listeners; who comes on top gets 503 and is closed."""
    max_buffer_bytes: int = 256 * 1024
    """High-water mark: with so much unsent towards one side, the other side is not read."""
    max_idle_per_backend: int = 64
    """Idle connections kept for one endpoint."""
    max_idle_backends: int = 1024
    """Idle connections kept in all."""
    connect_timeout_s: float = 5.0
    """To connect to a backend; 504 after it."""
    idle_timeout_s: float = 60.0
    """For the head of a request, counted from its first byte (408 after it), and between two requests."""
    request_timeout_s: float = 300.0
    """Of silence within a request: 504 (or 408, if the body is awaited) before the answer begins, the end after it."""
    backend_idle_timeout_s: float = 30.0
    """After which an idle connection to a backend is closed."""
    linger_s: float = 2.0
    """How long bytes of a refused client are read and thrown away, so that it sees the answer and not a reset."""

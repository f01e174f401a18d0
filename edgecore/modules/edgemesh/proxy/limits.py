"""What the proxy allows its peers: sizes, numbers and waiting times."""

from dataclasses import dataclass, replace

SPARE_FILES, SPARE_SHARE = 1024, 4
"""Of the files that a process may open, so many (or that part of few) are for others than the proxy's clients."""
FLOWS_SHARE = 8
"""UDP's part of them; a client of TCP has one itself, and its backend one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyLimits:
    """Bounds of one ``MeshProxy``; how long its backends may take is said by their ``Policy``.

    A client connection costs at most about twice ``max_buffer_bytes`` each way.
    """

    max_header_bytes: int = 65_536
    """Of the head of a request or an answer, the empty line included; of the trailers of a chunked body as well."""
    max_connections: int = 10_000
    """Of clients, over all listeners; who comes on top gets 503 and is closed."""
    max_flows: int = 4096
    """Clients of UDP that are remembered, each with a socket, over all listeners. See ``datagrams/table.py``."""
    max_flow_share: float = 0.75
    """So many of them, as a share of ``max_flows``, may be of one listener."""
    max_buffer_bytes: int = 256 * 1024
    """High-water mark: with so much unsent towards one side, the other side is not read."""
    max_idle_per_backend: int = 64
    """Idle connections kept for one endpoint."""
    max_idle_backends: int = 1024
    """Idle connections kept in all."""
    idle_timeout_s: float = 60.0
    """For the head of a request, counted from its first byte (408 after it), and between two requests."""
    sniff_timeout_s: float = 0.1
    """For the first bytes of a client that may speak anything: after it the server may be the one to speak first."""
    backend_idle_timeout_s: float = 30.0
    """After which an idle connection to a backend is closed."""
    ended_client_timeout_s: float = 10.0
    """How long the answer is waited for when the client has closed its side: it may be gone, and nobody can tell."""
    linger_s: float = 2.0
    """How long bytes of a refused client are read and thrown away, so that it sees the answer and not a reset."""


def fitting(limits: ProxyLimits, files: int) -> ProxyLimits:
    """Return the limits as far as ``files`` that may be open at a time have room for them.

    A limit that is never reached protects nobody: without it, one listener's clients take the files of all others.
    """
    flows = min(limits.max_flows, files // FLOWS_SHARE)
    left = files - flows - min(SPARE_FILES, files // SPARE_SHARE)
    return replace(limits, max_connections=max(1, min(limits.max_connections, left // 2)), max_flows=max(1, flows))

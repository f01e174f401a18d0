"""The header lines by which a backend learns who asks (RFC 7239; ``X-Forwarded-For``).

They go in behind all others. Lines that are there already stay: what several lines say is one list, in their order.
"""

from edgecore.modules.edgemesh.proxy.options import ForwardedHeaders


def forwarded_for(headers: ForwardedHeaders, ip: str) -> bytes:
    """Return the lines, each with its CRLF, that tell of a client with the address ``ip``."""
    lines = b""
    if headers in ("x-forwarded-for", "both"):
        lines += b"X-Forwarded-For: %b\r\n" % (ip or "unknown").encode("ascii")
    if headers in ("forwarded", "both"):
        node = f'"[{ip}]"' if ":" in ip else ip or "unknown"
        lines += b"Forwarded: for=%b;proto=http\r\n" % node.encode("ascii")
    return lines

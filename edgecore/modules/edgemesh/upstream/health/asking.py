"""One check of one host: a connection, and for HTTP a request on it."""

import asyncio
import ssl

from edgecore.modules.edgemesh.upstream.health.probing import Check, is_well, request_of, status_of

_LINE_MAX_BYTES = 16 * 1024


async def ask(check: Check) -> str:
    """Return why a host is not well, a fixed snake_case word; empty if it is. Takes as long as the host likes."""
    address, probe = check.address, check.probe
    is_http = probe.kind == "http"
    try:
        reader, writer = await asyncio.open_connection(
            address.host, address.port, limit=_LINE_MAX_BYTES, ssl=_any_certificate() if is_http and probe.tls else None
        )
    except ssl.SSLError:
        return "tls_failed"
    except (OSError, OverflowError):  # the latter: no such port
        return "connect_failed"
    try:
        if not is_http:
            return ""
        writer.write(request_of(check))
        return await _answer(reader)
    except OSError:
        return "closed"
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader) -> str:
    """Read as far as the status of the answer itself: 1xx announce it only (RFC 9110 section 15.2)."""
    try:
        while line := await reader.readline():
            status = status_of(line)
            if status is None:
                return "bad_response"
            if status >= 200 or status == 101:
                return "" if is_well(status) else f"status_{status}"
            while (await reader.readline()).strip():
                pass
    except ValueError:  # a line without end
        return "bad_response"
    return "closed"


def _any_certificate() -> ssl.SSLContext:
    """Return what takes any certificate, as the kubelet does: the host is asked whether it is well, not who it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

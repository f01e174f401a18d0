"""What is forwarded of a head: all lines in their order and spelling, but for what concerns one connection only.

Not forwarded (RFC 9110 section 7.6.1): Connection and what it names, Keep-Alive, Proxy-Connection. Made anew:

=================  ==============================================  ===================================================
line               to the backend                                  to the client
=================  ==============================================  ===================================================
version            HTTP/1.1                                        HTTP/1.1
Transfer-Encoding  ``chunked``, where it stood                     the same, unless the client speaks HTTP/1.0
Content-Length     as it was                                       as it was, but not with 1xx and 204
Host               the authority of an absolute target, if there   -
                   is one; the default when there is none
TE                 ``trailers``, if the client takes them          dropped
Upgrade            with the request to upgrade                     with 101, and with 426
Expect             not of HTTP/1.0                                 -
Connection         ``Upgrade``, ``TE`` with these                  ``close`` or ``keep-alive`` where the client needs it
=================  ==============================================  ===================================================
"""

from edgecore.modules.edgemesh.proxy.http.body import CHUNKED
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead

_CHUNKED = b"Transfer-Encoding: chunked"

_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"))
_REQUEST_CARE = _HOP | {b"host", b"expect"}
_ANSWER_CARE = _HOP | {b"content-length"}
_NEVER_NAMED = frozenset((b"host", b"content-length", b"transfer-encoding"))
"""What a Connection header cannot take away: without these the backend would read another message than we did."""


def forwarded_request(head: RequestHead, default_host: bytes) -> bytes:
    """Return the head that the backend gets. ``default_host`` goes in when the client named no host (HTTP/1.0)."""
    if head.ready:
        return head.ready
    fields = head.fields
    names = fields.names
    out = [b"%b %b HTTP/1.1" % (head.method, head.path)]
    if b"host" not in names:
        out.append(b"Host: " + (head.authority or default_host))
    care = _REQUEST_CARE | (head.options - _NEVER_NAMED) if head.options else _REQUEST_CARE
    for name, line in zip(names, fields.lines, strict=True):
        if name not in care:
            out.append(line)
        elif name == b"host":
            out.append(b"%b: %b" % (line[:4], head.authority) if head.absolute else line)
        elif name == b"transfer-encoding":
            out.append(_CHUNKED)
        elif (name == b"upgrade" and head.upgrade) or (name == b"expect" and head.minor == 1):
            out.append(line)
    options = [b"Upgrade"] if head.upgrade else []
    if b"te" in names and b"trailers" in fields.tokens(b"te"):
        out.append(b"TE: trailers")
        options.append(b"TE")
    if options:
        out.append(b"Connection: " + b", ".join(options))
    out.append(b"\r\n")
    forwarded = b"\r\n".join(out)
    if head.authority:
        head.ready = forwarded
    return forwarded


def forwarded_answer(head: ResponseHead, *, framed: bool, connection: bytes) -> bytes:
    """Return the head that the client gets.

    ``framed`` says that the client knows chunks; ``connection`` is the value of its Connection header, empty for none.
    """
    if framed and head.ready:
        if connection == b"close":
            head.closing = with_lines(head.ready, b"Connection: close\r\n")
            return head.closing
        return with_lines(head.ready, b"Connection: %b\r\n" % connection) if connection else head.ready
    out = _answer_lines(head, framed, connection)
    forwarded = b"\r\n".join(out)
    if framed and not connection and head.status not in (101, 426):
        head.ready = forwarded
    return forwarded


def with_lines(head: bytes, lines: bytes) -> bytes:
    """Return a head with more header lines, each with its CRLF, at its end."""
    return head[:-2] + lines + b"\r\n"


def _answer_lines(head: ResponseHead, framed: bool, connection: bytes) -> list[bytes]:
    fields = head.fields
    out = [b"HTTP/1.1 " + head.status_text]
    care = _ANSWER_CARE | head.options if head.options else _ANSWER_CARE
    upgrade = head.status in (101, 426)
    for name, line in zip(fields.names, fields.lines, strict=True):
        if name not in care:
            out.append(line)
        elif name == b"content-length":
            if head.status >= 200 and head.status != 204:
                out.append(line)
        elif name == b"transfer-encoding":
            if framed and head.length == CHUNKED:
                out.append(_CHUNKED)
        elif name == b"upgrade" and upgrade:
            out.append(line)
            connection = b"Upgrade, " + connection if connection else b"Upgrade"
            upgrade = False
    if connection:
        out.append(b"Connection: " + connection)
    out.append(b"\r\n")
    return out


def connection_value(request: RequestHead, *, keep: bool) -> bytes:
    """Return what the client is to be told of its connection: nothing, where HTTP's default is what will happen."""
    if not keep:
        return b"close"
    return b"keep-alive" if request.minor == 0 else b""

"""The head of a request: what it says, or why it is refused, from its bytes and nothing else (pure)."""

import re

import msgspec

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, CHUNKED_LINE, LENGTH
from edgecore.modules.edgemesh.proxy.http.fields import LINE, Fields, cut_out, parse_fields, split_fields
from edgecore.modules.edgemesh.proxy.http.framing import METHODS, BadHead, judge_request
from edgecore.modules.edgemesh.proxy.http.refusals import bad_request
from edgecore.modules.edgemesh.proxy.http.target import is_authority, split_target

_REQUEST_LINE = re.compile(rb"([!#-'*+\-.0-9A-Z^-z|~]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")

_ORDINARY = re.compile(
    rb"(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) (/[\x21-\x7e]*+) HTTP/1\.1(\r\n(?:" + LINE + rb"\r\n)*+)\r\n"
)
_OF_NOTE = re.compile(
    rb"\n(host|connection|content-length|expect|keep-alive|proxy-connection|te|transfer-encoding|upgrade):"
    rb"[\t ]*+([^\r]*+)\r"
)


class RequestHead(msgspec.Struct, gc=False):
    """A request that can be forwarded."""

    method: bytes
    path: bytes
    """Request target in origin form, or ``*``."""
    authority: bytes
    """Whom the client wants to speak to, in lower case: from an absolute target, else the Host header; or empty."""
    absolute: bool
    """The authority came from the target and replaces the Host header (RFC 9112 section 3.2.2)."""
    minor: int
    """Of HTTP/1.x: 0 or 1."""
    head: bytes
    """All of it, the empty line included."""
    length: int
    """Of the body in bytes, or ``CHUNKED``."""
    options: frozenset[bytes] = frozenset()
    """What the Connection header names, in lower case."""
    keep_alive: bool = True
    """The client would like to send another request on this connection."""
    upgrade: bool = False
    """The client asks to change to another protocol."""
    ready: bytes = b""
    """What the backend gets, if that does not depend on anything else; perhaps not known yet."""
    told: tuple[str, str] | None = None
    """Method and path for the access log; perhaps not known yet."""

    @property
    def has_body(self) -> bool:
        """Whether ``END`` is still to come."""
        return self.length != 0

    @property
    def fields(self) -> Fields:
        """The header lines, taken apart."""
        return split_fields(self.head[self.head.index(b"\n") + 1 : -2])


def read_request(head: bytes) -> RequestHead | Refusal:
    """Return the request whose head, the empty line included, is ``head``; why it is refused, if it is.

    Ordinary heads are read without httptools: what ``_ORDINARY`` lets pass is what httptools would let pass.
    """
    match = _ORDINARY.fullmatch(head)
    if match is not None:
        request = _read_ordinary(head, match)
        if request is not None:
            return request
    try:
        judge_request(head)
    except BadHead as bad:
        return bad_request(bad.reason, bad.why)
    return parse_request(head)


def _read_ordinary(head: bytes, match: re.Match[bytes]) -> RequestHead | None:
    """Return a request in which nothing has to be looked at twice; None if there is more to it."""
    method, path, block = match.groups()
    host = length = None
    options, dropped = [], []
    for note in _OF_NOTE.finditer(block.lower()):
        name, value = note.groups()
        if name == b"host" and host is None:
            host = value.rstrip(b" \t")
        elif name == b"content-length" and length is None and LENGTH.fullmatch(value):
            length = int(value)
        elif name == b"transfer-encoding" and length is None and block[slice(*note.span())] == CHUNKED_LINE:
            length = CHUNKED
        elif name == b"connection" and value in (b"keep-alive", b"close"):
            options.append(value)
            dropped.append(note)
        elif name == b"keep-alive":
            dropped.append(note)
        elif name != b"expect":
            return None
    if not host or not is_authority(host):
        return None
    request = RequestHead(method, path, host, False, 1, head, length or 0, ready=head)
    if options:
        request.options = frozenset(options)
        request.keep_alive = b"close" not in options
    if dropped:
        request.ready = cut_out(head, match.start(3), dropped)
    return request


def parse_request(head: bytes) -> RequestHead | Refusal:
    """Return the same as ``read_request`` for a head to which httptools has no objections."""
    line, _, block = head.partition(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return bad_request("bad_request_line", "its first line is not that of HTTP/1.0 or HTTP/1.1")
    method, minor = match[1], 1 if match[3] == b"1" else 0
    fields = parse_fields(block[:-2])
    if fields is None:
        return bad_request("bad_header", "a header line is malformed")
    if method not in METHODS:
        return bad_request("unknown_method", "its method is not known", 501)
    if method == b"CONNECT":
        return bad_request("connect_unsupported", "CONNECT is not supported", 501)
    target = split_target(method, match[2])
    if target is None:
        return bad_request("bad_target", "its target is neither a path nor an http:// address")
    hosts = fields.values(b"host")
    if len(hosts) > 1 or (not hosts and minor == 1):
        return bad_request("bad_host", f"it has {len(hosts)} Host headers")
    if hosts and not is_authority(hosts[0]):
        return bad_request("bad_host", "its Host header is no host")
    length = _length(fields, minor)
    if isinstance(length, Refusal):
        return length
    options = frozenset(fields.tokens(b"connection"))
    return RequestHead(
        method,
        target.path,
        (target.authority or (hosts[0] if hosts else b"")).lower(),
        bool(target.authority),
        minor,
        head,
        length,
        options,
        keep_alive=b"close" not in options and (minor == 1 or b"keep-alive" in options),
        upgrade=b"upgrade" in options and length == 0 and minor == 1 and _may_upgrade(fields.tokens(b"upgrade")),
    )


def _length(fields: Fields, minor: int) -> int | Refusal:
    """Return how long the body is (RFC 9112 section 6.3), refusing what has two answers."""
    lengths = fields.values(b"content-length")
    codings = fields.values(b"transfer-encoding")
    if codings:
        if lengths:
            return bad_request("length_conflict", "it has both Content-Length and Transfer-Encoding")
        if minor == 0:
            return bad_request("bad_transfer_encoding", "HTTP/1.0 knows no Transfer-Encoding")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            return bad_request("unsupported_transfer_encoding", "only chunked is supported", 501)
        return CHUNKED
    if not lengths:
        return 0
    if len(lengths) > 1 or not LENGTH.fullmatch(lengths[0]):
        return bad_request("bad_length", "its Content-Length is not one number")
    return int(lengths[0])


def _may_upgrade(protocols: list[bytes]) -> bool:
    """Whether the wish to upgrade is passed on. HTTP/2 is not: a client that offers it is served with HTTP/1.1."""
    return bool(protocols) and all(protocol.partition(b"/")[0].strip() != b"h2c" for protocol in protocols)

"""Where the requests of one client go."""

from typing import Protocol, cast

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.forwardedfor import forwarded_for
from edgecore.modules.edgemesh.proxy.http.head import forwarded_request, with_lines
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.upstream import Upstream


class Client(Protocol):
    """Who asks."""

    @property
    def ip(self) -> str:
        """The address of the client, without its port."""


class Routing:
    """See the module; made once for each client that asks for something.

    For the strategies it is the one who asks (``Asking``): with ``request``, which is replaced by each that follows.
    What they want to know is found out only when they ask.
    """

    __slots__ = ("_client", "_door", "_gateway", "_lines", "_settled", "request", "upstream")

    def __init__(self, gateway: Gateway, door: Door, client: Client, request: RequestHead) -> None:
        self._gateway = gateway
        self._door = door
        self._client = client
        headers = gateway.options.forwarded_headers
        self._lines = forwarded_for(headers, client.ip) if headers != "off" else b""
        self.request = request
        self.upstream = cast("Upstream", None)  # until choose
        """What forwards for the request."""
        self._settled = False  # that is what forwards for all requests

    def choose(self, request: RequestHead) -> Host | Refusal:
        """Return the host for ``request``, which is the one that is asked from now on; why there is none."""
        self.request = request
        upstream = self.upstream
        if not self._settled or upstream.gone:
            door = self._door
            found = self._gateway.destination(door.service, door.address.port, request.authority)
            if isinstance(found, Refusal):
                return found
            upstream = self.upstream = found
            self._settled = door.service is not None
        host = upstream.choose(self, ())
        if host is not None:
            return host
        refusal = upstream.refusal()
        upstream.answered(refusal.status)
        upstream.refused[refusal.reason] = upstream.refused.get(refusal.reason, 0) + 1
        return refusal

    def head(self) -> bytes:
        """Return the head that the backend gets."""
        head = self.request.ready or forwarded_request(self.request, self._door.host)
        return with_lines(head, self._lines) if self._lines else head

    @property
    def ip(self) -> str:
        """See ``Asking``."""
        return self._client.ip

    def header(self, name: bytes) -> bytes:
        """See ``Asking``."""
        values = self.request.fields.values(name)
        return values[0] if values else b""

    def cookie(self, name: bytes) -> bytes:
        """See ``Asking`` (RFC 6265 section 4.2.1)."""
        for line in self.request.fields.values(b"cookie"):
            for pair in line.split(b";"):
                found, sign, value = pair.strip(b" \t").partition(b"=")
                if sign and found == name:
                    return value.strip(b'"')
        return b""

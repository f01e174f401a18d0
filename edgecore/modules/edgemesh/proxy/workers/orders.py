"""What the node says to the workers that forward beside it, and what they say."""

from collections.abc import Sequence

from msgspec import Struct

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import Meant
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.upstream.spec import PortKey, PortSpec, Transport
from edgecore.modules.edgemesh.workers.link import Counted, Line
from edgecore.modules.edgemesh.workers.relay import Look
from edgecore.recording.entries import ProxiedRequest


class Begin(Struct, frozen=True, tag="begin"):
    """To a worker, before all else: what it is to do."""

    recipe: ProxyRecipe


class PortSet(Struct, frozen=True, tag="set"):
    """``Upstreams.put``."""

    spec: PortSpec


class PortRemoved(Struct, frozen=True, tag="remove"):
    """``Upstreams.remove``."""

    key: PortKey


class Checked(Struct, frozen=True, tag="checked"):
    """To a worker: what the node's active checks say of a host; ``None``: nothing."""

    key: PortKey
    endpoint: Endpoint
    well: bool | None


class Listen(Struct, frozen=True, tag="listen"):
    """To a worker: accept clients here too. What they mean has no service where the system has led them here."""

    address: Endpoint
    meant: Meant
    transport: Transport


class AddressOf(Struct, frozen=True, tag="address"):
    """To a worker: whose fake IP this is; ``None``: nobody's any more."""

    address: str
    service: ServiceKey | None


class Unlisten(Struct, frozen=True, tag="unlisten"):
    """To a worker: no more clients here."""

    address: Endpoint
    transport: Transport


Order = Begin | PortSet | PortRemoved | Checked | Listen | Unlisten | AddressOf | Look


class BadInput(Struct, frozen=True, tag="bad_input"):
    """From a worker: see ``Metrics.bad_input``."""

    module: str
    reason: str
    peer: str
    left_out: int | None
    details: dict[str, str]


class AccessLines(Struct, frozen=True, tag="access"):
    """From a worker: lines of the access log, each with its end; ``dropped`` more were too many."""

    lines: bytes
    dropped: int


class Requests(Struct, frozen=True, tag="requests"):
    """From a worker: what is over, while somebody looks; ``lost`` before it could not be sent."""

    requests: Sequence[ProxiedRequest]
    lost: int


News = Counted[ProxyFigures] | BadInput | AccessLines | Requests | Line

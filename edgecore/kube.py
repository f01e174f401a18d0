"""Typed read-only views of Kubernetes objects: Service, Pod and Endpoints, with only the fields that the node looks at.

They are decoded straight from the JSON of a message or a row, and take what Go takes: unknown fields are passed over, a
missing or ``null`` field has its default, a ``null`` list is empty. What else has the wrong shape raises
``ContentError``, which names the path of the field. Field names and defaults: Kubernetes API, core/v1.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from edgecore.errors import ContentError

T = TypeVar("T")

MESH_ANNOTATIONS = "edgemesh.kubeedge.io/"
"""How the names of the annotations begin that say how the traffic of a service is treated."""

PortNumber = Annotated[int, msgspec.Meta(ge=0, le=65535)]
"""A port, or 0 where none is given."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""How often something came about."""

_LONGEST_VERSION = 20
"""Digits of a resource version: a number of 64 bits."""


class _View(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Base of the views: Kubernetes' camel case outside, ours inside. (``gc=False``: they hold no cycles.)"""


class Metadata(_View, frozen=True, gc=False):
    """What every object carries."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None

    @property
    def version(self) -> int:
        """The resource version as a number, as which it grows (in a cluster of one etcd); -1 where it is none."""
        text = self.resource_version
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_VERSION else -1


class ServiceMetadata(Metadata, frozen=True, gc=False):
    """The same of a service."""

    annotations: Mapping[str, str] = {}
    """Those of EdgeMesh alone: what others keep there may be as large as the object."""

    def __post_init__(self) -> None:
        if self.annotations:
            ours = {name: text for name, text in self.annotations.items() if name.startswith(MESH_ANNOTATIONS)}
            msgspec.structs.force_setattr(self, "annotations", ours)


class ServicePort(_View, frozen=True, gc=False):
    """One port of a service."""

    name: str = ""
    protocol: str = "TCP"
    port: PortNumber = 0
    target_port: PortNumber | str = 0
    """Number or name of a container port; 0 or empty where none is given, which means ``port``."""
    app_protocol: str = ""


class ClientIPConfig(_View, frozen=True, gc=False):
    """``sessionAffinityConfig.clientIP``."""

    timeout_seconds: int | None = None


class SessionAffinityConfig(_View, frozen=True, gc=False):
    """How ``sessionAffinity`` is meant."""

    client_ip: ClientIPConfig = msgspec.field(default=ClientIPConfig(), name="clientIP")


class ServiceSpec(_View, frozen=True, gc=False):
    """What a service is to be."""

    ports: tuple[ServicePort, ...] = ()
    selector: Mapping[str, str] = {}
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    type: str = ""
    external_name: str = ""
    session_affinity: str = ""
    session_affinity_config: SessionAffinityConfig = SessionAffinityConfig()
    publish_not_ready_addresses: bool = False


class Service(_View, frozen=True, gc=False):
    """A service."""

    metadata: ServiceMetadata = ServiceMetadata()
    spec: ServiceSpec = ServiceSpec()

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    @property
    def is_external(self) -> bool:
        """Whether it is but another word for a name outside (type ExternalName)."""
        return self.spec.type == "ExternalName"

    @property
    def selects_pods(self) -> bool:
        """Whether it has a selector: else its Endpoints, which somebody writes, say what is behind it."""
        return bool(self.spec.selector)


class ContainerPort(_View, frozen=True, gc=False):
    """One port of a container."""

    name: str = ""
    protocol: str = "TCP"
    container_port: PortNumber = 0
    host_port: PortNumber = 0
    """That of the host which leads to it; 0 if none does."""


class Resources(_View, frozen=True, gc=False):
    """What a container asks for and may use at most: quantities by the name of the resource."""

    requests: Mapping[str, Any] = {}
    limits: Mapping[str, Any] = {}


class HTTPHeader(_View, frozen=True, gc=False):
    """A header that a probe sends."""

    name: str = ""
    value: str = ""


class HTTPGetAction(_View, frozen=True, gc=False):
    """A probe by HTTP."""

    path: str = ""
    port: PortNumber | str = 0
    host: str = ""
    scheme: str = ""
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(_View, frozen=True, gc=False):
    """A probe by a connection."""

    port: PortNumber | str = 0
    host: str = ""


class ReadinessProbe(_View, frozen=True, gc=False):
    """How a container is asked whether it is ready; 0 where a default is meant."""

    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    period_seconds: int = 0
    timeout_seconds: int = 0
    success_threshold: int = 0
    failure_threshold: int = 0


class Container(_View, frozen=True, gc=False):
    """One container of a pod."""

    name: str = ""
    ports: tuple[ContainerPort, ...] = ()
    image: str = ""
    resources: Resources = Resources()
    readiness_probe: ReadinessProbe | None = None


class PodSpec(_View, frozen=True, gc=False):
    """What a pod is to be."""

    containers: tuple[Container, ...] = ()
    node_name: str = ""
    host_network: bool = False
    hostname: str = ""
    subdomain: str = ""
    init_containers: tuple[Container, ...] = ()
    restart_policy: str = ""
    termination_grace_period_seconds: int | None = None


class Condition(_View, frozen=True, gc=False):
    """One condition of a pod, such as ``Ready``."""

    type: str = ""
    status: str = ""
    last_transition_time: str | None = None


class ContainerStatus(_View, frozen=True, gc=False):
    """What one container of a pod is."""

    restart_count: Count = 0


class PodStatus(_View, frozen=True, gc=False):
    """What a pod is."""

    phase: str = ""
    host_ip: str = msgspec.field(default="", name="hostIP")
    pod_ip: str = msgspec.field(default="", name="podIP")
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    qos_class: str = ""


class Pod(_View, frozen=True, gc=False):
    """A pod."""

    metadata: Metadata = Metadata()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def running(self) -> bool:
        """Whether its phase is ``Running``."""
        return self.status.phase == "Running"

    @property
    def terminating(self) -> bool:
        """Whether it was told to go."""
        return bool(self.metadata.deletion_timestamp)

    @property
    def ready(self) -> str:
        """The status of its condition ``Ready``; empty where it has none."""
        return self._readiness.status

    @property
    def life(self) -> str:
        """The same as long as it is one pod at one address whose containers go on running and whose ``Ready`` stays.

        What else changes in the object, its resource version too, says nothing of whether it serves.
        """
        restarts = sum(container.restart_count for container in self.status.container_statuses)
        since = self._readiness.last_transition_time or ""
        return f"{self.metadata.uid}/{restarts}/{self.status.pod_ip}/{self.ready}/{since}"

    @property
    def _readiness(self) -> Condition:
        return next((found for found in self.status.conditions if found.type == "Ready"), Condition())

    @property
    def container_ports(self) -> tuple[ContainerPort, ...]:
        """The ports of all its containers."""
        return tuple(port for container in self.spec.containers for port in container.ports)


class TargetReference(_View, frozen=True, gc=False):
    """The object behind an address."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""


class EndpointAddress(_View, frozen=True, gc=False):
    """One address of a subset."""

    ip: str = ""
    node_name: str = ""
    target_ref: TargetReference = TargetReference()

    @property
    def pod(self) -> str:
        """The name of the pod behind it; empty where there is none."""
        return self.target_ref.name if self.target_ref.kind == "Pod" else ""


class EndpointPort(_View, frozen=True, gc=False):
    """One port of a subset."""

    name: str = ""
    protocol: str = "TCP"
    port: PortNumber = 0


class EndpointSubset(_View, frozen=True, gc=False):
    """Addresses that serve the same ports."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(_View, frozen=True, gc=False):
    """The endpoints of the service of the same name."""

    metadata: Metadata = Metadata()
    subsets: tuple[EndpointSubset, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    @property
    def ready_addresses(self) -> int:
        """How many addresses are ready."""
        return sum(len(subset.addresses) for subset in self.subsets)


_SERVICE = msgspec.json.Decoder(Service)
_SERVICES = msgspec.json.Decoder(tuple[Service, ...])
_POD = msgspec.json.Decoder(Pod)
_PODS = msgspec.json.Decoder(tuple[Pod, ...])
_ENDPOINTS = msgspec.json.Decoder(Endpoints)
_ENDPOINTS_LIST = msgspec.json.Decoder(tuple[Endpoints, ...])
_LIST = msgspec.json.Decoder(tuple[msgspec.Raw, ...] | None)


def decode_service(data: bytes) -> Service:
    """Return the service in ``data``. Raises ``ContentError``."""
    return decode_view(data, _SERVICE, "Service")


def decode_services(data: bytes) -> tuple[Service | ContentError, ...]:
    """Return the services in ``data``, a list or ``null``; in place of a malformed one, what is wrong with it.

    Raises ``ContentError`` if ``data`` is no list.
    """
    return _decode_list(data, _SERVICES, _SERVICE, "Service")


def decode_pod(data: bytes) -> Pod:
    """Return the pod in ``data``. Raises ``ContentError``."""
    return decode_view(data, _POD, "Pod")


def decode_pods(data: bytes) -> tuple[Pod | ContentError, ...]:
    """Return the pods in ``data``; see ``decode_services``."""
    return _decode_list(data, _PODS, _POD, "Pod")


def decode_endpoints(data: bytes) -> Endpoints:
    """Return the endpoints in ``data``. Raises ``ContentError``."""
    return decode_view(data, _ENDPOINTS, "Endpoints")


def decode_endpoints_list(data: bytes) -> tuple[Endpoints | ContentError, ...]:
    """Return the endpoints in ``data``; see ``decode_services``."""
    return _decode_list(data, _ENDPOINTS_LIST, _ENDPOINTS, "Endpoints")


def decode_view(data: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T], kind: str) -> T:
    """Return what ``decoder`` finds in ``data``; a field that is ``null`` is not there. Raises ``ContentError``."""
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError):
        # The quick way knows no null. Where that is all that stood in the way, the second look finds nothing wrong.
        try:
            return msgspec.convert(_without_nulls(msgspec.json.decode(data)), decoder.type)
        except (ValueError, RecursionError) as error:
            raise ContentError(f"cannot decode {kind}: {error}") from error


def _decode_list(
    data: bytes,
    whole: msgspec.json.Decoder[tuple[T, ...]],
    single: msgspec.json.Decoder[T],
    kind: str,
) -> tuple[T | ContentError, ...]:
    try:
        return whole.decode(data)
    except (ValueError, RecursionError):
        try:
            elements = _LIST.decode(data) or ()
        except (ValueError, RecursionError) as error:
            raise ContentError(f"cannot decode list of {kind}: {error}") from error
    decoded: list[T | ContentError] = []
    for place, element in enumerate(elements):
        try:
            decoded.append(decode_view(element, single, f"{kind} {place} of the list"))
        except ContentError as error:
            decoded.append(error)
    return tuple(decoded)


def _without_nulls(value: Any) -> Any:
    """Return a JSON value without the fields that are ``null``."""
    if isinstance(value, dict):
        return {name: _without_nulls(field) for name, field in value.items() if field is not None}
    if isinstance(value, list):
        return [_without_nulls(element) for element in value]
    return value

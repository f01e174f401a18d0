"""What a bus message changes in the mesh (``MsgProcess``, kubeedge edgemesh/pkg/listener/listener.go@v1.3.1).

===================================== ====================== ======================
resource                              insert, update         delete
===================================== ====================== ======================
``<ns>/service/<name>``               ServiceChanged         ServiceDeleted
``namespace/servicelist/service``     ServiceChanged, each   ServiceDeleted, each
``<ns>/podlist/<service>``            PodsChanged            PodsDeleted
``<ns>/endpoints/<name>``             EndpointsChanged       EndpointsDeleted
``namespace/endpointslist/endpoints`` EndpointsChanged, each EndpointsDeleted, each
``<ns>/pod/<name>``                   PodChanged             PodDeleted
===================================== ====================== ======================

A list upserts its elements and deletes nothing that it does not name. A list of ``null`` changes nothing, but a
*podlist* of ``null`` says that the service has no pods. A delete goes by the resource, for its content may be ``null``
or a stub; that of a pod says, where it says anything, which pod of the name is meant. What cannot be used is
``Rejected``: a malformed element of a list alone, the rest of the list holds.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from edgecore import kube
from edgecore.beehive.message import Message, content_json, content_value
from edgecore.beehive.resource import (
    DELETE,
    ENDPOINTS,
    ENDPOINTSLIST,
    INSERT,
    NODE_CONNECTION,
    POD,
    PODLIST,
    PUBLISH,
    SERVICE,
    SERVICELIST,
    UPDATE,
    EdgeResource,
    parse_edge,
)
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.names import PodKey, ServiceKey, is_label

T = TypeVar("T")


class ServiceChanged(NamedTuple):
    """A service is new, or other than before, or sent once more."""

    key: ServiceKey
    service: kube.Service


class ServiceDeleted(NamedTuple):
    """A service is gone."""

    key: ServiceKey


class PodsChanged(NamedTuple):
    """These, and no others, are the pods of a service."""

    key: ServiceKey
    pods: tuple[kube.Pod, ...]


class PodsDeleted(NamedTuple):
    """The pods of a service are not known any more."""

    key: ServiceKey


class EndpointsChanged(NamedTuple):
    """A service's endpoints are new, or other than before, or sent once more."""

    key: ServiceKey
    endpoints: kube.Endpoints


class EndpointsDeleted(NamedTuple):
    """A service's endpoints are gone."""

    key: ServiceKey


class PodChanged(NamedTuple):
    """A pod of this node is new, or other than before, or sent once more."""

    key: PodKey
    pod: kube.Pod
    is_inserted: bool = False
    """The cloud says that it is there, whatever was said before: if it was deleted, it is back."""


class PodDeleted(NamedTuple):
    """A pod of this node is gone: the one of this uid, which had this resource version (empty, -1: not known)."""

    key: PodKey
    uid: str
    version: int


class Rejected(NamedTuple):
    """Something that cannot be used: a fixed snake_case word (a metric label), and a text for people."""

    reason: str
    text: str


Keyed = (
    ServiceChanged
    | ServiceDeleted
    | PodsChanged
    | PodsDeleted
    | EndpointsChanged
    | EndpointsDeleted
    | PodChanged
    | PodDeleted
)
Change = Keyed | Rejected


def process(message: Message) -> tuple[Change, ...]:
    """Return what ``message`` changes, in the order in which it is to be applied. Never raises."""
    route = message.route
    if route.resource == NODE_CONNECTION and route.operation == PUBLISH:
        return ()  # EdgeHub says that the link came up or went down: the mesh serves what it knows either way
    resource = parse_edge(route.resource)
    if resource is None:
        return (Rejected("bad_resource", f"cannot use resource {route.resource!r}: it has not two or three parts"),)
    handle = _HANDLERS.get(resource.type)
    if handle is None:
        return (Rejected("unknown_resource", f"cannot use resource {route.resource!r}: EdgeMesh knows no such type"),)
    if route.operation not in (INSERT, UPDATE, DELETE):
        return (Rejected("unknown_operation", f"cannot {route.operation!r} {route.resource}: no such operation here"),)
    try:
        return handle(resource, message)
    except ContentError as error:
        return (Rejected("bad_content", f"{route.resource}: {error}"),)


def service_key(namespace: str, name: str) -> ServiceKey:
    """Return the key of a service.

    Raises ``ContentError`` if one of the names is none that Kubernetes allows.
    """
    for kind, text in (("namespace", namespace), ("name", name)):
        if not is_label(text):
            raise ContentError(f"{kind} {text!r} is not a name of Kubernetes")
    return ServiceKey(namespace, name)


def _service(resource: EdgeResource, message: Message) -> tuple[Change, ...]:
    key = service_key(resource.namespace, resource.name)
    if message.route.operation == DELETE:
        return (ServiceDeleted(key),)
    service = kube.decode_service(content_json(message))
    _check_named(service.metadata, key)
    return (ServiceChanged(key, service),)


def _endpoints(resource: EdgeResource, message: Message) -> tuple[Change, ...]:
    key = service_key(resource.namespace, resource.name)
    if message.route.operation == DELETE:
        return (EndpointsDeleted(key),)
    endpoints = kube.decode_endpoints(content_json(message))
    _check_named(endpoints.metadata, key)
    return (EndpointsChanged(key, endpoints),)


def _podlist(resource: EdgeResource, message: Message) -> tuple[Change, ...]:
    key = service_key(resource.namespace, resource.name)
    if message.route.operation == DELETE:
        return (PodsDeleted(key),)
    return pods_changed(key, content_json(message))


def pods_changed(key: ServiceKey, data: bytes) -> tuple[PodsChanged | Rejected, ...]:
    """Return what a list of pods (JSON, ``null`` if there are none) says of a service.

    Raises ``ContentError`` if ``data`` is no list.
    """
    pods: list[kube.Pod] = []
    rejected: list[Rejected] = []
    for pod in kube.decode_pods(data):
        if isinstance(pod, ContentError):
            rejected.append(Rejected("bad_content", f"pods of {key}: {pod}"))
        else:
            pods.append(pod)
    return PodsChanged(key, tuple(pods)), *rejected


def _pod(resource: EdgeResource, message: Message) -> tuple[Change, ...]:
    key = PodKey(resource.namespace, resource.name)
    if message.route.operation == DELETE:
        return (PodDeleted(key, *_last_state(message)),)
    changed = pod_changed(key, content_json(message))
    return (changed._replace(is_inserted=message.route.operation == INSERT),)


def pod_changed(key: PodKey, data: bytes) -> PodChanged:
    """Return what a pod of this node (JSON) changes. Raises ``ContentError``."""
    pod = kube.decode_pod(data)
    found = PodKey(pod.metadata.namespace, pod.metadata.name)
    if found != key:
        raise ContentError(f"the object is {str(found)!r}, not {str(key)!r}")
    return PodChanged(key, pod)


def _last_state(message: Message) -> tuple[str, int]:
    """Return uid and version of a pod that is deleted, as far as they are told: by its last state, or its uid alone."""
    content = content_value(message)
    if isinstance(content, str):
        return content, -1
    try:
        metadata = kube.decode_pod(content_json(message)).metadata
    except ContentError:
        return "", -1
    return metadata.uid, metadata.version


def _servicelist(resource: EdgeResource, message: Message) -> tuple[Change, ...]:
    delete = message.route.operation == DELETE

    def change(service: kube.Service) -> Change:
        key = service_key(*service.key)
        return ServiceDeleted(key) if delete else ServiceChanged(key, service)

    return _each(kube.decode_services(content_json(message)), change, resource)


def _endpointslist(resource: EdgeResource, message: Message) -> tuple[Change, ...]:
    delete = message.route.operation == DELETE

    def change(endpoints: kube.Endpoints) -> Change:
        key = service_key(*endpoints.key)
        return EndpointsDeleted(key) if delete else EndpointsChanged(key, endpoints)

    return _each(kube.decode_endpoints_list(content_json(message)), change, resource)


def _each(
    elements: tuple[T | ContentError, ...],
    change: Callable[[T], Change],
    resource: EdgeResource,
) -> tuple[Change, ...]:
    changes: list[Change] = []
    for element in elements:
        try:
            if isinstance(element, ContentError):
                raise element
            changes.append(change(element))
        except ContentError as error:
            changes.append(Rejected("bad_content", f"{resource}: {error}"))
    return tuple(changes)


def _check_named(metadata: kube.Metadata, key: ServiceKey) -> None:
    """Raise ``ContentError`` if the object is another than its resource says.

    After a restart there is only the object to go by.
    """
    found = ServiceKey(metadata.namespace, metadata.name)
    if found != key:
        raise ContentError(f"the object is {str(found)!r}, not {str(key)!r}")


_HANDLERS: dict[str, Callable[[EdgeResource, Message], tuple[Change, ...]]] = {
    SERVICE: _service,
    SERVICELIST: _servicelist,
    PODLIST: _podlist,
    ENDPOINTS: _endpoints,
    ENDPOINTSLIST: _endpointslist,
    POD: _pod,
}

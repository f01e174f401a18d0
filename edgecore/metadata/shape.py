"""Whether a row is in itself what it should be: its key, its type, its value, and whether these speak of one object."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any

from edgecore import kube
from edgecore.beehive import resource as r
from edgecore.errors import ContentError
from edgecore.metadata.finding import DELETE_ROW, ERROR, INFO, LEFT_OVER, WARNING, Finding
from edgecore.metadata.row import MetaRow, NoJson, parsed
from edgecore.modules.edgemesh.msgprocess import service_key


def shape_findings(row: MetaRow) -> Iterator[Finding]:
    """Yield what is wrong with ``row`` alone."""
    yield from _of_key(row)
    value = parsed(row)
    if isinstance(value, NoJson):
        yield Finding(ERROR, "no_json", row.key, f"the value is no JSON: {value.reason}", DELETE_ROW)
    elif value == r.OK and row.type != r.LISTENER:
        text = f'"OK" is stored as a {row.type}: a Go edgecore took an acknowledgement for the object (bug M2)'
        yield Finding(ERROR, "ok_stored", row.key, text, DELETE_ROW)
    elif row.type in _LISTS:
        text = f"a {row.type} is stored whole; each of its elements should be a row"
        yield Finding(WARNING, "list_stored", row.key, text, LEFT_OVER)
    elif row.type not in _CHECKS:
        text = f"rows of type {row.type!r} are not known here"
        yield Finding(INFO, "unknown_type", row.key, text, "nothing: as in the Go edgecore they are kept and handed on")
    else:
        try:
            _CHECKS[row.type](row, value)
        except ContentError as error:
            yield Finding(ERROR, "wrong_value", row.key, str(error), DELETE_ROW)


def _of_key(row: MetaRow) -> Iterator[Finding]:
    place = r.parse_edge(row.key)
    if place is None or not all((place.namespace, place.type)):
        text = "the key is not <namespace>/<type>/<name>"
        yield Finding(WARNING, "wrong_key", row.key, text, LEFT_OVER)
    elif place.type != row.type:
        text = f"the key says {place.type!r}, the column type {row.type!r}"
        advice = f"a query for all of type {place.type!r} does not find it: {DELETE_ROW}"
        yield Finding(WARNING, "wrong_type", row.key, text, advice)


def _service(row: MetaRow, _value: Any) -> None:
    service = kube.decode_service(row.value or b"")
    _check_place(row, service.metadata.namespace, service.metadata.name)
    service_key(*service.key)


def _endpoints(row: MetaRow, _value: Any) -> None:
    endpoints = kube.decode_endpoints(row.value or b"")
    _check_place(row, endpoints.metadata.namespace, endpoints.metadata.name)


def _pod(row: MetaRow, _value: Any) -> None:
    pod = kube.decode_pod(row.value or b"")
    _check_place(row, pod.metadata.namespace, pod.metadata.name)


def _podlist(row: MetaRow, _value: Any) -> None:
    for pod in kube.decode_pods(row.value or b""):
        if isinstance(pod, ContentError):
            raise pod


def _listener(_row: MetaRow, value: Any) -> None:
    if not is_address(value):
        raise ContentError(f"the value {_short(value)} is no IPv4 address")


def _podstatus(row: MetaRow, value: Any) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("Status"), dict):
        raise ContentError("the value is no PodStatusRequest: an object with UID, Name and Status")
    if value.get("Name") != row.place.name:
        raise ContentError(f"the value is of pod {_short(value.get('Name'))}, the key of {row.place.name!r}")


def _nodestatus(_row: MetaRow, value: Any) -> None:
    if not isinstance(value, dict) or not isinstance(value.get("Status"), dict):
        raise ContentError("the value is no NodeStatusRequest: an object with UID and Status")


def _object(row: MetaRow, value: Any) -> None:
    metadata = value.get("metadata") if isinstance(value, dict) else None
    if not isinstance(metadata, dict):
        raise ContentError(f"the value is no object of type {row.type}: it has no metadata")
    _check_place(row, metadata.get("namespace"), metadata.get("name"))


def _anything(_row: MetaRow, _value: Any) -> None:
    """Take what there is."""


def _check_place(row: MetaRow, namespace: Any, name: Any) -> None:
    """Raise ``ContentError`` if the object is another than its key says; that of no namespace may lie in any."""
    place = row.place
    if name != place.name or (namespace or place.namespace) != place.namespace:
        found = f"{namespace}/{name}" if namespace else _short(name)
        raise ContentError(f"the object is {found}, the key says {place.namespace}/{place.name}")


def is_address(value: Any) -> bool:
    """Return whether ``value`` is the text of an IPv4 address."""
    try:
        return isinstance(value, str) and bool(IPv4Address(value))
    except ValueError:
        return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_LISTS = (r.SERVICELIST, r.ENDPOINTSLIST)
_CHECKS: dict[str, Callable[[MetaRow, Any], None]] = {
    r.SERVICE: _service,
    r.ENDPOINTS: _endpoints,
    r.POD: _pod,
    r.PODLIST: _podlist,
    r.LISTENER: _listener,
    r.PODSTATUS: _podstatus,
    r.NODESTATUS: _nodestatus,
    r.CONFIGMAP: _object,
    r.SECRET: _object,
    r.NODE: _object,
    r.PERSISTENT_VOLUME: _object,
    r.PERSISTENT_VOLUME_CLAIM: _object,
    r.VOLUME_ATTACHMENT: _object,
    r.VOLUME: _anything,
}

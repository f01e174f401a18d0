"""Which ConfigMaps and Secrets a pod uses (pure; kubernetes pkg/api/v1/pod/util.go).

The pod is looked at as any JSON: what is not where Kubernetes puts it names nothing. All that a pod names is of its own
namespace; Kubernetes knows no other.
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from edgecore.beehive.resource import CONFIGMAP, SECRET, EdgeResource

MAX_REFERENCES = 128
"""Of one pod."""

_LONGEST_NAME = 253
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
"""A Kubernetes name. Nothing else can be asked for; least of all what holds a ``/``."""
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_OF_VOLUMES = (
    (CONFIGMAP, ("configMap", "name")),
    (SECRET, ("secret", "secretName")),
    (SECRET, ("azureFile", "secretName")),
    (SECRET, ("cephfs", "secretRef", "name")),
    (SECRET, ("csi", "nodePublishSecretRef", "name")),
    (SECRET, ("flexVolume", "secretRef", "name")),
    (SECRET, ("iscsi", "secretRef", "name")),
    (SECRET, ("rbd", "secretRef", "name")),
    (SECRET, ("scaleIO", "secretRef", "name")),
    (SECRET, ("storageos", "secretRef", "name")),
)
"""Where a volume names an object, by its source."""
_OF_PROJECTIONS = ((CONFIGMAP, ("configMap", "name")), (SECRET, ("secret", "name")))
_OF_SOURCES = ((CONFIGMAP, ("configMapRef", "name")), (SECRET, ("secretRef", "name")))
_OF_VARIABLES = (
    (CONFIGMAP, ("valueFrom", "configMapKeyRef", "name")),
    (SECRET, ("valueFrom", "secretKeyRef", "name")),
)
_OF_PULLS = ((SECRET, ("name",)),)

_Places = tuple[tuple[str, tuple[str, ...]], ...]


class References(NamedTuple):
    """What one pod uses, each object once, in the order in which the pod names them."""

    used: tuple[EdgeResource, ...] = ()
    left_out: int = 0
    """How many there are beyond ``MAX_REFERENCES``."""
    needed: frozenset[EdgeResource] = frozenset()
    """Those without which no container can be made: not the optional ones, and not those for pulling images, which the
    kubelet goes without."""


class Lacking(NamedTuple):
    """Why a pod cannot be started yet: what it needs and is not there; none, while something is still asked for."""

    missing: tuple[EdgeResource, ...] = ()

    @property
    def message(self) -> str:
        """The text of the kubelet for that."""
        return ", ".join(f'{each.type} "{each.name}" not found' for each in self.missing)


def references(namespace: str, data: bytes) -> References:
    """Return what the pod in ``data`` uses, optional objects too. Never raises, whatever the bytes are."""
    try:
        pod = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return References()
    if not _is_name(namespace):
        return References()
    named: dict[EdgeResource, bool] = {}
    for kind, name, is_needed in _of_pod(_below(pod, "spec")):
        if _is_name(name):
            resource = EdgeResource(namespace, kind, name)
            named[resource] = named.get(resource, False) or is_needed
    used = tuple(named)[:MAX_REFERENCES]
    return References(used, len(named) - len(used), frozenset(each for each in used if named[each]))


def _of_pod(spec: Any) -> Iterator[tuple[str, Any, bool]]:
    for volume in _each(spec, "volumes"):
        yield from _at(_OF_VOLUMES, volume)
        for source in _each(_below(volume, "projected"), "sources"):
            yield from _at(_OF_PROJECTIONS, source)
    for containers in _CONTAINERS:
        for container in _each(spec, containers):
            for source in _each(container, "envFrom"):
                yield from _at(_OF_SOURCES, source)
            for variable in _each(container, "env"):
                yield from _at(_OF_VARIABLES, variable)
    for pull in _each(spec, "imagePullSecrets"):
        yield from ((kind, name, False) for kind, name, _ in _at(_OF_PULLS, pull))


def _at(places: _Places, value: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield what is named at those places, and whether it is needed: ``optional`` stands beside the name."""
    for kind, path in places:
        found = value
        for key in path[:-1]:
            found = _below(found, key)
        yield kind, _below(found, path[-1]), _below(found, "optional") is not True


def _each(value: Any, key: str) -> list[Any]:
    found = _below(value, key)
    return found if isinstance(found, list) else []


def _below(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME and _NAME.fullmatch(value) is not None

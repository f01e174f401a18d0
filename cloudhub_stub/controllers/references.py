"""Which ConfigMaps and Secrets a pod needs on its node (pure; ``kubernetes pkg/api/v1/pod/util.go``).

The Go cloud counts volumes, ``envFrom`` of containers and ``imagePullSecrets`` only (bug C4): a pod that takes a
variable from a Secret, or runs an init container, never got its changes.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from cloudhub_stub.cluster.kinds import CONFIGMAP_KIND, SECRET_KIND, Object, ObjectKey

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")

_SECRETS_OF_VOLUMES = (
    ("secret", "secretName"),
    ("azureFile", "secretName"),
    ("cephfs", "secretRef", "name"),
    ("flexVolume", "secretRef", "name"),
    ("iscsi", "secretRef", "name"),
    ("rbd", "secretRef", "name"),
    ("scaleIO", "secretRef", "name"),
    ("storageos", "secretRef", "name"),
    ("csi", "nodePublishSecretRef", "name"),
)
"""Where a volume names a Secret, by its source."""


def references(pod: Object) -> frozenset[ObjectKey]:
    """Return the ConfigMaps and Secrets that the pod names, whether they are there or not, optional ones too.

    All are of the pod's namespace: Kubernetes knows no others.
    """
    spec = pod["spec"]
    namespace = pod["metadata"]["namespace"]
    found = [
        *((SECRET_KIND.name, _at(each, "name")) for each in _each(spec, "imagePullSecrets")),
        *(named for volume in _each(spec, "volumes") for named in _of_volume(volume)),
        *(named for kind in _CONTAINERS for container in _each(spec, kind) for named in _of_container(container)),
    ]
    return frozenset(ObjectKey(kind, namespace, name) for kind, name in found if name)


def _of_volume(volume: Any) -> Iterator[tuple[str, str]]:
    yield CONFIGMAP_KIND.name, _at(volume, "configMap", "name")
    for path in _SECRETS_OF_VOLUMES:
        yield SECRET_KIND.name, _at(volume, *path)
    for source in _each(volume.get("projected"), "sources"):
        yield CONFIGMAP_KIND.name, _at(source, "configMap", "name")
        yield SECRET_KIND.name, _at(source, "secret", "name")


def _of_container(container: Any) -> Iterator[tuple[str, str]]:
    for source in _each(container, "envFrom"):
        yield CONFIGMAP_KIND.name, _at(source, "configMapRef", "name")
        yield SECRET_KIND.name, _at(source, "secretRef", "name")
    for variable in _each(container, "env"):
        yield CONFIGMAP_KIND.name, _at(variable, "valueFrom", "configMapKeyRef", "name")
        yield SECRET_KIND.name, _at(variable, "valueFrom", "secretKeyRef", "name")


def _each(value: Any, name: str) -> Iterable[Any]:
    """Return the objects of a list that may be absent, ``null`` or, in a source that is not validated, no list."""
    found = value.get(name) if isinstance(value, dict) else None
    return (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def _at(value: Any, *path: str) -> str:
    """Return the text at the end of ``path``; empty where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""

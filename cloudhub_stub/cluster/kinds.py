"""The kinds of objects that the cluster knows, by the names that ``kubectl`` takes for them.

``wire_type`` is the type in the resource of messages about single objects of that kind; empty where there are none.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from edgecore.beehive.resource import (
    CONFIGMAP,
    ENDPOINTS,
    NODE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    SERVICE,
    VOLUME_ATTACHMENT,
)

Object = dict[str, Any]
"""One object, as ``kubectl get -o json`` shows it. Whoever gets one from the registry changes a copy, never itself."""


class Kind(NamedTuple):
    """One kind of objects."""

    name: str
    api_version: str
    plural: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    wire_type: str = ""

    @property
    def group(self) -> str:
        """The API group; empty for the core's."""
        group, slash, _ = self.api_version.rpartition("/")
        return group if slash else ""

    @property
    def long_name(self) -> str:
        """What commands call it: ``deployment.apps``, ``pod``."""
        singular = self.name.lower()
        return f"{singular}.{self.group}" if self.group else singular


NAMESPACE_KIND = Kind("Namespace", "v1", "namespaces", ("ns",), namespaced=False)
NODE_KIND = Kind("Node", "v1", "nodes", ("no",), namespaced=False, wire_type=NODE)
POD_KIND = Kind("Pod", "v1", "pods", ("po",), wire_type=POD)
SERVICE_KIND = Kind("Service", "v1", "services", ("svc",), wire_type=SERVICE)
ENDPOINTS_KIND = Kind("Endpoints", "v1", "endpoints", ("ep",), wire_type=ENDPOINTS)
CONFIGMAP_KIND = Kind("ConfigMap", "v1", "configmaps", ("cm",), wire_type=CONFIGMAP)
SECRET_KIND = Kind("Secret", "v1", "secrets", wire_type=SECRET)
DEPLOYMENT_KIND = Kind("Deployment", "apps/v1", "deployments", ("deploy",))
DEVICE_KIND = Kind("Device", "devices.kubeedge.io/v1alpha1", "devices")
DEVICE_MODEL_KIND = Kind("DeviceModel", "devices.kubeedge.io/v1alpha1", "devicemodels")
PERSISTENT_VOLUME_KIND = Kind(
    "PersistentVolume", "v1", "persistentvolumes", ("pv",), namespaced=False, wire_type=PERSISTENT_VOLUME
)
PERSISTENT_VOLUME_CLAIM_KIND = Kind(
    "PersistentVolumeClaim", "v1", "persistentvolumeclaims", ("pvc",), wire_type=PERSISTENT_VOLUME_CLAIM
)
VOLUME_ATTACHMENT_KIND = Kind(
    "VolumeAttachment",
    "storage.k8s.io/v1",
    "volumeattachments",
    namespaced=False,
    wire_type=VOLUME_ATTACHMENT,
)

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        NAMESPACE_KIND,
        NODE_KIND,
        POD_KIND,
        SERVICE_KIND,
        ENDPOINTS_KIND,
        CONFIGMAP_KIND,
        SECRET_KIND,
        DEPLOYMENT_KIND,
        DEVICE_KIND,
        DEVICE_MODEL_KIND,
        PERSISTENT_VOLUME_KIND,
        PERSISTENT_VOLUME_CLAIM_KIND,
        VOLUME_ATTACHMENT_KIND,
    )
}
"""Every kind by its name."""

_BY_ARGUMENT = {
    argument: kind
    for kind in KINDS.values()
    for argument in (kind.name.lower(), kind.plural, kind.long_name, *kind.short_names)
}


def kind_of_argument(text: str) -> Kind | None:
    """Return the kind that a command line means: ``po``, ``pod``, ``pods``, ``Deployment``, ``deployment.apps``."""
    return _BY_ARGUMENT.get(text.lower())


class ObjectKey(NamedTuple):
    """Which object: by kind (``Pod``), namespace (empty where the kind has none) and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"


def key_of(obj: Mapping[str, Any]) -> ObjectKey:
    """Return the key of a whole object."""
    metadata = obj["metadata"]
    return ObjectKey(obj["kind"], metadata.get("namespace", ""), metadata["name"])

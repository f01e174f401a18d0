"""The schema of a pod's volumes, of those at least that are made from objects the edge is sent.

Source: kubernetes staging/src/k8s.io/api/core/v1/types.go@v1.17.0.
"""

from collections.abc import Mapping

from cloudhub_stub.cluster.names import data_key_fault, label_fault
from cloudhub_stub.cluster.schemas.shapes import (
    INT64_MAX,
    Check,
    Exactly,
    ListOf,
    Number,
    OneOf,
    Struct,
    Text,
    anything,
    boolean,
    mapping,
    quantity,
    text,
)

_MODE = Number(0, 0o777)
_ITEM = Struct({"key": Text(data_key_fault), "path": Text(), "mode": _MODE}, required=("key", "path"))
_ITEMS = ListOf(_ITEM, "path")

FIELD_REF: Check = Struct({"fieldPath": Text(), "apiVersion": text}, required=("fieldPath",))
RESOURCE_FIELD_REF: Check = Struct(
    {"resource": Text(), "containerName": text, "divisor": quantity}, required=("resource",)
)
_DOWNWARD_ITEM = Struct(
    {"path": Text(), "fieldRef": FIELD_REF, "resourceFieldRef": RESOURCE_FIELD_REF, "mode": _MODE},
    required=("path",),
    rules=(Exactly("fieldRef", "resourceFieldRef"),),
)
_DOWNWARD: Mapping[str, Check] = {"items": ListOf(_DOWNWARD_ITEM, "path")}
_NAMED: Mapping[str, Check] = {"name": Text(), "items": _ITEMS, "optional": boolean}
_TOKEN = Struct({"audience": text, "expirationSeconds": Number(600, INT64_MAX), "path": Text()}, required=("path",))
_PROJECTIONS: Mapping[str, Check] = {
    "configMap": Struct(_NAMED, required=("name",)),
    "secret": Struct(_NAMED, required=("name",)),
    "downwardAPI": Struct(_DOWNWARD),
    "serviceAccountToken": _TOKEN,
    "clusterTrustBundle": mapping,
    "podCertificate": mapping,
}
_PROJECTED = Struct(
    {"sources": ListOf(Struct(_PROJECTIONS, rules=(Exactly(*_PROJECTIONS),))), "defaultMode": _MODE},
    required=("sources",),
)
_SECRET = Struct(
    {"secretName": Text(), "items": _ITEMS, "defaultMode": _MODE, "optional": boolean}, required=("secretName",)
)
_HOST_PATH_TYPES = (
    "DirectoryOrCreate",
    "Directory",
    "FileOrCreate",
    "File",
    "Socket",
    "CharDevice",
    "BlockDevice",
)
_OTHERS = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi ephemeral fc flexVolume flocker gcePersistentDisk "
    "gitRepo glusterfs image iscsi nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)
_SOURCES: Mapping[str, Check] = {
    "configMap": Struct({**_NAMED, "defaultMode": _MODE}, required=("name",)),
    "secret": _SECRET,
    "projected": _PROJECTED,
    "downwardAPI": Struct({**_DOWNWARD, "defaultMode": _MODE}),
    "emptyDir": Struct({"medium": text, "sizeLimit": quantity}),
    "hostPath": Struct({"path": Text(), "type": OneOf(*_HOST_PATH_TYPES)}, required=("path",)),
    "persistentVolumeClaim": Struct({"claimName": Text(), "readOnly": boolean}, required=("claimName",)),
    **dict.fromkeys(_OTHERS.split(), anything),
}

VOLUMES: Check = ListOf(
    Struct({"name": Text(label_fault), **_SOURCES}, required=("name",), rules=(Exactly(*_SOURCES, or_none=True),)),
    "name",
)

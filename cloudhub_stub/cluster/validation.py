"""The door of the cluster: whether an object is one that controllers and edge nodes can read without looking twice.

Behind it, every field that anybody here reads has the type and range that its schema says, or is missing or null.
Fields that nobody reads are kept, but they are plain JSON, of bounded depth. Errors name the field as ``kubectl`` does.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from cloudhub_stub.cluster.kinds import (
    CONFIGMAP_KIND,
    DEPLOYMENT_KIND,
    DEVICE_KIND,
    DEVICE_MODEL_KIND,
    ENDPOINTS_KIND,
    KINDS,
    NAMESPACE_KIND,
    NODE_KIND,
    PERSISTENT_VOLUME_CLAIM_KIND,
    PERSISTENT_VOLUME_KIND,
    POD_KIND,
    SECRET_KIND,
    SERVICE_KIND,
    VOLUME_ATTACHMENT_KIND,
    Kind,
    Object,
)
from cloudhub_stub.cluster.names import label_fault, service_name_fault, subdomain_fault
from cloudhub_stub.cluster.plain import refuse_unplain
from cloudhub_stub.cluster.schemas.data import CONFIG_MAP, SECRET
from cloudhub_stub.cluster.schemas.deployments import DEPLOYMENT
from cloudhub_stub.cluster.schemas.devices import DEVICE, DEVICE_MODEL
from cloudhub_stub.cluster.schemas.nodes import NAMESPACE, NODE, STORAGE
from cloudhub_stub.cluster.schemas.pods import POD
from cloudhub_stub.cluster.schemas.services import ENDPOINTS, SERVICE
from cloudhub_stub.cluster.schemas.shapes import Check, Fault, shown
from cloudhub_stub.errors import Invalid

_SCHEMAS: Mapping[str, Check] = {
    NAMESPACE_KIND.name: NAMESPACE,
    NODE_KIND.name: NODE,
    POD_KIND.name: POD,
    SERVICE_KIND.name: SERVICE,
    ENDPOINTS_KIND.name: ENDPOINTS,
    CONFIGMAP_KIND.name: CONFIG_MAP,
    SECRET_KIND.name: SECRET,
    DEPLOYMENT_KIND.name: DEPLOYMENT,
    DEVICE_KIND.name: DEVICE,
    DEVICE_MODEL_KIND.name: DEVICE_MODEL,
    PERSISTENT_VOLUME_KIND.name: STORAGE,
    PERSISTENT_VOLUME_CLAIM_KIND.name: STORAGE,
    VOLUME_ATTACHMENT_KIND.name: STORAGE,
}
_NAME_FAULTS: Mapping[str, Fault] = {SERVICE_KIND.name: service_name_fault, NAMESPACE_KIND.name: label_fault}


def validate(obj: Object) -> None:
    """Raise ``Invalid`` if ``obj`` (any JSON value) is no object of a kind that the cluster has.

    It may be a manifest as somebody wrote it, or one with all defaults; it is not changed.
    """
    refuse_unplain(obj)
    kind = _kind_of(obj)
    _SCHEMAS[kind.name](obj, "")
    _check_name(kind, obj["metadata"])


def _kind_of(obj: Any) -> Kind:
    if not isinstance(obj, dict):
        raise Invalid("", "it is no object: a mapping with apiVersion, kind and metadata is needed")
    name, version = obj.get("kind"), obj.get("apiVersion")
    for field, value in (("kind", name), ("apiVersion", version)):
        if not value:
            raise Invalid(field, "it is missing")
        if not isinstance(value, str):
            raise Invalid(field, f"it is {shown(value)}; it must be text")
    kind = KINDS.get(str(name))
    if kind is None:
        close = get_close_matches(str(name).capitalize(), KINDS, n=1, cutoff=0.8)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(KINDS))}"
        raise Invalid("kind", f"{shown(name)} is not known here, {hint}")
    if version != kind.api_version:
        raise Invalid("apiVersion", f"it is {shown(version)}; {kind.name} is {kind.api_version} here")
    return kind


def _check_name(kind: Kind, metadata: Mapping[str, Any]) -> None:
    fault = _NAME_FAULTS.get(kind.name, subdomain_fault)
    name, prefix = metadata.get("name"), metadata.get("generateName")
    if name:
        if found := fault(name):
            raise Invalid("metadata.name", found)
    elif not prefix:
        raise Invalid("metadata.name", "it is missing")
    elif found := fault(f"{prefix}x"):
        raise Invalid("metadata.generateName", found)
    if not kind.namespaced and metadata.get("namespace"):
        raise Invalid("metadata.namespace", f"a {kind.name} belongs to no namespace")

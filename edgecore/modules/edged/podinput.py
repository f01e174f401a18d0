"""What a message about a pod says: the pod, checked, or what is wrong with it (pure)."""

from typing import NamedTuple

from edgecore.beehive.resource import EdgeResource
from edgecore.errors import ContentError
from edgecore.kube import Pod, decode_pod

MAX_CONTAINERS = 128
MAX_NAME = 253
"""Kubernetes' own limit for names."""
MAX_UID = 128


class PodKey(NamedTuple):
    """Which pod, by name; another of the same name may follow it."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Fault(NamedTuple):
    """Input to be counted and logged; ``reason`` is a fixed word."""

    reason: str
    detail: str = ""


def read_pod(resource: EdgeResource, data: bytes) -> Pod | Fault:
    """Return the pod of a message or a row of ``resource``; its namespace is the one of the resource if it has none.

    A pod that was told to go needs no containers.
    """
    try:
        pod = decode_pod(data)
    except ContentError as error:
        return Fault("pod_malformed", str(error))
    metadata = pod.metadata
    if not metadata.name or not metadata.uid:
        return Fault("pod_without_identity", f"{resource} has name {metadata.name!r} and uid {metadata.uid!r}")
    if metadata.name != resource.name or metadata.namespace not in ("", resource.namespace):
        return Fault("pod_misnamed", f"{resource} holds {metadata.namespace}/{metadata.name}")
    if len(metadata.name) > MAX_NAME or len(resource.namespace) > MAX_NAME or len(metadata.uid) > MAX_UID:
        return Fault("pod_name_too_long", f"name of {len(metadata.name)}, uid of {len(metadata.uid)} characters")
    containers = (*pod.spec.init_containers, *pod.spec.containers)
    if len(containers) > MAX_CONTAINERS:
        return Fault("pod_too_large", f"{resource} has {len(containers)} containers, the limit is {MAX_CONTAINERS}")
    if not pod.terminating and not (pod.spec.containers and all(container.name for container in containers)):
        return Fault("pod_without_containers", f"{resource} has no container, or one without name")
    return pod


def read_uid(data: bytes) -> str | Fault:
    """Return the uid in the object of a delete message; empty where it has none (a cloud may name the pod only)."""
    try:
        return decode_pod(data).metadata.uid
    except ContentError as error:
        return Fault("pod_malformed", str(error))

"""What the API server of Kubernetes 1.17 fills into an object before it stores it, as recorded.

Source: kubernetes pkg/apis/core/v1/defaults.go and pkg/apis/apps/v1/defaults.go@v1.17.0. What depends on other objects
(cluster IPs, uids, versions) is given by ``api.py``.
"""

from base64 import b64encode
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from cloudhub_stub.cluster.copies import changed, filled, mapped, without_nulls
from cloudhub_stub.cluster.kinds import (
    DEPLOYMENT_KIND,
    DEVICE_KIND,
    ENDPOINTS_KIND,
    KINDS,
    NAMESPACE_KIND,
    NODE_KIND,
    PERSISTENT_VOLUME_CLAIM_KIND,
    PERSISTENT_VOLUME_KIND,
    POD_KIND,
    SECRET_KIND,
    SERVICE_KIND,
    Object,
)
from cloudhub_stub.cluster.poddefaults import with_pod_only_defaults, with_pod_spec_defaults
from cloudhub_stub.cluster.quantities import amount

DEFAULT_NAMESPACE = "default"
CLIENT_IP_SECONDS = 10_800
_STATUS = "status"
_WITH_STATUS_OF_USERS = frozenset({DEVICE_KIND.name, NODE_KIND.name})

BEST_EFFORT = "BestEffort"
BURSTABLE = "Burstable"
GUARANTEED = "Guaranteed"


def with_defaults(obj: Object) -> Object:
    """Return a valid object as the API server would store it; itself if nothing is missing. Doing it again changes
    nothing. Null fields are gone, but for those in a status that no user writes: they are shown there."""
    obj = _without_nulls(obj)
    if KINDS[obj["kind"]].namespaced:
        obj = changed(obj, "metadata", lambda metadata: filled(metadata, {"namespace": DEFAULT_NAMESPACE}))
    fill = _BY_KIND.get(obj["kind"])
    return obj if fill is None else fill(obj)


def qos_class(pod: Object) -> str:
    """Return how well a pod is provided for: kubernetes pkg/apis/core/v1/helper/qos/qos.go."""
    spec = pod["spec"]
    held = [each.get("resources") or {} for each in (*spec["containers"], *(spec.get("initContainers") or ()))]
    amounts = [(_compute(each.get("requests")), _compute(each.get("limits"))) for each in held]
    if not any(requests or limits for requests, limits in amounts):
        return BEST_EFFORT
    is_guaranteed = all(len(limits) == 2 and {**limits, **requests} == limits for requests, limits in amounts)
    return GUARANTEED if is_guaranteed else BURSTABLE


def _compute(resources: dict[str, Any] | None) -> dict[str, Fraction]:
    """Return what is asked for of the two resources that count."""
    found = {name: amount(value) for name, value in (resources or {}).items() if name in ("cpu", "memory")}
    return {name: value for name, value in found.items() if value > 0}


def _without_nulls(obj: Object) -> Object:
    if isinstance(obj.get(_STATUS), dict) and obj["kind"] not in _WITH_STATUS_OF_USERS:
        clean: Object = without_nulls({key: value for key, value in obj.items() if key != _STATUS})
        is_same = len(clean) + 1 == len(obj) and all(clean[key] is obj[key] for key in clean)
        return obj if is_same else {**clean, _STATUS: obj[_STATUS]}
    found: Object = without_nulls(obj)
    return found


def _pod(pod: Object) -> Object:
    pod = changed(pod, "spec", lambda spec: with_pod_only_defaults(with_pod_spec_defaults(spec)))
    if pod.get(_STATUS):
        return pod
    return {**pod, _STATUS: {"phase": "Pending", "qosClass": qos_class(pod)}}


def _deployment(deployment: Object) -> Object:
    return filled(changed(deployment, "spec", _deployment_spec), {_STATUS: {}})


def _deployment_spec(spec: dict[str, Any]) -> dict[str, Any]:
    spec = filled(spec, {"replicas": 1, "strategy": {}, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    spec = changed(spec, "strategy", _strategy)
    return changed(spec, "template", lambda template: changed(template, "spec", with_pod_spec_defaults))


def _strategy(strategy: dict[str, Any]) -> dict[str, Any]:
    strategy = filled(strategy, {"type": "RollingUpdate"})
    if strategy["type"] != "RollingUpdate":
        return strategy
    strategy = filled(strategy, {"rollingUpdate": {}})
    shares = {"maxSurge": "25%", "maxUnavailable": "25%"}
    return changed(strategy, "rollingUpdate", lambda rolling: filled(rolling, shares))


def _service(service: Object) -> Object:
    return filled(changed(service, "spec", _service_spec), {_STATUS: {"loadBalancer": {}}})


def _service_spec(spec: dict[str, Any]) -> dict[str, Any]:
    spec = filled(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    if spec["sessionAffinity"] == "ClientIP":
        spec = filled(spec, {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": CLIENT_IP_SECONDS}}})
    if spec["type"] in ("NodePort", "LoadBalancer"):
        spec = filled(spec, {"externalTrafficPolicy": "Cluster"})
    return changed(spec, "ports", lambda ports: mapped(ports, _service_port))


def _service_port(port: dict[str, Any]) -> dict[str, Any]:
    port = filled(port, {"protocol": "TCP", "targetPort": port["port"]})
    return port if port["targetPort"] != 0 else {**port, "targetPort": port["port"]}


def _endpoints(endpoints: Object) -> Object:
    return changed(endpoints, "subsets", lambda subsets: mapped(subsets, _subset))


def _subset(subset: dict[str, Any]) -> dict[str, Any]:
    return changed(subset, "ports", lambda ports: mapped(ports, lambda port: filled(port, {"protocol": "TCP"})))


def _secret(secret: Object) -> Object:
    secret = filled(secret, {"type": "Opaque"})
    if "stringData" not in secret:
        return secret
    written = {key: b64encode(text.encode()).decode() for key, text in secret["stringData"].items()}
    rest = {key: value for key, value in secret.items() if key != "stringData"}
    return {**rest, "data": {**secret.get("data", {}), **written}} if written else rest


def _namespace(namespace: Object) -> Object:
    namespace = filled(namespace, {"spec": {}, _STATUS: {}})
    namespace = changed(namespace, "spec", lambda spec: filled(spec, {"finalizers": ["kubernetes"]}))
    return changed(namespace, _STATUS, lambda status: filled(status, {"phase": "Active"}))


def _node(node: Object) -> Object:
    return changed(filled(node, {"spec": {}, _STATUS: {}}), _STATUS, _node_status)


def _node_status(status: dict[str, Any]) -> dict[str, Any]:
    return filled(status, {"allocatable": status["capacity"]}) if "capacity" in status else status


def _volume(volume: Object) -> Object:
    defaults = {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"}
    return _pending(changed(volume, "spec", lambda spec: filled(spec, defaults)))


def _claim(claim: Object) -> Object:
    return _pending(changed(claim, "spec", lambda spec: filled(spec, {"volumeMode": "Filesystem"})))


def _pending(obj: Object) -> Object:
    return changed(filled(obj, {_STATUS: {}}), _STATUS, lambda status: filled(status, {"phase": "Pending"}))


_BY_KIND: dict[str, Callable[[Object], Object]] = {
    POD_KIND.name: _pod,
    DEPLOYMENT_KIND.name: _deployment,
    SERVICE_KIND.name: _service,
    ENDPOINTS_KIND.name: _endpoints,
    SECRET_KIND.name: _secret,
    NAMESPACE_KIND.name: _namespace,
    NODE_KIND.name: _node,
    PERSISTENT_VOLUME_KIND.name: _volume,
    PERSISTENT_VOLUME_CLAIM_KIND.name: _claim,
}

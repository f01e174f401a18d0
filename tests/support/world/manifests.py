"""The manifests of the world, each in some variants: few names, so that the same ones come, change and go."""

from typing import Any

from cloudhub_stub.cluster.kinds import KINDS, Object, ObjectKey

Json = dict[str, Any]

NODES = ("east", "west")


def manifest(what: str, variant: int) -> Object:
    """Return what to apply; the variant counts modulo how many there are."""
    kind, _, name = what.partition("/")
    found = _MAKERS[kind](variant)
    api_version = KINDS[kind].api_version
    metadata = {"name": name, **found.pop("metadata", {})}
    if KINDS[kind].namespaced:
        metadata["namespace"] = "default"
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata, **found}


def key_of(what: str) -> ObjectKey:
    """Return the key of it."""
    kind, _, name = what.partition("/")
    return ObjectKey(kind, "default" if KINDS[kind].namespaced else "", name)


THINGS = (
    "Deployment/web",
    "Deployment/api",
    "Service/web",
    "Service/both",
    "ConfigMap/settings",
    "ConfigMap/other",
    "Secret/key",
    "Pod/bare",
    "Pod/bound",
    "Device/lamp",
    "Device/valve",
)
DELETABLE = (*THINGS, *(f"Node/{name}" for name in NODES))

_USES: tuple[Json, ...] = (
    {},
    {"envFrom": [{"configMapRef": {"name": "settings"}}]},
    {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}]},
    {"envFrom": [{"configMapRef": {"name": "other"}}, {"secretRef": {"name": "key"}}]},
)


def _pod_spec(variant: int) -> Json:
    container = {"name": "main", "image": f"web:{1 + variant % 3}", **_USES[variant % len(_USES)]}
    return {"containers": [container], "terminationGracePeriodSeconds": (30, 0, 5)[variant % 3]}


def _deployment(variant: int) -> Json:
    app = ("web", "api")[variant % 2]
    return {
        "spec": {
            "replicas": 1 + variant % 3,
            "selector": {"matchLabels": {"tier": "x"}},
            "template": {"metadata": {"labels": {"tier": "x", "app": app}}, "spec": _pod_spec(variant)},
            "strategy": ({"type": "Recreate"}, {"type": "RollingUpdate"})[variant // 2 % 2],
        }
    }


def _service(variant: int) -> Json:
    selectors: tuple[Json, ...] = ({"app": "web"}, {"tier": "x"}, {"app": "api"}, {})
    spec: Json = {"ports": [{"name": "http", "port": 80 + variant % 2}]}
    if selector := selectors[variant % len(selectors)]:
        spec["selector"] = selector
    if variant % 3 == 0:
        spec["clusterIP"] = "None"
    return {"spec": spec}


def _pod(variant: int) -> Json:
    spec = _pod_spec(variant)
    if variant % 2:
        spec["nodeName"] = NODES[variant // 2 % 2]
    return {"metadata": {"labels": {"app": ("web", "api", "none")[variant % 3]}}, "spec": spec}


def _device(variant: int) -> Json:
    node = NODES[variant % 2]
    terms = [{"matchExpressions": [{"key": "", "operator": "In", "values": [node]}]}]
    names = (("power",), ("power", "mode"), ("mode",))[variant % 3]
    twins = [
        {"propertyName": name, "desired": {"value": str(variant), "metadata": {"type": "string"}}} for name in names
    ]
    return {
        "spec": {"deviceModelRef": {"name": "lamp"}, "nodeSelector": {"nodeSelectorTerms": terms}},
        "status": {"twins": twins},
    }


_MAKERS = {
    "Deployment": _deployment,
    "Service": _service,
    "ConfigMap": lambda variant: {"data": {"a": str(variant)}},
    "Secret": lambda variant: {"stringData": {"k": str(variant)}},
    "Pod": _pod,
    "Device": _device,
}

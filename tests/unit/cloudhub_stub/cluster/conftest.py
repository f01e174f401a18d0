"""A cluster of one API, and what is applied to it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from cloudhub_stub.cluster.api import Api
from cloudhub_stub.cluster.kinds import KINDS, Object, ObjectKey
from cloudhub_stub.cluster.registry import Registry
from edgecore.clock import VirtualClock
from edgecore.ids import NewId

_CONTAINER = {"name": "web", "image": "nginx:1.17", "ports": [{"containerPort": 80, "hostPort": 8000}]}
_ON_EDGE = {"matchExpressions": [{"key": "", "operator": "In", "values": ["edge"]}]}
_SPECS: dict[str, Any] = {
    "Pod": {"spec": {"containers": [_CONTAINER]}},
    "Service": {"spec": {"selector": {"app": "web"}, "ports": [{"name": "http-0", "port": 12345, "targetPort": 80}]}},
    "Deployment": {
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [_CONTAINER]}},
        }
    },
    "Device": {"spec": {"deviceModelRef": {"name": "led"}, "nodeSelector": {"nodeSelectorTerms": [_ON_EDGE]}}},
}


Make = Callable[..., Object]
KeyOf = Callable[..., ObjectKey]


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def api(registry: Registry, vclock: VirtualClock, ids: NewId) -> Api:
    return Api(registry, vclock, ids)


@pytest.fixture
def manifest() -> Make:
    """Return a small valid manifest; ``metadata`` is added to its own, other parts replace whole fields."""

    def make(kind: str, name: str = "web", namespace: str = "", **parts: Any) -> dict[str, Any]:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **parts.pop("metadata", {})}
        own = deepcopy(_SPECS.get(kind, {}))
        return {"kind": kind, "apiVersion": KINDS[kind].api_version, "metadata": metadata, **own, **parts}

    return make


@pytest.fixture
def key() -> KeyOf:
    def make(kind: str, name: str = "web", namespace: str = "default") -> ObjectKey:
        return ObjectKey(kind, namespace if KINDS[kind].namespaced else "", name)

    return make

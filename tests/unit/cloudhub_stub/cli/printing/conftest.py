"""Objects as the cluster holds them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

NOW = "2020-05-04T10:00:00Z"


@pytest.fixture
def now_ms() -> int:
    """The moment at which everything is printed."""
    return round(datetime.fromisoformat(NOW).timestamp() * 1000)


@pytest.fixture
def ago(now_ms: int) -> Callable[[float], str]:
    """Return the timestamp of so many seconds ago."""

    def since(seconds: float) -> str:
        return datetime.fromtimestamp(now_ms / 1000 - seconds, UTC).isoformat().replace("+00:00", "Z")

    return since


@pytest.fixture
def pod(ago: Any) -> dict[str, Any]:
    """A pod of a deployment that runs."""
    state = {"running": {"startedAt": ago(14 * 60)}}
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "name": "nginx-deployment-54bf9847f8-sxk94",
            "namespace": "default",
            "creationTimestamp": ago(14 * 60),
            "labels": {"app": "nginx", "pod-template-hash": "54bf9847f8"},
            "ownerReferences": [{"kind": "Deployment", "name": "nginx-deployment", "uid": "u", "controller": True}],
        },
        "spec": {
            "nodeName": "edge-node-b",
            "containers": [
                {
                    "name": "nginx",
                    "image": "nginx:1.15.4",
                    "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "100m"}},
                    "env": [
                        {"name": "MODE", "value": "fast"},
                        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "s1", "key": "pw"}}},
                        {"name": "K", "valueFrom": {"configMapKeyRef": {"name": "cm1", "key": "k", "optional": True}}},
                    ],
                    "envFrom": [{"configMapRef": {"name": "cm1"}}, {"secretRef": {"name": "s1"}, "prefix": "P_"}],
                    "volumeMounts": [{"name": "cfg", "mountPath": "/etc/cfg", "readOnly": True}],
                    "command": ["nginx", "-g"],
                }
            ],
            "volumes": [
                {"name": "cfg", "configMap": {"name": "cm1"}},
                {"name": "all", "projected": {"sources": [{"secret": {"name": "s1"}}, {"configMap": {"name": "cm1"}}]}},
                {"name": "tmp", "emptyDir": {}},
            ],
            "nodeSelector": {"zone": "a"},
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "node-role.kubernetes.io/edge", "operator": "Exists"}]}
                        ]
                    }
                }
            },
            "tolerations": [
                {
                    "key": "node.kubernetes.io/unreachable",
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": 300,
                }
            ],
        },
        "status": {
            "phase": "Running",
            "podIP": "172.17.0.2",
            "podIPs": [{"ip": "172.17.0.2"}],
            "hostIP": "10.66.0.2",
            "startTime": ago(14 * 60),
            "qosClass": "Burstable",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {
                    "name": "nginx",
                    "state": state,
                    "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
                    "ready": True,
                    "restartCount": 2,
                    "containerID": "docker://c0",
                }
            ],
        },
    }


@pytest.fixture
def node(ago: Any) -> dict[str, Any]:
    """A node that is ready."""
    return {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": "edge-node-a",
            "creationTimestamp": ago(25 * 60),
            "labels": {"node-role.kubernetes.io/edge": ""},
        },
        "spec": {"taints": [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]},
        "status": {
            "capacity": {"cpu": "2", "memory": "24105Mi", "pods": "110"},
            "allocatable": {"cpu": "2"},
            "addresses": [{"type": "InternalIP", "address": "10.66.0.2"}, {"type": "Hostname", "address": "a"}],
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "lastHeartbeatTime": ago(5),
                    "lastTransitionTime": ago(600),
                    "reason": "EdgeReady",
                    "message": "edge is posting ready status",
                }
            ],
            "nodeInfo": {"kubeletVersion": "v1.17.1-kubeedge-v1.3.1", "osImage": "Debian 12", "kernelVersion": "6.1"},
        },
    }


@pytest.fixture
def service(ago: Any) -> dict[str, Any]:
    """The service of the EdgeMesh guide."""
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": "nginx-svc", "namespace": "default", "creationTimestamp": ago(77 * 60)},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": {"app": "nginx"},
            "ports": [{"name": "http-0", "port": 12345, "targetPort": 80, "protocol": "TCP"}],
            "sessionAffinity": "None",
        },
        "status": {"loadBalancer": {}},
    }


@pytest.fixture
def endpoints(ago: Any) -> dict[str, Any]:
    """Those of the service."""
    return {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {"name": "nginx-svc", "namespace": "default", "creationTimestamp": ago(81 * 60)},
        "subsets": [
            {
                "addresses": [{"ip": "172.17.0.2"}],
                "notReadyAddresses": [{"ip": "172.17.0.9"}],
                "ports": [{"name": "http-0", "port": 80, "protocol": "TCP"}],
            }
        ],
    }


@pytest.fixture
def deployment(ago: Any, pod: dict[str, Any]) -> dict[str, Any]:
    """A deployment of two pods, one of them ready."""
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "nginx-deployment",
            "namespace": "default",
            "creationTimestamp": ago(3 * 3600),
            "annotations": {
                "deployment.kubernetes.io/revision": "1",
                "kubectl.kubernetes.io/last-applied-configuration": "{}\n",
            },
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "nginx"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "template": {"metadata": {"labels": {"app": "nginx"}}, "spec": pod["spec"]},
        },
        "status": {
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 1,
            "availableReplicas": 1,
            "unavailableReplicas": 1,
            "conditions": [{"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}],
        },
    }


@pytest.fixture
def device(ago: Any, now_ms: int) -> dict[str, Any]:
    """A device as in the recording of devices."""
    expression = {"key": "", "operator": "In", "values": ["edge-node1"]}
    return {
        "kind": "Device",
        "apiVersion": "devices.kubeedge.io/v1alpha1",
        "metadata": {"name": "led-1", "namespace": "default", "creationTimestamp": ago(9 * 60 + 5)},
        "spec": {
            "deviceModelRef": {"name": "led-light"},
            "nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]},
        },
        "status": {
            "twins": [
                {
                    "propertyName": "power-status",
                    "desired": {"metadata": {"type": "string"}, "value": "OFF"},
                    "reported": {"metadata": {"timestamp": str(now_ms - 7000), "type": "string"}, "value": "ON"},
                }
            ]
        },
    }


@pytest.fixture
def device_model(ago: Any) -> dict[str, Any]:
    """The model of the device."""
    return {
        "kind": "DeviceModel",
        "apiVersion": "devices.kubeedge.io/v1alpha1",
        "metadata": {"name": "led-light", "namespace": "default", "creationTimestamp": ago(600)},
        "spec": {
            "properties": [
                {
                    "name": "power-status",
                    "description": "on or off",
                    "type": {"string": {"accessMode": "ReadWrite", "defaultValue": "OFF"}},
                }
            ],
            "propertyVisitors": [{"propertyName": "power-status", "modbus": {"register": "CoilRegister"}}],
        },
    }


@pytest.fixture
def config_map(ago: Any) -> dict[str, Any]:
    """One with a text of two lines and with bytes."""
    return {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"name": "cm1", "namespace": "default", "creationTimestamp": ago(60)},
        "data": {"conf": "a=1\nb=2"},
        "binaryData": {"blob": "AAEC"},
    }


@pytest.fixture
def secret(ago: Any) -> dict[str, Any]:
    """One with a password, which the annotation of apply holds too."""
    applied = '{"stringData":{"pw":"secret1"}}\n'
    return {
        "kind": "Secret",
        "apiVersion": "v1",
        "metadata": {
            "name": "s1",
            "namespace": "default",
            "creationTimestamp": ago(60),
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
        },
        "type": "Opaque",
        "data": {"pw": "c2VjcmV0MQ=="},
    }


@pytest.fixture
def every_kind(
    pod: Any,
    node: Any,
    service: Any,
    endpoints: Any,
    deployment: Any,
    device: Any,
    device_model: Any,
    config_map: Any,
    secret: Any,
) -> list[dict[str, Any]]:
    """One object of each kind that has a form of its own."""
    return [pod, node, service, endpoints, deployment, device, device_model, config_map, secret]

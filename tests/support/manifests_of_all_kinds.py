"""Valid objects with many fields, one of each kind that the cluster knows, and what the door says about an object."""

from typing import Any

from cloudhub_stub.cluster.kinds import KINDS, Object
from cloudhub_stub.cluster.validation import validate
from cloudhub_stub.errors import Invalid


def refusal(obj: Any) -> str:
    """Return ``field: reason``, empty if the object is taken."""
    try:
        validate(obj)
    except Invalid as error:
        return f"{error.field}: {error.reason}"
    return ""


def valid(kind: str, **fields: Any) -> Object:
    """Return a new valid object; ``fields`` replace its own at the top."""
    frame = {"apiVersion": KINDS[kind].api_version, "kind": kind, "metadata": {"name": "x"}}
    return {**frame, **_FIELDS[kind](), **fields}


def pod_spec(**fields: Any) -> dict[str, Any]:
    """Return a valid spec of a pod; ``fields`` replace its own."""
    return {"containers": [container()], **fields}


def container(**fields: Any) -> dict[str, Any]:
    """Return a valid container; ``fields`` replace its own."""
    return {"name": "web", "image": "nginx:1.15.4", **fields}


def _rich_pod_spec() -> dict[str, Any]:
    web = container(
        command=["nginx"],
        args=["-g", "daemon off;"],
        ports=[
            {"name": "http", "containerPort": 80, "hostPort": 8080, "protocol": "TCP", "hostIP": "127.0.0.1"},
            {"containerPort": 53, "protocol": "UDP"},
        ],
        env=[
            {"name": "PLAIN", "value": "1"},
            {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            {"name": "CPU", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
            {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k", "optional": True}}},
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pw"}}},
        ],
        envFrom=[{"prefix": "A_", "configMapRef": {"name": "cm"}}, {"secretRef": {"name": "s", "optional": False}}],
        resources={"limits": {"cpu": 1, "memory": "64Mi"}, "requests": {"cpu": "0.5"}},
        volumeMounts=[{"name": "all", "mountPath": "/all", "readOnly": True}],
        livenessProbe={"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 5},
        readinessProbe={"tcpSocket": {"port": 80}},
        startupProbe={"exec": {"command": ["true"]}},
        lifecycle={"preStop": {"exec": {"command": ["sleep", "1"]}}},
        imagePullPolicy="IfNotPresent",
    )
    sources = [
        {"configMap": {"name": "cm", "items": [{"key": "k", "path": "k", "mode": 0o400}]}},
        {"secret": {"name": "s", "optional": True}},
        {"downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}},
    ]
    required = {
        "nodeSelectorTerms": [
            {
                "matchExpressions": [
                    {"key": "node-role.kubernetes.io/edge", "operator": "Exists"},
                    {"key": "rank", "operator": "Gt", "values": ["1"]},
                    {"key": "zone", "operator": "NotIn", "values": ["a", "b"]},
                ],
                "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["edge-1"]}],
            }
        ]
    }
    preferred = [{"weight": 1, "preference": {"matchExpressions": [{"key": "ssd", "operator": "DoesNotExist"}]}}]
    return {
        "containers": [web],
        "initContainers": [container(name="init")],
        "volumes": [
            {"name": "all", "projected": {"sources": sources, "defaultMode": 0o644}},
            {"name": "c", "configMap": {"name": "cm", "defaultMode": 0o400}},
            {"name": "s", "secret": {"secretName": "s"}},
            {"name": "e", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "h", "hostPath": {"path": "/x", "type": "Directory"}},
            {"name": "p", "persistentVolumeClaim": {"claimName": "p"}},
            {"name": "n", "nfs": {"server": "a", "path": "/"}},
            {"name": "nothing"},
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {"disk": "ssd"},
        "imagePullSecrets": [{"name": "regcred"}],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": required,
                "preferredDuringSchedulingIgnoredDuringExecution": preferred,
            }
        },
        "tolerations": [
            {"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"},
            {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5},
        ],
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a.b"]}],
        "nodeName": "edge-1",
    }


def _deployment() -> dict[str, Any]:
    labels = {"app": "web", "tier": "front"}
    return {
        "spec": {
            "replicas": 2,
            "selector": {
                "matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "tier", "operator": "In", "values": ["front"]}],
            },
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": "50%"}},
            "minReadySeconds": 1,
            "paused": False,
            "template": {"metadata": {"labels": labels, "creationTimestamp": None}, "spec": pod_spec()},
        }
    }


def _service() -> dict[str, Any]:
    ports = [
        {"name": "http-0", "port": 12345, "targetPort": 80},
        {"name": "dns", "port": 53, "targetPort": "dns", "protocol": "UDP"},
    ]
    return {"spec": {"selector": {"app": "web"}, "clusterIP": "None", "type": "ClusterIP", "ports": ports}}


def _endpoints() -> dict[str, Any]:
    target = {"kind": "Pod", "namespace": "default", "name": "x", "uid": "u"}
    addresses = [{"ip": "127.0.0.1", "nodeName": "edge-1", "hostname": "h", "targetRef": target}]
    return {"subsets": [{"addresses": addresses, "notReadyAddresses": None, "ports": [{"port": 80}]}]}


def _node() -> dict[str, Any]:
    return {
        "spec": {"unschedulable": True, "taints": [{"key": "a", "effect": "NoSchedule", "value": "b"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2020-01-01T00:00:00Z"}],
            "capacity": {"cpu": "2", "memory": "2Gi", "pods": "110"},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
        },
    }


def _device() -> dict[str, Any]:
    expression = {"key": "", "operator": "In", "values": ["edge-1"]}
    desired = {"value": "ON", "metadata": {"type": "string"}}
    return {
        "spec": {
            "deviceModelRef": {"name": "led-light"},
            "protocol": {"modbus": {"rtu": {"slaveID": 1}}},
            "nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]},
        },
        "status": {"twins": [{"propertyName": "power-status", "desired": desired}, {"propertyName": "passive"}]},
    }


def _device_model() -> dict[str, Any]:
    power = {"name": "power-status", "type": {"string": {"accessMode": "ReadWrite", "defaultValue": "OFF"}}}
    visitor = {"propertyName": "power-status", "modbus": {"register": "CoilRegister", "offset": 1, "limit": 1}}
    return {"spec": {"properties": [power], "propertyVisitors": [visitor]}}


_FIELDS = {
    "Namespace": dict,
    "Node": _node,
    "Pod": lambda: {"spec": _rich_pod_spec()},
    "Service": _service,
    "Endpoints": _endpoints,
    "ConfigMap": lambda: {"data": {"k": "v", "a.txt": "é"}, "binaryData": {"b": "AAE="}},
    "Secret": lambda: {"data": {"pw": "c2VjcmV0MQ=="}, "stringData": {"user": "me"}, "type": "Opaque"},
    "Deployment": _deployment,
    "Device": _device,
    "DeviceModel": _device_model,
    "PersistentVolume": lambda: {"spec": {"capacity": {"storage": "1Gi"}}},
    "PersistentVolumeClaim": lambda: {"spec": {"accessModes": ["ReadWriteOnce"]}},
    "VolumeAttachment": lambda: {"spec": {"attacher": "a", "nodeName": "edge-1"}},
}

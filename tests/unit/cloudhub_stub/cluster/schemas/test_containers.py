"""Containers: ports, variables, resources, probes."""

from typing import Any

import pytest

from manifests_of_all_kinds import container, pod_spec, refusal, valid


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": None}, "name: it is missing"),
        ({"name": "A"}, "name: it is 'A'"),
        ({"image": None}, "image: it is missing"),
        ({"image": ""}, "image: it is empty"),
        ({"image": " nginx"}, "image: it has spaces around it"),
        ({"images": "x"}, "images: there is no such field, did you mean image?"),
        ({"imagePullPolicy": "always"}, "imagePullPolicy: it is 'always'; it can be Always, IfNotPresent, Never"),
        ({"command": "nginx"}, "command: it is the text 'nginx'; it must be a list"),
        ({"args": [8080]}, "args[0]: it is the number 8080; it must be text (YAML reads it so"),
        ({"ports": [{}]}, "ports[0].containerPort: it is missing"),
        ({"ports": [{"containerPort": 0}]}, "ports[0].containerPort: it is 0; it can be 1 to 65535"),
        ({"ports": [{"containerPort": "80"}]}, "ports[0].containerPort: it is the text '80'"),
        ({"ports": [{"containerport": 80}]}, "ports[0].containerport: there is no such field, did you mean conta"),
        ({"ports": [{"containerPort": 80, "hostPort": 65536}]}, "ports[0].hostPort: it is 65536"),
        ({"ports": [{"containerPort": 80, "protocol": "tcp"}]}, "ports[0].protocol: it is 'tcp'; it can be TCP, U"),
        ({"ports": [{"containerPort": 80, "hostIP": "x"}]}, "ports[0].hostIP: it is 'x', which is no IP"),
        ({"ports": [{"containerPort": 80, "name": "80"}]}, "ports[0].name: it is '80'"),
        (
            {"ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]},
            "ports[1].name: 'a' is the name of another port already",
        ),
        ({"env": {"A": "b"}}, "env: it is a mapping; it must be a list"),
        ({"env": [{"value": "b"}]}, "env[0].name: it is missing"),
        ({"env": [{"name": "A=B"}]}, "env[0].name: it is 'A=B'"),
        ({"env": [{"name": "A", "value": 8080}]}, "env[0].value: it is the number 8080; it must be text (YAML"),
        ({"env": [{"name": "A", "valueFrom": {}}]}, "env[0].valueFrom: it has none of fieldRef"),
        (
            {"env": [{"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}]},
            "env[0].valueFrom: it stands beside a value",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s"}}}]},
            "env[0].valueFrom.secretKeyRef.key: it is missing",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapRef": {"name": "s"}, "fieldRef": {"fieldPath": "x"}}}]},
            "env[0].valueFrom.configMapRef: there is no such field, did you mean configMapKeyRef?",
        ),
        ({"envFrom": [{}]}, "envFrom[0]: it has none of configMapRef, secretRef"),
        ({"envFrom": [{"secretRef": {}}]}, "envFrom[0].secretRef.name: it is missing"),
        ({"resources": {"limits": {"cpu": "much"}}}, "resources.limits[cpu]: 'much' is no quantity"),
        ({"resources": {"limits": {"memory": "-1"}}}, "resources.limits[memory]: it is -1, which is less"),
        ({"resources": {"limit": {}}}, "resources.limit: there is no such field, did you mean limits?"),
        (
            {"resources": {"limits": {"cpu": "100m"}, "requests": {"cpu": 1}}},
            "resources.requests[cpu]: 1 is over the limit of 100m",
        ),
        ({"volumeMounts": [{"name": "v"}]}, "volumeMounts[0].mountPath: it is missing"),
        ({"livenessProbe": {}}, "livenessProbe: it has none of exec, httpGet, tcpSocket, grpc"),
        ({"readinessProbe": {"httpGet": {}}}, "readinessProbe.httpGet.port: it is missing"),
        ({"readinessProbe": {"tcpSocket": {"port": 0}}}, "readinessProbe.tcpSocket.port: it is 0"),
        ({"readinessProbe": {"tcpSocket": {"port": 1}, "exec": {}}}, "readinessProbe: it has exec and tcpSocket"),
        ({"startupProbe": {"exec": {}, "periodSeconds": "5"}}, "startupProbe.periodSeconds: it is the text '5'"),
        ({"lifecycle": {"preStop": {}}}, "lifecycle.preStop: it has none of"),
    ],
)
def test_a_wrong_container_is_named_by_its_field(fields: dict[str, Any], said: str) -> None:
    obj = valid("Pod", spec=pod_spec(containers=[container(**fields)]))
    assert refusal(obj).startswith(f"spec.containers[0].{said}")


def test_containers_that_come_first_are_checked_too() -> None:
    obj = valid("Pod", spec=pod_spec(initContainers=[container(name="i", image=5)]))
    assert refusal(obj).startswith("spec.initContainers[0].image: it is the number 5")

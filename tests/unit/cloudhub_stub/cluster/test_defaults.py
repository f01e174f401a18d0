"""Defaults: short manifests become what was recorded, and complete objects stay the same."""

import copy
from typing import Any

import pytest

from cloudhub_stub.cluster.defaults import qos_class, with_defaults
from cloudhub_stub.cluster.kinds import Object
from recorded_objects import recorded_objects

Json = dict[str, Any]


@pytest.fixture(scope="module")
def recorded() -> list[Object]:
    return recorded_objects()


def minimal(kind: str, **rest: Any) -> Object:
    api_version = {"Deployment": "apps/v1", "Device": "devices.kubeedge.io/v1alpha1"}.get(kind, "v1")
    return {"kind": kind, "apiVersion": api_version, "metadata": {"name": "x"}, **rest}


def first(recorded: list[Object], kind: str, name: str) -> Object:
    return next(obj for obj in recorded if obj["kind"] == kind and obj["metadata"]["name"] == name)


def test_every_recorded_object_stays_the_same(recorded: list[Object]) -> None:
    assert {obj["kind"] for obj in recorded} == {"Pod", "Service", "Endpoints", "ConfigMap", "Secret"}
    assert all(with_defaults(obj) is obj for obj in recorded)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        (
            "nginx-0",
            {
                "nodeName": "edge-node1",
                "containers": [
                    {"name": "nginx", "image": "nginx:1.17", "ports": [{"containerPort": 80, "hostPort": 8000}]}
                ],
            },
        ),
        (
            "p1",
            {
                "nodeName": "edge-node1",
                "imagePullSecrets": [{"name": "regcred"}],
                "volumes": [
                    {"name": "c", "configMap": {"name": "cm1"}},
                    {"name": "s", "secret": {"secretName": "s1"}},
                ],
                "containers": [
                    {
                        "name": "nginx",
                        "image": "nginx:1.17",
                        "ports": [{"containerPort": 80}],
                        "envFrom": [{"configMapRef": {"name": "cm1"}}],
                        "volumeMounts": [{"name": "c", "mountPath": "/c"}, {"name": "s", "mountPath": "/s"}],
                    }
                ],
            },
        ),
        (
            "hn",
            {
                "nodeName": "edge-node1",
                "hostNetwork": True,
                "containers": [{"name": "nginx", "image": "nginx:1.17", "ports": [{"containerPort": 80}]}],
            },
        ),
    ],
)
def test_a_short_pod_becomes_the_recorded_one(recorded: list[Object], name: str, spec: Json) -> None:
    found, expected = with_defaults(minimal("Pod", spec=spec)), first(recorded, "Pod", name)
    assert (found["spec"], found["status"]) == (expected["spec"], expected["status"])


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("nginx-svc", {"selector": {"app": "nginx"}, "ports": [{"name": "http-0", "port": 12345, "targetPort": 80}]}),
        ("sys-svc", {"selector": {"app": "nginx"}, "ports": [{"name": "http", "port": 80}]}),
        ("ext-svc", {"type": "ExternalName", "externalName": "a.test"}),
    ],
)
def test_a_short_service_becomes_the_recorded_one_but_for_its_address(
    recorded: list[Object], name: str, spec: Json
) -> None:
    found, expected = with_defaults(minimal("Service", spec=spec)), first(recorded, "Service", name)
    assert found["status"] == expected["status"]
    assert found["spec"] == {key: value for key, value in expected["spec"].items() if key != "clusterIP"}


def test_a_short_secret_becomes_the_recorded_one(recorded: list[Object]) -> None:
    found, expected = with_defaults(minimal("Secret", stringData={"pw": "secret1"})), first(recorded, "Secret", "s1")
    assert (found["type"], found["data"]) == (expected["type"], expected["data"])
    assert "stringData" not in found


def test_text_of_a_secret_comes_before_its_data() -> None:
    secret = minimal("Secret", data={"a": "MQ==", "b": "Mg=="}, stringData={"b": "é"})
    assert with_defaults(secret)["data"] == {"a": "MQ==", "b": "w6k="}


def test_the_namespace_is_default_where_a_kind_has_one() -> None:
    assert with_defaults(minimal("ConfigMap"))["metadata"]["namespace"] == "default"
    assert with_defaults(minimal("Device", spec={}))["metadata"]["namespace"] == "default"
    assert "namespace" not in with_defaults(minimal("Node"))["metadata"]


def test_a_namespace_that_is_there_stays() -> None:
    obj = minimal("ConfigMap", metadata={"name": "x", "namespace": "other"})
    assert with_defaults(obj) is obj


def deployment(**spec: Any) -> Object:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "x", "image": "x", "resources": {"limits": {"cpu": 1}}}]},
    }
    return minimal("Deployment", spec={"selector": {"matchLabels": {"app": "x"}}, "template": template, **spec})


def test_a_deployment_gets_its_numbers_and_its_strategy() -> None:
    found = with_defaults(deployment())
    assert found["status"] == {}
    assert {key: found["spec"][key] for key in ("replicas", "revisionHistoryLimit", "progressDeadlineSeconds")} == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
    }
    assert found["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }


def test_a_deployment_of_no_pods_keeps_none() -> None:
    assert with_defaults(deployment(replicas=0))["spec"]["replicas"] == 0


def test_half_a_strategy_is_completed() -> None:
    found = with_defaults(deployment(strategy={"rollingUpdate": {"maxSurge": 0}}))["spec"]["strategy"]
    assert found == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "25%"}}


def test_recreating_takes_no_shares() -> None:
    assert with_defaults(deployment(strategy={"type": "Recreate"}))["spec"]["strategy"] == {"type": "Recreate"}


def test_a_template_gets_what_belongs_to_a_spec_and_not_what_belongs_to_a_pod() -> None:
    spec = with_defaults(deployment())["spec"]["template"]["spec"]
    assert spec["restartPolicy"] == "Always"
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "1"}}
    assert not {"tolerations", "priority", "enableServiceLinks"} & spec.keys()


def test_a_service_of_a_kind_that_is_reached_from_outside_says_where_traffic_goes() -> None:
    spec = with_defaults(minimal("Service", spec={"type": "NodePort", "ports": [{"port": 1, "targetPort": 0}]}))["spec"]
    assert spec["externalTrafficPolicy"] == "Cluster"
    assert spec["ports"] == [{"port": 1, "targetPort": 1, "protocol": "TCP"}]


def test_affinity_to_clients_lasts_three_hours() -> None:
    spec = with_defaults(minimal("Service", spec={"sessionAffinity": "ClientIP"}))["spec"]
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


def test_ports_of_endpoints_are_tcp() -> None:
    subsets = with_defaults(minimal("Endpoints", subsets=[{"addresses": [{"ip": "1.1.1.1"}], "ports": [{"port": 1}]}]))
    assert subsets["subsets"][0]["ports"] == [{"port": 1, "protocol": "TCP"}]


def test_a_node_can_give_away_all_it_has() -> None:
    assert with_defaults(minimal("Node", status={"capacity": {"cpu": "2"}}))["status"]["allocatable"] == {"cpu": "2"}
    assert with_defaults(minimal("Node"))["spec"] == {}


def test_namespaces_and_volumes_have_a_phase() -> None:
    assert with_defaults(minimal("Namespace"))["status"] == {"phase": "Active"}
    assert with_defaults(minimal("PersistentVolume", spec={}))["status"] == {"phase": "Pending"}
    assert with_defaults(minimal("PersistentVolumeClaim", spec={}))["spec"] == {"volumeMode": "Filesystem"}


def test_null_fields_are_gone_but_for_those_in_the_status() -> None:
    status = {"phase": "Running", "conditions": [{"type": "Ready", "lastProbeTime": None}]}
    spec = {"containers": [{"name": "x", "image": "x:1", "env": None}], "nodeName": None}
    metadata = {"name": "x", "creationTimestamp": None}
    found = with_defaults(minimal("Pod", metadata=metadata, spec=spec, status=status))
    assert found["metadata"] == {"name": "x", "namespace": "default"}
    assert "nodeName" not in found["spec"]
    assert "env" not in found["spec"]["containers"][0]
    assert found["status"] is status


def test_null_fields_of_a_status_that_users_write_are_gone_too() -> None:
    status = {"twins": [{"propertyName": "a", "desired": {"value": "1", "metadata": None}, "reported": None}]}
    found = with_defaults(minimal("Device", spec={}, status=status))
    assert found["status"] == {"twins": [{"propertyName": "a", "desired": {"value": "1"}}]}
    assert with_defaults(minimal("Node", status={"conditions": None}))["status"] == {}


def test_a_missing_status_may_be_null() -> None:
    assert with_defaults(minimal("Service", spec={}, status=None))["status"] == {"loadBalancer": {}}


@pytest.mark.parametrize(
    "obj",
    [
        minimal("Pod", spec={"containers": [{"name": "x", "image": "x", "resources": {"limits": {"cpu": "0.5"}}}]}),
        minimal("Service", spec={"ports": [{"port": 1}]}),
        minimal("Secret", stringData={"a": "b"}),
        minimal("Secret", stringData={}),
        minimal("Node", status={"capacity": {"cpu": "1"}}),
        minimal("Namespace"),
        deployment(strategy=None),
        minimal("ConfigMap", data={"a": "b"}),
    ],
)
def test_a_second_time_changes_nothing_and_the_manifest_stays_as_it_was(obj: Object) -> None:
    before = copy.deepcopy(obj)
    once = with_defaults(obj)
    assert with_defaults(once) is once
    assert obj == before


def pod(*containers: Json, **spec: Any) -> Object:
    return minimal("Pod", spec={"containers": [{"resources": each} for each in containers], **spec})


_FULL = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (pod({}), "BestEffort"),
        (pod({"requests": {"cpu": "0"}}), "BestEffort"),
        (pod({"limits": {"example.org/gpu": "1"}}), "BestEffort"),
        (pod({"requests": {"cpu": "1m"}}), "Burstable"),
        (pod({"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}), "Burstable"),
        (pod(_FULL), "Guaranteed"),
        (pod({"limits": _FULL["limits"]}), "Guaranteed"),
        (pod({**_FULL, "requests": {"cpu": "1", "memory": "1"}}), "Burstable"),
        (pod(_FULL, {}), "Burstable"),
        (pod(_FULL, initContainers=[{"resources": {"limits": {"cpu": "1"}}}]), "Burstable"),
    ],
)
def test_a_pod_is_provided_for_as_its_containers_ask(obj: Object, expected: str) -> None:
    assert qos_class(obj) == expected

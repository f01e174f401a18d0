"""Defaults of a pod's spec: images, probes, volumes, tolerations, requests."""

from typing import Any

import pytest

from cloudhub_stub.cluster.poddefaults import is_latest, with_pod_only_defaults, with_pod_spec_defaults

Json = dict[str, Any]
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


def container(**fields: Any) -> Json:
    spec = with_pod_spec_defaults({"containers": [{"name": "x", "image": "x:1", **fields}]})
    found: Json = spec["containers"][0]
    return found


def volume(**source: Any) -> Json:
    found: Json = with_pod_spec_defaults({"containers": [], "volumes": [{"name": "v", **source}]})["volumes"][0]
    return found


@pytest.mark.parametrize("image", ["nginx", "nginx:latest", "localhost:5000/nginx", "a/b"])
def test_an_image_without_tag_is_the_latest(image: str) -> None:
    assert is_latest(image)
    assert container(image=image)["imagePullPolicy"] == "Always"


@pytest.mark.parametrize("image", ["nginx:1.15.4", "localhost:5000/nginx:1", "nginx@sha256:00", "nginx:1@sha256:00"])
def test_an_image_with_tag_or_digest_is_pulled_once(image: str) -> None:
    assert not is_latest(image)
    assert container(image=image)["imagePullPolicy"] == "IfNotPresent"


def test_a_field_that_is_set_gets_no_default() -> None:
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "dnsPolicy": "Default", "containers": []}
    assert spec.items() <= with_pod_spec_defaults(spec).items()
    assert container(imagePullPolicy="Never")["imagePullPolicy"] == "Never"


def test_on_the_hosts_network_a_port_is_the_hosts() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 81, "hostPort": 81}]
    spec = {"hostNetwork": True, "containers": [{"name": "x", "image": "x", "ports": ports}]}
    found = with_pod_spec_defaults({**spec, "initContainers": spec["containers"]})
    expected = [
        {"containerPort": 80, "hostPort": 80, "protocol": "TCP"},
        {"containerPort": 81, "hostPort": 81, "protocol": "TCP"},
    ]
    assert found["containers"][0]["ports"] == found["initContainers"][0]["ports"] == expected


def test_a_probe_has_times_and_a_path() -> None:
    probe = {"httpGet": {"port": 80}, "periodSeconds": 5, "timeoutSeconds": 0}
    assert container(livenessProbe=probe)["livenessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "periodSeconds": 5,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_a_hook_has_a_path() -> None:
    hooks = container(lifecycle={"preStop": {"httpGet": {"port": 80}}})["lifecycle"]
    assert hooks["preStop"]["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}


def test_a_field_that_is_referred_to_is_of_version_one() -> None:
    env = [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    assert container(env=env)["env"][0]["valueFrom"]["fieldRef"]["apiVersion"] == "v1"


@pytest.mark.parametrize("kind", ["secret", "configMap", "downwardAPI", "projected"])
def test_files_of_a_volume_can_be_read_by_all(kind: str) -> None:
    assert volume(**{kind: {}})[kind] == {"defaultMode": 0o644}
    assert volume(**{kind: {"defaultMode": 0}})[kind] == {"defaultMode": 0}


def test_a_volume_without_source_is_an_empty_directory() -> None:
    assert volume() == {"name": "v", "emptyDir": {}}


def test_what_a_volume_projects_is_completed() -> None:
    field = {"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}
    sources = [{"serviceAccountToken": {"path": "t"}}, {"downwardAPI": {"items": [field]}}, {"secret": {"name": "s"}}]
    token, downward, secret = volume(projected={"sources": sources})["projected"]["sources"]
    assert token == {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}
    assert downward["downwardAPI"]["items"][0]["fieldRef"] == {"fieldPath": "metadata.name", "apiVersion": "v1"}
    assert secret is sources[2]


def test_the_type_of_a_host_path_is_unset() -> None:
    assert volume(hostPath={"path": "/x"})["hostPath"] == {"path": "/x", "type": ""}


def keys(*tolerations: Json) -> list[str]:
    found = with_pod_only_defaults({"containers": [], "tolerations": list(tolerations)})["tolerations"]
    return [each.get("key", "") for each in found]


def test_a_pod_bears_a_lost_node_for_a_while() -> None:
    assert keys() == [NOT_READY, UNREACHABLE]


def test_its_own_tolerations_come_first() -> None:
    own = {"key": "mine", "operator": "Exists"}
    assert keys(own) == ["mine", NOT_READY, UNREACHABLE]


def test_a_pod_that_says_how_long_it_bears_a_lost_node_is_left_alone() -> None:
    own = {"key": UNREACHABLE, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    assert keys(own) == [UNREACHABLE, NOT_READY]
    assert keys({"operator": "Exists"}) == [""]


def test_not_being_scheduled_on_such_a_node_is_another_thing() -> None:
    own = {"key": UNREACHABLE, "operator": "Exists", "effect": "NoSchedule"}
    assert keys(own) == [UNREACHABLE, NOT_READY, UNREACHABLE]


def test_a_limit_is_requested_where_nothing_else_is() -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    found = with_pod_only_defaults({"containers": [{"resources": resources}, {}]})
    assert found["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert found["containers"][1] == {}


def test_amounts_are_written_as_kubernetes_writes_them() -> None:
    resources = {"limits": {"cpu": 2, "memory": "1024Mi"}, "requests": {"cpu": "0.5"}}
    assert container(resources=resources)["resources"] == {
        "limits": {"cpu": "2", "memory": "1Gi"},
        "requests": {"cpu": "500m"},
    }

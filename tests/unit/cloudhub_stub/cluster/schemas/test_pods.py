"""Pods: the fields of the spec, and those that must fit each other."""

from typing import Any

import pytest

from manifests_of_all_kinds import container, pod_spec, refusal, valid


def port(**fields: Any) -> dict[str, Any]:
    return {"containerPort": 80, **fields}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "spec.containers: it is missing"),
        ({"containers": []}, "spec.containers: it is an empty list"),
        (pod_spec(containers=[container(), container()]), "spec.containers[1].name: 'web' is the name of another"),
        (
            pod_spec(initContainers=[container()]),
            "spec.containers[0].name: 'web' is the name of another container already",
        ),
        (pod_spec(restartPolicy="always"), "spec.restartPolicy: it is 'always'; it can be Always, OnFailure, Never"),
        (pod_spec(terminationGracePeriodSeconds=-1), "spec.terminationGracePeriodSeconds: it is -1"),
        (pod_spec(terminationGracePeriodSeconds="30"), "spec.terminationGracePeriodSeconds: it is the text '30'"),
        (pod_spec(hostNetwork="true"), "spec.hostNetwork: it is the text 'true'; it must be true or false"),
        (pod_spec(nodeName="Edge"), "spec.nodeName: it is 'Edge'"),
        (pod_spec(nodeName=5), "spec.nodeName: it is the number 5"),
        (pod_spec(nodeSelector={"a": True}), "spec.nodeSelector[a]: it is true; it must be text"),
        (pod_spec(nodeselector={}), "spec.nodeselector: there is no such field, did you mean nodeSelector?"),
        (pod_spec(imagePullSecrets=["a"]), "spec.imagePullSecrets[0]: it is the text 'a'; it must be a mapping"),
        (pod_spec(hostAliases=[{"ip": "x"}]), "spec.hostAliases[0].ip: it is 'x', which is no IP address"),
        (pod_spec(priority="high"), "spec.priority: it is the text 'high'"),
        (
            pod_spec(containers=[container(volumeMounts=[{"name": "v", "mountPath": "/v"}])]),
            "spec.containers[0].volumeMounts[0].name: there is no volume 'v'",
        ),
    ],
)
def test_a_wrong_spec_is_named_by_its_field(spec: dict[str, Any], said: str) -> None:
    assert refusal(valid("Pod", spec=spec)).startswith(said)


def test_a_spec_is_needed() -> None:
    assert refusal(valid("Pod", spec=None)) == "spec: it is missing"


def host_ports(*ports: dict[str, Any], **spec: Any) -> str:
    containers = [container(name=f"c{index}", ports=[each]) for index, each in enumerate(ports)]
    return refusal(valid("Pod", spec=pod_spec(containers=containers, **spec)))


def test_a_port_of_the_host_is_given_once() -> None:
    said = host_ports(port(hostPort=8000), port(containerPort=81, hostPort=8000))
    assert said == "spec.containers[1].ports[0].hostPort: 8000 is taken by another port of this pod already"


def test_one_number_is_two_ports_of_two_protocols_or_addresses() -> None:
    assert host_ports(port(hostPort=53), port(hostPort=53, protocol="UDP"), port(hostPort=53, hostIP="1.1.1.1")) == ""


def test_without_host_port_nothing_is_shared() -> None:
    assert host_ports(port(), port(hostPort=0)) == ""


def test_on_the_hosts_network_a_port_is_the_hosts() -> None:
    said = host_ports(port(hostPort=8000), hostNetwork=True)
    assert said == "spec.containers[0].ports[0].hostPort: it is 8000; with hostNetwork it must be as containerPort"
    assert "80 is taken" in host_ports(port(), port(), hostNetwork=True)
    assert host_ports(port(), port(containerPort=81), hostNetwork=True) == ""

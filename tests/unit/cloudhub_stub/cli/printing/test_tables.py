"""Tables of objects, to the character where kubectl's own output is at hand (the EdgeMesh guide)."""

from typing import Any

import pytest

from cloudhub_stub.cli.printing.tables import Table
from cloudhub_stub.cluster.kinds import KINDS

Object = dict[str, Any]


def lines(objects: list[Object], now_ms: int, **options: Any) -> list[str]:
    return Table(KINDS[objects[0]["kind"]], **options).lines(objects, now_ms)


def cells(obj: Object, now_ms: int, **options: Any) -> list[str]:
    """Return the cells of an object's row."""
    header, row = Table(KINDS[obj["kind"]], **options).lines([obj], now_ms)
    starts = [n for n in range(len(header)) if header[n] != " " and (n == 0 or header[n - 2 : n] == "  ")]
    return [row[begin:end].strip() for begin, end in zip(starts, [*starts[1:], None], strict=True)]


def test_pods_are_as_in_the_guide(pod: Object, now_ms: int) -> None:
    pod["status"]["containerStatuses"][0]["restartCount"] = 0
    header = "NAME                                READY   STATUS    RESTARTS   AGE   IP           NODE          "
    row = "nginx-deployment-54bf9847f8-sxk94   1/1     Running   0          14m   172.17.0.2   edge-node-b   "
    assert lines([pod], now_ms, wide=True) == [
        header + "NOMINATED NODE   READINESS GATES",
        row + "<none>           <none>",
    ]


def test_nodes_are_as_in_the_guide(node: Object, now_ms: int, ago: Any) -> None:
    node["status"]["nodeInfo"]["kubeletVersion"] = "v1.15.3-kubeedge-v1.1.0"
    second = {**node, "metadata": {**node["metadata"], "name": "edge-node-b"}}
    master: Object = {
        **node,
        "metadata": {
            "name": "master",
            "creationTimestamp": ago(8 * 86400),
            "labels": {"node-role.kubernetes.io/master": ""},
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "Unknown"}],
            "nodeInfo": {"kubeletVersion": "v1.15.0"},
        },
    }
    assert lines([node, second, master], now_ms) == [
        "NAME          STATUS     ROLES    AGE   VERSION",
        "edge-node-a   Ready      edge     25m   v1.15.3-kubeedge-v1.1.0",
        "edge-node-b   Ready      edge     25m   v1.15.3-kubeedge-v1.1.0",
        "master        NotReady   master   8d    v1.15.0",
    ]


def test_services_are_as_in_the_guide(service: Object, now_ms: int) -> None:
    assert lines([service], now_ms) == [
        "NAME        TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)     AGE",
        "nginx-svc   ClusterIP   None         <none>        12345/TCP   77m",
    ]


def test_endpoints_are_as_in_the_guide(endpoints: Object, now_ms: int) -> None:
    assert lines([endpoints], now_ms) == ["NAME        ENDPOINTS       AGE", "nginx-svc   172.17.0.2:80   81m"]


def test_of_many_endpoints_three_are_shown(endpoints: Object, now_ms: int) -> None:
    endpoints["subsets"][0]["addresses"] = [{"ip": f"10.0.0.{n}"} for n in range(5)]
    assert cells(endpoints, now_ms)[1] == "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more..."


def test_endpoints_without_addresses_are_none(endpoints: Object, now_ms: int) -> None:
    del endpoints["subsets"]
    assert cells(endpoints, now_ms) == ["nginx-svc", "<none>", "81m"]


def test_a_deployment_shows_how_many_are_there(deployment: Object, now_ms: int) -> None:
    assert cells(deployment, now_ms) == ["nginx-deployment", "1/2", "2", "1", "3h"]
    assert cells(deployment, now_ms, wide=True)[5:] == ["nginx", "nginx:1.15.4", "app=nginx"]


def test_a_deployment_without_status_has_none(deployment: Object, now_ms: int) -> None:
    del deployment["status"], deployment["spec"]["replicas"]
    assert cells(deployment, now_ms)[1:4] == ["0/1", "0", "0"]


@pytest.mark.parametrize(
    ("spec", "status", "shown"),
    [
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]}, {}, ["<none>", "80:30080/TCP"]),
        ({"type": "LoadBalancer"}, {}, ["<pending>", "<none>"]),
        ({"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}, ["1.2.3.4", "<none>"]),
        ({"type": "ExternalName", "externalName": "a.b"}, {}, ["a.b", "<none>"]),
        (
            {"externalIPs": ["1.1.1.1"], "ports": [{"port": 1}, {"port": 53, "protocol": "UDP"}]},
            {},
            ["1.1.1.1", "1/TCP,53/UDP"],
        ),
    ],
)
def test_a_service_shows_how_it_is_reached(service: Object, now_ms: int, spec: Any, status: Any, shown: Any) -> None:
    changed = {**service, "spec": spec, "status": status}
    assert cells(changed, now_ms)[3:5] == shown


def test_a_node_shows_when_nothing_is_put_on_it(node: Object, now_ms: int) -> None:
    node["spec"]["unschedulable"] = True
    assert cells(node, now_ms)[1] == "Ready,SchedulingDisabled"


def test_a_node_of_which_nothing_was_heard_is_unknown(node: Object, now_ms: int) -> None:
    node["status"], node["metadata"]["labels"] = {}, {"kubernetes.io/role": "x", "node-role.kubernetes.io/": ""}
    assert cells(node, now_ms)[1:4] == ["Unknown", "x", "25m"]
    assert cells(node, now_ms, wide=True)[5:] == ["<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"]


def test_configuration_shows_how_much_it_holds(config_map: Object, secret: Object, now_ms: int) -> None:
    assert cells(config_map, now_ms) == ["cm1", "2", "60s"]
    assert cells(secret, now_ms) == ["s1", "Opaque", "1", "60s"]


def test_a_device_shows_its_model_its_node_and_what_it_reported(device: Object, now_ms: int) -> None:
    assert cells(device, now_ms, wide=True) == ["led-1", "led-light", "edge-node1", "9m5s", "power-status=ON"]


def test_a_model_shows_how_many_properties_it_has(device_model: Object, now_ms: int) -> None:
    assert cells(device_model, now_ms) == ["led-light", "1", "10m"]


@pytest.mark.parametrize(
    ("obj", "shown"),
    [
        ({"kind": "Namespace", "metadata": {"name": "shop"}}, ["shop", "Active", "<unknown>"]),
        (
            {
                "kind": "PersistentVolume",
                "metadata": {"name": "v"},
                "spec": {
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                    "claimRef": {"namespace": "default", "name": "c"},
                    "storageClassName": "slow",
                },
                "status": {"phase": "Bound"},
            },
            ["v", "1Gi", "RWO,RWX", "Retain", "Bound", "default/c", "slow", "", "<unknown>"],
        ),
        (
            {
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "c", "namespace": "default"},
                "spec": {"volumeName": "v"},
                "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
            },
            ["c", "Bound", "v", "1Gi", "RWO", "", "<unknown>"],
        ),
        (
            {
                "kind": "VolumeAttachment",
                "metadata": {"name": "a"},
                "spec": {"attacher": "csi", "nodeName": "n", "source": {"persistentVolumeName": "v"}},
                "status": {"attached": True},
            },
            ["a", "csi", "v", "n", "true", "<unknown>"],
        ),
    ],
)
def test_other_kinds_have_their_columns(obj: Object, shown: list[str], now_ms: int) -> None:
    assert cells(obj, now_ms) == shown


def test_readiness_gates_are_counted(pod: Object, now_ms: int) -> None:
    pod["spec"]["readinessGates"] = [{"conditionType": "Ready"}, {"conditionType": "other"}]
    assert cells(pod, now_ms, wide=True)[-1] == "1/2"


def test_over_all_namespaces_they_come_first(pod: Object, node: Object, now_ms: int) -> None:
    assert cells(pod, now_ms, namespaces=True)[:2] == ["default", pod["metadata"]["name"]]
    assert cells(node, now_ms, namespaces=True)[0] == "edge-node-a"


def test_beside_other_kinds_names_say_the_kind(deployment: Object, now_ms: int) -> None:
    assert cells(deployment, now_ms, prefixed=True)[0] == "deployment.apps/nginx-deployment"


def test_a_table_in_pieces_has_one_header(pod: Object, now_ms: int) -> None:
    table = Table(KINDS["Pod"])
    assert table.lines([], now_ms) == []
    assert len(table.lines([pod], now_ms)) == 2
    assert len(table.lines([pod], now_ms)) == 1


def test_without_headers_there_are_rows_alone(pod: Object, now_ms: int) -> None:
    assert len(lines([pod], now_ms, headers=False)) == 1

"""Descriptions of objects."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudhub_stub.cli.printing.describing import description
from cloudhub_stub.cli.printing.tables import Table
from cloudhub_stub.cluster.kinds import KINDS

Object = dict[str, Any]


def described(obj: Object, now_ms: int, events: Any = (), **related: Any) -> list[str]:
    return description({"object": obj, "events": list(events), "related": related}, now_ms).split("\n")


def field(lines: list[str], name: str) -> str:
    """Return what stands behind the first ``name:``."""
    return next(line for line in lines if line.lstrip().startswith(f"{name}:")).partition(f"{name}:")[2].strip()


def test_a_pod_is_described_from_its_name_to_its_tolerations(pod: Object, now_ms: int) -> None:
    lines = described(pod, now_ms)
    assert field(lines, "Node") == "edge-node-b/10.66.0.2"
    assert field(lines, "Start Time") == "Mon, 04 May 2020 09:46:00 +0000"
    assert field(lines, "Status") == "Running"
    assert field(lines, "IP") == "172.17.0.2"
    assert field(lines, "Controlled By") == "Deployment/nginx-deployment"
    assert field(lines, "Node-Selectors") == "zone=a"
    assert field(lines, "Node-Affinity") == "node-role.kubernetes.io/edge"
    assert field(lines, "Tolerations") == "node.kubernetes.io/unreachable:NoExecute for 300s"
    assert field(lines, "QoS Class") == "Burstable"


def test_labels_stand_under_each_other(pod: Object, now_ms: int) -> None:
    lines = described(pod, now_ms)
    first = next(number for number, line in enumerate(lines) if line.startswith("Labels:"))
    assert lines[first].endswith(" app=nginx")
    assert lines[first + 1].strip() == "pod-template-hash=54bf9847f8"
    assert lines[first].index("app=") == lines[first + 1].index("pod-")


def test_a_container_is_described_with_its_states_and_where_its_environment_is_from(pod: Object, now_ms: int) -> None:
    text = "\n".join(" ".join(line.split()) for line in described(pod, now_ms))
    for part in (
        "nginx:\nContainer ID: docker://c0\nImage: nginx:1.15.4\nImage ID:\nPort: 80/TCP\nHost Port: 80/TCP\n",
        "Command:\nnginx\n-g\n",
        "State: Running\nStarted: Mon, 04 May 2020 09:46:00 +0000\n",
        "Last State: Terminated\nReason: OOMKilled\nExit Code: 137\n",
        "Ready: True\nRestart Count: 2\nRequests:\ncpu: 100m\n",
        "Environment Variables from:\ncm1 ConfigMap Optional: false\ns1 Secret with prefix 'P_' Optional: false\n",
        "MODE: fast\nPOD: (v1:metadata.name)\nPASS: <set to the key 'pw' in secret 's1'> Optional: false\n",
        "K: <set to the key 'k' of config map 'cm1'> Optional: true\n",
        "Mounts:\n/etc/cfg from cfg (ro)\n",
    ):
        assert part in text


def test_volumes_are_described_by_their_type(pod: Object, now_ms: int) -> None:
    pod["spec"]["volumes"] += [
        {"name": "dir", "hostPath": {"path": "/data"}},
        {"name": "claim", "persistentVolumeClaim": {"claimName": "c", "readOnly": True}},
        {"name": "pw", "secret": {"secretName": "s1", "optional": True}},
        {"name": "odd", "nfs": {"server": "x"}},
    ]
    text = "\n".join(" ".join(line.split()) for line in described(pod, now_ms))
    for part in (
        "cfg:\nType: ConfigMap\nName: cm1\nOptional: false\n",
        "all:\nType: Projected\nSecretName: s1\nOptional: false\nConfigMapName: cm1\n",
        "tmp:\nType: EmptyDir\nMedium:\nSizeLimit: <unset>\n",
        "dir:\nType: HostPath\nPath: /data\n",
        "claim:\nType: PersistentVolumeClaim\nClaimName: c\nReadOnly: true\n",
        "pw:\nType: Secret\nSecretName: s1\nOptional: true\n",
        "odd:\nType: nfs\n",
    ):
        assert part in text


def test_a_pod_that_found_no_node_says_why(pod: Object, now_ms: int) -> None:
    message = "0/1 nodes are available: 1 node(s) didn't match node selector."
    del pod["spec"]["nodeName"]
    pod["status"] = {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
    }
    lines = described(pod, now_ms)
    assert (field(lines, "Node"), field(lines, "Unscheduled")) == ("<none>", message)


def test_a_pod_that_is_being_deleted_says_until_when(pod: Object, now_ms: int) -> None:
    pod["metadata"] |= {"deletionTimestamp": "2020-05-04T10:00:30Z", "deletionGracePeriodSeconds": 30}
    lines = described(pod, now_ms)
    assert field(lines, "Status") == "Terminating (until Mon, 04 May 2020 10:00:30 +0000)"
    assert field(lines, "Termination Grace Period") == "30s"


def test_a_node_is_described_with_its_conditions_and_pods(node: Object, pod: Object, now_ms: int) -> None:
    finished = {**pod, "status": {"phase": "Succeeded"}}
    lines = described(node, now_ms, pods=[pod, finished])
    assert field(lines, "Roles") == "edge"
    assert field(lines, "Taints") == "gpu=yes:NoSchedule"
    assert field(lines, "InternalIP") == "10.66.0.2"
    assert field(lines, "memory") == "24105Mi"
    assert field(lines, "Kubelet Version") == "v1.17.1-kubeedge-v1.3.1"
    assert field(lines, "Non-terminated Pods") == "(1 in total)"
    assert sum("nginx-deployment-54bf9847f8-sxk94" in line for line in lines) == 1
    assert any("EdgeReady" in line and "Mon, 04 May 2020 09:59:55 +0000" in line for line in lines)


def test_a_service_is_described_with_its_endpoints(service: Object, endpoints: Object, now_ms: int) -> None:
    assert described(service, now_ms, endpoints=endpoints) == [
        "Name:              nginx-svc",
        "Namespace:         default",
        "Labels:            <none>",
        "Annotations:       <none>",
        "Selector:          app=nginx",
        "Type:              ClusterIP",
        "IP:                None",
        "Port:              http-0  12345/TCP",
        "TargetPort:        80/TCP",
        "Endpoints:         172.17.0.2:80",
        "Session Affinity:  None",
        "Events:            <none>",
    ]


def test_endpoints_are_described_by_subset(endpoints: Object, now_ms: int) -> None:
    assert described(endpoints, now_ms)[4:] == [
        "Subsets:",
        "  Addresses:          172.17.0.2",
        "  NotReadyAddresses:  172.17.0.9",
        "  Ports:",
        "    Name    Port  Protocol",
        "    ----    ----  --------",
        "    http-0  80    TCP",
        "",
        "Events:  <none>",
    ]


def test_a_deployment_is_described_with_its_template_and_pods(deployment: Object, pod: Object, now_ms: int) -> None:
    lines = described(deployment, now_ms, pods=[pod])
    assert field(lines, "Replicas") == "2 desired | 2 updated | 2 total | 1 available | 1 unavailable"
    assert field(lines, "RollingUpdateStrategy") == "25% max unavailable, 25% max surge"
    assert field(lines, "Annotations") == "deployment.kubernetes.io/revision: 1"
    assert field(lines, "Image") == "nginx:1.15.4"
    assert "  nginx-deployment-54bf9847f8-sxk94  1/1    Running  edge-node-b  14m" in lines
    assert "  Available  False   MinimumReplicasUnavailable" in lines


def test_a_config_map_is_described_with_its_texts(config_map: Object, now_ms: int) -> None:
    assert described(config_map, now_ms)[4:] == [
        *["", "Data", "====", "conf:", "----", "a=1", "b=2", "blob:", "----", "3 bytes"],
        "Events:  <none>",
    ]


def test_a_secret_is_described_by_sizes_alone(secret: Object, now_ms: int) -> None:
    lines = described(secret, now_ms)
    assert lines[-1] == "pw:  7 bytes"
    assert "secret1" not in "\n".join(lines)
    assert "c2VjcmV0" not in "\n".join(lines)


def test_a_device_is_described_with_what_is_wanted_and_reported(device: Object, now_ms: int) -> None:
    device["status"]["state"] = "online"
    lines = described(device, now_ms)
    assert (field(lines, "Model"), field(lines, "Node"), field(lines, "State")) == ("led-light", "edge-node1", "online")
    assert lines[-2].split() == ["power-status", "string", "OFF", "ON", "7s"]


def test_a_model_is_described_with_its_properties(device_model: Object, now_ms: int) -> None:
    lines = [line.split() for line in described(device_model, now_ms)]
    assert ["power-status", "string", "ReadWrite", "on", "or", "off"] in lines
    assert ["power-status", "modbus"] in lines


def test_any_other_object_is_described_by_its_fields(now_ms: int) -> None:
    volume = {"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": {"capacity": {"storage": "1Gi"}}}
    assert described(volume, now_ms)[-4:] == ["spec:", "  capacity:", "    storage: 1Gi", "Events:  <none>"]


def test_events_are_a_table(pod: Object, now_ms: int) -> None:
    event = {"at_ms": now_ms - 5000, "type": "Normal", "reason": "Scheduled", "message": "bound to edge-node-b"}
    assert described(pod, now_ms, [event])[-4:] == [
        "Events:",
        "  Type    Reason     Age  Message",
        "  ----    ------     ---  -------",
        "  Normal  Scheduled  5s   bound to edge-node-b",
    ]


@pytest.mark.parametrize(
    ("value", "lines"),
    [("x" * 200, ["long:", f"  {'x' * 138}..."]), ("a\nb\n", ["long:", "  a", "  b"]), ("short", ["long: short"])],
)
def test_a_long_annotation_is_cut(service: Object, now_ms: int, value: str, lines: list[str]) -> None:
    service["metadata"]["annotations"] = {"long": value}
    found = described(service, now_ms)
    first = next(number for number, line in enumerate(found) if line.startswith("Annotations:"))
    indent = found[first].index("long")
    assert [line[indent:] for line in found[first : first + len(lines)]] == lines


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_left_out_or_null_breaks_nothing(data: st.DataObject, every_kind: list[Object], now_ms: int) -> None:
    obj = copy.deepcopy(data.draw(st.sampled_from(every_kind)))
    for _ in range(data.draw(st.integers(1, 4))):
        places = list(_places(obj))
        holder, name = places[data.draw(st.integers(0, len(places) - 1))]
        if data.draw(st.booleans()):
            holder[name] = None
        else:
            del holder[name]
    assert Table(KINDS[obj["kind"]], wide=True).lines([obj], now_ms)
    assert described(obj, now_ms, pods=[obj] if obj["kind"] == "Pod" else [])


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Object, str]]:
    """Yield each field that an object may do without."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if not (depth == 0 and name in ("kind", "metadata", "spec")) and name not in ("name", "kind"):
                yield value, name
            yield from _places(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _places(inner, depth + 1)

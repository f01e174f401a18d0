"""What of an object may change, and what may not."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from cloudhub_stub.cluster.immutable import check_update
from cloudhub_stub.errors import Invalid

Change = Callable[[Any], object]

POD: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {"name": "x"},
    "spec": {
        "containers": [{"name": "c", "image": "nginx:1", "env": [{"name": "A", "value": "1"}]}],
        "initContainers": [{"name": "i", "image": "busybox"}],
        "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 300}],
        "activeDeadlineSeconds": 60,
    },
}


def changed(obj: dict[str, Any], change: Change) -> dict[str, Any]:
    new = deepcopy(obj)
    change(new)
    return new


@pytest.mark.parametrize(
    "change",
    [
        lambda pod: None,
        lambda pod: pod["metadata"].update(labels={"a": "b"}),
        lambda pod: pod["spec"]["containers"][0].update(image="nginx:2"),
        lambda pod: pod["spec"]["initContainers"][0].update(image="busybox:2"),
        lambda pod: pod["spec"]["tolerations"].append({"key": "b"}),
        lambda pod: pod["spec"]["tolerations"][0].update(tolerationSeconds=1),
        lambda pod: pod["spec"].update(activeDeadlineSeconds=59),
    ],
)
def test_of_a_pod_this_may_change(change: Change) -> None:
    check_update(POD, changed(POD, change))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("spec.nodeName", lambda pod: pod["spec"].update(nodeName="other")),
        ("spec.initContainers", lambda pod: pod["spec"].pop("initContainers")),
        ("spec.containers", lambda pod: pod["spec"]["containers"].append({"name": "d", "image": "e"})),
        ("spec.containers[0].env[0].value", lambda pod: pod["spec"]["containers"][0]["env"][0].update(value="2")),
        ("spec.containers[0].ports", lambda pod: pod["spec"]["containers"][0].update(ports=[])),
        ("spec.tolerations", lambda pod: pod["spec"]["tolerations"].clear()),
        ("spec.tolerations", lambda pod: pod["spec"].pop("tolerations")),
        ("spec.activeDeadlineSeconds", lambda pod: pod["spec"].update(activeDeadlineSeconds=61)),
        ("spec.activeDeadlineSeconds", lambda pod: pod["spec"].pop("activeDeadlineSeconds")),
    ],
)
def test_of_a_pod_this_may_not_change_and_is_named(field: str, change: Change) -> None:
    with pytest.raises(Invalid) as caught:
        check_update(POD, changed(POD, change))
    assert caught.value.field == field


def test_a_deadline_may_be_set_later() -> None:
    before = changed(POD, lambda pod: pod["spec"].pop("activeDeadlineSeconds"))
    check_update(before, POD)


def test_a_deployment_keeps_its_selector() -> None:
    old = {"kind": "Deployment", "spec": {"selector": {"matchLabels": {"a": "b"}}, "replicas": 1}}
    check_update(old, {**old, "spec": {**old["spec"], "replicas": 2}})  # type: ignore[dict-item]
    with pytest.raises(Invalid, match=r"spec\.selector: field is immutable"):
        check_update(old, {**old, "spec": {"selector": {"matchLabels": {"a": "c"}}}})


def test_a_secret_keeps_its_type() -> None:
    with pytest.raises(Invalid, match="type: field is immutable"):
        check_update({"kind": "Secret", "type": "Opaque"}, {"kind": "Secret", "type": "kubernetes.io/tls"})


def test_a_configmap_may_change_in_all() -> None:
    check_update({"kind": "ConfigMap", "data": {"a": "b"}}, {"kind": "ConfigMap"})

"""Which pods EdgeMesh gets for a service."""

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.podlists import podlist


def pod(name: str, *, namespace: str = "default", **labels: str) -> Object:
    return {"kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": {}}


def service(**selector: str) -> Object:
    return {"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": selector}}


def test_pods_that_carry_all_labels_come_by_name() -> None:
    first, second = pod("a", app="web", tier="1", x="y"), pod("b", app="web", tier="1")
    others = [pod("c", app="web"), pod("d", app="db", tier="1"), pod("e", namespace="other", app="web", tier="1")]
    assert podlist(service(app="web", tier="1"), [second, *others, first]) == [first, second]


def test_no_pods_are_null() -> None:
    assert podlist(service(app="web"), []) is None


def test_a_service_without_selector_has_no_pods() -> None:
    assert podlist(service(), [pod("a", app="web")]) is None
    assert podlist({"metadata": {"name": "x", "namespace": "default"}, "spec": {}}, [pod("a")]) is None


def test_a_pod_without_labels_is_in_no_list() -> None:
    assert podlist(service(app="web"), [{"metadata": {"name": "a", "namespace": "default"}, "spec": {}}]) is None


def test_beyond_a_hundred_the_first_by_name_are_sent() -> None:
    found = podlist(service(app="web"), [pod(f"p{number:03}", app="web") for number in reversed(range(120))])
    assert found is not None
    assert [each["metadata"]["name"] for each in found] == [f"p{number:03}" for number in range(100)]

"""What goes, and what nodes and controllers do: delete, bind, status, write."""

from collections.abc import Callable
from typing import Any

import pytest

from cloudhub_stub.cluster.api import Api
from cloudhub_stub.cluster.kinds import KINDS, Object, ObjectKey, key_of
from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.cluster.writes import Create, Delete, Replace
from cloudhub_stub.errors import ApiError, Conflict, Invalid, NotFound
from edgecore.clock import VirtualClock
from edgecore.ids import NewId

Make = Callable[..., Object]
KeyOf = Callable[..., ObjectKey]


@pytest.fixture
def running(api: Api, manifest: Make) -> Object:
    """A pod on a node."""
    return api.bind(key_of(api.create(manifest("Pod"))), "edge")


def owned(pod: dict[str, Any], owner: Object) -> dict[str, Any]:
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {**pod, "metadata": {**pod["metadata"], "namespace": "default", "ownerReferences": [reference]}}


def mark(pod: Object) -> tuple[str, int]:
    return pod["metadata"]["deletionTimestamp"], pod["metadata"]["deletionGracePeriodSeconds"]


# Delete.


async def test_a_pod_is_marked_then_goes_as_recorded(
    api: Api, registry: Registry, vclock: VirtualClock, running: Object
) -> None:
    key = key_of(running)
    registry.changes.clear()
    assert not api.delete(key).gone
    await vclock.advance(9)
    api.replace_status(key, {"phase": "Succeeded"}, uid=running["metadata"]["uid"])
    gone = api.delete(key, grace_s=0, uid=running["metadata"]["uid"])
    assert gone.gone
    assert registry.get(key) is None
    assert [(change.new is None, *mark(change.object)) for change in registry.changes] == [
        (False, "2020-05-09T04:53:50Z", 30),
        (False, "2020-05-09T04:53:50Z", 30),
        (False, "2020-05-09T04:53:20Z", 0),
        (True, "2020-05-09T04:53:20Z", 0),
    ]
    versions = [int(change.object["metadata"]["resourceVersion"]) for change in registry.changes]
    assert versions == list(range(versions[0], versions[0] + 4))


def test_a_pod_without_node_goes_at_once(api: Api, registry: Registry, manifest: Make, key: KeyOf) -> None:
    api.create(manifest("Pod"))
    assert api.delete(key("Pod")).gone
    assert len(registry) == 0


def test_deleting_again_without_less_grace_writes_nothing(api: Api, registry: Registry, running: Object) -> None:
    first = api.delete(key_of(running), grace_s=20)
    version = registry.version
    assert api.delete(key_of(running)) == first
    assert registry.version == version


def test_deleting_again_with_less_grace_shortens(api: Api, running: Object) -> None:
    api.delete(key_of(running))
    assert mark(api.delete(key_of(running), grace_s=5).object) == ("2020-05-09T04:53:25Z", 5)


def test_a_pod_on_its_way_out_can_still_be_changed(api: Api, running: Object) -> None:
    marked = api.delete(key_of(running)).object
    labelled = api.replace({**marked, "metadata": {**marked["metadata"], "labels": {"a": "b"}}})
    assert mark(labelled) == mark(marked)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"Pod"}))
def test_other_kinds_go_at_once_with_a_version_of_their_own(
    api: Api, registry: Registry, key: KeyOf, kind: str
) -> None:
    metadata = {"name": "web", "namespace": "default"} if KINDS[kind].namespaced else {"name": "web"}
    spec = {"ports": [{"port": 80}]} if kind == "Service" else {}
    api.write(Create({"kind": kind, "apiVersion": KINDS[kind].api_version, "metadata": metadata, "spec": spec}))
    gone = api.delete(key(kind), grace_s=30)
    assert gone.gone
    assert (gone.object["metadata"]["resourceVersion"], len(registry)) == (str(registry.version), 0)


def test_a_service_takes_its_endpoints_along_and_leaves_its_address(
    api: Api, registry: Registry, manifest: Make, key: KeyOf
) -> None:
    address = api.create(manifest("Service"))["spec"]["clusterIP"]
    api.create(manifest("Endpoints"))
    api.create(manifest("Endpoints", "other"))
    registry.changes.clear()
    api.delete(key("Service"))
    assert [change.key.kind for change in registry.changes] == ["Service", "Endpoints"]
    assert [each["metadata"]["name"] for each in registry.every()] == ["other"]
    assert api.create(manifest("Service"))["spec"]["clusterIP"] == address


def test_a_deployment_takes_its_pods_along_each_with_its_grace(
    api: Api, registry: Registry, manifest: Make, key: KeyOf
) -> None:
    deployment = api.create(manifest("Deployment"))
    for name in ("a", "b"):
        assert api.write(Create(owned(manifest("Pod", name), deployment)))
    api.create(manifest("Pod", "stranger"))
    api.bind(key("Pod", "b"), "edge")
    assert api.delete(key("Deployment")).gone
    assert [each["metadata"]["name"] for each in registry.all_of("Pod")] == ["b", "stranger"]
    assert mark(api.get(key("Pod", "b")))[1] == 30


def test_what_is_not_there_is_not_found(api: Api, key: KeyOf) -> None:
    with pytest.raises(NotFound, match=r'^devices\.devices\.kubeedge\.io "web" not found$'):
        api.delete(key("Device"))
    with pytest.raises(NotFound, match='Job "web" not found'):
        api.delete(ObjectKey("Job", "default", "web"))


@pytest.mark.parametrize("precondition", [{"uid": "other"}, {"version": "99"}])
def test_another_object_than_the_one_that_was_meant_stays(
    api: Api, registry: Registry, running: Object, precondition: dict[str, str]
) -> None:
    with pytest.raises(Conflict, match='cannot be fulfilled on pods "web"'):
        api.delete(key_of(running), **precondition)
    assert registry.get(key_of(running)) is running


def test_a_grace_before_now_is_refused(api: Api, running: Object) -> None:
    with pytest.raises(Invalid, match="gracePeriodSeconds"):
        api.delete(key_of(running), grace_s=-1)


# Namespaces.


def test_a_namespace_takes_along_what_is_in_it(api: Api, registry: Registry, manifest: Make, key: KeyOf) -> None:
    api.create(manifest("Namespace", "shop"))
    for kind in ("Deployment", "Service", "Endpoints", "Pod", "ConfigMap", "Secret", "Device", "DeviceModel"):
        api.write(Create(manifest(kind, "web", "shop")))
    kept = api.create(manifest("ConfigMap"))
    assert api.delete(key("Namespace", "shop")).gone
    assert list(registry.every()) == [kept]


def test_a_namespace_waits_for_pods_on_nodes(api: Api, registry: Registry, manifest: Make, key: KeyOf) -> None:
    api.create(manifest("Namespace", "shop"))
    pod = api.bind(key_of(api.create(manifest("Pod", "web", "shop"))), "edge")
    namespace, gone = api.delete(key("Namespace", "shop"))
    assert (gone, namespace["status"]["phase"]) == (False, "Terminating")
    assert not api.delete(key("Namespace", "shop")).gone
    with pytest.raises(ApiError, match="namespace shop because it is being terminated"):
        api.apply(manifest("Pod", "new", "shop"))
    assert not api.write(Create(manifest("Pod", "new", "shop")))
    assert api.delete(key_of(pod), grace_s=0).gone
    assert len(registry) == 0
    assert [change.key.kind for change in registry.changes][-2:] == ["Pod", "Namespace"]


def test_the_default_namespace_stays(api: Api, manifest: Make, key: KeyOf) -> None:
    api.create(manifest("Namespace", "default"))
    with pytest.raises(ApiError, match='namespaces "default" is forbidden'):
        api.delete(key("Namespace", "default"))


# Bind and status.


def test_a_pod_is_bound_once(api: Api, registry: Registry, running: Object) -> None:
    assert running["spec"]["nodeName"] == "edge"
    assert api.bind(key_of(running), "edge") is running
    with pytest.raises(Conflict, match='cannot bind pods "web": it is on node "edge" already'):
        api.bind(key_of(running), "other")
    assert registry.version == 2


def test_a_pod_on_its_way_out_is_not_bound(api: Api, registry: Registry, manifest: Make, key: KeyOf) -> None:
    pod = api.create(manifest("Pod"))
    registry.put({**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2020-05-09T04:53:20Z"}})
    with pytest.raises(Conflict, match="it is being deleted"):
        api.bind(key("Pod"), "edge")


def test_a_status_is_replaced_and_nothing_else(api: Api, running: Object) -> None:
    changed = api.replace_status(key_of(running), {"phase": "Running"})
    assert changed["status"] == {"phase": "Running"}
    assert changed["spec"] is running["spec"]


def test_the_same_status_gets_no_version(api: Api, registry: Registry, running: Object) -> None:
    version = registry.version
    assert api.replace_status(key_of(running), {**running["status"]}) is running
    assert registry.version == version


def test_the_status_of_an_earlier_pod_of_that_name_is_refused(api: Api, running: Object) -> None:
    with pytest.raises(Conflict, match="UID in precondition: other"):
        api.replace_status(key_of(running), {}, uid="other")


# Write.


def test_what_a_controller_makes_is_completed(api: Api, manifest: Make, key: KeyOf) -> None:
    assert api.write(Create(manifest("Pod", "web", "default")))
    pod = api.get(key("Pod"))
    assert pod["metadata"]["uid"]
    assert pod["status"]["phase"] == "Pending"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 30


def test_a_controller_makes_no_second_object_of_a_name(api: Api, registry: Registry, running: Object) -> None:
    assert not api.write(Create(running))
    assert registry.get(key_of(running)) is running


def test_a_controller_changes_what_it_has_seen(api: Api, manifest: Make, key: KeyOf) -> None:
    seen = api.create(manifest("Deployment"))
    assert api.write(Replace({**seen, "status": {"replicas": 2}}))
    assert api.get(key("Deployment"))["metadata"]["generation"] == 1
    assert not api.write(Replace({**seen, "status": {"replicas": 3}}))
    assert api.get(key("Deployment"))["status"] == {"replicas": 2}


def test_a_controller_that_changes_nothing_writes_nothing(api: Api, registry: Registry, running: Object) -> None:
    version = registry.version
    assert api.write(Replace(dict(running)))
    assert registry.version == version


@pytest.mark.parametrize("metadata", [{"uid": "other"}, {"resourceVersion": "99"}])
def test_a_controller_that_saw_another_object_is_told(api: Api, running: Object, metadata: dict[str, str]) -> None:
    assert not api.write(Replace({**running, "metadata": {**running["metadata"], **metadata}}))


def test_a_controller_cannot_change_what_is_gone(api: Api, running: Object) -> None:
    api.delete(key_of(running), grace_s=0)
    assert not api.write(Replace(running))
    assert not api.write(Delete(key_of(running), running["metadata"]["uid"]))


def test_a_controller_deletes_the_pod_it_means(api: Api, registry: Registry, running: Object, ids: NewId) -> None:
    assert not api.write(Delete(key_of(running), ids(), 0))
    assert api.write(Delete(key_of(running), running["metadata"]["uid"]))
    assert api.write(Delete(key_of(running), running["metadata"]["uid"], 0))
    assert len(registry) == 0

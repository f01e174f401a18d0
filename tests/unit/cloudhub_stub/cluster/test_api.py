"""What users do to the cluster: apply, create, replace, scale."""

from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.api import Api
from cloudhub_stub.cluster.kinds import KINDS, Object, ObjectKey
from cloudhub_stub.cluster.merge import LAST_APPLIED
from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.errors import AlreadyExists, ApiError, Conflict, Invalid, NotFound
from edgecore.clock import VirtualClock
from edgecore.ids import seeded_ids

MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


Make = Callable[..., Object]
KeyOf = Callable[..., ObjectKey]


# Apply.


def test_what_is_applied_first_is_created_complete(api: Api, manifest: Make) -> None:
    created, outcome = api.apply(manifest("Deployment", metadata={"uid": "forged"}))
    assert outcome == "created"
    metadata = created["metadata"]
    assert metadata["selfLink"] == "/apis/apps/v1/namespaces/default/deployments/web"
    assert (metadata["namespace"], metadata["generation"], metadata["resourceVersion"]) == ("default", 1, "1")
    assert metadata["creationTimestamp"] == "2020-05-09T04:53:20Z"
    assert len(metadata["uid"]) == 36
    assert created["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}


def test_the_same_again_is_unchanged_and_gets_no_version(api: Api, registry: Registry, manifest: Make) -> None:
    for kind in ("Deployment", "Service", "Pod", "Device", "Node", "Namespace", "ConfigMap", "Secret", "Endpoints"):
        first = api.apply(manifest(kind, "x")).object
        assert api.apply(manifest(kind, "x")) == (first, "unchanged")
    assert len(registry.changes) == 9


def test_another_image_is_configured_and_the_rest_stays(api: Api, manifest: Make, key: KeyOf) -> None:
    api.apply(manifest("Pod"))
    api.bind(key("Pod"), "edge")
    changed = manifest("Pod")
    changed["spec"]["containers"][0]["image"] = "nginx:1.18"
    pod, outcome = api.apply(changed)
    assert (outcome, pod["spec"]["nodeName"]) == ("configured", "edge")
    assert [each["image"] for each in pod["spec"]["containers"]] == ["nginx:1.18"]
    assert '"image":"nginx:1.18"' in pod["metadata"]["annotations"][LAST_APPLIED]


def test_a_label_that_is_applied_no_more_goes_and_one_of_others_stays(api: Api, manifest: Make) -> None:
    created = api.apply(manifest("ConfigMap", metadata={"labels": {"a": "1", "b": "1"}})).object
    labels = {**created["metadata"]["labels"], "c": "1"}
    api.replace({**created, "metadata": {**created["metadata"], "labels": labels}})
    assert api.apply(manifest("ConfigMap", metadata={"labels": {"a": "1"}})).object["metadata"]["labels"] == {
        "a": "1",
        "c": "1",
    }


def test_a_dry_run_says_what_would_be_and_writes_nothing(api: Api, registry: Registry, manifest: Make) -> None:
    would = api.apply(manifest("Service"), dry_run=True)
    assert (would.outcome, len(registry)) == ("created", 0)
    service = api.apply(manifest("Service")).object
    assert service["spec"] == would.object["spec"]
    again = api.apply(manifest("Service", metadata={"labels": {"a": "b"}}), dry_run=True)
    assert (again.outcome, len(registry.changes)) == ("configured", 1)


def test_another_spec_of_a_deployment_is_another_generation(api: Api, manifest: Make) -> None:
    api.apply(manifest("Deployment"))
    changed = manifest("Deployment")
    changed["spec"]["replicas"] = 3
    assert api.apply(changed).object["metadata"]["generation"] == 2
    changed["metadata"]["labels"] = {"a": "b"}
    assert api.apply(changed).object["metadata"]["generation"] == 2


def test_a_manifest_of_another_version_is_a_conflict(api: Api, manifest: Make) -> None:
    api.apply(manifest("ConfigMap"))
    with pytest.raises(Conflict) as caught:
        api.apply(manifest("ConfigMap", metadata={"resourceVersion": "7"}))
    assert str(caught.value) == f'Operation cannot be fulfilled on configmaps "web": {MODIFIED}'


def test_an_exported_object_that_is_gone_cannot_be_applied(api: Api, manifest: Make) -> None:
    with pytest.raises(Invalid, match=r"metadata\.resourceVersion: should not be set on objects to be created"):
        api.apply(manifest("ConfigMap", metadata={"resourceVersion": "7"}))


def test_a_status_in_a_manifest_is_ignored(api: Api, manifest: Make) -> None:
    assert api.apply(manifest("Pod", status={"phase": "Running"})).object["status"]["phase"] == "Pending"
    assert api.apply(manifest("Pod", status={"phase": "Running"})).outcome == "unchanged"


def test_a_node_is_made_with_its_status_and_keeps_the_one_it_reports(api: Api, manifest: Make, key: KeyOf) -> None:
    conditions = [{"type": "Ready", "status": "True"}]
    assert api.apply(manifest("Node", status={"conditions": conditions})).object["status"]["conditions"] == conditions
    api.replace_status(key("Node"), {"phase": "Running"})
    node = api.apply(manifest("Node", status={}, metadata={"labels": {"a": "b"}})).object
    assert (node["status"], node["metadata"]["labels"]) == ({"phase": "Running"}, {"a": "b"})


def test_another_wish_for_a_twin_keeps_what_was_reported(api: Api, manifest: Make, key: KeyOf) -> None:
    def wish(value: str) -> dict[str, Any]:
        desired = {"value": value, "metadata": {"type": "string"}}
        return manifest("Device", status={"twins": [{"propertyName": "power", "desired": desired}]})

    status = api.apply(wish("ON")).object["status"]
    reported = {"value": "ON", "metadata": {"type": "string", "timestamp": "1"}}
    twins = [{**status["twins"][0], "reported": reported}]
    api.replace_status(key("Device"), {"twins": twins, "state": "online"})
    assert api.apply(wish("ON")).outcome == "unchanged"
    changed = api.apply(wish("OFF")).object["status"]
    assert changed["state"] == "online"
    assert (changed["twins"][0]["desired"]["value"], changed["twins"][0]["reported"]) == ("OFF", reported)


def test_what_would_become_invalid_by_the_merge_is_refused(api: Api, registry: Registry, manifest: Make) -> None:
    created = api.create(manifest("Service"))
    other = manifest("Service")
    other["spec"]["ports"] = [{"name": "http-0", "port": 80}]
    with pytest.raises(Invalid, match=r"spec\.ports"):
        api.apply(other)
    assert registry.all_of("Service") == [created]


def test_what_cannot_change_is_not_changed_by_applying(api: Api, manifest: Make) -> None:
    api.apply(manifest("Deployment"))
    changed = manifest("Deployment")
    changed["spec"]["template"]["metadata"] = {"labels": {"app": "other"}}
    changed["spec"]["selector"] = {"matchLabels": {"app": "other"}}
    with pytest.raises(Invalid, match=r"spec\.selector: field is immutable"):
        api.apply(changed)


@pytest.mark.parametrize("given", [None, [], 7, "x", {}, {"kind": "Pod"}, {"kind": "Job", "metadata": {"name": "x"}}])
def test_what_is_no_manifest_is_refused(api: Api, given: Any) -> None:
    with pytest.raises(Invalid):
        api.apply(given)


# Create and replace.


def test_what_exists_cannot_be_created(api: Api, manifest: Make) -> None:
    api.create(manifest("Deployment"))
    with pytest.raises(AlreadyExists, match=r'^deployments\.apps "web" already exists$'):
        api.create(manifest("Deployment"))


def test_created_objects_carry_no_note_of_apply(api: Api, manifest: Make) -> None:
    assert "annotations" not in api.create(manifest("Pod"))["metadata"]


def test_a_name_can_be_generated(api: Api, manifest: Make) -> None:
    pods = [api.create(manifest("Pod", "", metadata={"generateName": "web-"})) for _ in range(9)]
    assert len({pod["metadata"]["name"] for pod in pods}) == 9


def test_replacing_what_is_not_there_is_not_found(api: Api, manifest: Make) -> None:
    with pytest.raises(NotFound, match=r'^pods "web" not found$'):
        api.replace(manifest("Pod"))


def test_of_two_who_replace_the_same_version_the_second_is_told(api: Api, manifest: Make) -> None:
    read = api.create(manifest("ConfigMap"))
    api.replace({**read, "data": {"by": "first"}})
    with pytest.raises(Conflict, match="the object has been modified"):
        api.replace({**read, "data": {"by": "second"}})


def test_replacing_another_object_of_that_name_is_a_conflict(api: Api, manifest: Make) -> None:
    created = api.create(manifest("ConfigMap"))
    with pytest.raises(
        Conflict, match=rf"UID in precondition: other, UID in object meta: {created['metadata']['uid']}"
    ):
        api.replace(manifest("ConfigMap", metadata={"uid": "other"}))


def test_replacing_keeps_the_status_and_what_the_api_wrote(api: Api, manifest: Make, key: KeyOf) -> None:
    created = api.create(manifest("Service"))
    api.replace_status(key("Service"), {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}})
    replaced = api.replace(manifest("Service", metadata={"labels": {"a": "b"}}))
    assert replaced["status"]["loadBalancer"]["ingress"] == [{"ip": "1.2.3.4"}]
    assert replaced["spec"] == created["spec"]
    assert replaced["metadata"] == {**created["metadata"], "resourceVersion": "3", "labels": {"a": "b"}}


def test_replacing_by_the_same_writes_nothing(api: Api, registry: Registry, manifest: Make) -> None:
    created = api.create(manifest("Pod"))
    assert api.replace(created) is created
    assert registry.version == 1


# Addresses of services.


def test_each_service_gets_an_address(api: Api, manifest: Make) -> None:
    found = [api.create(manifest("Service", f"s{number}"))["spec"]["clusterIP"] for number in range(50)]
    assert len(set(found)) == 50
    assert all(address.startswith("10.254.") for address in found)


def test_services_of_an_earlier_process_keep_theirs(registry: Registry, vclock: VirtualClock, manifest: Make) -> None:
    wanted = Api(Registry(), vclock, seeded_ids(1)).create(manifest("Service"))["spec"]["clusterIP"]
    api = Api(registry, vclock, seeded_ids(1))
    registry.load(manifest("Service", "old", "default", spec={"clusterIP": wanted}))
    assert api.create(manifest("Service"))["spec"]["clusterIP"] != wanted


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"clusterIP": "10.254.9.9"}])
def test_an_address_that_is_asked_for_is_given(api: Api, manifest: Make, spec: dict[str, str]) -> None:
    service = manifest("Service")
    service["spec"].update(spec)
    assert api.apply(service).object["spec"]["clusterIP"] == spec["clusterIP"]
    assert api.apply(service).outcome == "unchanged"


def test_an_address_that_another_service_has_is_refused(api: Api, registry: Registry, manifest: Make) -> None:
    first = api.create(manifest("Service"))
    second = manifest("Service", "second")
    second["spec"]["clusterIP"] = first["spec"]["clusterIP"]
    with pytest.raises(Invalid, match=r"spec\.clusterIP: .* is the address of Service default/web already"):
        api.create(second)
    assert registry.all_of("Service") == [first]


@pytest.mark.parametrize("asked", ["None", "10.254.9.9"])
def test_the_address_of_a_service_cannot_be_changed(api: Api, manifest: Make, asked: str) -> None:
    api.apply(manifest("Service"))
    service = manifest("Service")
    service["spec"]["clusterIP"] = asked
    with pytest.raises(Invalid, match=r"spec\.clusterIP: .*field is immutable"):
        api.apply(service)


def test_a_service_that_becomes_a_name_frees_its_address_and_gets_one_again(api: Api, manifest: Make) -> None:
    address = api.apply(manifest("Service")).object["spec"]["clusterIP"]
    external = manifest("Service", spec={"type": "ExternalName", "externalName": "example.org"})
    assert "clusterIP" not in api.apply(external).object["spec"]
    other = manifest("Service", "other")
    other["spec"]["clusterIP"] = address
    api.apply(other)
    assert api.apply(manifest("Service")).object["spec"]["clusterIP"] != address


# Scale.


def test_scaling_changes_the_replicas_and_the_generation(api: Api, manifest: Make, key: KeyOf) -> None:
    api.apply(manifest("Deployment"))
    scaled = api.scale(key("Deployment"), 5, expected=2, version="1")
    assert (scaled["spec"]["replicas"], scaled["metadata"]["generation"]) == (5, 2)
    assert api.scale(key("Deployment"), 5) is scaled


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"replicas": 5, "expected": 3}, Conflict, "Expected replicas to be 3, was 2"),
        ({"replicas": 5, "version": "9"}, Conflict, "has been modified"),
        ({"replicas": -1}, Invalid, r"spec\.replicas: Invalid value: -1"),
        ({"replicas": 2**31}, Invalid, r"spec\.replicas"),
    ],
)
def test_a_scale_that_cannot_be_is_refused(
    api: Api, manifest: Make, key: KeyOf, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    created = api.create(manifest("Deployment"))
    with pytest.raises(error, match=text):
        api.scale(key("Deployment"), **arguments)
    assert api.get(key("Deployment")) is created


def test_only_deployments_can_be_scaled(api: Api, manifest: Make, key: KeyOf) -> None:
    api.create(manifest("Pod"))
    with pytest.raises(ApiError, match='cannot scale pods "web": only deployments have replicas'):
        api.scale(key("Pod"), 1)


def test_scaling_what_is_not_there_is_not_found(api: Api, key: KeyOf) -> None:
    with pytest.raises(NotFound, match=r'deployments\.apps "web" not found'):
        api.scale(key("Deployment"), 1)


_CONFIGMAPS = st.fixed_dictionaries(
    {},
    optional={
        "data": st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy")),
        "metadata": st.fixed_dictionaries(
            {}, optional={"labels": st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"))}
        ),
    },
)


@given(st.lists(_CONFIGMAPS, min_size=1, max_size=6))
def test_after_any_applies_the_object_is_what_was_applied_last(parts: list[dict[str, Any]]) -> None:
    api = Api(Registry(), VirtualClock(), seeded_ids(1))
    for part in parts:
        metadata = {"name": "c", **part.get("metadata", {})}
        wanted = {"kind": "ConfigMap", "apiVersion": "v1", **part, "metadata": metadata}
        found = api.apply(wanted).object
        assert found.get("data", {}) == part.get("data", {})
        assert found["metadata"].get("labels", {}) == metadata.get("labels", {})
        assert api.apply(wanted).outcome == "unchanged"


def _manifest(kind: str, name: str = "web") -> Object:
    container = {"name": "web", "image": "nginx:1.17", "ports": [{"containerPort": 80}]}
    node = {"matchExpressions": [{"key": "", "operator": "In", "values": ["edge"]}]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    parts: dict[str, Object] = {
        "Pod": {"spec": {"containers": [container]}},
        "Service": {"spec": {"ports": [{"port": 80}], "selector": labels}},
        "Deployment": {"spec": {"selector": {"matchLabels": labels}, "template": template}},
        "Device": {
            "spec": {"deviceModelRef": {"name": "led"}, "nodeSelector": {"nodeSelectorTerms": [node]}},
            "status": {"twins": [{"propertyName": "power", "desired": {"value": "ON"}}]},
        },
    }
    metadata = {"name": name, "labels": labels}
    return deepcopy({"kind": kind, "apiVersion": KINDS[kind].api_version, "metadata": metadata, **parts[kind]})


def _with_value(obj: Object, number: int, value: Any) -> Object:
    """Return ``obj`` with ``value`` at one of its places."""
    places: list[tuple[Any, Any]] = []
    rest: list[Any] = [obj]
    while rest:
        each = rest.pop(0)
        found = list(each.items() if isinstance(each, dict) else enumerate(each))
        places += [(each, name) for name, _ in found]
        rest += [inner for _, inner in found if isinstance(inner, dict | list)]
    holder, name = places[number % len(places)]
    holder[name] = value
    return obj


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**65) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
_KINDS = st.sampled_from(["Pod", "Service", "Deployment", "Device"])


@given(kind=_KINDS, steps=st.lists(st.tuples(st.integers(0, 40), _JSON), min_size=1, max_size=3))
def test_whatever_is_applied_or_replaced_it_is_done_or_refused(kind: str, steps: list[tuple[int, Any]]) -> None:
    api = Api(Registry(), VirtualClock(), seeded_ids(1))
    for number, value in steps:
        given = _with_value(_manifest(kind), number, value)
        for act in (api.apply, api.create, api.replace):
            with suppress(ApiError):
                act(given)
            with suppress(ApiError):
                api.apply(_manifest(kind))


_SERVICES = st.sampled_from(["ClusterIP", "ExternalName", "None", "10.0.0.9", "10.0.0.2", "gone"])


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), _SERVICES), max_size=30))
def test_whatever_becomes_of_services_no_two_have_one_address(steps: list[tuple[str, str]]) -> None:
    registry = Registry()
    api = Api(registry, VirtualClock(), seeded_ids(1), service_range="10.0.0.0/28")
    for name, step in steps:
        key = ObjectKey("Service", "default", name)
        wanted = _manifest("Service", name)
        if step == "ExternalName":
            wanted["spec"].update(type=step, externalName="example.org")
        elif step != "ClusterIP":
            wanted["spec"]["clusterIP"] = step
        with suppress(ApiError):
            if step == "gone":
                api.delete(key)
            else:
                api.apply(wanted)
        held = [service["spec"].get("clusterIP", "None") for service in registry.all_of("Service")]
        addresses = [address for address in held if address != "None"]
        assert len(set(addresses)) == len(addresses)

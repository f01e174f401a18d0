"""The registry: versions, changes, and the indexes after any sequence of writes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object, ObjectKey, key_of
from cloudhub_stub.cluster.registry import Change, Registry


def pod(name: str, *, labels: dict[str, str] | None = None, node: str = "", owner: str = "") -> Object:
    metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": labels or {}}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"nodeName": node} if node else {}}


def service(name: str, selector: dict[str, str]) -> Object:
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"selector": selector},
    }


def names(objects: list[Object]) -> list[str]:
    return [each["metadata"]["name"] for each in objects]


def test_each_write_gets_a_higher_version() -> None:
    registry = Registry()
    first, second = registry.put(pod("a")), registry.put(pod("a"))
    removed = registry.remove(key_of(second))
    assert [each["metadata"]["resourceVersion"] for each in (first, second, removed)] == ["1", "2", "3"]


def test_changes_tell_what_was_before_and_what_is_now() -> None:
    registry = Registry()
    new = registry.put(pod("a"))
    key = ObjectKey("Pod", "default", "a")
    last = registry.remove(key)
    assert list(registry.changes) == [Change(key, None, new), Change(key, last, None)]
    assert registry.changes[-1].object["metadata"]["resourceVersion"] == "2"


def test_what_is_loaded_is_no_change() -> None:
    registry = Registry()
    registry.load(pod("a", node="edge"))
    assert not registry.changes
    assert names(registry.pods_on("edge")) == ["a"]


def test_versions_go_on_above_one_that_was_seen() -> None:
    registry = Registry()
    for version in ("41", "7", "none", "", "٣"):
        registry.note_version(version)
    assert registry.put(pod("a"))["metadata"]["resourceVersion"] == "42"


def test_an_empty_selector_selects_no_pod() -> None:
    registry = Registry()
    registry.put(pod("a", labels={"app": "web"}))
    assert registry.pods_selected("default", {}) == []


def test_a_service_selects_a_pod_that_carries_all_its_labels() -> None:
    registry = Registry()
    registry.put(service("both", {"app": "web", "tier": "front"}))
    registry.put(service("one", {"app": "web"}))
    assert names(registry.services_selecting("default", {"app": "web"})) == ["one"]
    assert names(registry.services_selecting("default", {"tier": "front", "app": "web"})) == ["both", "one"]
    assert registry.services_selecting("other", {"app": "web"}) == []


_LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]))
_WRITES = st.lists(
    st.tuples(
        st.sampled_from("abc"), _LABELS, st.sampled_from(["", "n1", "n2"]), st.sampled_from(["", "o1"]), st.booleans()
    )
)


@given(writes=_WRITES, selector=_LABELS)
def test_the_indexes_say_what_a_look_at_every_pod_says(writes: list[Any], selector: dict[str, str]) -> None:
    registry = Registry()
    held: dict[str, Object] = {}
    for name, labels, node, owner, stays in writes:
        if stays:
            held[name] = registry.put(pod(name, labels=labels, node=node, owner=owner))
        elif name in held:
            registry.remove(key_of(held.pop(name)))
    pods = [held[name] for name in sorted(held)]
    assert registry.all_of("Pod") == pods
    assert registry.pods_on("n1") == [each for each in pods if each["spec"].get("nodeName") == "n1"]
    assert registry.pods_of("o1") == [each for each in pods if each["metadata"].get("ownerReferences")]
    wanted = [each for each in pods if selector and selector.items() <= each["metadata"]["labels"].items()]
    assert registry.pods_selected("default", selector) == wanted

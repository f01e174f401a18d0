"""Apply: what was applied last, what is there, what is applied now."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.merge import LAST_APPLIED, last_applied, merged, with_last_applied
from cloudhub_stub.errors import Invalid

Json = dict[str, Any]


def pod(**spec: Any) -> Json:
    return {"kind": "Pod", "spec": spec}


def spec(kind: str, last: Json, applied: Json, current: Json) -> Any:
    parts = ({"kind": kind, "spec": each} for each in (last, applied, current))
    return merged(*parts)["spec"]


def test_what_is_applied_is_noted_as_kubectl_writes_it() -> None:
    manifest = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"é": "<&>\u2028"}}
    assert with_last_applied(manifest)["metadata"]["annotations"][LAST_APPLIED] == (
        '{"apiVersion":"v1","data":{"é":"\\u003c\\u0026\\u003e\\u2028"},"kind":"ConfigMap",'
        '"metadata":{"annotations":{},"name":"c"}}\n'
    )


def test_the_note_does_not_hold_an_earlier_note() -> None:
    once = with_last_applied({"metadata": {"name": "c", "annotations": {"a": "b"}}})
    assert with_last_applied(once) == once
    assert last_applied(once) == {"metadata": {"name": "c", "annotations": {"a": "b"}}}


def test_what_is_too_big_to_be_noted_is_refused() -> None:
    with pytest.raises(Invalid, match=r"metadata\.annotations: Too long: must have at most 262144 bytes"):
        with_last_applied({"metadata": {"name": "c"}, "data": {"big": "x" * 262_144}})


@pytest.mark.parametrize("value", ["\ud800", {1: 2, "a": 3}, object()])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(Invalid, match="no JSON value"):
        with_last_applied({"metadata": {"name": "c"}, "data": value})


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"a":1} x', "[" * 100_000, 7, None])
def test_a_note_that_cannot_be_read_is_none(text: Any) -> None:
    assert last_applied({"metadata": {"annotations": {LAST_APPLIED: text}}}) == {}


def test_what_the_api_wrote_into_an_exported_manifest_is_not_of_the_user() -> None:
    note = json.dumps({"metadata": {"name": "c", "uid": "u", "creationTimestamp": None}})
    assert last_applied({"metadata": {"annotations": {LAST_APPLIED: note}}}) == {"metadata": {"name": "c"}}


def test_a_field_that_is_applied_no_more_goes() -> None:
    assert spec("Pod", {"a": 1, "b": {"c": 1, "d": 1}}, {"b": {"c": 1}}, {"a": 1, "b": {"c": 1, "d": 1}}) == {
        "b": {"c": 1}
    }


def test_a_field_of_somebody_else_stays() -> None:
    assert spec("Pod", {"a": 1}, {"a": 2}, {"a": 1, "nodeName": "edge"}) == {"a": 2, "nodeName": "edge"}


def test_an_applied_null_takes_away_what_somebody_else_wrote() -> None:
    assert spec("Pod", {}, {"a": None, "b": {"c": None, "d": 1}}, {"a": 1}) == {"b": {"d": 1}}


def test_containers_are_merged_by_name() -> None:
    last = {"containers": [{"name": "web", "image": "a", "tty": True}, {"name": "old", "image": "b"}]}
    now = {"containers": [{"name": "web", "image": "c"}, {"name": "new", "image": "d"}]}
    there = {
        "containers": [
            {"name": "sidecar", "image": "s"},
            {"name": "web", "image": "a", "tty": True, "resources": {}},
            {"name": "old", "image": "b"},
        ]
    }
    assert spec("Pod", last, now, there)["containers"] == [
        {"name": "sidecar", "image": "s"},
        {"name": "web", "image": "c", "resources": {}},
        {"name": "new", "image": "d"},
    ]


def test_ports_of_one_number_are_told_apart_by_protocol() -> None:
    there = [{"port": 53, "protocol": "TCP", "nodePort": 30053}, {"port": 53, "protocol": "UDP", "nodePort": 30054}]
    now = [{"port": 53, "protocol": "UDP"}, {"port": 53}]
    found = spec("Service", {}, {"ports": now}, {"ports": there})["ports"]
    assert [(port["protocol"], port["nodePort"]) for port in found] == [("UDP", 30054), ("TCP", 30053)]


def test_a_port_with_another_number_is_another_port() -> None:
    found = spec("Service", {"ports": [{"port": 80}]}, {"ports": [{"port": 81}]}, {"ports": [{"port": 80, "x": 1}]})
    assert found == {"ports": [{"port": 81}]}


def test_the_template_of_a_deployment_is_merged_as_a_pod_is() -> None:
    def template(*env: Json) -> Json:
        return {"template": {"spec": {"containers": [{"name": "c", "env": list(env)}]}}}

    mine, theirs = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    assert spec("Deployment", template(), template(mine), template(theirs)) == template(mine, theirs)


def test_lists_without_merge_key_are_replaced() -> None:
    assert spec("Pod", {}, {"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}) == {
        "tolerations": [{"key": "a"}]
    }


def test_a_volume_of_another_sort_keeps_nothing_of_the_former() -> None:
    now = {"volumes": [{"name": "v", "emptyDir": {}}]}
    there = {"volumes": [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}]}
    assert spec("Pod", {}, now, there) == now


def test_a_volume_of_the_same_sort_keeps_what_was_filled_in() -> None:
    now = {"volumes": [{"name": "v", "configMap": {"name": "d"}}]}
    there = {"volumes": [{"name": "v", "configMap": {"name": "c", "defaultMode": 420}}]}
    assert spec("Pod", {}, now, there) == {"volumes": [{"name": "v", "configMap": {"name": "d", "defaultMode": 420}}]}


def test_the_strategy_recreate_keeps_nothing_of_the_rolling_update() -> None:
    there = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}}
    now = {"strategy": {"type": "Recreate"}}
    assert spec("Deployment", {}, now, there) == now


def test_lists_of_custom_resources_are_replaced() -> None:
    parts = ({"kind": "Device", "containers": [{"name": name}]} for name in "abc")
    assert merged(*parts)["containers"] == [{"name": "b"}]


@pytest.mark.parametrize(
    "items", [[{"name": "a"}, {"name": "a"}], [{"image": "i"}], ["a"], [{"name": {}}], [{"name": None}]]
)
def test_items_that_cannot_be_told_apart_replace_the_list(items: list[Any]) -> None:
    there = {"containers": [{"name": "x"}]}
    assert spec("Pod", {}, {"containers": items}, there) == {"containers": items}


def test_a_list_where_nothing_was_is_taken_as_it_is() -> None:
    assert spec("Pod", {}, {"containers": [{"name": "x"}]}, {}) == {"containers": [{"name": "x"}]}


_NAMES = st.sampled_from(["containers", "env", "ports", "labels", "volumes", "x"])
_ITEMS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("abcd"), "v": st.integers(0, 2)}),
    unique_by=lambda item: item["name"],
)
_TREES = st.recursive(
    st.integers(0, 2) | st.sampled_from(["s", "t"]) | _ITEMS,
    lambda inner: st.dictionaries(_NAMES, inner, max_size=4),
    max_leaves=8,
)
_OBJECTS = st.builds(lambda spec: pod(**spec), st.dictionaries(_NAMES, _TREES, max_size=5))


@given(last=_OBJECTS, applied=_OBJECTS, current=_OBJECTS)
def test_what_is_applied_is_there_thereafter_and_doing_it_again_changes_nothing(
    last: Json, applied: Json, current: Json
) -> None:
    before = deepcopy((last, applied, current))
    found = merged(last, applied, current)
    assert _holds(found, applied)
    assert merged(applied, applied, found) == found
    assert (last, applied, current) == before


@given(applied=_OBJECTS, current=_OBJECTS)
def test_a_first_apply_takes_no_field_away(applied: Json, current: Json) -> None:
    found = merged({}, applied, current)["spec"]
    assert current["spec"].keys() <= found.keys()


@given(last=_OBJECTS, current=_OBJECTS)
def test_an_apply_of_nothing_takes_away_what_was_applied_and_nothing_else(last: Json, current: Json) -> None:
    found = merged(last, pod(), current)["spec"]
    assert found == {name: value for name, value in current["spec"].items() if name not in last["spec"]}


@given(last=st.dictionaries(st.sampled_from(["kind", "spec", "metadata"]), _TREES), applied=_OBJECTS, current=_OBJECTS)
def test_a_note_of_any_shape_does_no_harm(last: Json, applied: Json, current: Json) -> None:
    assert _holds(merged(last, applied, current), applied)


def _holds(found: Any, wanted: Any) -> bool:
    """Whether each value of ``wanted`` is in ``found``; items of lists by their name, where they have one."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        items = {item["name"]: item for item in found}
        return all(_holds(items.get(item["name"]), item) for item in wanted)
    return bool(found == wanted)

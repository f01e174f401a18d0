"""The door: which objects come in, what the others are told, and that nothing else can happen."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudhub_stub.cluster.defaults import with_defaults
from cloudhub_stub.cluster.kinds import KINDS, Object
from cloudhub_stub.cluster.validation import validate
from manifests_of_all_kinds import container, pod_spec, refusal, valid
from recorded_objects import recorded_objects


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_object_of_each_kind_is_taken_as_it_is_and_with_its_defaults(kind: str) -> None:
    obj = valid(kind)
    before = copy.deepcopy(obj)
    validate(obj)
    assert obj == before
    validate(with_defaults(obj))


def test_what_was_recorded_is_taken() -> None:
    assert [refusal(obj) for obj in recorded_objects() if refusal(obj)] == []


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        ([], ": it is no object"),
        (None, ": it is no object"),
        ({}, "kind: it is missing"),
        ({"kind": "Pod"}, "apiVersion: it is missing"),
        ({"kind": 1, "apiVersion": "v1"}, "kind: it is 1; it must be text"),
        ({"kind": "Pod", "apiVersion": ["v1"]}, "apiVersion: it is ['v1']"),
        ({"kind": "pod", "apiVersion": "v1"}, "kind: 'pod' is not known here, did you mean Pod?"),
        ({"kind": "Deploymnet", "apiVersion": "v1"}, "did you mean Deployment?"),
        ({"kind": "CronJob", "apiVersion": "v1"}, "known are ConfigMap, Deployment, Device"),
        ({"kind": "Deployment", "apiVersion": "extensions/v1beta1"}, "apiVersion: it is 'extensions/v1beta1'; Dep"),
        ({"kind": "Deployment", "apiVersion": "v1"}, "Deployment is apps/v1 here"),
        ({"kind": "Pod", "apiVersion": "v1"}, "metadata: it is missing"),
        (valid("ConfigMap", metadata=[]), "metadata: it is a list; it must be a mapping"),
        (valid("ConfigMap", metadata={}), "metadata.name: it is missing"),
        (valid("ConfigMap", metadata={"name": "A"}), "metadata.name: it is 'A'"),
        (valid("ConfigMap", metadata={"name": 1}), "metadata.name: it is the number 1; it must be text"),
        (valid("ConfigMap", metadata={"generateName": "A-"}), "metadata.generateName: it is 'A-x'"),
        (valid("Service", metadata={"name": "0a"}), "metadata.name: it is '0a'"),
        (valid("Namespace", metadata={"name": "a.b"}), "metadata.name: it is 'a.b'"),
        (valid("Node", metadata={"name": "a", "namespace": "b"}), "metadata.namespace: a Node belongs to no"),
        (valid("Pod", metadata={"name": "a", "namespace": "B"}), "metadata.namespace: it is 'B'"),
    ],
)
def test_what_is_no_object_of_a_known_kind_is_told_so(obj: Any, said: str) -> None:
    assert said in refusal(obj)


@pytest.mark.parametrize("name", ["a.b", "0a", "a" * 253])
def test_most_names_are_dns_names(name: str) -> None:
    assert refusal(valid("ConfigMap", metadata={"name": name})) == ""


def test_a_name_may_be_left_to_the_cluster() -> None:
    assert refusal(valid("Pod", metadata={"generateName": "web-"})) == ""


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"labels": {"version": 1.10}}, "metadata.labels[version]: it is the number 1.1; it must be text (YAML reads"),
        ({"labels": {"on": True}}, "metadata.labels[on]: it is true; it must be text (YAML reads it so: put it in q"),
        ({"labels": {"a": None}}, "metadata.labels[a]: it is null; it must be text"),
        ({"labels": {"a": "b c"}}, "metadata.labels[a]: it is 'b c'"),
        ({"labels": {"a b": "c"}}, "metadata.labels: the key 'a b' cannot be"),
        ({"labels": ["a"]}, "metadata.labels: it is a list; it must be a mapping"),
        ({"annotations": {"a": 1}}, "metadata.annotations[a]: it is the number 1"),
        ({"annotations": {"a": "x" * 300_000}}, "metadata.annotations: they have 300001 characters"),
        ({"ownerReferences": [{"uid": "u"}]}, "metadata.ownerReferences[0].apiVersion: it is missing"),
        ({"finalizers": [""]}, "metadata.finalizers[0]: it is empty"),
        ({"generation": "1"}, "metadata.generation: it is the text '1'; it must be a whole number (leave out"),
        ({"lables": {}}, "metadata.lables: there is no such field, did you mean labels?"),
    ],
)
def test_wrong_metadata_is_named_by_its_field(metadata: dict[str, Any], said: str) -> None:
    assert refusal(valid("ConfigMap", metadata={"name": "x", **metadata})).startswith(said)


def test_null_is_as_good_as_nothing() -> None:
    metadata = {"name": "x", "labels": None, "annotations": None, "creationTimestamp": None, "ownerReferences": None}
    assert refusal(valid("ConfigMap", metadata=metadata, data=None, binaryData=None)) == ""
    spec = pod_spec(volumes=None, initContainers=None, tolerations=None, affinity=None, hostNetwork=None)
    spec["containers"] = [container(ports=None, env=None, resources={"limits": None}, volumeMounts=None)]
    assert refusal(valid("Pod", spec=spec)) == ""


def test_fields_that_mean_nothing_are_kept_at_any_place() -> None:
    unread = {"quite": [{"new": 1.5}], "managedFields": [{}]}
    assert refusal(valid("Pod", spec=pod_spec(futureThing=unread), x=unread, metadata={"name": "x", **unread})) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "spec.x: it is nan, which JSON does not have"),
        (2**64, "spec.x: it is a number of more than 64 bits"),
        ("\ud800", "spec.x: it holds half a character"),
        ({"\ud800": 1}, "spec.x: a key holds half a character"),
        ({1: 2}, "spec.x: the key 1 is not text"),
        ({"y": [(), 1]}, "spec.x.y[0]: it is ()"),
        (b"x", "spec.x: it is b'x'"),
    ],
)
def test_what_cannot_go_over_the_wire_is_refused_where_nobody_reads_it_too(value: Any, said: str) -> None:
    assert refusal(valid("Pod", spec=pod_spec(x=value))).startswith(said)


def test_depth_is_bounded() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    assert "nested deeper than 64 levels" in refusal(valid("Pod", spec=pod_spec(x=deep)))


_SCALARS = st.none() | st.booleans() | st.integers(-2, 70_000) | st.sampled_from(["", "a", "A b", "80", "In", "25%"])
_ANY = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "a"]), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each mapping and list inside ``value`` with each of its keys."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


@settings(max_examples=300)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_whatever_stands_at_a_place_it_is_invalid_or_can_be_completed(kind: str, data: st.DataObject) -> None:
    obj: Object = copy.deepcopy(valid(kind))
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(list(places(obj))))
        if isinstance(holder, dict) and data.draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = data.draw(_ANY)
    if said := refusal(obj):
        assert len(said) < 600
        return
    complete = with_defaults(obj)
    validate(complete)
    assert with_defaults(complete) is complete

"""Hashes, names and pods of templates."""

import re
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.templates import free_names, pod_of, template_hash, template_like
from workloads import deployment, pod


def template(**changes: Any) -> Object:
    return {**deployment()["spec"]["template"], **changes}


def names(count: int, taken: tuple[str, ...] = (), *, obj: Object | None = None, hash_: str = "x") -> list[str]:
    return list(islice(free_names(obj or deployment(), hash_, taken.__contains__), count))


def test_a_hash_is_ten_letters_of_those_that_kubernetes_uses() -> None:
    assert re.fullmatch(r"[bcdfghjklmnpqrstvwxz2456789]{10}", template_hash(template()))


def test_the_same_template_has_the_same_hash_in_every_version() -> None:
    assert template_hash(template()) == "rcxtc2bfbb"


def test_another_image_makes_another_hash() -> None:
    assert template_hash(deployment(image="a")["spec"]["template"]) != template_hash(
        deployment(image="b")["spec"]["template"]
    )


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"app": "web"}, "creationTimestamp": None},
        {"labels": {"app": "web", "pod-template-hash": "x"}},
        {"annotations": None, "labels": {"app": "web"}},
    ],
)
def test_what_says_nothing_does_not_change_the_hash(metadata: Object) -> None:
    assert template_hash(template(metadata=metadata)) == template_hash(template())


def test_nulls_anywhere_do_not_change_the_hash() -> None:
    spec = template()["spec"]
    containers = [{**each, "resources": None, "env": [{"name": "a", "value": None}]} for each in spec["containers"]]
    plain = [{**each, "env": [{"name": "a"}]} for each in spec["containers"]]
    spelled = template(spec={**spec, "hostname": None, "containers": containers})
    assert template_hash(spelled) == template_hash(template(spec={**spec, "containers": plain}))


def test_a_text_that_says_null_is_none() -> None:
    assert template_hash(template(metadata={"labels": {"app": "null"}})) != template_hash(template())


def test_names_look_like_those_of_kubernetes() -> None:
    assert re.fullmatch(r"web-54bf9847f8-[bcdfghjklmnpqrstvwxz2456789]{5}", names(1, hash_="54bf9847f8")[0])


def test_names_are_the_same_each_time_and_differ_by_slot_and_template() -> None:
    assert names(3) == names(3)
    assert len({*names(3), *names(3, hash_="y")}) == 6


def test_a_name_that_is_taken_is_left_out() -> None:
    first, second, third = names(3)
    assert names(2, (second,)) == [first, third]


def test_when_every_name_is_taken_there_are_none() -> None:
    def taken(name: str) -> bool:
        return True

    assert next(free_names(deployment(), "x", taken), None) is None


def test_a_name_that_is_too_long_is_cut_before_its_last_part() -> None:
    obj = deployment()
    obj["metadata"]["name"] = "w" * 80
    found = names(5, obj=obj)
    assert all(re.fullmatch(r"w{58}\w{5}", name) for name in found)


@given(st.integers(0, 500), st.sets(st.integers(0, 500)))
def test_names_are_those_of_the_lowest_slots(count: int, gone: set[int]) -> None:
    every = names(1100)
    taken = tuple(every[slot] for slot in gone)
    assert names(count, taken) == [name for name in every if name not in taken][:count]


def test_a_pod_carries_the_labels_and_annotations_of_its_template_and_its_hash() -> None:
    made = pod_of(deployment(), template(metadata={"labels": {"a": "b"}, "annotations": {"c": "d"}}), "hash", "web-1")
    assert made["metadata"]["labels"] == {"a": "b", "pod-template-hash": "hash"}
    assert made["metadata"]["annotations"] == {"c": "d"}


def test_a_pod_is_owned_by_its_deployment() -> None:
    metadata = pod_of(deployment(), template(), "hash", "web-1")["metadata"]
    assert (metadata["name"], metadata["namespace"], metadata["generateName"]) == ("web-1", "default", "web-hash-")
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": "web",
            "uid": "d1",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_a_template_like_a_pod_makes_such_pods_on_any_node() -> None:
    like = template_like(pod("a", node="edge-1", labels={"app": "web"}, hostNetwork=True))
    made = pod_of(deployment(), like, "hash", "b")
    assert made["spec"] == {"containers": [{"name": "nginx", "image": "nginx"}], "hostNetwork": True}
    assert made["metadata"]["labels"] == {"app": "web", "pod-template-hash": "hash"}

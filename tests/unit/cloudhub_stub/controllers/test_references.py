"""Where a pod may name a ConfigMap or a Secret, one place after the other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object, ObjectKey
from cloudhub_stub.controllers.references import references

CM, SECRET = ObjectKey("ConfigMap", "ns", "x"), ObjectKey("Secret", "ns", "x")


def pod(**spec: Any) -> Object:
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"containers": [{"name": "c"}], **spec}}


@pytest.mark.parametrize(
    ("volume", "named"),
    [
        ({"configMap": {"name": "x"}}, CM),
        ({"secret": {"secretName": "x", "optional": True}}, SECRET),
        ({"projected": {"sources": [{"downwardAPI": {}}, {"configMap": {"name": "x"}}]}}, CM),
        ({"projected": {"sources": [{"secret": {"name": "x"}}]}}, SECRET),
        ({"azureFile": {"secretName": "x"}}, SECRET),
        ({"cephfs": {"secretRef": {"name": "x"}}}, SECRET),
        ({"flexVolume": {"secretRef": {"name": "x"}}}, SECRET),
        ({"csi": {"nodePublishSecretRef": {"name": "x"}}}, SECRET),
    ],
)
def test_a_volume_refers_to_what_it_shows(volume: Object, named: ObjectKey) -> None:
    assert references(pod(volumes=[{"name": "v", **volume}])) == {named}


@pytest.mark.parametrize("place", ["containers", "initContainers", "ephemeralContainers"])
@pytest.mark.parametrize(
    ("container", "named"),
    [
        ({"envFrom": [{"configMapRef": {"name": "x"}}]}, CM),
        ({"envFrom": [{"prefix": "p", "secretRef": {"name": "x"}}]}, SECRET),
        ({"env": [{"name": "v", "valueFrom": {"configMapKeyRef": {"name": "x", "key": "k"}}}]}, CM),
        ({"env": [{"name": "v", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]}, SECRET),
    ],
)
def test_a_container_of_any_kind_refers_to_its_variables(place: str, container: Object, named: ObjectKey) -> None:
    assert references(pod(**{place: [{"name": "c", **container}]})) == {named}


def test_the_secret_for_pulling_images_counts() -> None:
    assert references(pod(imagePullSecrets=[{"name": "x"}, {}])) == {SECRET}


def test_what_names_nothing_refers_to_nothing() -> None:
    volumes = [{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": {"path": "/x"}}, {"name": "c", "secret": {}}]
    env = [{"name": "v", "value": "1"}, {"name": "w", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    assert references(pod(volumes=volumes, containers=[{"name": "c", "env": env}])) == frozenset()


def test_what_is_named_twice_counts_once() -> None:
    volumes = [{"name": name, "configMap": {"name": "x"}} for name in "ab"]
    assert references(pod(volumes=volumes, imagePullSecrets=None)) == {CM}


JSON = st.recursive(
    st.none() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["secretRef", "name"]), inner),
    max_leaves=5,
)


@given(JSON)
def test_a_source_that_nobody_validated_is_no_error(source: Any) -> None:
    references(pod(volumes=[{"name": "v", "cephfs": source, "csi": source, "azureFile": source}]))

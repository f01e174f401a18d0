"""Which ConfigMaps and Secrets a pod uses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.controllers.references import references as references_of_the_cloud
from edgecore.beehive.resource import EdgeResource
from edgecore.modules.edged.references import MAX_REFERENCES, Lacking, References, references

EVERY_WAY: dict[str, Any] = {
    "volumes": [
        {"name": "a", "configMap": {"name": "cm-volume"}},
        {"name": "b", "secret": {"secretName": "s-volume"}},
        {"name": "c", "azureFile": {"secretName": "s-azure"}},
        {"name": "d", "csi": {"nodePublishSecretRef": {"name": "s-csi"}}},
        {"name": "e", "flexVolume": {"secretRef": {"name": "s-flex"}}},
        {"name": "f", "cephfs": {"secretRef": {"name": "s-cephfs"}}},
        {"name": "g", "projected": {"sources": [{"configMap": {"name": "cm-proj"}}, {"secret": {"name": "s-proj"}}]}},
        {"name": "h", "emptyDir": {}},
    ],
    "initContainers": [
        {"name": "i", "env": [{"name": "I", "valueFrom": {"secretKeyRef": {"name": "s-init", "key": "k"}}}]}
    ],
    "containers": [
        {
            "name": "n",
            "envFrom": [{"configMapRef": {"name": "cm-from"}}, {"secretRef": {"name": "s-from"}}],
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm-key", "key": "k", "optional": True}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s-key", "key": "k"}}},
                {"name": "C", "value": "plain"},
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ],
        },
    ],
    "imagePullSecrets": [{"name": "s-pull"}],
}


def _used(spec: Any, namespace: str = "ns") -> References:
    return references(namespace, json.dumps({"metadata": {}, "spec": spec}).encode())


def _names(spec: Any) -> set[str]:
    return {f"{each.type}/{each.name}" for each in _used(spec).used}


def test_a_pod_uses_what_it_names_in_each_way_there_is() -> None:
    config_maps = {f"configmap/cm-{way}" for way in ("volume", "proj", "from", "key")}
    ways = ("volume", "azure", "csi", "flex", "cephfs", "proj", "init", "from", "key", "pull")
    assert _names(EVERY_WAY) == config_maps | {f"secret/s-{way}" for way in ways}


def test_d4_a_pull_secret_is_of_the_pods_namespace() -> None:
    """Go looks for it in the namespace of the node."""
    used = _used({"imagePullSecrets": [{"name": "s"}]}, "kube-system").used
    assert used == (EdgeResource("kube-system", "secret", "s"),)


def test_the_edge_and_the_stub_see_the_same() -> None:
    pod = {"metadata": {"namespace": "ns", "name": "p"}, "spec": EVERY_WAY}
    of_the_cloud = {(key.kind.lower(), key.namespace, key.name) for key in references_of_the_cloud(pod)}
    assert {(each.type, each.namespace, each.name) for each in _used(EVERY_WAY).used} == of_the_cloud


def test_each_is_named_once_in_the_order_of_the_pod() -> None:
    container = {"envFrom": [{"secretRef": {"name": "b"}}, {"secretRef": {"name": "a"}}]}
    assert _used({"containers": [container, container], "imagePullSecrets": [{"name": "a"}]}).used == (
        EdgeResource("ns", "secret", "b"),
        EdgeResource("ns", "secret", "a"),
    )


def test_beyond_the_limit_they_are_counted() -> None:
    names = [{"name": f"s{number}"} for number in range(MAX_REFERENCES + 3)]
    found = _used({"imagePullSecrets": names})
    assert (len(found.used), found.left_out) == (MAX_REFERENCES, 3)


@pytest.mark.parametrize("name", ["", "a/b", "../x", "Ä", "A", "-a", "a\n", "\ud800", "x" * 254, 7, None, ["a"], {}])
def test_what_is_no_name_is_not_used(name: Any) -> None:
    assert _used({"imagePullSecrets": [{"name": name}]}) == References()


@pytest.mark.parametrize("namespace", ["", "a b", "a/b", "Ä"])
def test_a_pod_of_what_is_no_namespace_uses_nothing(namespace: str) -> None:
    assert _used(EVERY_WAY, namespace) == References()


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"[]", b'"x"', b'{"spec":7}', b"\xff", b"[" * 100_000])
def test_what_is_no_pod_uses_nothing(data: bytes) -> None:
    assert references("ns", data) == References()


_SHAPE = ("spec", "volumes", "projected", "sources", "containers", "initContainers", "env", "envFrom", "valueFrom")
_NAMES = ("secretKeyRef", "configMapRef", "secretRef", "imagePullSecrets", "name", "secretName", "configMap", "secret")
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["a", "b"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(_SHAPE + _NAMES), below, max_size=4),
    max_leaves=30,
)


@given(ANY)
def test_no_shape_is_too_strange(pod: Any) -> None:
    found = references("ns", json.dumps(pod).encode())
    assert len(set(found.used)) == len(found.used)
    assert all(each.name and "/" not in each.name for each in found.used)


@given(st.binary(max_size=50))
def test_no_bytes_are_too_strange(data: bytes) -> None:
    assert references("ns", data).left_out == 0


def test_what_is_optional_or_for_pulling_images_is_used_and_not_needed() -> None:
    needed = {f"{each.type}/{each.name}" for each in _used(EVERY_WAY).needed}
    assert _names(EVERY_WAY) - needed == {"configmap/cm-key", "secret/s-pull"}


def test_what_is_optional_in_one_place_and_not_in_another_is_needed() -> None:
    optional = {"configMapRef": {"name": "cm", "optional": True}}
    spec = {"containers": [{"envFrom": [optional, {"configMapRef": {"name": "cm"}}, optional]}]}
    assert {each.name for each in _used(spec).needed} == {"cm"}


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ((), ""),
        ((EdgeResource("ns", "configmap", "cm"),), 'configmap "cm" not found'),
        (
            (EdgeResource("ns", "secret", "s"), EdgeResource("ns", "configmap", "c")),
            'secret "s" not found, configmap "c" not found',
        ),
    ],
)
def test_what_is_missing_is_told_as_by_the_kubelet(missing: tuple[EdgeResource, ...], message: str) -> None:
    assert Lacking(missing).message == message

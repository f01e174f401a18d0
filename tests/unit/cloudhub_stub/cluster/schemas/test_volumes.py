"""Volumes: their sources, and what is projected from ConfigMaps and Secrets."""

from typing import Any

import pytest

from manifests_of_all_kinds import pod_spec, refusal, valid


@pytest.mark.parametrize(
    ("volume", "said"),
    [
        ({}, ".name: it is missing"),
        ({"name": "A"}, ".name: it is 'A'"),
        ({"name": "v", "configMap": {}, "secret": {"secretName": "s"}}, ".configMap.name: it is missing"),
        (
            {"name": "v", "configMap": {"name": "c"}, "secret": {"secretName": "s"}},
            ": it has configMap and secret, of which it can have one only",
        ),
        ({"name": "v", "configmap": {}}, ".configmap: there is no such field, did you mean configMap?"),
        ({"name": "v", "secret": {"name": "s"}}, ".secret.secretName: it is missing"),
        ({"name": "v", "secret": {"secretName": "s", "defaultMode": 512}}, ".secret.defaultMode: it is 512"),
        ({"name": "v", "secret": {"secretName": "s", "items": [{"key": "k"}]}}, ".secret.items[0].path: it is miss"),
        ({"name": "v", "projected": {}}, ".projected.sources: it is missing"),
        ({"name": "v", "projected": {"sources": [{}]}}, ".projected.sources[0]: it has none of configMap, secret"),
        (
            {"name": "v", "projected": {"sources": [{"secret": {"secretName": "s"}}]}},
            ".projected.sources[0].secret.name: it is missing",
        ),
        ({"name": "v", "emptyDir": {"sizeLimit": "x"}}, ".emptyDir.sizeLimit: 'x' is no quantity"),
        ({"name": "v", "hostPath": {}}, ".hostPath.path: it is missing"),
        ({"name": "v", "hostPath": {"path": "/x", "type": "Dir"}}, ".hostPath.type: it is 'Dir'"),
        ({"name": "v", "persistentVolumeClaim": {}}, ".persistentVolumeClaim.claimName: it is missing"),
        ({"name": "v", "downwardAPI": {"items": [{"path": "a"}]}}, ".downwardAPI.items[0]: it has none of fieldRef"),
    ],
)
def test_a_wrong_volume_is_named_by_its_field(volume: dict[str, Any], said: str) -> None:
    assert refusal(valid("Pod", spec=pod_spec(volumes=[volume]))).startswith(f"spec.volumes[0]{said}")


def test_two_volumes_have_two_names() -> None:
    said = refusal(valid("Pod", spec=pod_spec(volumes=[{"name": "v"}, {"name": "v"}])))
    assert said == "spec.volumes[1].name: 'v' stands in spec.volumes[0] already"

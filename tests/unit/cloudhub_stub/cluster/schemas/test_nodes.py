"""Nodes and what else belongs to no namespace."""

from typing import Any

import pytest

from manifests_of_all_kinds import refusal, valid


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"spec": {"unschedulable": "yes"}}, "spec.unschedulable: it is the text 'yes'"),
        ({"spec": {"taints": {}}}, "spec.taints: it is a mapping; it must be a list"),
        (
            {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]}},
            "spec.taints[1].key: 'a' and 'NoSchedule' stands in spec.taints[0] already",
        ),
        ({"status": {"capacity": {"cpu": "many"}}}, "status.capacity[cpu]: 'many' is no quantity"),
        ({"status": {"allocatable": []}}, "status.allocatable: it is a list"),
        ({"status": {"conditions": [{"status": "True"}]}}, "status.conditions[0].type: it is missing"),
        ({"status": {"conditions": [{"type": "Ready", "status": True}]}}, "status.conditions[0].status: it is true"),
        ({"status": {"conditions": [{"type": "Ready", "status": "Yes"}]}}, "status.conditions[0].status: it is 'Yes'"),
        ({"status": {"addresses": [{"type": "InternalIP"}]}}, "status.addresses[0].address: it is missing"),
        ({"metadata": {"name": "x", "labels": {"a": 1}}}, "metadata.labels[a]: it is the number 1"),
    ],
)
def test_a_wrong_node_is_named_by_its_field(fields: dict[str, Any], said: str) -> None:
    assert refusal(valid("Node", **fields)).startswith(said)


def test_a_node_may_be_a_name_only() -> None:
    assert refusal(valid("Node", spec=None, status=None)) == ""


@pytest.mark.parametrize("kind", ["PersistentVolume", "PersistentVolumeClaim", "VolumeAttachment"])
def test_storage_has_a_spec(kind: str) -> None:
    assert refusal(valid(kind, spec=None)) == "spec: it is missing"

"""Selectors, affinity, tolerations and taints: operators and values that fit each other."""

from typing import Any

import pytest

from manifests_of_all_kinds import pod_spec, refusal, valid

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
TERMS = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"


def of_node(**affinity: Any) -> str:
    return refusal(valid("Pod", spec=pod_spec(affinity={"nodeAffinity": affinity})))


def of_term(**term: Any) -> str:
    return of_node(**{REQUIRED: {"nodeSelectorTerms": [term]}})


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ({"key": "a"}, ".operator: it is missing"),
        ({"key": "a", "operator": ""}, ".operator: it is empty"),
        ({"key": "", "operator": "Exists"}, ".key: it is empty"),
        ({"key": "a", "operator": "in"}, ".operator: it is 'in'; it can be In, NotIn, Exists, DoesNotExist, Gt, Lt"),
        ({"key": "a", "operator": "In"}, ".values: they are missing, which In needs"),
        ({"key": "a", "operator": "NotIn", "values": []}, ".values: they are missing, which NotIn needs"),
        ({"key": "a", "operator": "Exists", "values": ["b"]}, ".values: Exists takes none"),
        ({"key": "a", "operator": "Gt", "values": ["b"]}, ".values: Gt takes exactly one, a whole number in quotes"),
        ({"key": "a", "operator": "Lt", "values": ["1", "2"]}, ".values: Lt takes exactly one"),
        ({"key": "a", "operator": "Gt", "values": [1]}, ".values[0]: it is the number 1; it must be text"),
        ({"key": "a", "operator": "In", "value": ["b"]}, ".value: there is no such field, did you mean values?"),
    ],
)
def test_a_wrong_expression_is_named_by_its_field(expression: dict[str, Any], said: str) -> None:
    assert of_term(matchExpressions=[expression]).startswith(f"{TERMS}[0].matchExpressions[0]{said}")


@pytest.mark.parametrize(
    "field",
    [
        {"key": "metadata.uid", "operator": "In", "values": ["a"]},
        {"key": "metadata.name", "operator": "Exists"},
        {"key": "metadata.name", "operator": "In", "values": ["a", "b"]},
    ],
)
def test_of_a_nodes_fields_only_its_name_can_be_matched(field: dict[str, Any]) -> None:
    assert of_term(matchFields=[field]).startswith(f"{TERMS}[0].matchFields[0]")


def test_a_node_selector_without_terms_would_match_nothing() -> None:
    assert of_node(**{REQUIRED: {}}) == f"{TERMS}: it is missing"
    assert of_node(**{REQUIRED: {"nodeSelectorTerms": []}}).startswith(f"{TERMS}: it is an empty list")


def test_a_preference_has_a_weight() -> None:
    field = f"spec.affinity.nodeAffinity.{PREFERRED}[0]"
    assert of_node(**{PREFERRED: [{"preference": {}}]}) == f"{field}.weight: it is missing"
    assert (
        of_node(**{PREFERRED: [{"preference": {}, "weight": 101}]}) == f"{field}.weight: it is 101; it can be 1 to 100"
    )


@pytest.mark.parametrize(
    ("toleration", "said"),
    [
        ({}, ".operator: without a key it must be Exists"),
        ({"key": "a", "operator": "In"}, ".operator: it is 'In'; it can be Exists, Equal"),
        ({"key": "a", "operator": "Exists", "value": "b"}, ".value: Exists takes none"),
        ({"key": "a", "effect": "NoRun"}, ".effect: it is 'NoRun'"),
        ({"key": "a", "tolerationSeconds": 5}, ".effect: it must be NoExecute where tolerationSeconds is set"),
        ({"key": "a b"}, ".key: it is 'a b'"),
    ],
)
def test_a_wrong_toleration_is_named_by_its_field(toleration: dict[str, Any], said: str) -> None:
    assert refusal(valid("Pod", spec=pod_spec(tolerations=[toleration]))).startswith(f"spec.tolerations[0]{said}")


@pytest.mark.parametrize(
    ("taint", "said"),
    [
        ({"effect": "NoSchedule"}, ".key: it is missing"),
        ({"key": "a"}, ".effect: it is missing"),
        ({"key": "a", "effect": ""}, ".effect: it is empty"),
        ({"key": "a", "effect": "NoSchedule", "value": "b c"}, ".value: it is 'b c'"),
    ],
)
def test_a_wrong_taint_is_named_by_its_field(taint: dict[str, Any], said: str) -> None:
    assert refusal(valid("Node", spec={"taints": [taint]})).startswith(f"spec.taints[0]{said}")

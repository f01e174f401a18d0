"""Deployments: the selector and its template, strategies, numbers."""

from typing import Any

import pytest

from manifests_of_all_kinds import pod_spec, refusal, valid

TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec()}
SELECTOR = {"matchLabels": {"app": "web"}}


def deployment(**spec: Any) -> str:
    return refusal(valid("Deployment", spec={"selector": SELECTOR, "template": TEMPLATE, **spec}))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"replicas": "3"}, "spec.replicas: it is the text '3'; it must be a whole number (leave out the quotes)"),
        ({"replicas": -1}, "spec.replicas: it is -1"),
        ({"replicas": 10_001}, "spec.replicas: it is 10001; it can be 0 to 10000"),
        ({"replica": 3}, "spec.replica: there is no such field, did you mean replicas?"),
        ({"selector": None}, "spec.selector: it is missing"),
        ({"selector": {}}, "spec.selector: it is empty"),
        ({"selector": {"matchLabels": {"app": "db"}}}, "spec.template.metadata.labels: the selector (spec.selector)"),
        ({"selector": {"app": "web"}}, "spec.selector: it is empty"),
        (
            {"selector": {"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]}},
            "spec.selector.matchExpressions[0].operator: it is 'Gt'; it can be In, NotIn, Exists, DoesNotExist",
        ),
        (
            {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["a b"]}]}},
            "spec.selector.matchExpressions[0].values[0]: it is 'a b'",
        ),
        ({"template": None}, "spec.template: it is missing"),
        ({"template": {"spec": pod_spec()}}, "spec.template.metadata.labels: the selector"),
        ({"template": {"metadata": {}}}, "spec.template.spec: it is missing"),
        (
            {
                "template": {
                    **TEMPLATE,
                    "spec": {"containers": [{"name": "a", "image": "b", "ports": [{"hostPort": 1}]}]},
                }
            },
            "spec.template.spec.containers[0].ports[0].containerPort: it is missing",
        ),
        (
            {"template": {**TEMPLATE, "spec": pod_spec(restartPolicy="Never")}},
            "spec.template.spec.restartPolicy: it is 'Never'; it must be Always",
        ),
        (
            {"template": {**TEMPLATE, "spec": pod_spec(activeDeadlineSeconds=1)}},
            "spec.template.spec.activeDeadlineSeconds: pods of a Deployment have no deadline",
        ),
        ({"strategy": {"type": "Rolling"}}, "spec.strategy.type: it is 'Rolling'; it can be RollingUpdate, Recreate"),
        ({"strategy": {"type": "Recreate", "rollingUpdate": {}}}, "spec.strategy.rollingUpdate: it has no place"),
        ({"strategy": {"rollingUpdate": {"maxSurge": "x"}}}, "spec.strategy.rollingUpdate.maxSurge: it is 'x', neith"),
        ({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}}, "spec.strategy.rollingUpdate.maxU"),
        ({"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}}, "spec.strategy.rollingUpdate.maxUnavailable: it"),
        ({"paused": "no"}, "spec.paused: it is the text 'no'"),
        ({"minReadySeconds": 600}, "spec.progressDeadlineSeconds: it must be greater than minReadySeconds"),
    ],
)
def test_a_wrong_deployment_is_named_by_its_field(spec: dict[str, Any], said: str) -> None:
    assert deployment(**spec).startswith(said)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"replicas": 0},
        {"strategy": {"type": "Recreate"}},
        {"strategy": {"rollingUpdate": {"maxSurge": 0}}},
        {"strategy": {"rollingUpdate": {"maxSurge": "200%", "maxUnavailable": 0}}},
        {"minReadySeconds": 600, "progressDeadlineSeconds": 601},
    ],
)
def test_a_deployment_that_can_run_is_taken(spec: dict[str, Any]) -> None:
    assert deployment(**spec) == ""

"""The schema of a Deployment.

Source: kubernetes pkg/apis/apps/validation/validation.go@v1.17.0.
"""

from typing import Any

from cloudhub_stub.cluster.schemas.metadata import top
from cloudhub_stub.cluster.schemas.pods import TEMPLATE
from cloudhub_stub.cluster.schemas.selection import LABEL_SELECTOR
from cloudhub_stub.cluster.schemas.shapes import (
    INT32_MAX,
    Check,
    Number,
    OneOf,
    Struct,
    below,
    boolean,
    mapping,
    share,
)
from cloudhub_stub.cluster.selectors import label_selector_matches
from cloudhub_stub.errors import Invalid

MAX_REPLICAS = 10_000
"""Kubernetes has no limit, but this cluster is in the memory of one process."""
_PROGRESS_S = 600


def _can_move(rolling: Any, path: str) -> None:
    surge, unavailable = (_or_quarter(rolling.get(name)) for name in ("maxSurge", "maxUnavailable"))
    if isinstance(unavailable, str) and int(unavailable[:-1]) > 100:
        raise Invalid(below(path, "maxUnavailable"), f"it is {unavailable}, over 100%")
    if not any(int(str(each).removesuffix("%")) for each in (surge, unavailable)):
        raise Invalid(below(path, "maxUnavailable"), "it cannot be 0 when maxSurge is 0: no pod could be replaced")


def _or_quarter(value: Any) -> Any:
    return "25%" if value in (None, "") else value


def _rolls_or_not(strategy: Any, path: str) -> None:
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate") is not None:
        raise Invalid(below(path, "rollingUpdate"), "it has no place beside type Recreate")


def _selects_its_pods(spec: Any, path: str) -> None:
    selector = spec["selector"]
    if not (selector.get("matchLabels") or selector.get("matchExpressions")):
        raise Invalid(below(path, "selector"), "it is empty, but must match the labels of the template")
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    if not label_selector_matches(selector, labels):
        raise Invalid(below(path, "template.metadata.labels"), "the selector (spec.selector) does not match them")


def _runs_for_ever(spec: Any, path: str) -> None:
    pod = spec["template"]["spec"]
    if (pod.get("restartPolicy") or "Always") != "Always":
        raise Invalid(below(path, "template.spec.restartPolicy"), f"it is {pod['restartPolicy']!r}; it must be Always")
    if pod.get("activeDeadlineSeconds") is not None:
        raise Invalid(below(path, "template.spec.activeDeadlineSeconds"), "pods of a Deployment have no deadline")


def _progresses_before_it_is_late(spec: Any, path: str) -> None:
    deadline = spec.get("progressDeadlineSeconds")
    if (_PROGRESS_S if deadline is None else deadline) <= (spec.get("minReadySeconds") or 0):
        raise Invalid(below(path, "progressDeadlineSeconds"), "it must be greater than minReadySeconds")


_ROLLING_UPDATE = Struct({"maxSurge": share, "maxUnavailable": share}, rules=(_can_move,))
_SECONDS = Number(0, INT32_MAX)

DEPLOYMENT: Check = top(
    {
        "spec": Struct(
            {
                "replicas": Number(0, MAX_REPLICAS),
                "selector": LABEL_SELECTOR,
                "template": TEMPLATE,
                "strategy": Struct(
                    {"type": OneOf("RollingUpdate", "Recreate"), "rollingUpdate": _ROLLING_UPDATE},
                    rules=(_rolls_or_not,),
                ),
                "minReadySeconds": _SECONDS,
                "revisionHistoryLimit": _SECONDS,
                "progressDeadlineSeconds": _SECONDS,
                "paused": boolean,
                "rollbackTo": mapping,
            },
            required=("selector", "template"),
            rules=(_selects_its_pods, _runs_for_ever, _progresses_before_it_is_late),
        )
    },
    required=("spec",),
)

"""The schema of what chooses objects: label selectors, node selectors, affinity, taints and tolerations.

Source: kubernetes pkg/apis/core/validation/validation.go and apimachinery pkg/apis/meta/v1/validation@v1.17.0.
"""

from typing import Any

from cloudhub_stub.cluster.names import label_value_fault, qualified_name_fault
from cloudhub_stub.cluster.schemas.shapes import (
    INT64_MAX,
    LABELS,
    Check,
    ListOf,
    Number,
    OneOf,
    Struct,
    Text,
    below,
    mapping,
    shown,
    text,
)
from cloudhub_stub.cluster.selectors import DOES_NOT_EXIST, EXISTS, GREATER, IN, LESS, NOT_IN, is_int64
from cloudhub_stub.errors import Invalid

NO_EXECUTE = "NoExecute"
_EFFECTS = ("NoSchedule", "PreferNoSchedule", NO_EXECUTE)
_NAME_FIELD = "metadata.name"


def _values_fit(expression: Any, path: str) -> None:
    operator = expression["operator"]
    values = expression.get("values") or []
    where = below(path, "values")
    if not operator:
        raise Invalid(below(path, "operator"), "it is empty")
    if operator in (IN, NOT_IN) and not values:
        raise Invalid(where, f"they are missing, which {operator} needs")
    if operator in (EXISTS, DOES_NOT_EXIST) and values:
        raise Invalid(where, f"{operator} takes none")
    if operator in (GREATER, LESS) and not (len(values) == 1 and is_int64(values[0])):
        raise Invalid(where, f"{operator} takes exactly one, a whole number in quotes")


def _label_values(expression: Any, path: str) -> None:
    for index, value in enumerate(expression.get("values") or ()):
        if fault := label_value_fault(value):
            raise Invalid(f"{below(path, 'values')}[{index}]", fault)


def _name_of_one_node(expression: Any, path: str) -> None:
    if expression["key"] != _NAME_FIELD:
        raise Invalid(below(path, "key"), f"it is {shown(expression['key'])}, only {_NAME_FIELD} can be matched")
    if expression["operator"] not in (IN, NOT_IN) or len(expression.get("values") or ()) != 1:
        raise Invalid(path, "it takes In or NotIn with exactly one value")


def _expression(key: Check, *operators: str, rules: tuple[Check, ...]) -> Check:
    fields: dict[str, Check] = {"key": key, "operator": OneOf(*operators), "values": ListOf(text)}
    return Struct(fields, required=("key", "operator"), rules=rules)


_NODE_OPERATORS = (IN, NOT_IN, EXISTS, DOES_NOT_EXIST, GREATER, LESS)
_LABEL_KEY = Text(qualified_name_fault)
_NODE_EXPRESSION = _expression(_LABEL_KEY, *_NODE_OPERATORS, rules=(_values_fit,))
_NODE_TERM = Struct(
    {
        "matchExpressions": ListOf(_NODE_EXPRESSION),
        "matchFields": ListOf(_expression(text, *_NODE_OPERATORS, rules=(_name_of_one_node,))),
    }
)
_NODE_SELECTOR = Struct({"nodeSelectorTerms": ListOf(_NODE_TERM, at_least=1)}, required=("nodeSelectorTerms",))
_PREFERRED = Struct({"weight": Number(1, 100), "preference": _NODE_TERM}, required=("weight", "preference"))

DEVICE_NODE_SELECTOR: Check = Struct(
    {
        "nodeSelectorTerms": ListOf(
            Struct(
                {"matchExpressions": ListOf(_expression(text, *_NODE_OPERATORS, rules=(_values_fit,)))},
                also="matchFields",
            )
        )
    }
)
"""Of a Device: as a pod's, but the key may be empty: the first value is the name of a node."""

LABEL_SELECTOR: Check = Struct(
    {
        "matchLabels": LABELS,
        "matchExpressions": ListOf(
            _expression(_LABEL_KEY, IN, NOT_IN, EXISTS, DOES_NOT_EXIST, rules=(_values_fit, _label_values))
        ),
    }
)

AFFINITY: Check = Struct(
    {
        "nodeAffinity": Struct(
            {
                "requiredDuringSchedulingIgnoredDuringExecution": _NODE_SELECTOR,
                "preferredDuringSchedulingIgnoredDuringExecution": ListOf(_PREFERRED),
            }
        ),
        "podAffinity": mapping,
        "podAntiAffinity": mapping,
    }
)


def _toleration_fits(toleration: Any, path: str) -> None:
    operator = toleration.get("operator") or "Equal"
    if not toleration.get("key") and operator != EXISTS:
        raise Invalid(below(path, "operator"), "without a key it must be Exists, which tolerates every taint")
    if operator == EXISTS and toleration.get("value"):
        raise Invalid(below(path, "value"), "Exists takes none")
    if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != NO_EXECUTE:
        raise Invalid(below(path, "effect"), f"it must be {NO_EXECUTE} where tolerationSeconds is set")


TOLERATION: Check = Struct(
    {
        "key": Text(qualified_name_fault, or_empty=True),
        "operator": OneOf(EXISTS, "Equal"),
        "value": text,
        "effect": OneOf(*_EFFECTS),
        "tolerationSeconds": Number(-INT64_MAX, INT64_MAX),
    },
    rules=(_toleration_fits,),
)


def _has_effect(taint: Any, path: str) -> None:
    if not taint["effect"]:
        raise Invalid(below(path, "effect"), "it is empty")


TAINT: Check = Struct(
    {"key": _LABEL_KEY, "value": Text(label_value_fault), "effect": OneOf(*_EFFECTS), "timeAdded": text},
    required=("key", "effect"),
    rules=(_has_effect,),
)

"""Devices and their models: the node, the twins, the properties."""

from typing import Any

import pytest

from manifests_of_all_kinds import refusal, valid


def device(twins: Any = None, **spec: Any) -> str:
    obj = valid("Device", status={"twins": twins})
    return refusal({**obj, "spec": {**obj["spec"], **spec}})


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"deviceModelRef": None}, "spec.deviceModelRef: it is missing"),
        ({"deviceModelRef": {}}, "spec.deviceModelRef.name: it is missing"),
        ({"nodeSelector": None}, "spec.nodeSelector: it is missing"),
        ({"nodeSelector": {"nodeSelectorTerms": {}}}, "spec.nodeSelector.nodeSelectorTerms: it is a mapping"),
        (
            {"nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "", "operator": "In"}]}]}},
            "spec.nodeSelector.nodeSelectorTerms[0].matchExpressions[0].values: they are missing",
        ),
        ({"protocol": "modbus"}, "spec.protocol: it is the text 'modbus'"),
    ],
)
def test_a_wrong_device_is_named_by_its_field(spec: dict[str, Any], said: str) -> None:
    assert device(**spec).startswith(said)


def test_a_device_may_have_no_node_yet() -> None:
    assert device(nodeSelector={"nodeSelectorTerms": []}) == ""


@pytest.mark.parametrize(
    ("twin", "said"),
    [
        ({}, ".propertyName: it is missing"),
        ({"propertyname": "a"}, ".propertyname: there is no such field, did you mean propertyName?"),
        ({"propertyName": "a", "desired": {"value": True}}, ".desired.value: it is true; it must be text (YAML reads"),
        ({"propertyName": "a", "desired": {"metadata": {"type": 1}}}, ".desired.metadata[type]: it is the number 1"),
        ({"propertyName": "a", "reported": "ON"}, ".reported: it is the text 'ON'; it must be a mapping"),
    ],
)
def test_a_wrong_twin_is_named_by_its_field(twin: dict[str, Any], said: str) -> None:
    assert device([twin]).startswith(f"status.twins[0]{said}")


def test_a_device_may_say_what_its_node_reported_of_it() -> None:
    obj = valid("Device", status={"twins": [], "state": "online", "lastOnlineTime": "2026-01-02 03:04:05"})
    assert refusal(obj) == ""


def test_a_property_has_one_twin() -> None:
    said = device([{"propertyName": "a"}, {"propertyName": "b"}, {"propertyName": "a"}])
    assert said == "status.twins[2].propertyName: 'a' stands in status.twins[0] already"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"properties": [{}]}, "spec.properties[0].name: it is missing"),
        ({"properties": [{"name": "a"}, {"name": "a"}]}, "spec.properties[1].name: 'a' stands in"),
        ({"properties": [{"name": "a", "type": "int"}]}, "spec.properties[0].type: it is the text 'int'"),
        (
            {"properties": [{"name": "a", "type": {"int": {"accessMode": "rw"}}}]},
            "spec.properties[0].type.int.accessMode: it is 'rw'; it can be ReadWrite, ReadOnly",
        ),
        ({"propertyVisitors": [{"modbus": {}}]}, "spec.propertyVisitors[0].propertyName: it is missing"),
        ({"propertys": []}, "spec.propertys: there is no such field, did you mean properties?"),
    ],
)
def test_a_wrong_model_is_named_by_its_field(spec: dict[str, Any], said: str) -> None:
    assert refusal(valid("DeviceModel", spec=spec)).startswith(said)

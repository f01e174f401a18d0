"""The ConfigMap for mappers: its text, and when it is written."""

import json
from typing import Any

import pytest

from cloudhub_stub.cluster.kinds import CONFIGMAP_KIND, DEVICE_MODEL_KIND, Object, ObjectKey
from cloudhub_stub.cluster.writes import Create, Delete, Replace
from cloudhub_stub.controllers.deviceprofile import DEVICE_PROFILE, plan, profile, profile_name
from cluster.devices import device

NODE = "edge-node1"


def model(name: str = "led-light", properties: Any = None, visitors: Any = None) -> Object:
    return {
        "kind": DEVICE_MODEL_KIND.name,
        "apiVersion": DEVICE_MODEL_KIND.api_version,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"properties": properties or [], "propertyVisitors": visitors or []},
    }


def held(data: dict[str, str], **more: Any) -> Object:
    return {
        "kind": CONFIGMAP_KIND.name,
        "apiVersion": "v1",
        "metadata": {"name": profile_name(NODE), "namespace": "default", "uid": "u", "resourceVersion": "5"},
        "data": data,
        **more,
    }


def written(devices: list[Object], models: list[Object]) -> Object:
    (write,) = plan(NODE, "default", devices, models, None)
    assert isinstance(write, Create)
    return write.object


def test_the_first_device_of_a_node_makes_its_config_map() -> None:
    made = written([device()], [])
    assert (made["kind"], made["apiVersion"]) == ("ConfigMap", "v1")
    assert made["metadata"] == {"name": "device-profile-config-edge-node1", "namespace": "default"}
    assert list(made["data"]) == ["deviceProfile.json"]


def test_the_led_of_the_samples_has_the_text_that_go_writes() -> None:
    on_off = {"accessMode": "ReadWrite", "defaultValue": "OFF"}
    properties = [
        {
            "name": "power-status",
            "description": "Indicates whether the led light is ON/OFF",
            "type": {"string": on_off},
        },
        {"name": "gpio-pin-number", "type": {"int": {"accessMode": "ReadOnly", "defaultValue": 18}}},
    ]
    text = written([device()], [model(properties=properties)])["data"][DEVICE_PROFILE]
    assert text == (
        '{"deviceInstances":[{"id":"led-1","name":"led-1","model":"led-light"}],'
        '"deviceModels":[{"name":"led-light","properties":['
        '{"name":"power-status","dataType":"string","description":"Indicates whether the led light is ON/OFF",'
        '"accessMode":"ReadWrite","defaultValue":"OFF"},'
        '{"name":"gpio-pin-number","dataType":"int","accessMode":"ReadOnly","defaultValue":18}]}],'
        '"protocols":[{"protocol_config":null}]}'
    )


@pytest.mark.parametrize(
    ("protocol", "name", "config"),
    [
        ({"bluetooth": {"macAddress": "BC:6A"}}, "bluetooth", {"macAddress": "BC:6A"}),
        ({"opcua": {"url": "opc.tcp://h"}}, "opcua", {"url": "opc.tcp://h"}),
        ({"modbus": {"rtu": {"slaveID": 1}}}, "modbus-rtu", {"slaveID": 1}),
        ({"modbus": {"tcp": {"ip": "10.0.0.1"}}}, "modbus-tcp", {"ip": "10.0.0.1"}),
    ],
)
def test_a_device_and_its_protocol_are_linked_by_a_name(protocol: Any, name: str, config: Any) -> None:
    made = profile([device("d", protocol=protocol)], [])
    assert made["deviceInstances"] == [
        {"id": "d", "name": "d", "protocol": f"{name}-d", "model": "led-light"},
    ]
    assert made["protocols"] == [{"name": f"{name}-d", "protocol": name, "protocol_config": config}]


def test_the_visitors_of_a_model_say_how_a_property_is_reached() -> None:
    visitor = {"propertyName": "temp", "modbus": {"register": "HoldingRegister", "offset": 2, "limit": 1}}
    assert profile([device()], [model(visitors=[visitor, {"propertyName": "x"}])])["propertyVisitors"] == [
        {
            "name": "temp",
            "propertyName": "temp",
            "modelName": "led-light",
            "protocol": "modbus",
            "visitorConfig": {"register": "HoldingRegister", "offset": 2, "limit": 1},
        },
        {"name": "x", "propertyName": "x", "modelName": "led-light"},
    ]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ({"int": {}}, {"dataType": "int", "defaultValue": 0}),
        ({"int": {"minimum": 0, "maximum": 9, "unit": "C"}}, {"defaultValue": 0, "maximum": 9, "unit": "C"}),
        ({"string": {}}, {"dataType": "string", "defaultValue": ""}),
        ({"boolean": {"defaultValue": False}}, {"dataType": "boolean", "defaultValue": False}),
        ({"double": {"accessMode": "ReadOnly"}}, {"dataType": "double", "accessMode": "ReadOnly"}),
        ({}, {}),
    ],
)
def test_a_property_has_the_details_of_its_type(sent: Any, shown: Any) -> None:
    made = profile([device()], [model(properties=[{"name": "p", "type": sent}])])
    (found,) = made["deviceModels"][0]["properties"]
    assert found == {"name": "p"} | ({"dataType": "int"} if "int" in sent else {}) | shown


def test_a_model_of_two_devices_stands_there_once_and_one_of_none_not_at_all() -> None:
    made = profile([device("b"), device("a")], [model("other"), model()])
    assert [each["name"] for each in made["deviceInstances"]] == ["a", "b"]
    assert [each["name"] for each in made["deviceModels"]] == ["led-light"]


def test_a_device_before_its_model_is_there_without_it() -> None:
    assert "deviceModels" not in profile([device()], [])


def test_a_model_that_comes_later_is_filled_in() -> None:
    made = written([device()], [])
    (write,) = plan(NODE, "default", [device()], [model()], held(made["data"]))
    assert isinstance(write, Replace)
    assert json.loads(write.object["data"][DEVICE_PROFILE])["deviceModels"] == [{"name": "led-light"}]
    assert write.object["metadata"]["resourceVersion"] == "5"


def test_a_profile_that_is_as_it_should_be_is_left_alone() -> None:
    made = written([device()], [model()])
    assert plan(NODE, "default", [device(desired={"power": "ON"})], [model()], held(made["data"])) == []


def test_devices_of_other_nodes_make_no_config_map() -> None:
    assert plan(NODE, "default", [device(node="other"), device("x", node="")], [model()], None) == []


def test_with_the_last_device_the_config_map_goes() -> None:
    key = ObjectKey("ConfigMap", "default", profile_name(NODE))
    assert plan(NODE, "default", [], [model()], held({DEVICE_PROFILE: "{}"})) == [Delete(key, "u")]


def test_other_data_of_the_config_map_stay_when_the_profile_goes() -> None:
    (write,) = plan(NODE, "default", [], [], held({DEVICE_PROFILE: "{}", "mine": "1"}))
    assert isinstance(write, Replace)
    assert write.object["data"] == {"mine": "1"}


def test_binary_data_of_the_config_map_stay_when_the_profile_goes() -> None:
    (write,) = plan(NODE, "default", [], [], held({DEVICE_PROFILE: "{}"}, binaryData={"mine": "AA=="}))
    assert isinstance(write, Replace)
    assert plan(NODE, "default", [], [], write.object) == []


@pytest.mark.parametrize("existing", [None, held({"mine": "1"}), held({})])
def test_a_config_map_without_a_profile_is_not_touched_where_there_are_no_devices(existing: Object | None) -> None:
    assert plan(NODE, "default", [], [], existing) == []


def test_other_data_of_the_config_map_stay_when_devices_come() -> None:
    existing = held({"mine": "1"})
    (write,) = plan(NODE, "default", [device()], [], existing)
    assert isinstance(write, Replace)
    assert set(write.object["data"]) == {"mine", DEVICE_PROFILE}
    assert existing["data"] == {"mine": "1"}

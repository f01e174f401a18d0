"""The worked example of spec 7.8, from the payloads that come to those that go out, byte for byte."""

from typing import Any

import pytest

from edgecore.beehive.gojson import marshal
from edgecore.modules.devicetwin.devices import Device
from edgecore.modules.devicetwin.payloads import (
    Base,
    ErrorResult,
    MembershipUpdate,
    MsgDevice,
    TwinDelta,
    TwinDocument,
    TwinUpdate,
)
from edgecore.modules.devicetwin.reading import checked, read
from edgecore.modules.devicetwin.rows import read_twin, twin_row
from edgecore.modules.devicetwin.twins import Deal, Dealt, Refused, deal

T = 1589000000123
ADDED = (
    '{"event_id":"m","timestamp":1589000000000,"added_devices":[{"id":"sensor","name":"sensor","description":"d",'
    '"twin":{"temp":{"expected":{"value":"20","metadata":{"timestamp":1589000000000}},"optional":false,'
    '"metadata":{"type":"int"},"expected_version":{"cloud":100,"edge":0}}}}],"removed_devices":null}'
)
WANTED = '"expected":{"value":"20","metadata":{"timestamp":1589000000123}}'
SAID = '"actual":{"value":"19","metadata":{"timestamp":1589000000123}}'
REST = '"optional":false,"metadata":{"type":"int"}'


def written(payload: Base) -> str:
    return marshal(payload).decode()


def after_reload(device: Device) -> Device:
    """Return the device as it is after the node was started again: each step must hold then too."""
    twins = dict(read_twin(twin_row(device.id, name, twin))[1:] for name, twin in device.twins.items())
    return device._replace(twins=twins)


def cloud_says(device: Device, value: str, number: int) -> Dealt:
    content = {
        "event_id": "c",
        "timestamp": 1,
        "twin": {
            "temp": {
                "expected": {"value": value, "metadata": {"timestamp": 1}},
                "optional": False,
                "metadata": {"type": "int"},
                "expected_version": {"cloud": number, "edge": 0},
            }
        },
    }
    return deal(device, checked(read(TwinUpdate, content)), Deal.CLOUD, T)


def device_says(device: Device, payload: str) -> Dealt:
    return deal(device, checked(read(TwinUpdate, payload)), Deal.LOCAL, T)


@pytest.fixture
def added() -> Dealt:
    (new,) = read(MembershipUpdate, ADDED).added_devices or ()
    return deal(Device(new.id, new.name, new.description), new.twin or {}, Deal.CLOUD, T)


@pytest.fixture
def sensor(added: Dealt) -> Device:
    return after_reload(added.device)


def test_a_device_that_comes_with_a_wish_tells_document_and_delta(added: Dealt) -> None:
    assert written(TwinDocument("", T, twin=added.documents)) == (
        f'{{"event_id":"","timestamp":{T},"twin":{{"temp":{{"last":null,"current":{{{WANTED},{REST}}}}}}}}}'
    )
    assert added.delta is not None
    twins, delta = added.delta
    assert written(TwinDelta("e", T, twin=twins, delta=delta)) == (
        f'{{"event_id":"e","timestamp":{T},"twin":{{"temp":{{{WANTED},{REST}}}}},"delta":{{"temp":"20"}}}}'
    )
    assert added.sync == {}


def test_a_report_tells_result_document_delta_and_the_cloud(sensor: Device) -> None:
    dealt = device_says(sensor, '{"event_id":"u1","timestamp":1,"twin":{"temp":{"actual":{"value":"19"}}}}')
    assert written(TwinUpdate("u1", T, dealt.result)) == (
        f'{{"event_id":"u1","timestamp":{T},"twin":{{"temp":{{{SAID},{REST}}}}}}}'
    )
    assert written(TwinDocument("u1", T, twin=dealt.documents)) == (
        f'{{"event_id":"u1","timestamp":{T},"twin":{{"temp":{{"last":{{{WANTED},{REST}}},'
        f'"current":{{{WANTED},{SAID},{REST}}}}}}}}}'
    )
    assert dealt.delta is not None
    twins, delta = dealt.delta
    assert written(TwinDelta("e", T, twin=twins, delta=delta)) == (
        f'{{"event_id":"e","timestamp":{T},"twin":{{"temp":{{{WANTED},{SAID},{REST}}}}},"delta":{{"temp":"20"}}}}'
    )
    assert written(TwinUpdate("e", T, dealt.sync)) == (
        f'{{"event_id":"e","timestamp":{T},"twin":{{"temp":{{{SAID},{REST},"actual_version":{{"cloud":0,"edge":1}}}}}}}}'
    )


def test_a_wrong_value_is_answered_with_code_and_reason(sensor: Device) -> None:
    with pytest.raises(Refused) as caught:
        device_says(sensor, '{"event_id":"u2","timestamp":1,"twin":{"temp":{"actual":{"value":"abc"}}}}')
    answer = ErrorResult("u2", T, caught.value.code, caught.value.reason)
    assert written(answer) == f'{{"event_id":"u2","timestamp":{T},"code":400,"reason":"the value is not int"}}'


def test_an_optional_twin_is_deleted(sensor: Device) -> None:
    with_hum = after_reload(device_says(sensor, '{"twin":{"hum":{"actual":{"value":"40"}}}}').device)
    dealt = device_says(with_hum, '{"twin":{"hum":null}}')
    assert marshal(dealt.result) == b'{"hum":null}'
    assert marshal(dealt.sync) == (
        b'{"hum":{"actual":{},"optional":true,"metadata":{"type":"deleted"},'
        b'"expected_version":{"cloud":0,"edge":0},"actual_version":{"cloud":0,"edge":2}}}'
    )


def test_a_stale_word_of_the_cloud_is_answered_with_how_it_is_here(sensor: Device) -> None:
    newer = after_reload(cloud_says(sensor, "25", 101).device)
    dealt = cloud_says(newer, "30", 99)
    assert (
        marshal(dealt.sync)
        == (
            f'{{"temp":{{"expected":{{"value":"25","metadata":{{"timestamp":{T}}}}},{REST},'
            f'"expected_version":{{"cloud":101,"edge":0}}}}}}'
        ).encode()
    )


def test_the_device_is_shown_as_the_cloud_described_it() -> None:
    new = read(MsgDevice, {"id": "sensor", "name": "sensor", "description": "d", "twin": {}})
    shown: dict[str, Any] = {"id": "sensor", "name": "sensor", "description": "d", "twin": {}}
    assert marshal(new) == marshal(shown)

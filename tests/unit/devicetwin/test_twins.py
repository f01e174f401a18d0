"""Twins changed by a program on MQTT (``Deal.LOCAL``)."""

from typing import Any

import msgspec
import pytest

from edgecore.beehive.gojson import marshal
from edgecore.modules.devicetwin import values
from edgecore.modules.devicetwin.devices import DELETED, Device, Side, Twin, Version
from edgecore.modules.devicetwin.payloads import Twins
from edgecore.modules.devicetwin.twins import MAX_TWINS, TOO_MANY, Deal, Dealt, Refused, deal, shown

NOW = 2000
THEN = 1000
TEMP = Twin(expected=Side("20", THEN, Version(100, 0)), type="int")
REPORTED = TEMP._replace(actual=Side("19", THEN, Version(0, 1)))
GONE = Twin(actual=Side(version=Version(0, 2)), optional=True, type=DELETED)


def device(**twins: Twin) -> Device:
    return Device("sensor", "sensor", "d", twins=twins)


def local(before: Device, twin: dict[str, Any]) -> Dealt:
    return deal(before, msgspec.convert(twin, Twins), Deal.LOCAL, NOW)


def refused(before: Device, twin: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        local(before, twin)
    return caught.value


def plain(value: Any) -> Any:
    return msgspec.json.decode(marshal(value))


def test_a_report_gets_time_and_the_next_version_of_the_edge() -> None:
    dealt = local(device(temp=TEMP), {"temp": {"actual": {"value": "19", "metadata": {"timestamp": 5}}}})
    assert dealt.device.twins["temp"] == TEMP._replace(actual=Side("19", NOW, Version(0, 1)))
    assert dealt.changed == ("temp",)
    told = {"actual": {"value": "19", "metadata": {"timestamp": NOW}}, "optional": False, "metadata": {"type": "int"}}
    assert plain(dealt.result) == {"temp": told}
    assert plain(dealt.sync) == {"temp": {**told, "actual_version": {"cloud": 0, "edge": 1}}}


def test_the_document_tells_before_and_after_without_versions() -> None:
    document = plain(local(device(temp=TEMP), {"temp": {"actual": {"value": "19"}}}).documents["temp"])
    wanted = {"expected": {"value": "20", "metadata": {"timestamp": THEN}}}
    rest = {"optional": False, "metadata": {"type": "int"}}
    said = {"actual": {"value": "19", "metadata": {"timestamp": NOW}}}
    assert document == {"last": wanted | rest, "current": wanted | said | rest}


def test_the_delta_tells_all_twins_that_should_have_a_value_and_those_that_have_another() -> None:
    right = Twin(Side("a", 1, Version()), Side("a", 1, Version()))
    before = device(temp=TEMP, right=right, free=Twin(actual=Side("x")), gone=GONE)
    dealt = local(before, {"free": {"actual": {"value": "y"}}})
    assert dealt.delta is not None
    twins, differing = dealt.delta
    assert differing == {"temp": "20"}
    assert list(twins) == ["right", "temp"]
    assert twins == shown({"right": right, "temp": TEMP}, versions=False)


def test_there_is_no_delta_where_all_is_as_it_should_be() -> None:
    dealt = local(device(temp=TEMP), {"temp": {"actual": {"value": "20"}}})
    assert dealt.changed
    assert dealt.delta is None


def test_w8_an_unchanged_value_is_echoed_and_is_no_change() -> None:
    before = device(temp=REPORTED)
    dealt = local(before, {"temp": {"actual": {"value": "19"}, "metadata": {"type": "Updated"}}})
    assert dealt.device is before
    assert (dealt.changed, dealt.documents, dealt.delta, dealt.sync) == ((), {}, None, {})
    assert plain(dealt.result)["temp"]["actual"] == {"value": "19", "metadata": {"timestamp": THEN}}


def test_of_two_values_the_cloud_is_told_only_the_one_that_changed() -> None:
    dealt = local(device(temp=REPORTED), {"temp": {"expected": {"value": "25"}, "actual": {"value": "19"}}})
    assert set(plain(dealt.result)["temp"]) == {"expected", "actual", "optional", "metadata"}
    assert set(plain(dealt.sync)["temp"]) == {"expected", "optional", "metadata", "expected_version"}
    assert dealt.device.twins["temp"].expected == Side("25", NOW, Version(100, 1))
    assert dealt.device.twins["temp"].actual == REPORTED.actual


def test_the_type_of_a_twin_stays_whatever_a_report_says_of_it() -> None:
    dealt = local(device(temp=TEMP), {"temp": {"actual": {"value": "19"}, "metadata": {"type": "Updated"}}})
    assert dealt.device.twins["temp"].type == "int"
    assert plain(dealt.result)["temp"]["metadata"] == {"type": "int"}


def test_w6_a_new_twin_keeps_the_time_of_its_value() -> None:
    dealt = local(device(), {"hum": {"actual": {"value": "40"}, "metadata": {"type": "int"}}})
    assert dealt.device.twins["hum"] == Twin(None, Side("40", NOW, Version(0, 1)), True, "int")
    actual = {"actual": {"value": "40", "metadata": {"timestamp": NOW}}, "optional": True, "metadata": {"type": "int"}}
    assert plain(dealt.result) == {"hum": actual}
    assert plain(dealt.documents) == {"hum": {"last": None, "current": actual}}
    assert plain(dealt.sync) == {"hum": {**actual, "actual_version": {"cloud": 0, "edge": 1}}}


def test_a_new_twin_of_which_nothing_is_said_is_a_text_that_may_be_deleted() -> None:
    assert local(device(), {"x": {}}).device.twins["x"] == Twin(optional=True, type="string")


@pytest.mark.parametrize(
    ("before", "twin", "text"),
    [
        (device(temp=REPORTED), {"temp": {"actual": {"value": "abc"}}}, values.NOT_INT),
        (device(), {"temp": {"actual": {"value": "abc"}, "metadata": {"type": "int"}}}, values.NOT_INT),
        (device(), {"x": {"actual": {"value": "1"}, "metadata": {"type": "Updated"}}}, values.BAD_TYPE),
        (device(), {"x": {"metadata": {"type": "Updated"}}}, values.BAD_TYPE),
        (device(), {"x": {"actual": {"value": "1"}, "metadata": {"type": "deleted"}}}, values.BAD_TYPE),
        (device(x=GONE), {"x": {"actual": {"value": "1"}, "metadata": {"type": "deleted"}}}, values.BAD_TYPE),
        (device(x=GONE), {"x": {"metadata": {"type": "Updated"}}}, values.BAD_TYPE),
        (device(x=Twin(type="Updated")), {"x": {"actual": {"value": "1"}}}, values.BAD_TYPE),
        (device(), {"x": None}, values.BAD_ENTRY),
    ],
)
def test_what_cannot_be_refuses_the_request(before: Device, twin: dict[str, Any], text: str) -> None:
    error = refused(before, twin)
    assert (error.code, error.reason) == (400, text)


def test_w7_the_first_value_of_a_side_is_looked_at_too() -> None:
    assert refused(device(temp=TEMP), {"temp": {"actual": {"value": "abc"}}}).reason == values.NOT_INT


@pytest.mark.parametrize("before", [device(), device(temp=TEMP), device(temp=REPORTED), device(temp=GONE)])
@pytest.mark.parametrize("side", [{}, {"value": None}, {"metadata": {"timestamp": 1}}])
def test_w7_a_side_without_a_value_is_refused(before: Device, side: dict[str, Any]) -> None:
    assert refused(before, {"temp": {"actual": side}}).reason == values.BAD_ENTRY


def test_one_wrong_twin_refuses_them_all_and_changes_nothing() -> None:
    before = device(a=Twin(optional=True), temp=TEMP)
    copy = Device(*before[:-1], twins=dict(before.twins))
    refused(before, {"a": None, "b": {"actual": {"value": "1"}}, "temp": {"actual": {"value": "abc"}}})
    assert before == copy


def test_deleting_leaves_a_row_with_the_next_versions() -> None:
    dealt = local(device(hum=Twin(None, Side("40", 1, Version(0, 1)), True, "int")), {"hum": None})
    assert dealt.device.twins["hum"] == Twin(None, Side(version=Version(0, 2)), True, DELETED)
    assert dealt.changed == ("hum",)
    assert dealt.result == {"hum": None}
    assert plain(dealt.documents)["hum"]["current"] is None
    assert marshal(dealt.sync) == (
        b'{"hum":{"actual":{},"optional":true,"metadata":{"type":"deleted"},'
        b'"expected_version":{"cloud":0,"edge":0},"actual_version":{"cloud":0,"edge":2}}}'
    )


def test_deleting_counts_both_sides() -> None:
    twin = Twin(Side("1", 1, Version(7, 0)), Side("2", 1, Version(0, 3)), True, "int")
    assert marshal(local(device(x=twin), {"x": None}).sync) == (
        b'{"x":{"expected":{},"actual":{},"optional":true,"metadata":{"type":"deleted"},'
        b'"expected_version":{"cloud":7,"edge":1},"actual_version":{"cloud":0,"edge":4}}}'
    )


def test_a_twin_without_any_value_can_be_deleted() -> None:
    dealt = local(device(x=Twin(optional=True)), {"x": None})
    assert dealt.device.twins["x"] == Twin(optional=True, type=DELETED)
    assert dealt.result == {"x": None}


@pytest.mark.parametrize("twin", [TEMP, GONE])
def test_deleting_what_may_not_be_or_is_gone_does_nothing(twin: Twin) -> None:
    before = device(x=twin)
    assert local(before, {"x": None}) == Dealt(before, (), {}, {}, None, {})


def test_a_deleted_twin_comes_back_with_its_versions_and_the_new_type() -> None:
    dealt = local(device(x=GONE), {"x": {"actual": {"value": "1.5"}, "metadata": {"type": "float"}}})
    assert dealt.device.twins["x"] == Twin(None, Side("1.5", NOW, Version(0, 3)), True, "float")
    assert plain(dealt.documents)["x"]["last"] is None
    assert plain(dealt.sync)["x"]["metadata"] == {"type": "float"}


def test_a_deleted_twin_comes_back_as_a_text_where_no_type_is_said() -> None:
    dealt = local(device(x=GONE), {"x": {}})
    assert dealt.device.twins["x"] == GONE._replace(type="string")
    assert plain(dealt.result) == plain(dealt.sync) == {"x": {"metadata": {"type": "string"}}}


def test_what_may_be_deleted_can_become_what_may_not_but_not_the_other_way_round() -> None:
    dealt = local(device(x=Twin(optional=True)), {"x": {"optional": False}})
    assert dealt.device.twins["x"].optional is False
    assert plain(dealt.result) == plain(dealt.sync) == {"x": {"optional": False}}
    assert local(dealt.device, {"x": {"optional": True}}) == Dealt(dealt.device, (), {}, {}, None, {})


def test_everything_is_in_the_order_of_go() -> None:
    wanted = {key: {"actual": {"value": "1"}, "expected": {"value": "2"}} for key in ("b", "B", "a", "0", "_")}
    dealt = local(device(), wanted)
    assert dealt.delta is not None
    for told in (dealt.changed, dealt.result, dealt.documents, dealt.sync, *dealt.delta):
        assert list(told) == ["0", "B", "_", "a", "b"]


def test_an_empty_request_changes_nothing() -> None:
    before = device(temp=TEMP)
    assert local(before, {}) == Dealt(before, (), {}, {}, None, {})


def test_a_device_has_so_many_twins_and_no_more() -> None:
    before = device(**{f"t{number}": Twin() for number in range(MAX_TWINS)})
    assert refused(before, {"one-more": {}}).reason == TOO_MANY
    assert local(before, {"t1": {"actual": {"value": "1"}}}).changed == ("t1",)


def test_the_count_of_the_edge_stays_within_64_bits() -> None:
    before = device(x=Twin(actual=Side("1", 1, Version(0, values.INT64_MAX))))
    after = local(before, {"x": {"actual": {"value": "2"}}}).device.twins["x"].actual
    assert after == Side("2", NOW, Version(0, values.INT64_MAX))


def test_twins_are_shown_sorted_without_the_deleted_or_with_null_for_them() -> None:
    twins = {"temp": REPORTED, "gone": GONE}
    assert list(shown(twins, versions=False)) == ["temp"]
    assert shown(twins, versions=False, deleted=True)["gone"] is None
    assert list(shown(twins, versions=False, deleted=True)) == ["gone", "temp"]
    assert plain(shown(twins, versions=True)["temp"])["expected_version"] == {"cloud": 100, "edge": 0}
    assert "expected_version" not in plain(shown(twins, versions=False)["temp"])

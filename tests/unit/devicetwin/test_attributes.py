"""Attributes changed by a program on MQTT or by the cloud."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.gojson import marshal
from edgecore.modules.devicetwin.attributes import (
    MAX_ATTRIBUTES,
    TOO_MANY,
    DealtAttributes,
    deal_attributes,
    shown_attributes,
)
from edgecore.modules.devicetwin.devices import Attribute, Device
from edgecore.modules.devicetwin.payloads import Attributes
from edgecore.modules.devicetwin.sides import Deal
from edgecore.modules.devicetwin.values import BAD_ENTRY

RED = Attribute("red")
FIXED = Attribute("1", optional=False, type="int")


def device(**attributes: Attribute) -> Device:
    return Device("d", attributes=attributes)


def changed(before: Device, attributes: dict[str, Any] | None, kind: Deal = Deal.LOCAL) -> DealtAttributes:
    return deal_attributes(before, msgspec.convert(attributes, Attributes | None), kind, 1)


def test_a_new_attribute_is_told_whole() -> None:
    dealt = changed(device(), {"colour": {"value": "red"}})
    assert dealt.device.attributes == {"colour": RED}
    assert (dealt.changed, dealt.gone, dealt.faults) == (("colour",), (), ())
    assert marshal(dealt.result) == b'{"colour":{"value":"red","optional":true,"metadata":{"type":"string"}}}'


@pytest.mark.parametrize(
    ("before", "asked", "after"),
    [
        (RED, {"value": "blue"}, Attribute("blue")),
        (RED, {"value": "red", "metadata": {"type": "rgb"}}, Attribute("red", type="rgb")),
        (RED, {"value": "red", "optional": False}, Attribute("red", optional=False)),
        (FIXED, {"value": "2", "optional": True}, Attribute("2", optional=False, type="int")),
    ],
)
def test_what_changes_is_told_whole(before: Attribute, asked: dict[str, Any], after: Attribute) -> None:
    dealt = changed(device(x=before), {"x": asked})
    assert dealt.device.attributes == {"x": after}
    assert dealt.result == shown_attributes({"x": after})


@pytest.mark.parametrize(
    "asked", [{"value": "red"}, {"value": "red", "optional": True, "metadata": {"type": "string"}}]
)
def test_what_is_so_already_is_no_change(asked: dict[str, Any]) -> None:
    before = device(x=RED)
    assert changed(before, {"x": asked}) == DealtAttributes(before, (), (), {})


def test_an_attribute_is_deleted_if_it_may_be() -> None:
    dealt = changed(device(a=RED, b=FIXED), {"a": None, "b": None, "unknown": None})
    assert dealt.device.attributes == {"b": FIXED}
    assert (dealt.changed, dealt.gone, dealt.result) == ((), ("a",), {"a": None})


def test_the_cloud_names_all_that_are_to_be() -> None:
    dealt = changed(device(a=RED, b=FIXED), {"c": {"value": "1"}, "a": {"value": "red"}}, Deal.CLOUD)
    assert dealt.device.attributes == {"a": RED, "c": Attribute("1")}
    assert (dealt.changed, dealt.gone) == (("c",), ("b",))
    assert list(dealt.result) == ["b", "c"]


def test_where_the_cloud_says_nothing_of_attributes_all_stay() -> None:
    before = device(a=RED)
    assert changed(before, None, Deal.CLOUD) == DealtAttributes(before, (), (), {})
    assert changed(before, {}, Deal.DETAIL).gone == ("a",)


def test_a_null_of_the_cloud_is_passed_over() -> None:
    before = device(a=RED)
    assert changed(before, {"a": None}, Deal.CLOUD) == DealtAttributes(before, (), (), {}, (("a", BAD_ENTRY),))


def test_a_device_has_so_many_attributes_and_no_more() -> None:
    before = device(**{f"a{number}": RED for number in range(MAX_ATTRIBUTES)})
    dealt = changed(before, {"more": {"value": "1"}, "a1": {"value": "blue"}})
    assert dealt.faults == (("more", TOO_MANY),)
    assert dealt.changed == ("a1",)


ATTRIBUTES = st.dictionaries(st.sampled_from("abc"), st.builds(Attribute, st.sampled_from("xy"), st.booleans()))
WANTED = st.dictionaries(
    st.sampled_from("abcd"),
    st.none() | st.fixed_dictionaries({"value": st.sampled_from("xy")}, optional={"optional": st.booleans()}),
)


@given(ATTRIBUTES, WANTED, st.sampled_from(Deal))
def test_once_done_it_is_done_and_rows_and_result_name_what_differs(
    attributes: dict[str, Attribute], wanted: dict[str, Any], kind: Deal
) -> None:
    before = device(**attributes)
    dealt = changed(before, wanted, kind)
    after = dealt.device.attributes
    assert before.attributes == attributes
    assert set(dealt.gone) == attributes.keys() - after.keys()
    assert set(dealt.changed) == {key for key in after if attributes.get(key) != after[key]}
    assert set(dealt.result) == {*dealt.gone, *dealt.changed}
    again = changed(dealt.device, wanted, kind)
    assert (again.device, again.changed, again.gone) == (dealt.device, (), ())

"""Payloads read as Go reads them, and the texts for those that cannot be."""

from typing import Any

import msgspec
import pytest

from edgecore.errors import ContentError
from edgecore.modules.devicetwin.payloads import (
    Base,
    MembershipDetail,
    MembershipUpdate,
    MsgDevice,
    MsgTwin,
    TwinUpdate,
    TwinValue,
    ValueMeta,
)
from edgecore.modules.devicetwin.reading import checked, read
from edgecore.modules.devicetwin.twins import Refused
from edgecore.modules.devicetwin.values import BAD_KEY, BAD_VALUE, NO_TWIN

SAID = TwinUpdate("e", 1, {"t": MsgTwin(actual=TwinValue("19", ValueMeta(5)))})
SAID_JSON = '{"event_id":"e","timestamp":1,"twin":{"t":{"actual":{"value":"19","metadata":{"timestamp":5}}}}}'


@pytest.mark.parametrize(
    "content",
    [SAID_JSON, SAID_JSON.encode(), msgspec.Raw(SAID_JSON.encode()), msgspec.json.decode(SAID_JSON), SAID],
    ids=["text", "bytes", "raw", "value", "struct"],
)
def test_a_payload_is_read_in_whichever_form_the_bus_has_it(content: Any) -> None:
    assert read(TwinUpdate, content) == SAID


@pytest.mark.parametrize(
    ("content", "update"),
    [
        ('{"twin":{}}', TwinUpdate("", 0, {})),
        ('{"event_id":null,"timestamp":null,"twin":{"t":null},"more":[{"x":null}]}', TwinUpdate("", 0, {"t": None})),
        ('{"timestamp":null,"twin":{"twin":{"actual":null,"metadata":{"type":null}}}}', None),
    ],
)
def test_null_stands_for_what_is_not_said_and_deletes_a_twin(content: str, update: TwinUpdate | None) -> None:
    found = read(TwinUpdate, content)
    if update is not None:
        assert found == update
    else:
        assert found.twin is not None
        twin = found.twin["twin"]
        assert twin is not None
        assert (twin.actual, twin.metadata and twin.metadata.type) == (None, "")


BODIES = [
    *("", "not json", "[]", '"x"', "5", '{"twin":5}', '{"twin":[]}', '{"twin":{"t":5}}', '{"twin":{"t":[]}}'),
    *('{"twin":{}', '{"twin":{}} x', '{"event_id":5,"twin":{}}', '{"timestamp":"1","twin":{}}'),
    *('{"timestamp":1.5,"twin":{}}', '{"timestamp":9223372036854775808,"twin":{}}'),
    *('{"twin":{"t":{"actual":"19"}}}', '{"twin":{"t":{"actual":{"value":19}}}}', '{"twin":{"t":{"optional":"x"}}}'),
    *('{"twin":{"t":{"actual":{"value":true}}}}', '{"twin":{"t":{"metadata":"int"}}}'),
    *('{"twin":{"t":{"expected_version":{"cloud":"1"}}}}', '{"twin":{"t":{"expected_version":7}}}'),
    *("[" * 100_000, '{"twin":' * 5_000, '{"timestamp":null,"x":' + "[" * 500 + "]" * 500 + "}"),
]


@pytest.mark.parametrize("content", BODIES, ids=lambda text: text[:40])
def test_a_value_of_another_type_anywhere_spoils_the_whole_payload(content: str) -> None:
    for form in (content, content.encode()):
        with pytest.raises(ContentError, match="cannot read TwinUpdate: "):
            read(TwinUpdate, form)


@pytest.mark.parametrize("content", [b"\xff", 5, object(), {"twin": {1: None}}, {"twin": {"t": object()}}])
def test_nor_is_what_is_no_json(content: Any) -> None:
    with pytest.raises(ContentError, match="cannot read TwinUpdate: "):
        read(TwinUpdate, content)


@pytest.mark.parametrize("content", ["{}", "null", '{"twin":null}', None, '{"event_id":"e","delta":{}}'])
def test_a_request_without_twins_gets_the_text_for_it(content: str | None) -> None:
    with pytest.raises(Refused, match=NO_TWIN):
        checked(read(TwinUpdate, content))


def test_names_and_values_are_looked_at() -> None:
    with pytest.raises(Refused) as caught:
        checked(TwinUpdate(twin={"a b": None}))
    assert caught.value.reason == BAD_KEY
    for side in ("expected", "actual"):
        with pytest.raises(Refused) as caught:
            checked(read(TwinUpdate, {"twin": {"t": {side: {"value": "a b"}}}}))
        assert caught.value.reason == BAD_VALUE
    twins = read(TwinUpdate, {"twin": {"t": {"expected": {"value": ""}, "actual": {}}}})
    assert checked(twins) is twins.twin


def test_other_payloads_are_read_too() -> None:
    assert read(Base, '{"event_id":"m1"}') == Base("m1", 0)
    assert read(MembershipUpdate, {"added_devices": None, "removed_devices": [{"id": "d", "name": None}]}) == (
        MembershipUpdate(removed_devices=[MsgDevice("d")])
    )
    assert read(MembershipDetail, b'{"devices":[{"id":"d","twin":null}]}').devices == [MsgDevice("d")]


def test_what_cannot_be_read_is_told_with_its_kind() -> None:
    with pytest.raises(ContentError, match="cannot read MembershipDetail: Expected `array"):
        read(MembershipDetail, '{"devices":{}}')

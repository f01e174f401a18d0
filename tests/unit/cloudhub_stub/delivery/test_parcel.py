"""How a message is sent, and what it can take the place of."""

from typing import Any

import msgspec
import pytest

from cloudhub_stub.delivery.parcel import Lane, is_older, parcel_of
from edgecore.beehive.message import Message
from edgecore.beehive.wire import decode, encode


@pytest.mark.parametrize(
    ("resource", "options", "lane", "key", "due_ack"),
    [
        ("default/pod/p", {}, Lane.ACK, True, True),
        ("default/secret/s", {"operation": "delete"}, Lane.ACK, True, True),
        ("default/configmap/c", {"operation": "response", "content": {}}, Lane.ACK, True, True),
        ("x", {"group": "func"}, Lane.ACK, True, True),
        ("default/podlist/web", {}, Lane.LIST, True, True),
        ("namespace/servicelist/service", {}, Lane.LIST, True, True),
        ("namespace/endpointslist/endpoints", {}, Lane.LIST, True, True),
        ("membership", {"source": "devicecontroller", "group": "twin"}, Lane.LIST, False, False),
        ("device/d/twin/cloud_updated", {"group": "twin"}, Lane.LIST, False, False),
        ("default/node/n", {"operation": "response", "content": {}}, Lane.LIST, False, False),
        ("default/node/n", {"operation": "response", "content": "OK"}, Lane.LIST, False, False),
        ("my/topic", {"operation": "publish", "source": "router_eventbus", "group": "user"}, Lane.LIST, False, False),
    ],
)
def test_the_class_goes_by_the_type_of_the_resource(
    parcel: Any, resource: str, options: dict[str, Any], lane: Lane, key: bool, due_ack: bool
) -> None:
    made = parcel(resource, **options)
    assert (made.lane, bool(made.key), made.due_ack) == (lane, key, due_ack)


@pytest.mark.parametrize("name", ["my-membership", "podlist", "twin-cloud_updated"])
def test_h12_an_object_named_like_a_list_is_acknowledged_like_any_other(parcel: Any, name: str) -> None:
    assert parcel(f"default/pod/{name}").lane is Lane.ACK


def test_an_ok_is_known_as_bytes_from_the_wire_too(parcel: Any) -> None:
    assert parcel("default/x/y", operation="response", content=msgspec.Raw(b'"OK"')).lane is Lane.LIST


def test_the_frame_is_the_message_and_a_newline(message: Any) -> None:
    made = parcel_of(message("insert", "default/pod/p", {"a": 1}))
    assert made.data == encode(message("insert", "default/pod/p", {"a": 1})) + b"\n"


def test_bytes_that_exist_already_are_kept(message: Any) -> None:
    assert parcel_of(message("insert", "default/pod/p"), data=b"as before").data == b"as before"


@pytest.mark.parametrize(
    ("operation", "content", "ending"),
    [
        ("delete", None, True),
        ("update", {"metadata": {"deletionTimestamp": "2020-05-09T04:53:20Z"}}, True),
        ("update", {"metadata": {"deletionTimestamp": None}}, False),
        ("update", {"metadata": {"name": "deletionTimestamp"}}, False),
        ("update", [{"metadata": {"deletionTimestamp": "x"}}], False),
        ("update", "deletionTimestamp", False),
    ],
)
def test_go_takes_an_object_with_a_deletion_timestamp_for_a_delete(
    message: Any, operation: str, content: Any, ending: bool
) -> None:
    from_wire: Message = decode(encode(message(operation, "default/pod/p", content)))
    assert parcel_of(from_wire).is_ending is ending
    assert parcel_of(from_wire).is_delete is (operation == "delete")


@pytest.mark.parametrize(
    ("version", "than", "older"),
    [
        ("99", "1000", True),
        ("1000", "99", False),
        ("7", "7", False),
        ("", "7", False),
        ("7", "", False),
        ("x", "7", False),
        ("-1", "7", False),
        ("1", "9" * 5000, False),
    ],
)
def test_versions_are_numbers(version: str, than: str, older: bool) -> None:
    assert is_older(version, than) is older

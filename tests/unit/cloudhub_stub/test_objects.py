"""What the stub holds of what was sent by hand."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.objects import HeldObject, Objects
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.resource import EdgeResource

CM = EdgeResource("default", "configmap", "cm")


def test_the_last_content_sent_is_held(message: Any) -> None:
    objects = Objects()
    objects.note_sent(message("insert", "default/configmap/cm", {"data": {"k": "1"}}, version="5"))
    objects.note_sent(message("update", "default/configmap/cm", {"data": {"k": "2"}}, version="6"))
    assert objects.get(CM) == HeldObject(msgspec.Raw(b'{"data":{"k":"2"}}'), "6")
    assert len(objects) == 1


def test_a_deleted_object_is_not_held(message: Any) -> None:
    objects = Objects()
    objects.note_sent(message("insert", "default/configmap/cm", {"data": {}}))
    objects.note_sent(message("delete", "default/configmap/cm", {"data": {}}))
    assert objects.get(CM) is None
    assert objects.held_bytes == 0


@pytest.mark.parametrize(
    ("operation", "resource", "content"),
    [
        ("update", "default/podlist/web", [{}]),
        ("update", "namespace/servicelist/service", []),
        ("response", "default/node/edge-1", "OK"),
        ("response", "default/configmap/cm", {}),
        ("update", "membership", {}),
        ("update", "device/d/twin/cloud_updated", {}),
        ("insert", "default/configmap", {}),
        ("insert", "default/configmap/cm", None),
        ("insert", "default/configmap/cm", "text"),
        ("insert", "default/configmap/cm", object()),
    ],
)
def test_what_is_not_one_object_is_not_held(message: Any, operation: str, resource: str, content: Any) -> None:
    objects = Objects()
    objects.note_sent(message(operation, resource, content))
    assert len(objects) == 0


def test_beyond_the_limit_those_sent_longest_ago_go(message: Any) -> None:
    objects = Objects(max_bytes=40)
    for name in ("a", "b", "a", "c"):
        objects.note_sent(message("update", f"default/configmap/{name}", {"data": "x" * 5}))
    assert objects.get(EdgeResource("default", "configmap", "b")) is None
    assert objects.get(EdgeResource("default", "configmap", "a")) is not None
    assert (len(objects), objects.dropped, objects.held_bytes) == (2, 1, 32)


def test_an_object_larger_than_the_limit_is_not_held(message: Any) -> None:
    objects = Objects(max_bytes=10)
    objects.note_sent(message("insert", "default/configmap/cm", {"data": "x" * 50}))
    assert (len(objects), objects.held_bytes) == (0, 0)


class _Rows:
    """Rows in memory."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, bytes]] = {}

    def by_hand(self) -> list[tuple[str, str, bytes]]:
        return [(resource, *row) for resource, row in self.held.items()]

    def keep_by_hand(self, resource: str, version: str, content: bytes) -> None:
        self.held[resource] = (version, content)

    def forget_by_hand(self, resource: str) -> None:
        del self.held[resource]


def loaded(rows: _Rows, **limits: int) -> Objects:
    objects = Objects(rows, **limits)
    objects.load()
    return objects


def test_what_was_sent_is_held_after_a_restart(message: Any) -> None:
    rows = _Rows()
    loaded(rows).note_sent(message("insert", "default/configmap/cm", {"data": {}}, version="5"))
    again = loaded(rows)
    assert again.get(CM) == HeldObject(msgspec.Raw(b'{"data":{}}'), "5")
    assert again.held_bytes == 11


def test_what_was_deleted_is_gone_after_a_restart(message: Any) -> None:
    rows = _Rows()
    objects = loaded(rows)
    objects.note_sent(message("insert", "default/configmap/cm", {"data": {}}))
    objects.note_sent(message("delete", "default/configmap/cm", {"data": {}}))
    assert len(loaded(rows)) == 0


def test_what_had_to_give_way_is_gone_after_a_restart(message: Any) -> None:
    rows = _Rows()
    objects = loaded(rows, max_bytes=40)
    for name in ("a", "b", "c"):
        objects.note_sent(message("update", f"default/configmap/{name}", {"data": "x" * 5}))
    assert list(rows.held) == ["default/configmap/b", "default/configmap/c"]


def test_a_row_that_names_no_resource_is_passed_over() -> None:
    rows = _Rows()
    rows.keep_by_hand("no resource", "", b"{}")
    assert len(loaded(rows)) == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["insert", "update", "delete"]), st.sampled_from("abc"), st.text(max_size=30)),
    ),
)
def test_held_bytes_are_the_bytes_held_and_below_the_limit(steps: list[tuple[str, str, str]]) -> None:
    objects = Objects(max_bytes=60)
    for operation, name, text in steps:
        route = Route("edgecontroller", "resource", operation, f"default/secret/{name}")
        objects.note_sent(Message(Header("i"), route, {"d": text}))
    held = [objects.get(EdgeResource("default", "secret", name)) for name in "abc"]
    assert objects.held_bytes == sum(len(each.content) for each in held if each is not None) <= 60

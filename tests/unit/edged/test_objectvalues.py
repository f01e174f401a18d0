"""What ConfigMaps and Secrets hold."""

import base64
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.resource import EdgeResource
from edgecore.errors import ContentError
from edgecore.modules.edged import objectvalues
from edgecore.modules.edged.objectvalues import ObjectValues, read_values

MAP = EdgeResource("default", "configmap", "cm")
SECRET = EdgeResource("default", "secret", "s")


def test_a_config_map_holds_texts_and_bytes() -> None:
    data = {"data": {"a": "ä", "b": ""}, "binaryData": {"c": base64.b64encode(b"\x00\xff").decode()}}
    assert read_values(MAP, msgspec.json.encode(data)) == {"a": "ä".encode(), "b": b"", "c": b"\x00\xff"}


def test_a_secret_holds_what_stands_there_in_base64() -> None:
    assert read_values(SECRET, b'{"data":{"k":"c2VjcmV0"}}') == {"k": b"secret"}


@pytest.mark.parametrize("data", [b'{"data":null}', b"{}"])
def test_an_object_may_hold_nothing(data: bytes) -> None:
    assert read_values(MAP, data) == {}


@pytest.mark.parametrize("data", [b'{"data":{"k":"not base64: hush"}}', b'{"data":["hush"]}', b"hush"])
def test_what_is_no_secret_is_refused_without_a_word_of_it(data: bytes) -> None:
    with pytest.raises(ContentError, match="cannot read default/secret/s") as caught:
        read_values(SECRET, data)
    assert "hush" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_all_objects_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectvalues, "KEPT_LIMIT_BYTES", 10)
    values = ObjectValues()
    values.put(MAP, b'{"data":{"a":"12345"}}')
    with pytest.raises(ContentError, match="more than 10 bytes"):
        values.put(SECRET, b'{"data":{"a":"MTIzNDU2Nzg5MA=="}}')
    assert SECRET not in values
    values.put(MAP, b'{"data":{"a":"123456789"}}')
    assert values[MAP] == {"a": b"123456789"}
    values.drop(MAP)
    values.put(SECRET, b'{"data":{"a":"MTIzNA=="}}')
    assert values[SECRET] == {"a": b"1234"}


@given(
    st.binary()
    | st.dictionaries(st.text(), st.text() | st.none()).map(lambda held: msgspec.json.encode({"data": held}))
)
def test_no_object_does_more_than_raise_a_content_error(data: bytes) -> None:
    for name in (MAP, SECRET):
        with suppress(ContentError):
            assert all(isinstance(value, bytes) for value in read_values(name, data).values())

"""ConfigMaps and Secrets: keys, encodings, sizes; secrets stay secret."""

from typing import Any

import pytest

from manifests_of_all_kinds import refusal, valid


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": {"a": 1}}, "data[a]: it is not text; put it in quotes"),
        ({"data": {"a": None}}, "data[a]: it is not text"),
        ({"data": {"a/b": "c"}}, "data: the key 'a/b' cannot be"),
        ({"data": "x"}, "data: it is the text 'x'; it must be a mapping"),
        ({"binaryData": {"b": "?"}}, "binaryData[b]: it is not base64"),
        ({"data": {"a": "x"}, "binaryData": {"a": "AAE="}}, "binaryData: the key 'a' stands in data too"),
        ({"data": {"a": "é" * 600_000}}, "data: it has 1200004 bytes, at most 1048576 fit"),
    ],
)
def test_a_wrong_config_map_is_named_by_its_field(fields: dict[str, Any], said: str) -> None:
    assert refusal(valid("ConfigMap", **fields)).startswith(said)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"data": {"pw": "Tr0ub4dor"}}, "data[pw]: it is not base64 (plain text goes into stringData"),
        ({"data": {"pw": "é"}}, "data[pw]: it is not base64"),
        ({"data": {"pw": 7711}}, "data[pw]: it is not text"),
        ({"stringData": {"pw": 7711}}, "stringData[pw]: it is not text; put it in quotes"),
        ({"stringData": {"pw": ["Tr0ub4dor"]}}, "stringData[pw]: it is not text"),
        ({"type": 1}, "type: it is the number 1"),
    ],
)
def test_a_wrong_secret_is_named_by_its_field_and_not_by_what_it_holds(fields: dict[str, Any], said: str) -> None:
    found = refusal(valid("Secret", **fields))
    assert found.startswith(said)
    assert "Tr0ub4dor" not in found
    assert "7711" not in found


def test_base64_may_be_broken_into_lines() -> None:
    assert refusal(valid("Secret", data={"pw": "c2Vj\ncmV0MQ==\n", "none": ""})) == ""

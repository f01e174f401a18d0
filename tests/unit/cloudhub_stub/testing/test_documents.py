"""What may be handed to apply, and what is made of it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.errors import BadManifest
from cloudhub_stub.testing.documents import documents_of

CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "north"}}
TEXT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"


def names(documents: list[dict[str, Any]]) -> list[str]:
    return [each["object"]["metadata"]["name"] for each in documents]


def test_text_with_two_documents_is_two() -> None:
    assert names(documents_of(f"{TEXT.format('a')}---\n{TEXT.format('b')}")) == ["a", "b"]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_file_is_read_whether_its_path_is_a_path_or_text(tmp_path: Path, as_text: bool) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(TEXT.format("a"))
    assert names(documents_of(str(file) if as_text else file)) == ["a"]


def test_an_object_is_taken_as_it_is() -> None:
    given_one = {**CONFIG, "metadata": {"name": "a", "namespace": "shop"}}
    assert [each["object"] for each in documents_of(given_one)] == [given_one]


def test_a_sequence_may_hold_all_of_them(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({**CONFIG, "metadata": {"name": "c"}}))
    assert names(documents_of([CONFIG, TEXT.format("b"), file, [NODE]])) == ["a", "b", "c", "north"]


def test_of_a_sequence_each_is_named_by_its_number() -> None:
    where = [each["where"] for each in documents_of([CONFIG, CONFIG])]
    assert ["1" in where[0], "2" in where[1]] == [True, True]


def test_what_names_no_namespace_is_put_into_the_one_that_is_asked_for() -> None:
    placed = documents_of([CONFIG, {**CONFIG, "metadata": {"name": "b", "namespace": "kept"}}], "shop")
    assert [each["object"]["metadata"]["namespace"] for each in placed] == ["shop", "kept"]


@pytest.mark.parametrize("obj", [NODE, {"kind": "Unknown", "metadata": {"name": "a"}}, {"kind": "Pod", "metadata": []}])
def test_what_has_no_namespace_or_is_wrong_stays_as_it_is(obj: dict[str, Any]) -> None:
    assert [each["object"] for each in documents_of(obj, "shop")] == [obj]


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, Path("x")])
def test_an_object_that_is_no_json_is_a_bad_manifest(value: object) -> None:
    with pytest.raises(BadManifest, match="cannot take manifest: it is no JSON"):
        documents_of({**CONFIG, "data": {"x": value}})


@given(st.text(max_size=30).filter(lambda text: not text.endswith((".yaml", ".yml", ".json"))))
def test_any_text_is_manifests_or_a_bad_manifest(text: str) -> None:
    with suppress(BadManifest):
        assert isinstance(documents_of(text), list)

"""The text of a manifest file: JSON where it begins so, else YAML."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.documents import read_documents
from cloudhub_stub.cluster.yamltext import Document, DocumentError


def test_json_documents_may_follow_each_other() -> None:
    assert read_documents('{"a": 1}\n\n {"b":\n[2]}') == [Document({"a": 1}, 1), Document({"b": [2]}, 3)]


def test_json_is_read_as_json() -> None:
    (document,) = read_documents('{\t"a": "\\ud83d\\ude00\\/", "b": 1e3, "on": null}')
    assert document.value == {"a": "\U0001f600/", "b": 1000.0, "on": None}


def test_a_mapping_of_yaml_in_braces_is_read_too() -> None:
    assert read_documents("{a: 1, b: yes}\n---\nc: d\n") == [Document({"a": 1, "b": True}, 1), Document({"c": "d"}, 3)]


def test_text_without_braces_is_yaml() -> None:
    assert read_documents("a: {b: 1}") == [Document({"a": {"b": 1}}, 1)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1,\n "b" 2}', "line 2: expecting ':' delimiter"),
        ('{"a": 1}\n{"b": 2, "b": 3}', "in the document of line 2: the key 'b' stands there twice"),
        (
            '{"a": 18446744073709551616}',
            "in the document of line 1: '18446744073709551616' is a number of more than 64",
        ),
        ('{"a": NaN}', "in the document of line 1: NaN is no value in JSON"),
        ('{"a": 1e999}', "in the document of line 1: a: it is inf"),
        ('{"a": "\\ud800"}', "in the document of line 1: a: it holds half a character"),
        ('{"a": ' * 70 + "1" + "}" * 70, "nested deeper than 64 levels"),
        ('{"a": ' * 50_000, "nested too deep"),
        ("a: 1\na: 2", "line 2: the key 'a' stands there twice"),
    ],
)
def test_what_is_wrong_is_told_by_line(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as raised:
        read_documents(text)
    assert said in str(raised.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _JSON, max_size=3))
def test_json_reads_the_same(data: Any) -> None:
    assert [document.value for document in read_documents(json.dumps(data))] == [data]


@given(st.text(alphabet='{}[]":,\\ud8ab01e+-. \n\ttruefalsn', max_size=40).map(lambda rest: "{" + rest))
def test_any_text_in_braces_has_documents_or_an_error(text: str) -> None:
    try:
        assert read_documents(text)
    except DocumentError as error:
        assert str(error)  # noqa: PT017 - some texts are taken

"""YAML: values, aliases, merge keys, limits; what is wrong with the rest, by line."""

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cloudhub_stub.cluster.plain import MAX_DEPTH
from cloudhub_stub.cluster.yamltext import Document, DocumentError, yaml_documents
from edgecore.control.documents import as_yaml


@pytest.fixture(params=[yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)], ids=["python", "c"])
def loader(request: pytest.FixtureRequest) -> Any:
    return request.param


def value(text: str) -> Any:
    (document,) = yaml_documents(text)
    return document.value


def test_documents_come_with_the_lines_where_they_begin(loader: Any) -> None:
    text = "# first\na: 1\n---\n---\n\nb: [x, 'y']\n...\n"
    assert yaml_documents(text, loader) == [Document({"a": 1}, 2), Document(None, 4), Document({"b": ["x", "y"]}, 6)]


def test_no_text_has_no_documents(loader: Any) -> None:
    assert yaml_documents("", loader) == yaml_documents("# nothing\n", loader) == []


def test_quotes_make_text() -> None:
    assert value("['1', \"true\", 1, true]") == ["1", "true", 1, True]
    assert value("a: |-\n  2\n") == {"a": "2"}


def test_keys_are_text_as_they_are_spelled() -> None:
    assert value("80: a\non: b\n1.0: c\n~: d") == {"80": "a", "on": "b", "1.0": "c", "~": "d"}


def test_tags_say_what_a_scalar_is() -> None:
    assert value("[!!str 1, ! 2, !!int '3', !!float 1.5, !!bool yes, !!null ~]") == ["1", "2", 3, 1.5, True, None]


def test_an_alias_stands_for_its_anchor() -> None:
    assert value("a: &x {b: [1]}\nc: *x\nd: &y z\ne: *y") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "z", "e": "z"}


def test_a_merge_key_fills_what_is_not_there() -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\none:\n  <<: *b\n  y: 5\nboth:\n  <<: [*b, *m]\n"
    found = value(text)
    assert found["one"] == {"x": 1, "y": 5}
    assert found["both"] == {"x": 1, "y": 2, "z": 4}
    assert value("'<<': {a: 1}") == {"<<": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' stands there twice"),
        ("a: b: c", "line 1: mapping values are not allowed"),
        ("a:\n\tb: 1\n", "line 2: found character"),
        ("a: [1, 2", "expected ',' or ']'"),
        ("a: 'b", "found unexpected end of stream"),
        ("? [a]\n: b\n", "line 1: a key is a list"),
        ("a: &x 1\n*x : 2\n", "line 2: a key is a list, a mapping or an alias"),
        ("a: *x\n", "line 1: the alias *x has no finished anchor before it"),
        ("a: &x [*x]\n", "line 1: the alias *x has no finished anchor before it"),
        ("a: &x 1\n---\nb: *x\n", "line 3: the alias *x has no finished anchor"),
        ("a: 1\n<<: 5\n", "line 2: << takes a mapping"),
        ("a: !!python/object:os.system {}\nb: !!python/name:os.system x", "line 2: the tag 'python/name:os.system'"),
        ("a: !mine b", "line 1: the tag '!mine' has no meaning here"),
        ("a: !!int b", "line 1: 'b' is not what its tag !!int says"),
        ("a: !!int true", "line 1: 'true' is not what its tag !!int says"),
        ("a: 1\nb: .inf\n", "line 2: .inf is no number in JSON"),
        ("a: \x00", "characters are not allowed"),
        ("a: \ud800", "surrogates not allowed"),
        ("[" * 5000, "nested deeper than 64 levels"),
    ],
)
def test_what_is_wrong_is_told_by_line(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as raised:
        yaml_documents(text)
    assert said in str(raised.value)


def test_depth_counts_through_aliases() -> None:
    half = "[" * (MAX_DEPTH // 2) + "]" * (MAX_DEPTH // 2)
    assert value(f"- &x {half}\n")
    with pytest.raises(DocumentError, match="nested deeper"):
        yaml_documents(f"- &x {half}\n- " + "[" * 40 + "*x" + "]" * 40)


def test_aliases_count_as_what_they_stand_for() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(DocumentError, match="line 6: more than 1000000 values"):
        yaml_documents("\n".join(lines))


def test_merged_keys_count_too() -> None:
    base = "b: &b {" + ", ".join(f"k{n}: 1" for n in range(1000)) + "}\n"
    with pytest.raises(DocumentError, match="more than 1000000 values"):
        yaml_documents(f"{base}c: {{<<: [{', '.join(['*b'] * 1000)}]}}\n")


@given(st.text(alphabet="ab:-[]{}&*!<>'\"|#%?,\n\t 01.~@`", max_size=60))
def test_any_text_has_documents_or_an_error(text: str) -> None:
    try:
        found = yaml_documents(text)
    except DocumentError as error:
        assert str(error)  # noqa: PT017 - some texts are taken
        return
    assert all(isinstance(document, Document) for document in found)


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc<=~1", max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(_VALUES)
@example({"y": ["N", "no", "0o7", "1_0", "12:30", "~"]})
def test_what_is_written_as_yaml_reads_the_same(data: Any) -> None:
    (document,) = yaml_documents(as_yaml(data))
    assert document.value == data

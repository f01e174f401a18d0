"""YAML to a tree that keeps lines and spelling."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edgecore.config.document import (
    MAX_ENTRIES,
    DocumentError,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    read_document,
)

LOADERS: list[Any] = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request: pytest.FixtureRequest) -> type[yaml.SafeLoader]:
    chosen: type[yaml.SafeLoader] = request.param
    return chosen


def values(node: Node | None) -> object:
    if isinstance(node, MappingNode):
        return {entry.name: values(entry.value) for entry in node.entries}
    if isinstance(node, SequenceNode):
        return [values(item) for item in node.items]
    return node.text if node is not None else None


def refusal(text: str, loader: type[yaml.SafeLoader]) -> str:
    with pytest.raises(DocumentError) as caught:
        read_document(text, loader)
    return str(caught.value)


def test_a_mapping_keeps_its_lines_and_spelling(loader: type[yaml.SafeLoader]) -> None:
    root = read_document("a: 010\nb:\n  - 'yes'\n", loader).root
    assert root == MappingNode(
        (
            Entry("a", ScalarNode("010", plain=True, line=1), 1),
            Entry("b", SequenceNode((ScalarNode("yes", plain=False, line=3),), 3), 2),
        ),
        (),
        1,
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_a_text_without_a_value_has_no_root_or_an_empty_one(text: str, loader: type[yaml.SafeLoader]) -> None:
    assert values(read_document(text, loader).root) in (None, "")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("x", True),
        ("'5'", False),
        ('"5"', False),
        ("|\n  5", False),
        ("!!str 5", False),
        ("! 5", False),
        ("!!int '5'", True),
    ],
)
def test_only_what_has_no_quotes_is_plain(text: str, plain: bool, loader: type[yaml.SafeLoader]) -> None:
    root = read_document(text, loader).root
    assert isinstance(root, ScalarNode)
    assert root.plain is plain


def test_an_alias_is_what_its_anchor_is(loader: type[yaml.SafeLoader]) -> None:
    assert values(read_document("a: &x {k: 1}\nb: *x", loader).root) == {"a": {"k": "1"}, "b": {"k": "1"}}


def test_a_merge_fills_in_what_the_mapping_itself_has_not(loader: type[yaml.SafeLoader]) -> None:
    text = "base: &b {x: 1, y: 2}\nmore: &m {y: 8, z: 9}\nuse:\n  y: 3\n  <<: [*b, *m]\n"
    tree = values(read_document(text, loader).root)
    assert isinstance(tree, dict)
    assert tree["use"] == {"x": "1", "y": "3", "z": "9"}


def test_the_last_of_a_repeated_key_counts_and_the_others_are_told(loader: type[yaml.SafeLoader]) -> None:
    root = read_document("a: 1\nb: 2\na: 3\n", loader).root
    assert isinstance(root, MappingNode)
    assert values(root) == {"a": "3", "b": "2"}
    assert [(entry.name, entry.line) for entry in root.repeated] == [("a", 1)]


def test_a_second_document_is_told_and_not_read(loader: type[yaml.SafeLoader]) -> None:
    document = read_document("a: 1\n---\n}this is no YAML", loader)
    assert values(document.root) == {"a": "1"}
    assert document.second_at == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n\tb: 2", "line 2: "),
        ("a: [1", "line "),
        ("a: b: c", "line 1: mapping values"),
        ("x: 1\na: *nobody", "line 2: alias *nobody"),
        ("a: &a [*a]", "line 1: alias *a"),
        ("[1]: x", "line 1: a key is a list"),
        ("<<: 5", "line 1: << takes a mapping"),
        ("a: !python/object:os.system x", "has no meaning here"),
        ("a: !!binary aGk=", "has no meaning here"),
        ("a: \0", "#x0000"),
        ("[" * 500_000, "line 1: nested deeper than 32"),
        ("{a: " * 100_000, "line 1: nested deeper than 32"),
        ("a: [" + "1, " * (MAX_ENTRIES + 1) + "]", "more than 20000 entries"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, said: str, loader: type[yaml.SafeLoader]) -> None:
    assert said in refusal(text, loader)


def test_aliases_of_aliases_share_one_node(loader: type[yaml.SafeLoader]) -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60)]
    root = read_document("\n".join(lines), loader).root
    assert isinstance(root, MappingNode)
    assert len(root.entries) == 60


def test_merges_of_merges_are_limited(loader: type[yaml.SafeLoader]) -> None:
    base = "\n".join(f"  k{n}: 1" for n in range(300))
    uses = "\n".join(f"u{n}: {{<<: *b}}" for n in range(300))
    assert "more than 20000 entries" in refusal(f"b: &b\n{base}\n{uses}", loader)


@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}&*!<>|'\"#%@ \n\t?,0", max_size=60))
def test_no_text_raises_anything_but_a_document_error(text: str) -> None:
    for loader in LOADERS:
        try:
            read_document(text, loader)
        except DocumentError as error:
            assert str(error)  # noqa: PT017 - both outcomes are right


@given(
    st.recursive(
        st.text(max_size=8), lambda below: st.dictionaries(st.text(max_size=5), below, max_size=4), max_leaves=8
    )
)
def test_what_yaml_writes_is_read_back(tree: object) -> None:
    expected = yaml.safe_dump(tree)
    for loader in LOADERS:
        assert values(read_document(expected, loader).root) == tree

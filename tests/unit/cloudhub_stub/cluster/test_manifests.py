"""Manifests: files, folders, the standard input; the place of each object, and of what is wrong."""

import io
import json
from pathlib import Path

import pytest

from cloudhub_stub.cluster.manifests import MAX_BYTES, Manifest, read_manifests, read_path
from cloudhub_stub.errors import BadManifest

NOTHING = io.StringIO()
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}}
TEXT = """\
# a pod
---
apiVersion: v1
kind: Pod
metadata: {name: a}
---
---
apiVersion: v1
kind: Service
metadata: {name: b}
"""


def places(manifests: list[Manifest]) -> list[tuple[str, str]]:
    return [(each.where, each.object["metadata"]["name"]) for each in manifests]


def test_each_object_knows_its_file_and_document() -> None:
    assert read_manifests(TEXT, "all.yaml") == [
        Manifest("all.yaml, document 1", POD),
        Manifest("all.yaml, document 3", SERVICE),
    ]


def test_a_file_without_documents_has_no_objects() -> None:
    assert read_manifests("# nothing\n---\n", "empty.yaml") == []


def test_a_list_is_taken_apart() -> None:
    inner = {"kind": "List", "apiVersion": "v1", "items": [SERVICE]}
    text = json.dumps({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [POD, inner]})
    assert places(read_manifests(text, "x")) == [
        ("x, document 1, items[0]", "a"),
        ("x, document 1, items[1], items[0]", "b"),
    ]


def test_a_list_of_one_kind_names_it_once() -> None:
    items = [{"metadata": {"name": "a"}}]
    text = json.dumps({"kind": "PodList", "apiVersion": "v1", "items": items})
    assert [each.object for each in read_manifests(text, "x")] == [POD]


def test_an_empty_list_has_no_objects() -> None:
    assert read_manifests('{"kind": "List", "items": null}', "x") == []


def test_what_an_object_is_else_is_not_looked_at() -> None:
    assert read_manifests("kind: Whatever", "x") == [Manifest("x, document 1", {"kind": "Whatever"})]


def test_a_mark_of_byte_order_is_passed_over() -> None:
    assert places(read_manifests("\ufeff" + json.dumps(POD), "x")) == [("x, document 1", "a")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: b: c", "cannot read x as YAML or JSON: line 1: mapping values are not allowed"),
        ("a: 1\na: 2", "cannot read x as YAML or JSON: line 2: the key 'a' stands there twice"),
        ("kind: Pod\n---\n\n- a\n", "cannot use x, document 2 (line 4): it is no object"),
        ("just text", "cannot use x, document 1 (line 1): it is no object"),
        ("metadata: {}", "cannot use x, document 1 (line 1): kind is missing"),
        ("kind: [Pod]", "cannot use x, document 1 (line 1): kind is no text"),
        ("kind: List\nitems: {a: 1}", "cannot use x, document 1 (line 1): items is no list"),
        ("kind: List\nitems: [a]", "cannot use x, document 1, items[0] (line 1): it is no object"),
        ("kind: PodList\nitems: [null]", "cannot use x, document 1, items[0] (line 1): it is no object"),
    ],
)
def test_what_is_no_manifest_is_told_where(text: str, said: str) -> None:
    with pytest.raises(BadManifest) as raised:
        read_manifests(text, "x")
    assert str(raised.value).startswith(said)


def test_too_many_objects_are_refused() -> None:
    with pytest.raises(BadManifest, match="over 50000 objects"):
        read_manifests("kind: List\nitems:\n" + "- &a {kind: Pod}\n" + "- *a\n" * 50_000, "x")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    assert places(read_path(tmp_path / "a.txt", NOTHING)) == [
        (f"{tmp_path}/a.txt, document 1", "a"),
        (f"{tmp_path}/a.txt, document 3", "b"),
    ]


def test_of_a_folder_the_manifests_are_read_by_name_and_nothing_below(tmp_path: Path) -> None:
    (tmp_path / "2.yaml").write_text("kind: Pod\nmetadata: {name: two}")
    (tmp_path / "1.json").write_text('{"kind": "Pod", "metadata": {"name": "one"}}')
    (tmp_path / "3.yml").write_text("kind: Pod\nmetadata: {name: three}")
    (tmp_path / "README.md").write_text("a: b: c")
    (tmp_path / "sub.yaml").mkdir()
    (tmp_path / "sub.yaml/4.yaml").write_text("kind: Pod\nmetadata: {name: four}")
    assert [name for _, name in places(read_path(tmp_path, NOTHING))] == ["one", "two", "three"]


@pytest.mark.parametrize("stdin", [io.StringIO(TEXT), io.BytesIO(TEXT.encode())], ids=["text", "bytes"])
def test_a_dash_is_the_standard_input(stdin: io.StringIO | io.BytesIO) -> None:
    assert places(read_path(Path("-"), stdin)) == [
        ("standard input, document 1", "a"),
        ("standard input, document 3", "b"),
    ]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadManifest, match=r"cannot read .*/none\.yaml: No such file"):
        read_path(tmp_path / "none.yaml", NOTHING)
    with pytest.raises(BadManifest, match=r"no file in it ends in \.json, \.yaml, \.yml"):
        read_path(tmp_path, NOTHING)
    (tmp_path / "latin.yaml").write_bytes(b"kind: \xe9")
    with pytest.raises(BadManifest, match=r"cannot read .*/latin.yaml: not UTF-8 at byte 6"):
        read_path(tmp_path, NOTHING)
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    with pytest.raises(BadManifest, match=r"gone\.yaml: No such file"):
        read_path(tmp_path, NOTHING)


def test_a_file_that_is_too_large_is_not_read_to_its_end() -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            assert size == MAX_BYTES + 1
            return b"#" * size

    with pytest.raises(BadManifest, match=f"over {MAX_BYTES} bytes"):
        read_path(Path("-"), Endless())  # type: ignore[arg-type]

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.metadata.diff import (
    NOTHING,
    STATUS_PATHS,
    STATUS_TYPES,
    Ignored,
    compared,
    concealed,
    difference_document,
    differences,
    path_changes,
)
from edgecore.metadata.row import MetaRow, hide

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "type", "a", "b.c"]), inner),
    max_leaves=8,
)
VALUES = st.none() | st.binary(max_size=6) | JSON.map(lambda value: json.dumps(value).encode())
ROWS = st.dictionaries(st.text("abc/", max_size=5), st.tuples(st.sampled_from(["pod", "secret", "x"]), VALUES)).map(
    lambda found: [MetaRow(key, row_type, value, len(value or b"")) for key, (row_type, value) in sorted(found.items())]
)


def row(value: Any, key: str = "default/pod/web", row_type: str = "pod") -> MetaRow:
    data = json.dumps(value).encode()
    return MetaRow(key, row_type, data, len(data))


def paths(before: Any, after: Any) -> list[str]:
    return [change.path for change in path_changes(before, after)]


def test_keys_come_go_and_change() -> None:
    old = [row(1, "a"), row(1, "b"), row(1, "c")]
    new = [row(2, "b"), row(1, "c"), row(1, "d")]
    found = [(one.kind, one.key) for one in differences(old, new)]
    assert found == [("removed", "a"), ("changed", "b"), ("added", "d")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b"]),
        ({"a.b/c": 1}, {"a.b/c": 2}, ['["a.b/c"]']),
        ({"a": {}}, {}, ["a"]),
        ([1, 2], [1, 3, 4], ["[1]", "[2]"]),
        ({"c": [{"name": "x", "i": 1}]}, {"c": [{"name": "x", "i": 2}]}, ["c[x].i"]),
        ([{"name": "x"}, {"name": "y"}], [{"name": "y"}], ["[x]"]),
        ([{"name": "x"}, {"name": "y"}], [{"name": "y"}, {"name": "x"}], ["[order]"]),
        ([{"type": "Ready", "s": 1}], [{"type": "Ready", "s": 2}], ["[Ready].s"]),
        ([{"metadata": {"name": "p"}, "s": 1}], [{"metadata": {"name": "p"}, "s": 2}], ["[p].s"]),
        ([{"name": "x"}, {"name": "x"}], [{"name": "x"}, {"name": "z"}], ["[1].name"]),
        (1, "1", ["(value)"]),
    ],
)
def test_a_change_is_named_by_its_path(before: Any, after: Any, expected: list[str]) -> None:
    assert paths(before, after) == expected


def test_a_place_that_is_not_there_is_not_null() -> None:
    (change,) = path_changes({"a": None}, {})
    assert (change.before, change.after) == (None, NOTHING)


def test_values_that_are_no_json_are_compared_as_texts() -> None:
    before, after = row(1)._replace(value=b"{"), row(1)._replace(value=b"[")
    difference = compared(before, after)
    assert difference is not None
    assert difference_document(difference)["paths"] == [{"path": "(value)", "before": "{", "after": "["}]


def test_another_type_is_a_change() -> None:
    difference = compared(row(1), row(1, row_type="service"))
    assert difference is not None
    assert [change.path for change in difference.changes] == ["(type)"]


def test_spaces_and_the_order_of_fields_do_not_count() -> None:
    assert compared(row(1)._replace(value=b'{"a":1,"b":2}'), row(1)._replace(value=b'{ "b":2, "a":1 }')) is None


def test_what_is_ignored_is_no_difference() -> None:
    before = row({"metadata": {"resourceVersion": "1"}, "status": {"phase": "Pending"}, "spec": {}})
    after = row({"metadata": {"resourceVersion": "2"}, "status": {"phase": "Running"}, "spec": {"x": 1}})
    ignored = Ignored(STATUS_TYPES, STATUS_PATHS)
    difference = compared(before, after, ignored)
    assert difference is not None
    assert [change.path for change in difference.changes] == ["spec.x"]
    assert compared(row(1, row_type="podstatus"), None, ignored) is None


def test_of_a_secret_is_told_that_it_changed_and_not_to_what() -> None:
    key = "default/secret/pw"
    before, after = (row({"data": {"pw": word}}, key, "secret") for word in ("hunter2", "swordfish"))
    difference = compared(before, after)
    assert difference is not None
    shown = concealed(difference)
    assert [change.path for change in shown.changes] == ["data.pw"]
    assert "hunter2" not in repr(shown)
    assert "swordfish" not in repr(shown)


def test_a_secret_that_is_hidden_on_one_side_is_compared_by_its_size() -> None:
    before, after = (row(word, "default/secret/pw", "secret") for word in ("hunter2", "swordfish"))
    assert compared(hide(before), after) is not None
    assert compared(hide(before), before) is None


def test_a_value_of_any_depth_is_compared() -> None:
    deep: Any = 1
    deeper: Any = 2
    for _ in range(500):
        deep, deeper = [deep], [deeper]
    assert len(paths(deep, deeper)) == 1


@given(ROWS)
def test_nothing_differs_from_itself(rows: list[MetaRow]) -> None:
    assert list(differences(rows, rows)) == []


@given(ROWS, ROWS)
def test_what_differs_one_way_differs_the_other_way(old: list[MetaRow], new: list[MetaRow]) -> None:
    forth, back = list(differences(old, new)), list(differences(new, old))
    assert [one.key for one in forth] == [one.key for one in back]
    opposite = {"added": "removed", "removed": "added", "changed": "changed"}
    assert [opposite[one.kind] for one in forth] == [one.kind for one in back]
    for one in forth:
        json.dumps(difference_document(concealed(one)))

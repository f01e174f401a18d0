import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.metadata.diff import differences
from edgecore.metadata.export import export_lines, is_object, kubernetes_objects, rows_of_export
from edgecore.metadata.row import MetaRow, hide
from edgecore.modules.metamanager.tables import Origin

ORIGIN = Origin("m-1", "edgecontroller", "insert", "default/pod/web", 1_589_000_000_123)
SECRET = MetaRow("default/secret/pw", "secret", b'{"data":{"pw":"hunter2"}}', 25, ORIGIN)


def exported(rows: list[MetaRow]) -> str:
    return "\n".join(export_lines(rows, {"database": "/x/edgecore.db"}))


def test_an_export_is_one_document_with_a_row_a_line() -> None:
    row = MetaRow("default/pod/web", "pod", b'{"a": 1}', 8, ORIGIN)
    text = exported([row, row._replace(key="default/pod/x", origin=None)])
    document = json.loads(text)
    assert (document["format"], document["database"]) == ("edgecore-meta/1", "/x/edgecore.db")
    assert document["rows"][0]["origin"] == ORIGIN._asdict()
    assert document["rows"][0]["value"] == {"a": 1}
    assert '"value": {"a": 1}' in text.splitlines()[4]


def test_a_hidden_value_is_not_in_the_export() -> None:
    text = exported([hide(SECRET)])
    assert "hunter2" not in text
    assert rows_of_export(text.encode()) == [hide(SECRET)]


@given(
    st.dictionaries(
        st.text(max_size=4), st.none() | st.text().map(str.encode) | st.integers().map(lambda number: b"%d" % number)
    )
)
def test_what_is_exported_is_no_other_than_what_was_there(values: dict[str, bytes | None]) -> None:
    rows = [MetaRow(key, "x", value, len(value or b""), ORIGIN) for key, value in sorted(values.items())]
    read = rows_of_export(exported(rows).encode())
    assert list(differences(rows, read)) == []
    assert [row.origin for row in read] == [row.origin for row in rows]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "it is no JSON"),
        ("[]", "its field format is not 'edgecore-meta/1'"),
        ('{"format": "edgecore-meta/2"}', "its field format is not"),
        ('{"format": "edgecore-meta/1"}', "a row of it lacks or has a wrong 'rows'"),
        ('{"format": "edgecore-meta/1", "rows": [1]}', "a row of it lacks"),
        ('{"format": "edgecore-meta/1", "rows": [{"key": "a"}]}', "'type'"),
        ('{"format": "edgecore-meta/1", "rows": [{"key": "a", "type": "b", "origin": {"x": 1}}]}', "a row of it"),
        ('{"format": "edgecore-meta/1", "rows": [{"key": "a", "type": "b", "size": "much"}]}', "a row of it"),
    ],
)
def test_what_is_no_export_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(ContentError, match=reason):
        rows_of_export(text.encode())


def test_an_object_becomes_a_manifest_without_what_its_cluster_added() -> None:
    value: dict[str, Any] = {
        "metadata": {
            "name": "web",
            "namespace": "default",
            "uid": "u",
            "resourceVersion": "5",
            "creationTimestamp": "x",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
        },
        "spec": {"clusterIP": "10.254.0.1", "ports": [{"port": 80}]},
        "status": {"loadBalancer": {}},
    }
    (manifest,) = kubernetes_objects([MetaRow("default/service/web", "service", json.dumps(value).encode(), 9)])
    assert manifest == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "annotations": {"mine": "1"}},
        "spec": {"ports": [{"port": 80}]},
    }


def test_a_headless_service_stays_headless() -> None:
    data = b'{"metadata":{"name":"web"},"spec":{"clusterIP":"None"}}'
    (manifest,) = kubernetes_objects([MetaRow("default/service/web", "service", data, len(data))])
    assert manifest["spec"] == {"clusterIP": "None"}


@pytest.mark.parametrize(
    "row",
    [
        hide(SECRET),
        MetaRow("default/podlist/web", "podlist", b"[]", 2),
        MetaRow("default/node/n", "node", b'"OK"', 4),
        MetaRow("default/pod/p", "pod", b"{", 1),
        MetaRow("default/pod/p", "pod", b"{}", 2),
    ],
)
def test_what_is_no_object_that_can_be_seen_is_left_out(row: MetaRow) -> None:
    assert list(kubernetes_objects([row])) == []


def test_pod_lists_and_states_are_no_objects() -> None:
    rows = [MetaRow("a/b/c", row_type, b"", 0) for row_type in ("pod", "podlist", "podstatus", "secret", "listener")]
    assert [is_object(row) for row in rows] == [True, False, False, True, False]

import json

import pytest

from edgecore.metadata.row import MetaRow, NoJson, hidden_text, hide, parsed, row_document, row_of_document
from edgecore.modules.metamanager.tables import Origin

ORIGIN = Origin("m-1", "edgecontroller", "insert", "default/pod/web", 1_589_000_000_123)
POD = MetaRow("default/pod/web", "pod", b'{"a":1}', 7, ORIGIN)
SECRET = MetaRow("default/secret/pw", "secret", b'{"data":{"pw":"aHVudGVyMg=="}}', 31, ORIGIN)


def test_a_key_has_three_parts() -> None:
    assert POD.place == ("default", "pod", "web")


def test_a_key_of_another_form_is_all_name() -> None:
    assert MetaRow("a/b/c/d", "odd", None, 0).place == ("", "odd", "a/b/c/d")


@pytest.mark.parametrize(
    ("key", "row_type"),
    [("default/secret/pw", "secret"), ("default/secret/pw", "other"), ("x", "secret"), ("default/Secret/pw", "Secret")],
)
def test_a_secret_is_hidden_by_its_type_or_its_key(key: str, row_type: str) -> None:
    row = hide(MetaRow(key, row_type, b"hunter2", 7))
    assert (row.value, row.hidden, hidden_text(row)) == (None, True, "<hidden: 7 bytes>")


def test_what_is_no_secret_is_not_hidden() -> None:
    assert hide(POD) is POD


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "the column is null"),
        (b"\xff", "it is not UTF-8 from byte 0 on"),
        (b"[" * 5000, "it is nested too deeply"),
        (b"", "Input data was truncated"),
    ],
)
def test_a_value_that_cannot_be_read_says_why(value: bytes | None, reason: str) -> None:
    assert parsed(POD._replace(value=value)) == NoJson(reason)


@pytest.mark.parametrize("row", [POD, hide(SECRET), POD._replace(value=None, size=0), POD._replace(origin=None)])
def test_a_row_is_the_same_after_its_way_as_a_document(row: MetaRow) -> None:
    assert row_of_document(json.loads(json.dumps(row_document(row)))) == row


def test_the_document_of_a_hidden_row_does_not_have_its_value() -> None:
    assert "aHVudGVyMg" not in json.dumps(row_document(hide(SECRET)))


def test_a_document_can_leave_out_the_value() -> None:
    assert row_of_document(row_document(POD, with_value=False)) == POD._replace(value=None)

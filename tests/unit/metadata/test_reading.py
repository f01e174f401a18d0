from typing import Any

import pytest

from edgecore.metadata import reading
from edgecore.metadata.filters import Filters
from edgecore.metadata.reading import all_rows, pages
from edgecore.metadata.row import MetaRow
from edgecore.modules.metamanager.tables import Origin


def test_rows_come_by_key_with_where_they_are_from(database: Any, origin: Origin) -> None:
    database.put("default/service/b", "service", {"x": 1}, origin)
    database.put("default/service/a", "service", "null")

    assert list(all_rows(database.rows)) == [
        MetaRow("default/service/a", "service", b"null", 4, None),
        MetaRow("default/service/b", "service", b'{"x": 1}', 8, origin),
    ]


def test_a_file_of_a_go_edgecore_says_nothing_of_where_rows_are_from(go_database: Any) -> None:
    go_database.put("default/service/a", "service", "{}")

    assert [row.origin for row in all_rows(go_database.rows)] == [None]


@pytest.mark.parametrize(("column", "written"), [("value", "{} "), ("type", "pod"), ("value", None)])
def test_a_row_that_another_program_has_written_since_is_of_unknown_origin(
    database: Any, origin: Origin, column: str, written: str | None
) -> None:
    database.put("default/service/a", "service", "{}", origin)
    database.connection.execute(f"UPDATE meta SET {column} = ?", (written,))

    assert [row.origin for row in all_rows(database.rows)] == [None]


@pytest.mark.parametrize("number", [0, 1, 99, 100, 101, 250])
def test_every_row_comes_once_however_many_pages_there_are(
    database: Any, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(reading, "_KEYS_A_PAGE", 100)
    monkeypatch.setattr(reading, "_VALUES_A_PAGE", 7)
    keys = [f"default/pod/web-{one:03}" for one in range(number)]
    for key in reversed(keys):
        database.put(key, "pod", "{}")

    found = list(pages(database.rows, Filters()))

    assert [row.key for page in found for row in page] == keys
    assert max(map(len, found), default=0) <= 7


def test_values_are_read_of_no_rows_that_are_not_meant(database: Any) -> None:
    database.put("default/pod/a", "pod", "{}")
    database.put("default/service/a", "service", "{}")
    asked: list[Any] = []

    def rows(sql: str, params: Any = ()) -> list[tuple[Any, ...]]:
        asked.extend(params if "meta.value" in sql else ())
        return database.rows(sql, params)  # type: ignore[no-any-return]

    assert [row.key for row in all_rows(rows, Filters(types=("pod",)))] == ["default/pod/a"]
    assert asked == [b"default/pod/a"]


def test_texts_that_are_no_utf8_are_shown_and_do_not_stop_the_others(database: Any) -> None:
    database.connection.execute("INSERT INTO meta VALUES (CAST(x'61ff' AS TEXT), 'odd', CAST(x'ff' AS TEXT))")
    database.connection.execute("INSERT INTO meta VALUES (x'61', 'a key that is no text', 'x')")
    database.put("b", "odd", "1")

    assert [(row.key, row.value) for row in all_rows(database.rows)] == [("a\ufffd", b"\xff"), ("b", b"1")]

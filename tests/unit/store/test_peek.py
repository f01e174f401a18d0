import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgecore.errors import StoreError
from edgecore.store.peek import peek


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file in WAL mode, as the node's is."""
    path = tmp_path / "n.db"
    _make(path)
    return path


def _make(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        connection.executemany("INSERT INTO meta VALUES (?, ?)", [("a", "1"), ("b", None)])
        connection.commit()


def test_all_rows_of_a_query_are_returned(database: Path) -> None:
    assert peek(database, "SELECT key, value FROM meta ORDER BY key") == [("a", "1"), ("b", None)]


def test_parameters_stand_for_the_marks(database: Path) -> None:
    assert peek(database, "SELECT value FROM meta WHERE key = ?", ("a",)) == [("1",)]


def test_what_is_written_and_not_committed_is_not_seen(database: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("DELETE FROM meta")

        assert len(peek(database, "SELECT key FROM meta")) == 2


def test_rows_that_lie_in_the_log_of_a_writer_are_seen(database: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("INSERT INTO meta VALUES ('c', '3')")
        writer.commit()

        assert len(peek(database, "SELECT key FROM meta")) == 3


@pytest.mark.parametrize("name", ["a?mode=rwc", "a#b", "a%20b", "ä b"])
def test_a_name_that_means_something_in_a_url_is_only_a_name(tmp_path: Path, name: str) -> None:
    _make(tmp_path / name)

    assert len(peek(tmp_path / name, "SELECT key FROM meta")) == 2


def test_a_file_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"cannot read database {tmp_path}/none.db: unable to open"):
        peek(tmp_path / "none.db", "SELECT 1")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "reason"),
    [("DELETE FROM meta", "readonly"), ("SELECT x FROM meta", "no such column"), ("nonsense", "syntax")],
)
def test_what_sqlite_refuses_is_an_error_with_its_reason(database: Path, sql: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason):
        peek(database, sql)

    assert len(peek(database, "SELECT key FROM meta")) == 2


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "n.db").write_text("no database at all, but long enough to have a header of its own" * 20)

    with pytest.raises(StoreError, match="not a database"):
        peek(tmp_path / "n.db", "SELECT key FROM meta")


# Where nothing may be written.


@pytest.fixture
def closed_folder(database: Path) -> Iterator[Path]:
    """The file in a folder that takes no new files."""
    database.chmod(0o400)
    database.parent.chmod(0o500)
    yield database
    database.parent.chmod(0o700)


@pytest.mark.usefixtures("unprivileged")
def test_a_file_without_log_is_read_where_nothing_may_be_written(closed_folder: Path) -> None:
    assert len(peek(closed_folder, "SELECT key FROM meta")) == 2
    assert [each.name for each in closed_folder.parent.iterdir()] == [closed_folder.name]


@pytest.mark.usefixtures("unprivileged")
def test_a_log_that_cannot_be_read_there_is_told(database: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("INSERT INTO meta VALUES ('c', '3')")
        writer.commit()
        for suffix in ("", "-wal"):
            (folder / f"n.db{suffix}").write_bytes(Path(f"{database}{suffix}").read_bytes())
    folder.chmod(0o500)
    try:
        with pytest.raises(StoreError, match=r"its newest rows are in n\.db-wal.*copy both files to a folder"):
            peek(folder / "n.db", "SELECT key FROM meta")
    finally:
        folder.chmod(0o700)


@pytest.mark.usefixtures("unprivileged")
def test_a_file_that_is_closed_to_this_user_is_an_error(database: Path) -> None:
    database.chmod(0)
    with pytest.raises(StoreError, match=f"^cannot read database {database}: "):
        peek(database, "SELECT key FROM meta")

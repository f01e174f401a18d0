import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edgecore.errors import StoreError
from edgecore.store.databasefile import DatabaseFile, peek


@pytest.fixture(params=["wal", "delete"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file with one row, which nobody has open: as our node leaves it, and as the Go program does."""
    return made(tmp_path / "edgecore.db", request.param)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """Such a file as our node leaves it."""
    return made(tmp_path / "edgecore.db", "wal")


@pytest.fixture
def of_go(tmp_path: Path) -> Path:
    """Such a file as the Go program leaves it."""
    return made(tmp_path / "edgecore.db", "delete")


def made(path: Path, journal: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        connection.execute("INSERT INTO meta VALUES ('a', '1')")
        connection.commit()
    return path


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who has the file open, and commits each statement."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = value")
        yield connection


def keys(file: DatabaseFile) -> list[str]:
    return [key for (key,) in file.rows("SELECT key FROM meta ORDER BY key")]


def test_a_file_is_read_and_nothing_is_left_beside_it(path: Path) -> None:
    before = path.read_bytes()
    with DatabaseFile(path) as file:
        assert file.rows("SELECT value FROM meta WHERE key = ?", ("a",)) == [("1",)]
        assert file.version() == file.version()

    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_file_in_a_directory_that_cannot_be_written_is_read(path: Path, unprivileged: None) -> None:
    path.parent.chmod(0o500)
    try:
        with DatabaseFile(path) as file:
            assert keys(file) == ["a"]
    finally:
        path.parent.chmod(0o700)


def test_a_file_cannot_be_written(path: Path) -> None:
    with DatabaseFile(path) as file, pytest.raises(StoreError, match="readonly"):
        file.rows("DELETE FROM meta")


def test_what_somebody_else_commits_is_seen_by_the_next_query(path: Path, writer: sqlite3.Connection) -> None:
    with DatabaseFile(path) as file:
        writer.execute("INSERT INTO meta VALUES ('b', '2')")
        assert keys(file) == ["a", "b"]


def test_queries_of_a_snapshot_see_one_state(ours: Path) -> None:
    with closing(sqlite3.connect(ours, isolation_level=None, timeout=0)) as writer:
        writer.execute("UPDATE meta SET value = value")
        with DatabaseFile(ours) as file:
            with file.snapshot():
                assert keys(file) == ["a"]
                writer.execute("INSERT INTO meta VALUES ('b', '2')")
                assert keys(file) == ["a"]
            assert keys(file) == ["a", "b"]


def test_the_version_differs_once_somebody_else_has_committed(path: Path, writer: sqlite3.Connection) -> None:
    with DatabaseFile(path) as file:
        before = file.version()
        assert file.version() == before
        writer.execute("INSERT INTO meta VALUES ('b', '2')")
        assert file.version() != before


def test_a_writer_that_comes_later_is_noticed(path: Path) -> None:
    with DatabaseFile(path) as file:
        before = file.version()
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("INSERT INTO meta VALUES ('b', '2')")
            assert file.version() != before
            assert keys(file) == ["a", "b"]


def test_a_query_that_a_writer_comes_before_sees_what_that_one_wrote(ours: Path) -> None:
    with DatabaseFile(ours) as file, closing(sqlite3.connect(ours, isolation_level=None)) as writer:
        assert keys(file) == ["a"]
        writer.execute("INSERT INTO meta VALUES ('b', '2')")
        assert keys(file) == ["a", "b"]


def test_a_writer_that_has_come_and_gone_is_noticed(ours: Path) -> None:
    with DatabaseFile(ours) as file:
        before = file.version()
        assert keys(file) == ["a"]
        with closing(sqlite3.connect(ours, isolation_level=None)) as writer:
            writer.execute("INSERT INTO meta VALUES ('b', '2')")
        assert file.version() != before
        assert keys(file) == ["a", "b"]


def test_work_that_a_writer_comes_into_is_done_again(ours: Path) -> None:
    tries = 0
    with DatabaseFile(ours) as file, closing(sqlite3.connect(ours, isolation_level=None)) as somebody:

        def work(connection: sqlite3.Connection) -> list[str]:
            nonlocal tries
            tries += 1
            found = [key for (key,) in connection.execute("SELECT key FROM meta ORDER BY key")]
            if tries == 1:
                somebody.execute("INSERT INTO meta VALUES ('b', '2')")
            return found

        assert file.use(work) == ["a", "b"]
    assert tries == 2


def test_a_snapshot_that_a_writer_comes_into_is_to_be_done_again(ours: Path) -> None:
    with (
        DatabaseFile(ours) as file,
        closing(sqlite3.connect(ours, isolation_level=None)) as somebody,
        file.snapshot(),
    ):
        somebody.execute("INSERT INTO meta VALUES ('b', '2')")
        with pytest.raises(StoreError, match="a node has opened it meanwhile; try again"):
            keys(file)


def test_another_file_at_the_path_is_noticed(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT)")
    with DatabaseFile(path) as file:
        before = file.version()
        os.replace(other, path)  # noqa: PTH105 - the twin of Path.replace, said as what it is
        assert file.version() != before
        assert keys(file) == []


def test_a_process_that_has_the_file_open_itself_reads_it_beside_that(path: Path, writer: sqlite3.Connection) -> None:
    with DatabaseFile(path, open_here=True) as file:
        assert keys(file) == ["a"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "there is no such file; `edgecore status` names that of a running node"),
        (
            b"no database" * 100,
            "file is not a database; name the file that database.dataSource names; if it is this one, ",
        ),
        (b"", "no such table: meta; no node has stored anything here"),
    ],
)
def test_what_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, content: bytes | None, text: str) -> None:
    path = tmp_path / "edgecore.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreError) as caught, DatabaseFile(path) as file:
        keys(file)
    assert str(caught.value).startswith(f"cannot read database {path}: {text}")


@pytest.mark.parametrize(
    ("path", "text"), [("/tmp", "it is a directory; name the file in it"), ("/dev/null", "no file")]
)
def test_what_is_no_file_is_no_database(path: str, text: str) -> None:
    with pytest.raises(StoreError, match=f"^cannot read database {path}: .*{text}"):
        DatabaseFile(Path(path))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="it is no file"):
        DatabaseFile(tmp_path / "pipe")


def test_a_file_that_was_cut_off_is_said_to_be_damaged(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executemany("INSERT INTO meta VALUES (?, ?)", [(f"k{n}", "x" * 900) for n in range(100)])
        connection.commit()
    path.write_bytes(path.read_bytes()[:-8192])
    with (
        pytest.raises(StoreError, match=r"`edgecore db repair --db .*saves what can be read"),
        DatabaseFile(path) as file,
    ):
        file.rows("SELECT sum(length(value)) FROM meta")


def test_a_file_that_somebody_keeps_locked_is_said_to_be(of_go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecore.store.databasefile._TIMEOUT_S", 0.0)
    with closing(sqlite3.connect(of_go, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another program holds it; try again"), DatabaseFile(of_go) as file:
            keys(file)


@pytest.mark.parametrize("name", ["a?mode=rwc", "a#b", "a%20b", "ä b"])
def test_a_name_that_means_something_in_a_url_is_only_a_name(tmp_path: Path, name: str) -> None:
    with DatabaseFile(made(tmp_path / name, "wal")) as file:
        assert keys(file) == ["a"]


@pytest.mark.usefixtures("unprivileged")
def test_a_log_that_cannot_be_read_where_nothing_may_be_written_is_told(ours: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copied"
    folder.mkdir()
    with closing(sqlite3.connect(ours)) as writer:
        writer.execute("INSERT INTO meta VALUES ('c', '3')")
        writer.commit()
        for suffix in ("", "-wal"):
            (folder / f"n.db{suffix}").write_bytes(Path(f"{ours}{suffix}").read_bytes())
    folder.chmod(0o500)
    try:
        with (
            pytest.raises(StoreError, match=r"its newest rows are in n\.db-wal.*copy both files to a folder"),
            DatabaseFile(folder / "n.db") as file,
        ):
            keys(file)
    finally:
        folder.chmod(0o700)


@pytest.mark.usefixtures("unprivileged")
def test_a_log_that_is_empty_is_passed_over_where_nothing_may_be_written(ours: Path) -> None:
    ours.with_name("edgecore.db-wal").touch()
    ours.parent.chmod(0o500)
    try:
        with DatabaseFile(ours) as file, file.snapshot():
            assert keys(file) == ["a"]
    finally:
        ours.parent.chmod(0o700)


@pytest.mark.usefixtures("unprivileged")
def test_a_file_that_is_closed_to_this_user_is_an_error(path: Path) -> None:
    path.chmod(0)
    with (
        pytest.raises(StoreError, match=f"^cannot read database {path}: .*; see that this user may read the file"),
        DatabaseFile(path) as file,
    ):
        keys(file)


# One query.


def test_one_query_has_parameters(ours: Path) -> None:
    assert peek(ours, "SELECT value FROM meta WHERE key = ?", ("a",)) == [("1",)]


def test_what_is_written_and_not_committed_is_not_seen(ours: Path) -> None:
    with closing(sqlite3.connect(ours)) as writer:
        writer.execute("DELETE FROM meta")

        assert len(peek(ours, "SELECT key FROM meta")) == 1


@pytest.mark.parametrize(
    ("sql", "reason"),
    [("DELETE FROM meta", "readonly"), ("SELECT x FROM meta", "no such column"), ("nonsense", "syntax")],
)
def test_what_sqlite_refuses_is_an_error_with_its_reason(path: Path, sql: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason):
        peek(path, sql)

    assert len(peek(path, "SELECT key FROM meta")) == 1

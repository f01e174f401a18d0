"""Backups, and putting them back: verified, for their owner only, never over anything."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edgecore.app import SCHEMA
from edgecore.errors import StoreError
from edgecore.store.backup import back_up, backup_name
from edgecore.store.refusals import backups_beside
from edgecore.store.repair import repair
from edgecore.store.restore import restore
from edgecore.store.store import Statement, open_store

NOW_MS = 1_589_000_000_123
STAMP = "20200509T045320Z"


def rows(path: Path, table: str = "meta") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as plain:
        return plain.execute(f"SELECT * FROM {table}").fetchall()


def put(key: str) -> Statement:
    return Statement("INSERT INTO meta VALUES (?, 'pod', '{}')", (key,))


def put_back(path: Path, backup: Path) -> Path | None:
    return restore(path, backup, SCHEMA, NOW_MS, lambda _done, _all: None)


def test_a_backup_is_one_file_with_all_rows_for_its_owner_only(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "copy.db"
    target.parent.mkdir()
    told: list[tuple[int, int]] = []
    length = back_up(made, target, lambda done, all_pages: told.append((done, all_pages)))
    assert length == target.stat().st_size
    assert [each.name for each in target.parent.iterdir()] == ["copy.db"]
    assert target.stat().st_mode & 0o777 == 0o600
    assert rows(target) == rows(made)
    assert told[-1][0] == told[-1][1] > 0
    with closing(sqlite3.connect(target)) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)


async def test_a_backup_of_a_file_in_use_has_what_is_committed_and_the_user_goes_on(made: Path, tmp_path: Path) -> None:
    store = open_store(made, SCHEMA)
    await store.write(put("default/pod/newest"))
    back_up(made, tmp_path / "copy.db")
    await store.write(put("default/pod/later"))
    await store.close()
    copied = {key for key, *_ in rows(tmp_path / "copy.db")}
    assert "default/pod/newest" in copied
    assert "default/pod/later" not in copied
    assert len(rows(made)) == 302


@pytest.mark.parametrize("taken", ["file", "link to nothing", "folder"])
def test_a_backup_is_never_written_over_anything(made: Path, tmp_path: Path, taken: str) -> None:
    target = tmp_path / "taken"
    if taken == "file":
        target.write_text("precious")
    elif taken == "folder":
        target.mkdir()
    else:
        target.symlink_to(tmp_path / "nothing")
    with pytest.raises(StoreError, match=f"^cannot back up {made} to {target}: that file exists; name another"):
        back_up(made, target)
    assert taken != "file" or target.read_text() == "precious"
    assert not (tmp_path / "nothing").exists()


def test_a_backup_of_nothing_and_one_into_nowhere_are_errors_that_leave_nothing(made: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"^cannot back up database {tmp_path}/none.db: "):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    with pytest.raises(StoreError, match=f"^cannot write backup {tmp_path}/no folder/copy.db: No such file"):
        back_up(made, tmp_path / "no folder" / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_backup_of_a_file_that_nobody_has_open_leaves_nothing_beside_it(made: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    back_up(made, tmp_path / "copy.db")
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "copy.db"])


def test_a_damaged_database_is_not_called_a_backup(made: Path, tmp_path: Path) -> None:
    content = bytearray(made.read_bytes())
    content[20 * 4096 : 23 * 4096] = b"\x5a" * 3 * 4096
    made.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        back_up(made, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "copy.db.partial").exists()


def test_names_of_backups_are_of_the_moment_and_never_taken(made: Path) -> None:
    first = backup_name(made, NOW_MS)
    first.touch()
    second = backup_name(made, NOW_MS)
    second.touch()
    assert [first.name, second.name] == [f"edgecore.db.backup-{STAMP}", f"edgecore.db.backup-{STAMP}-2"]
    made.with_name("edgecore.db.backup-x.partial").touch()
    made.with_name("other.db.backup-x").touch()
    assert backups_beside(made) == [first, second]


async def test_a_backup_that_is_put_back_is_the_database_and_the_former_is_kept(made: Path, tmp_path: Path) -> None:
    back_up(made, tmp_path / "copy.db")
    store = open_store(made, SCHEMA)
    await store.write(put("default/pod/newest"))
    await store.close()
    before = made.read_bytes()

    aside = put_back(made, tmp_path / "copy.db")

    assert aside is not None
    assert aside.name == f"edgecore.db.before-restore-{STAMP}"
    assert aside.read_bytes() == before
    assert rows(made) == rows(tmp_path / "copy.db")
    assert made.stat().st_mode & 0o777 == 0o600
    assert {each.name for each in made.parent.iterdir()} == {"copy.db", made.name, aside.name, "edgecore.db.lock"}
    await open_store(made, SCHEMA).close()


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_what_is_no_file_is_neither_put_aside_nor_opened(made: Path, tmp_path: Path, what: str) -> None:
    """As root, a device would be taken from the whole machine."""
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path, 0o644)
    before = (path.stat().st_mode, sorted(tmp_path.iterdir()))
    for use in (
        lambda: put_back(path, made),
        lambda: repair(path, SCHEMA, NOW_MS),
        lambda: open_store(path, SCHEMA),
        lambda: back_up(path, tmp_path / "copy.db"),
    ):
        with pytest.raises(StoreError, match=rf"^cannot .* {path}: it is (no file|a directory)"):
            use()
    assert (path.stat().st_mode, sorted(tmp_path.iterdir())) == before


async def test_the_log_of_the_former_goes_with_it(made: Path, tmp_path: Path) -> None:
    back_up(made, tmp_path / "copy.db")
    store = open_store(made, SCHEMA)
    await store.write(put("default/pod/newest"))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for each in (made, made.with_name("edgecore.db-wal")):
        (crashed / each.name).write_bytes(each.read_bytes())
    await store.close()

    aside = put_back(crashed / "edgecore.db", tmp_path / "copy.db")

    assert aside is not None
    assert ("default/pod/newest", "pod", "{}") in rows(aside)
    assert len(rows(crashed / "edgecore.db")) == 300
    assert not (crashed / "edgecore.db-wal").exists()


def test_a_backup_is_put_back_where_there_is_no_database_any_more(made: Path, tmp_path: Path) -> None:
    back_up(made, tmp_path / "copy.db")
    made.unlink()
    assert put_back(made, tmp_path / "copy.db") is None
    assert len(rows(made)) == 300


async def test_nothing_is_put_back_while_a_node_or_another_program_has_the_database(made: Path, tmp_path: Path) -> None:
    back_up(made, tmp_path / "copy.db")
    store = open_store(made, SCHEMA)
    with pytest.raises(StoreError, match=rf"another edgecore uses it \(process {os.getpid()}\)"):
        put_back(made, tmp_path / "copy.db")
    await store.close()
    assert len(rows(made)) == 300


OTHER_PROGRAM = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM meta").fetchall()
print("open", flush=True)
sys.stdin.readline()
"""


def test_nothing_is_put_back_under_a_program_that_does_not_know_our_lock(made: Path, tmp_path: Path) -> None:
    back_up(made, tmp_path / "copy.db")
    command = [sys.executable, "-c", OTHER_PROGRAM, str(made)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match="another program has it open; end that one"):
            put_back(made, tmp_path / "copy.db")
        with pytest.raises(StoreError, match="another program has it open"):
            repair(made, SCHEMA, NOW_MS)
        other.communicate("\n")
    put_back(made, tmp_path / "copy.db")


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA user_version = 99")


def of_others(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("CREATE TABLE moz_places (x)")


def without_tables(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as plain:
        plain.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (damaged, "cut short"),
        (newer, "newer edgecore"),
        (of_others, "another program's"),
        (without_tables, "no tables"),
        (Path.unlink, "no such file"),
        (lambda path: path.write_text("text"), "not a database"),
    ],
)
def test_what_is_no_good_backup_is_not_put_back(
    made: Path, tmp_path: Path, spoil: Callable[[Path], object], why: str
) -> None:
    copy = tmp_path / "copy.db"
    back_up(made, copy)
    spoil(copy)
    before = made.read_bytes()
    with pytest.raises(StoreError, match=why) as caught:
        put_back(made, copy)
    assert str(copy) in str(caught.value)
    assert made.read_bytes() == before
    assert not list(made.parent.glob("*before-restore*"))


def test_the_database_itself_is_no_backup_of_itself(made: Path) -> None:
    with pytest.raises(StoreError, match="it is the database itself"):
        put_back(made, made)

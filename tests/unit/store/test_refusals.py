import errno
import os
import sqlite3
from pathlib import Path

import peewee
import pytest

from edgecore.store.refusals import DAMAGED, DISK, LOCKED, NO_ROOM, OTHER, READ_ONLY, refused, size, trouble

PATH = Path("/var/lib/kubeedge/a b.db")


def fault(code: int, text: str = "as SQLite says") -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (fault(sqlite3.SQLITE_CORRUPT), DAMAGED),
        (fault(sqlite3.SQLITE_CORRUPT_VTAB), DAMAGED),
        (fault(sqlite3.SQLITE_NOTADB), DAMAGED),
        (fault(sqlite3.SQLITE_FULL), NO_ROOM),
        (fault(sqlite3.SQLITE_BUSY_SNAPSHOT), LOCKED),
        (fault(sqlite3.SQLITE_READONLY), READ_ONLY),
        (fault(sqlite3.SQLITE_IOERR_FSYNC), DISK),
        (fault(sqlite3.SQLITE_CONSTRAINT), OTHER),
        (sqlite3.ProgrammingError("no code at all"), OTHER),
        (ValueError("a parameter"), OTHER),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"), DAMAGED),
        (OSError(errno.ENOSPC, "full"), NO_ROOM),
        (OSError(errno.EDQUOT, "quota"), NO_ROOM),
        (OSError(errno.EROFS, "read-only"), READ_ONLY),
        (OSError(errno.EIO, "broken"), DISK),
        (OSError(errno.EISDIR, "folder"), OTHER),
    ],
)
def test_each_fault_has_its_word(error: BaseException, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecore.store.refusals.free_bytes", lambda _folder: 10**9)
    assert trouble(error, PATH) == word


def test_an_error_of_a_disk_without_room_is_want_of_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgecore.store.refusals.free_bytes", lambda _folder: 100)
    assert trouble(fault(sqlite3.SQLITE_IOERR), PATH) == NO_ROOM


def test_a_file_system_without_inodes_is_not_said_to_have_room(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = os.statvfs("/")
    without = os.statvfs_result((*figures[:5], 1000, 0, 0, *figures[8:]))
    monkeypatch.setattr(os, "statvfs", lambda _folder: without)
    assert "no more files" in str(refused("write", PATH, OSError(errno.ENOSPC, "No space left on device")))


def test_the_words_of_sqlite_are_found_behind_those_of_peewee() -> None:
    wrapped = peewee.OperationalError("as peewee says")
    wrapped.__context__ = fault(sqlite3.SQLITE_BUSY, "database is locked")
    text = str(refused("write", PATH, wrapped))
    assert text.startswith(f"cannot write {PATH}: database is locked; another program holds it")


def test_damage_names_the_commands_that_help_with_the_file_as_a_shell_takes_it() -> None:
    text = str(refused("open database", PATH, fault(sqlite3.SQLITE_CORRUPT)))
    assert f"`edgecore db repair --db '{PATH}'` saves what can be read" in text
    assert f"`edgecore db restore FILE --db '{PATH}'` puts a backup back" in text


def test_the_newest_backup_beside_it_is_named(tmp_path: Path) -> None:
    for stamp in ("20260101T000000Z", "20260301T000000Z", "20260201T000000Z"):
        (tmp_path / f"n.db.backup-{stamp}").touch()
    text = str(refused("open database", tmp_path / "n.db", fault(sqlite3.SQLITE_NOTADB)))
    assert f"`edgecore db restore {tmp_path}/n.db.backup-20260301T000000Z --db {tmp_path}/n.db`" in text


def test_the_words_of_the_system_are_kept_with_its_way_out_if_there_is_one() -> None:
    error = OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    text = f"cannot open database {PATH}: Is a directory"
    assert str(refused("open database", PATH, error)) == f"{text}; it is a directory: name a file in it"
    error = OSError(errno.EXDEV, "Invalid cross-device link")
    assert str(refused("open database", PATH, error)) == f"cannot open database {PATH}: Invalid cross-device link"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (2048, "2 KiB"), (3 << 20, "3.0 MiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text

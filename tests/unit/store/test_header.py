import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.store.header import HEADER_BYTES, MAGIC, PAGE_SIZES, Header, parse, rebuilt, without_magic


def made(path: Path, *statements: str) -> bytes:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path.read_bytes()


def test_what_sqlite_writes_is_read(tmp_path: Path) -> None:
    content = made(
        tmp_path / "a.db",
        "PRAGMA page_size = 1024",
        "PRAGMA journal_mode = wal",
        "CREATE TABLE t (x)",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = -3",
    )
    header = parse(content)
    assert header == Header(1024, len(content) // 1024, is_wal=True, user_version=7, application_id=-3)
    assert header.bytes == len(content)


def test_the_largest_page_is_read(tmp_path: Path) -> None:
    header = parse(made(tmp_path / "a.db", "PRAGMA page_size = 65536", "CREATE TABLE t (x)"))
    assert header is not None
    assert (header.page_bytes, header.is_wal) == (65_536, False)


def test_a_number_of_pages_that_an_old_sqlite_left_behind_is_not_believed(tmp_path: Path) -> None:
    content = bytearray(made(tmp_path / "a.db", "CREATE TABLE t (x)"))
    content[92:96] = b"\0\0\0\0"
    header = parse(bytes(content))
    assert header is not None
    assert header.bytes == 0


def test_a_header_without_its_first_bytes_is_known_by_the_rest(tmp_path: Path) -> None:
    content = made(tmp_path / "a.db", "CREATE TABLE t (x)")
    spoilt = b"?" * len(MAGIC) + content[len(MAGIC) :]
    assert parse(spoilt) is None
    assert without_magic(spoilt) == parse(content)


@pytest.mark.parametrize("page_bytes", PAGE_SIZES)
def test_a_header_that_is_made_anew_lets_sqlite_read_the_file(tmp_path: Path, page_bytes: int) -> None:
    path = tmp_path / "a.db"
    content = made(
        path, f"PRAGMA page_size = {page_bytes}", "CREATE TABLE t (x)", "INSERT INTO t VALUES ('here'), ('there')"
    )
    path.write_bytes(rebuilt(page_bytes, len(content), is_wal=False) + content[HEADER_BYTES:])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [("here",), ("there",)]


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_are_a_header_or_none(content: bytes, is_marked: bool) -> None:
    header = parse(MAGIC + content if is_marked else content)
    assert header is None or header.page_bytes in PAGE_SIZES

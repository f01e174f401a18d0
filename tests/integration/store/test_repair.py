"""Repair: what can be read is saved, what is lost is told, and the damaged file is kept to the byte."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from edgecore.app import SCHEMA
from edgecore.errors import StoreError
from edgecore.store.repair import RepairReport, repair
from edgecore.store.store import Statement, open_store

PAGE = 4096
NOW_MS = 1_589_000_000_123
Spoil = Callable[[bytes, random.Random], bytes]


def rows(path: Path, table: str = "meta") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as plain:
        return plain.execute(f"SELECT * FROM {table}").fetchall()


def mended(path: Path) -> RepairReport:
    return repair(path, SCHEMA, NOW_MS)


def saved(report: RepairReport) -> dict[str, int]:
    return {table.name: table.saved for table in report.tables if table.saved}


def pages_of(path: Path, table: str) -> list[int]:
    """Return the numbers of the leaf pages of a table: those that hold its rows."""
    with closing(sqlite3.connect(path)) as plain:
        [(root,)] = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
    content = path.read_bytes()
    found, waiting = [], [root]
    while waiting:
        number = waiting.pop()
        page = content[(number - 1) * PAGE : number * PAGE]
        if page[0] == 13:
            found.append(number)
        elif page[0] == 5:
            cells = int.from_bytes(page[3:5], "big")
            places = [int.from_bytes(page[12 + 2 * cell : 14 + 2 * cell], "big") for cell in range(cells)]
            waiting += [int.from_bytes(page[place : place + 4], "big") for place in places]
            waiting.append(int.from_bytes(page[8:12], "big"))
    return sorted(found)


def overwrite(path: Path, page: int, content: bytes = b"\x5a" * PAGE) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(content)


async def test_rows_around_a_bad_page_are_saved_and_those_of_it_are_named(made: Path) -> None:
    before = set(rows(made))
    page = pages_of(made, "meta")[10]
    overwrite(made, page)
    spoilt = made.read_bytes()

    report = mended(made)

    after = set(rows(made))
    [meta] = [table for table in report.tables if table.name == "meta"]
    assert after < before
    assert sorted(meta.lost) == sorted(str(key) for key, *_ in before - after)
    assert not report.is_complete
    assert saved(report) == {"meta": len(after), "provenance": 300, "applied": 2000, "edgemesh_address": 100}
    assert {key for key, *_ in rows(made, "provenance")} == {key for key, *_ in after}
    assert report.aside.name == "edgecore.db.damaged-20200509T045320Z"
    assert report.aside.read_bytes() == spoilt
    assert made.stat().st_mode & 0o777 == 0o600
    assert {each.name for each in made.parent.iterdir()} == {made.name, report.aside.name, "edgecore.db.lock"}
    await open_store(made, SCHEMA).close()


@pytest.mark.parametrize("which", [0, -1])
def test_a_bad_page_at_either_end_of_a_table_costs_its_rows_alone(made: Path, which: int) -> None:
    before = set(rows(made))
    overwrite(made, pages_of(made, "meta")[which])
    mended(made)
    assert 250 < len(rows(made)) < 300
    assert set(rows(made)) < before


def test_several_bad_pages_of_a_table_without_index_cost_their_rows_alone(made: Path) -> None:
    pages = pages_of(made, "applied")
    for page in (pages[1], pages[4]):
        overwrite(made, page)
    report = mended(made)
    [applied] = [table for table in report.tables if table.name == "applied"]
    assert len(pages) > 6
    assert 2000 * (len(pages) - 3) // len(pages) < applied.saved < 2000
    assert not applied.is_whole
    assert saved(report)["meta"] == 300


def test_a_table_whose_index_is_damaged_loses_nothing(made: Path) -> None:
    before = rows(made)
    with closing(sqlite3.connect(made)) as plain:
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_meta_1'"
        [(root,)] = plain.execute(sql)
    overwrite(made, root)
    report = mended(made)
    assert report.is_complete
    assert rows(made) == before


@pytest.mark.parametrize("length", [16, 40, 100])
@pytest.mark.parametrize("content", [b"\0", b"\xff", b"garbage "])
def test_a_header_that_is_lost_costs_nothing(made: Path, length: int, content: bytes) -> None:
    before = rows(made)
    with made.open("r+b") as file:
        file.write((content * 100)[:length])
    report = mended(made)
    assert report.is_complete
    assert rows(made) == before


@pytest.mark.parametrize("maker", ["ours", "Go"])
def test_a_first_page_that_is_lost_costs_nothing_where_the_file_was_made_by_one_program(
    made: Path, go_database: Callable[..., Path], maker: str
) -> None:
    path = made if maker == "ours" else go_database()
    before = rows(path)
    overwrite(path, 1)
    report = mended(path)
    assert "the list of its tables was lost" in report.note
    assert not report.is_complete
    assert rows(path) == before


def test_a_file_that_is_whole_comes_out_as_it_was(made: Path) -> None:
    before = {table: rows(made, table) for table in ("meta", "applied", "edgemesh_address")}
    report = mended(made)
    assert report.is_complete
    assert {table: rows(made, table) for table in before} == before


async def test_what_lies_in_the_log_is_saved_and_the_log_is_kept(made: Path, tmp_path: Path) -> None:
    page = pages_of(made, "applied")[2]
    store = open_store(made, SCHEMA)
    await store.write(Statement("INSERT INTO meta VALUES ('default/pod/newest', 'pod', '{}')"))
    crashed = tmp_path / "crashed" / "edgecore.db"
    crashed.parent.mkdir()
    log = made.with_name("edgecore.db-wal").read_bytes()
    crashed.write_bytes(made.read_bytes())
    crashed.with_name("edgecore.db-wal").write_bytes(log)
    await store.close()
    overwrite(crashed, page)

    report = mended(crashed)

    assert ("default/pod/newest", "pod", "{}") in rows(crashed)
    assert report.aside.with_name(f"{report.aside.name}-wal").read_bytes() == log
    assert not crashed.with_name("edgecore.db-wal").exists()


def test_rows_of_meta_that_are_none_are_left_out_and_named(made: Path) -> None:
    with closing(sqlite3.connect(made)) as plain:
        plain.execute("UPDATE meta SET value = '{\"cut' WHERE key = 'default/pod/p-007'")
        plain.execute("UPDATE meta SET value = CAST(x'22ff22' AS text) WHERE key = 'default/pod/p-008'")
        plain.execute("UPDATE meta SET value = NULL WHERE key = 'default/pod/p-009'")
        plain.commit()
    report = mended(made)
    [meta] = [table for table in report.tables if table.name == "meta"]
    assert meta.lost == ["key 'default/pod/p-007'", "key 'default/pod/p-008'"]
    assert meta.saved == 298
    assert ("default/pod/p-009", "pod", None) in rows(made)


def test_tables_of_others_are_saved_with_the_rest(go_database: Callable[..., Path]) -> None:
    path = go_database()
    with closing(sqlite3.connect(path)) as go:
        go.executescript("CREATE TABLE sub_topics (topic text PRIMARY KEY); INSERT INTO sub_topics VALUES ('a/b');")
    before = rows(path)
    report = mended(path)
    assert rows(path, "sub_topics") == [("a/b",)]
    assert rows(path) == before
    assert report.is_complete


async def test_a_database_in_use_is_not_repaired(made: Path) -> None:
    store = open_store(made, SCHEMA)
    with pytest.raises(StoreError, match=f"^cannot repair database {made}: another edgecore uses it"):
        mended(made)
    await store.close()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"text", "where its tables lie cannot be read"),
        (bytes(5000), "where its tables lie cannot be read"),
        (b"\xa5" * 50_000, "where its tables lie cannot be read"),
    ],
)
def test_a_file_in_which_nothing_can_be_read_is_left_as_it_is(path: Path, content: bytes, why: str) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=f"^cannot repair database {path}: {why}.*put a backup back"):
        mended(path)
    assert path.read_bytes() == content
    assert {each.name for each in path.parent.iterdir()} == {path.name, "edgecore.db.lock"}


def test_a_database_of_another_program_is_not_repaired(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE moz_places (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's"):
        mended(path)
    assert path.read_bytes() == before


def test_a_file_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file"):
        mended(path)


# Any damage.


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(1, len(content))]


def flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 30)):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def with_bad_pages(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        place = PAGE * chance.randrange(len(content) // PAGE)
        changed[place : place + PAGE] = chance.choice((bytes(PAGE), chance.randbytes(PAGE)))
    return bytes(changed)


@pytest.mark.parametrize("spoil", [cut, flipped, with_bad_pages])
async def test_no_damage_breaks_opening_or_repair(made: Path, tmp_path: Path, scale: int, spoil: Spoil) -> None:
    """Whatever is damaged: an error names the file and changes nothing; what repair saves was there before.

    A bit that was flipped within a value is seen by nobody, so that many rows may differ.
    """
    whole = made.read_bytes()
    before = set(rows(made))
    for number in range(12 * scale):
        chance = random.Random(f"{spoil.__name__} {number}")
        content = spoil(whole, chance)
        path = tmp_path / f"{number}" / "edgecore.db"
        path.parent.mkdir()
        path.write_bytes(content)
        if refusal := await refused_opening(path):
            assert str(path) in refusal, number
            assert path.read_bytes() == content, number
        path.write_bytes(content)
        report = attempt(path)
        if isinstance(report, str):
            assert str(path) in report, number
            assert path.read_bytes() == content, number
            continue
        assert report.aside.read_bytes() == content, number
        differing = sum(1 for row in rows(path) if row not in before)
        assert differing <= (30 if spoil is flipped else 0), number
        assert await refused_opening(path) == "", number


async def refused_opening(path: Path) -> str:
    try:
        store = open_store(path, SCHEMA)
    except StoreError as error:
        return str(error)
    await store.close()
    return ""


def attempt(path: Path) -> RepairReport | str:
    try:
        return mended(path)
    except StoreError as error:
        return str(error)

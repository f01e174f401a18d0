"""The rows of MetaManager, committed and on their way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgecore.beehive.message import Message
from edgecore.clock import settle
from edgecore.errors import StoreError
from edgecore.modules.metamanager.steps import Put, Remove
from edgecore.modules.metamanager.tables import (
    Committed,
    MetaTable,
    Origin,
    add_applied,
    fingerprint,
    newest_applied,
    origin_of,
    trim_applied,
)
from edgecore.store.store import Statement, Store

Held = Callable[[], AbstractContextManager[None]]
POD = "default/pod/x"
ORIGIN = Origin("m-1", "edgecontroller", "insert", POD, 1_000)
LATER = Origin("m-2", "edgecontroller", "update", POD, 2_000)


@pytest.fixture
def table(store: Store) -> MetaTable:
    return MetaTable(store)


def _committed(store: Store) -> list[tuple[str, str, str]]:
    return store.rows("SELECT key, type, value FROM meta ORDER BY key")


async def test_a_row_is_kept_as_go_keeps_it(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", '{"a":1}'),), ORIGIN)
    assert _committed(store) == [(POD, "pod", '{"a":1}')]


async def test_the_table_is_the_one_of_go(store: Store) -> None:
    columns = store.rows("SELECT name, lower(type), \"notnull\", dflt_value, pk FROM pragma_table_info('meta')")
    assert columns == [
        ("key", "varchar(256)", 1, None, 1),
        ("type", "varchar(32)", 1, "''", 0),
        ("value", "text", 0, None, 0),
    ]


async def test_a_row_on_its_way_is_seen_at_once(table: MetaTable, store: Store, commits_held: Held) -> None:
    with commits_held():
        written = table.write((Put(POD, "pod", "{}"),), ORIGIN)
        assert _committed(store) == []
        assert table.value(POD) == "{}"
        assert table.values("pod", "default") == ["{}"]
    await written


async def test_a_removal_on_its_way_is_seen_at_once(table: MetaTable, store: Store, commits_held: Held) -> None:
    await table.write((Put(POD, "pod", "{}"),), ORIGIN)
    with commits_held():
        removed = table.write((Remove(POD),), ORIGIN)
        assert len(_committed(store)) == 1
        assert table.value(POD) is None
        assert table.values("pod", "default") == []
    await removed
    assert _committed(store) == []


async def test_the_last_of_several_writes_on_their_way_is_seen(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put(POD, "pod", "0"),), ORIGIN)
    with commits_held():
        writes = []
        for change, seen in [
            (Put(POD, "pod", "1"), "1"),
            (Remove(POD), None),
            (Put(POD, "pod", "1"), "1"),
            (Put(POD, "pod", "2"), "2"),
        ]:
            writes.append(table.write((change,), ORIGIN))
            assert table.value(POD) == seen
    for write in writes:
        await write
    assert table.value(POD) == "2"


async def test_one_write_may_change_a_key_twice(table: MetaTable, store: Store) -> None:
    written = table.write((Put(POD, "pod", "1"), Put(POD, "pod", "2")), ORIGIN)
    assert table.value(POD) == "2"
    await written
    assert _committed(store) == [(POD, "pod", "2")]


async def test_a_write_that_fails_is_not_seen_any_more(table: MetaTable, store: Store) -> None:
    refused = table.write((Put(POD, "pod", "1"), Put("default/pod/refused", "pod", "1")), ORIGIN)
    assert table.value(POD) == "1"
    with pytest.raises(StoreError, match="refused by the test"):
        await refused
    assert table.value(POD) is None
    assert table.value("default/pod/refused") is None
    assert _committed(store) == []


async def test_a_write_that_fails_uncovers_what_was_written_before(table: MetaTable, commits_held: Held) -> None:
    with commits_held():
        kept = table.write((Put(POD, "pod", "1"),), ORIGIN)
        refused = table.write((Put(POD, "pod", "2"), Put("default/pod/refused", "pod", "2")), ORIGIN)
        assert table.value(POD) == "2"
    await kept
    with pytest.raises(StoreError):
        await refused
    assert table.value(POD) == "1"


async def test_values_are_those_of_one_namespace(table: MetaTable) -> None:
    rows = (
        Put("default/pod/b", "pod", "b"),
        Put("default/pod/a", "pod", "a"),
        Put("default-2/pod/c", "pod", "c"),
        Put("default/podlist/a", "podlist", "list"),
    )
    await table.write(rows, ORIGIN)
    assert table.values("pod", "default") == ["a", "b"]
    assert table.values("pod", "default-2") == ["c"]
    assert table.values("pod", "elsewhere") == []


async def test_values_of_all_namespaces_hold_rows_on_their_way(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put("a/service/x", "service", "x"), Put("b/service/y", "service", "y")), ORIGIN)
    with commits_held():
        written = table.write((Put("c/service/z", "service", "z"), Remove("a/service/x")), ORIGIN)
        assert table.values("service", "all") == ["y", "z"]
        assert table.values("service", "b") == ["y"]
    await written
    assert table.values("service", "all") == ["y", "z"]


async def test_counts_are_of_committed_rows(table: MetaTable, commits_held: Held) -> None:
    await table.write(
        (Put(POD, "pod", "1"), Put("a/service/x", "service", "x"), Put("a/service/y", "service", "y")), ORIGIN
    )
    with commits_held():
        written = table.write((Put("default/pod/y", "pod", "1"),), ORIGIN)
        assert table.counts() == {"pod": 1, "service": 2}
    await written
    assert table.counts() == {"pod": 2, "service": 2}


async def test_a_closed_store_refuses_and_leaves_nothing_pending(tmp_path: Path, store: Store) -> None:
    table = MetaTable(store)
    await store.close()
    with pytest.raises(StoreError, match="it is closed"):
        await table.write((Put(POD, "pod", "1"),), ORIGIN)
    with pytest.raises(StoreError):
        table.value(POD)


async def test_rows_are_those_of_a_type_by_key(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put("b/pod/x", "pod", "x"), Put("a/service/y", "service", "y")), ORIGIN)
    with commits_held():
        written = table.write((Put("a/pod/z", "pod", "z"),), ORIGIN)
        assert table.rows("pod") == [("a/pod/z", "z"), ("b/pod/x", "x")]
    await written


# Provenance, and values that are there already.


def _provenance(store: Store) -> list[tuple[object, ...]]:
    return store.rows("SELECT key, at_ms, message_id, source, operation, resource, sum FROM provenance ORDER BY key")


async def test_a_row_says_by_which_message_it_is_so(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", "1"),), ORIGIN)
    assert _provenance(store) == [(POD, 1_000, "m-1", "edgecontroller", "insert", POD, fingerprint("pod", "1"))]
    await table.write((Put(POD, "pod", "2"),), LATER)
    assert _provenance(store) == [(POD, 2_000, "m-2", "edgecontroller", "update", POD, fingerprint("pod", "2"))]


async def test_the_provenance_goes_with_its_row(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", "1"), Put("default/pod/y", "pod", "1")), ORIGIN)
    await table.write((Remove(POD),), LATER)
    assert [row[0] for row in _provenance(store)] == ["default/pod/y"]


async def test_a_value_that_is_there_already_is_not_written_again_and_stays_as_old_as_it_is(
    table: MetaTable, store: Store
) -> None:
    await table.write((Put(POD, "pod", "1"),), ORIGIN)
    before = store.rows("PRAGMA data_version"), _provenance(store)
    await table.write((Put(POD, "pod", "1"),), LATER)
    assert (store.rows("PRAGMA data_version"), _provenance(store)) == before
    assert store.statistics().unchanged == 1


async def test_another_type_is_another_value(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", "1"),), ORIGIN)
    await table.write((Put(POD, "other", "1"),), LATER)
    assert _committed(store) == [(POD, "other", "1")]
    assert _provenance(store)[0][2] == "m-2"
    assert store.statistics().unchanged == 0


async def test_what_another_program_wrote_does_not_fit_its_provenance(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", "1"),), ORIGIN)
    await store.write(Statement("UPDATE meta SET value = '2'"))
    assert _provenance(store)[0][-1] != fingerprint("pod", "2")


def test_a_fingerprint_tells_values_and_types_apart() -> None:
    values = [
        ("pod", "1"),
        ("pod", "2"),
        ("pod", ""),
        ("", "pod1"),
        ("pod1", ""),
        ("pod", "\ud800"),
        ("pod", "1" * 70_000),
    ]
    assert len({fingerprint(*each) for each in values}) == len(values)
    assert all(0 <= fingerprint(*each) < 1 << 63 for each in values)


def test_an_origin_is_that_of_the_message(message: Callable[..., Message]) -> None:
    assert origin_of(message("insert", POD), 1_000) == ORIGIN


async def test_a_watcher_sees_what_changed_once_it_is_committed(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put(POD, "pod", "1"),), ORIGIN)
    seen: list[Committed] = []
    table.watchers.append(seen.append)
    with commits_held():
        changed = table.write((Put(POD, "pod", "2"), Put(POD, "pod", "2"), Put("default/pod/y", "pod", "1")), LATER)
        removed = table.write((Remove(POD), Remove("none"), Remove("default/pod/none")), LATER)
        assert seen == []
    await changed
    await removed
    await settle()
    assert seen == [
        Committed(POD, "pod", "2", "1", LATER),
        Committed("default/pod/y", "pod", "1", None, LATER),
        Committed(POD, "pod", None, "2", LATER),
    ]


async def test_a_watcher_sees_nothing_of_a_write_that_fails_nor_of_one_that_changes_nothing(table: MetaTable) -> None:
    await table.write((Put(POD, "pod", "1"),), ORIGIN)
    seen: list[Committed] = []
    table.watchers.append(seen.append)
    with pytest.raises(StoreError):
        await table.write((Put("default/pod/refused", "pod", "1"),), LATER)
    await table.write((Put(POD, "pod", "1"),), LATER)
    assert seen == []


async def test_an_id_is_stored_with_the_rows_of_its_message(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", "1"),), ORIGIN, (add_applied("m-1"),))
    with pytest.raises(StoreError):
        await table.write((Put("default/pod/refused", "pod", "1"),), ORIGIN, (add_applied("m-2"),))
    assert newest_applied(store, 10) == ["m-1"]


async def test_the_newest_ids_are_returned_the_newest_last(store: Store) -> None:
    await store.write(*map(add_applied, "cabc"))
    assert newest_applied(store, 3) == ["a", "b", "c"]


async def test_trimming_leaves_the_newest_ids(store: Store) -> None:
    await store.write(*map(add_applied, "abcdef"), trim_applied(4))
    assert newest_applied(store, 10) == ["c", "d", "e", "f"]
    await store.write(trim_applied(4), add_applied("g"), trim_applied(2))
    assert newest_applied(store, 10) == ["f", "g"]


async def test_trimming_an_empty_table_is_nothing(store: Store) -> None:
    await store.write(trim_applied(4))
    assert newest_applied(store, 10) == []

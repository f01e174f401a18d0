"""The rows of MetaManager, committed and on their way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edgecore.errors import StoreError
from edgecore.modules.metamanager.plan import Put, Remove
from edgecore.modules.metamanager.tables import MetaTable, add_applied, newest_applied, trim_applied
from edgecore.store.store import Store

Held = Callable[[], AbstractContextManager[None]]
POD = "default/pod/x"


@pytest.fixture
def table(store: Store) -> MetaTable:
    return MetaTable(store)


def _committed(store: Store) -> list[tuple[str, str, str]]:
    return store.rows("SELECT key, type, value FROM meta ORDER BY key")


async def test_a_row_is_kept_as_go_keeps_it(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", '{"a":1}'),))
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
        written = table.write((Put(POD, "pod", "{}"),))
        assert _committed(store) == []
        assert table.value(POD) == "{}"
        assert table.values("pod", "default") == ["{}"]
    await written


async def test_a_removal_on_its_way_is_seen_at_once(table: MetaTable, store: Store, commits_held: Held) -> None:
    await table.write((Put(POD, "pod", "{}"),))
    with commits_held():
        removed = table.write((Remove(POD),))
        assert len(_committed(store)) == 1
        assert table.value(POD) is None
        assert table.values("pod", "default") == []
    await removed
    assert _committed(store) == []


async def test_the_last_of_several_writes_on_their_way_is_seen(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put(POD, "pod", "0"),))
    with commits_held():
        writes = []
        for change, seen in [
            (Put(POD, "pod", "1"), "1"),
            (Remove(POD), None),
            (Put(POD, "pod", "1"), "1"),
            (Put(POD, "pod", "2"), "2"),
        ]:
            writes.append(table.write((change,)))
            assert table.value(POD) == seen
    for write in writes:
        await write
    assert table.value(POD) == "2"


async def test_one_write_may_change_a_key_twice(table: MetaTable, store: Store) -> None:
    written = table.write((Put(POD, "pod", "1"), Put(POD, "pod", "2")))
    assert table.value(POD) == "2"
    await written
    assert _committed(store) == [(POD, "pod", "2")]


async def test_a_write_that_fails_is_not_seen_any_more(table: MetaTable, store: Store) -> None:
    refused = table.write((Put(POD, "pod", "1"), Put("default/pod/refused", "pod", "1")))
    assert table.value(POD) == "1"
    with pytest.raises(StoreError, match="refused by the test"):
        await refused
    assert table.value(POD) is None
    assert table.value("default/pod/refused") is None
    assert _committed(store) == []


async def test_a_write_that_fails_uncovers_what_was_written_before(table: MetaTable, commits_held: Held) -> None:
    with commits_held():
        kept = table.write((Put(POD, "pod", "1"),))
        refused = table.write((Put(POD, "pod", "2"), Put("default/pod/refused", "pod", "2")))
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
    await table.write(rows)
    assert table.values("pod", "default") == ["a", "b"]
    assert table.values("pod", "default-2") == ["c"]
    assert table.values("pod", "elsewhere") == []


async def test_values_of_all_namespaces_hold_rows_on_their_way(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put("a/service/x", "service", "x"), Put("b/service/y", "service", "y")))
    with commits_held():
        written = table.write((Put("c/service/z", "service", "z"), Remove("a/service/x")))
        assert table.values("service", "all") == ["y", "z"]
        assert table.values("service", "b") == ["y"]
    await written
    assert table.values("service", "all") == ["y", "z"]


async def test_counts_are_of_committed_rows(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put(POD, "pod", "1"), Put("a/service/x", "service", "x"), Put("a/service/y", "service", "y")))
    with commits_held():
        written = table.write((Put("default/pod/y", "pod", "1"),))
        assert table.counts() == {"pod": 1, "service": 2}
    await written
    assert table.counts() == {"pod": 2, "service": 2}


async def test_a_closed_store_refuses_and_leaves_nothing_pending(tmp_path: Path, store: Store) -> None:
    table = MetaTable(store)
    await store.close()
    with pytest.raises(StoreError, match="it is closed"):
        await table.write((Put(POD, "pod", "1"),))
    with pytest.raises(StoreError):
        table.value(POD)


async def test_rows_are_those_of_a_type_by_key(table: MetaTable, commits_held: Held) -> None:
    await table.write((Put("b/pod/x", "pod", "x"), Put("a/service/y", "service", "y")))
    with commits_held():
        written = table.write((Put("a/pod/z", "pod", "z"),))
        assert table.rows("pod") == [("a/pod/z", "z"), ("b/pod/x", "x")]
    await written


async def test_an_id_is_stored_with_the_rows_of_its_message(table: MetaTable, store: Store) -> None:
    await table.write((Put(POD, "pod", "1"),), (add_applied("m-1"),))
    with pytest.raises(StoreError):
        await table.write((Put("default/pod/refused", "pod", "1"),), (add_applied("m-2"),))
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

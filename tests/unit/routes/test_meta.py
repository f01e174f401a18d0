import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from edgecore.clock import VirtualClock, settle
from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.modules.edgemesh import tables as mesh_tables
from edgecore.modules.metamanager import tables
from edgecore.modules.metamanager.steps import Put, Remove
from edgecore.modules.metamanager.tables import Committed, MetaTable, Origin
from edgecore.routes import meta as metaroutes
from edgecore.routes.meta import SECOND_LOOK_S, WATCH_BACKLOG, meta_routes
from edgecore.store.store import Statement, Store, open_store

ORIGIN = Origin("m-1", "edgecontroller", "insert", "default/pod/web", 1_589_000_000_123)
Stream = AsyncGenerator[dict[str, Any], None]


class FakeManager:
    """Tells of the changes that it is told to."""

    def __init__(self) -> None:
        self.watchers: list[Callable[[Committed], None]] = []

    def watch(self, see: Callable[[Committed], None]) -> Callable[[], None]:
        self.watchers.append(see)
        return lambda: self.watchers.remove(see)

    def tell(self, key: str, value: str | None, before: str | None = None) -> None:
        for see in self.watchers:
            see(Committed(key, key.split("/")[1], value, before, ORIGIN))


class Rig:
    def __init__(self, store: Store, clock: VirtualClock) -> None:
        self.store = store
        self.clock = clock
        self.table = MetaTable(store)
        self.manager = FakeManager()

    async def ask(self, path: str, **query: str) -> Stream:
        routes = meta_routes("edge-1", self.store, self.manager, self.clock)
        found: Stream = await routes["GET", path](ControlRequest(query, None))
        return found

    async def put(self, *rows: tuple[str, str, str]) -> None:
        await self.table.write([Put(*row) for row in rows], ORIGIN)


@pytest.fixture
async def rig(vclock: VirtualClock, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(open_store(tmp_path / "edgecore.db", (*tables.SCHEMA, *mesh_tables.SCHEMA)), vclock)
    yield rig
    await rig.store.close()


async def test_rows_are_streamed_behind_the_node_and_its_file(rig: Rig) -> None:
    await rig.put(("default/pod/web", "pod", "{}"), ("a/pod/x", "pod", "[]"))

    items = [item async for item in await rig.ask("/v1/meta")]

    assert items[0] == {"node": "edge-1", "database": str(rig.store.path)}
    assert [item["key"] for item in items[1:]] == ["a/pod/x", "default/pod/web"]
    assert items[2] == {
        "key": "default/pod/web",
        "type": "pod",
        "size": 2,
        "value": "{}",
        "origin": ORIGIN._asdict(),
    }


async def test_only_the_rows_that_are_meant_are_streamed(rig: Rig) -> None:
    await rig.put(("default/pod/web", "pod", "{}"), ("default/service/web", "service", "{}"))

    items = [item async for item in await rig.ask("/v1/meta", type="service", values="0")]

    assert [(item["key"], "value" in item) for item in items[1:]] == [("default/service/web", False)]


async def test_a_question_that_makes_no_sense_is_refused(rig: Rig) -> None:
    with pytest.raises(ControlRefused, match="cannot choose rows: invalid literal"):
        await rig.ask("/v1/meta", since_ms="x")


async def test_secrets_are_hidden_unless_asked_for(rig: Rig) -> None:
    await rig.put(("default/secret/pw", "secret", '"hunter2"'))

    hidden = [item async for item in await rig.ask("/v1/meta")][1]
    shown = [item async for item in await rig.ask("/v1/meta", secrets="1")][1]

    assert (hidden["hidden"], hidden["size"], "value" in hidden) == (True, 9, False)
    assert shown["value"] == '"hunter2"'


async def test_others_run_between_two_pages(rig: Rig) -> None:
    await rig.put(*((f"default/pod/{number}", "pod", "{}") for number in range(250)))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async for _ in await rig.ask("/v1/meta"):
        pass
    counting.cancel()
    assert turns >= 3


async def test_a_change_is_told_with_its_places_its_row_and_its_message(rig: Rig) -> None:
    stream = await rig.ask("/v1/meta/watch")
    assert await anext(stream) == {"node": "edge-1", "database": str(rig.store.path)}

    rig.manager.tell("default/pod/web", '{"a":1,"b":2}', '{"a":1,"b":1}')

    assert await anext(stream) == {
        "change": "changed",
        "key": "default/pod/web",
        "type": "pod",
        "paths": [{"path": "b", "before": 1, "after": 2}],
        "origin": ORIGIN._asdict(),
        "row": {
            "key": "default/pod/web",
            "type": "pod",
            "size": 13,
            "value": '{"a":1,"b":2}',
            "origin": ORIGIN._asdict(),
        },
        "missed": 0,
    }
    await stream.aclose()
    assert rig.manager.watchers == []


async def test_rows_come_and_go(rig: Rig) -> None:
    stream = await rig.ask("/v1/meta/watch", name="web*")
    await anext(stream)

    rig.manager.tell("default/pod/web", "{}")
    rig.manager.tell("default/pod/other", "{}")
    rig.manager.tell("default/pod/web", None, "{}")

    assert [(await anext(stream))["change"] for _ in range(2)] == ["added", "removed"]
    await stream.aclose()


@pytest.mark.parametrize("asked", [False, True])
async def test_a_secret_that_changes_is_told_without_its_value_unless_asked_for(rig: Rig, asked: bool) -> None:
    stream = await rig.ask("/v1/meta/watch", **({"secrets": "1"} if asked else {}))
    await anext(stream)

    rig.manager.tell("default/secret/pw", '{"pw":"swordfish"}', '{"pw":"hunter2"}')

    told = await anext(stream)
    assert told["paths"][0]["path"] == "pw"
    assert ("hunter2" in str(told), "swordfish" in str(told)) == (asked, asked)
    await stream.aclose()


async def test_a_slow_reader_is_told_how_many_changes_were_left_out(rig: Rig) -> None:
    stream = await rig.ask("/v1/meta/watch")
    await anext(stream)
    for number in range(WATCH_BACKLOG + 3):
        rig.manager.tell(f"default/pod/{number}", "1")
    for _ in range(WATCH_BACKLOG):
        await anext(stream)

    rig.manager.tell("default/pod/last", "1")

    told = await anext(stream)
    assert (told["key"], told["missed"]) == ("default/pod/last", 3)
    await stream.aclose()


async def test_without_metamanager_there_is_nothing_to_watch(rig: Rig) -> None:
    routes = meta_routes("edge-1", rig.store, None, rig.clock)
    with pytest.raises(ControlRefused, match=r"modules\.metaManager\.enable turns it on"):
        await routes["GET", "/v1/meta/watch"](ControlRequest({}, None))


async def test_a_database_in_order_is_looked_at_once(rig: Rig) -> None:
    await rig.put(("default/volume/v", "volume", "{}"))

    items = [item async for item in await rig.ask("/v1/meta/check")]

    assert items == [{"node": "edge-1", "database": str(rig.store.path), "rows": {"volume": 1}}]


async def test_what_is_wrong_for_a_moment_is_not_told(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    await rig.put(("default/podlist/a", "podlist", "[]"), ("default/podlist/b", "podlist", "[]"))
    looks = asyncio.Queue[None]()
    look = metaroutes._checked

    def looked(path: Path) -> Any:
        loop.call_soon_threadsafe(looks.put_nowait, None)
        return look(path)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(metaroutes, "_checked", looked)
    asking = asyncio.create_task(rig.ask("/v1/meta/check"))
    await looks.get()
    while not rig.clock._timers:
        await asyncio.sleep(0)
    await rig.table.write([Remove("default/podlist/a")], ORIGIN)
    await rig.clock.advance(SECOND_LOOK_S)

    items = [item async for item in await asking]

    assert [item["key"] for item in items[1:]] == ["default/podlist/b"]


async def test_the_rows_of_the_store_are_not_disturbed_by_a_check(rig: Rig) -> None:
    await rig.put(("default/volume/v", "volume", "{}"))
    await rig.ask("/v1/meta/check")
    await rig.store.write(Statement("DELETE FROM meta"))
    await settle()
    assert [item async for item in await rig.ask("/v1/meta")][1:] == []

"""Whatever comes in whatever order, MetaManager answers as a dictionary would; so does its file, and its next process.

Played are sequences of messages, questions, repeats of earlier messages, writes that the file refuses, and restarts.
The cloud's messages are not waited for: many are on their way when a question comes. After a restart the cloud sends
again what was not acknowledged.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from edgecore.app import SCHEMA
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.ids import seeded_ids
from edgecore.modules.metamanager.module import MetaManager
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import open_store

NAMESPACES = ("default", "prod")
PLACES = (("default", "a"), ("default", "b"), ("prod", "a"))
REFUSED = "refuse this"
REFUSAL = (
    f"CREATE TRIGGER IF NOT EXISTS refuse BEFORE INSERT ON meta WHEN new.value LIKE '%{REFUSED}%' "
    "BEGIN SELECT raise(ABORT, 'refused by the test'); END"
)
LISTS = {
    "servicelist": ("namespace/servicelist/service", "service"),
    "endpointslist": ("namespace/endpointslist/x", "endpoints"),
}
GOES_WITH = {"pod": "podstatus", "service": "podlist"}


class Say(NamedTuple):
    """The cloud says something, and does not wait."""

    operation: str
    resource: str
    content: Any


class Again(NamedTuple):
    """The cloud says once more what it said ``which`` messages ago."""

    which: int


class TakeBack(NamedTuple):
    """The cloud deletes that of which it spoke ``which`` messages ago; ``uid`` is of what it means."""

    which: int
    uid: str


class Report(NamedTuple):
    """Edged reports a status, or the end of a pod, and waits."""

    operation: str
    resource: str
    content: Any


class Ask(NamedTuple):
    """A module asks for a row, or for all rows of a type in a namespace (``name`` is empty), or in all."""

    namespace: str
    type: str
    name: str


class AskBack(NamedTuple):
    """A module asks for the row, or the rows of the list, of which the cloud spoke, ``which`` messages ago."""

    which: int


class Restart(NamedTuple):
    """The process ends and another begins. What lay in a mailbox is lost with it."""


class Hold(NamedTuple):
    """Nothing is committed from now on, until something has to be waited for."""


class Rest(NamedTuple):
    """Nothing is said until everything is settled."""


Step = Say | Again | TakeBack | Report | Ask | AskBack | Restart | Hold | Rest

_uids = st.sampled_from(("", "u1", "u2"))
_texts = st.sampled_from((*"12345678", "ü", "\u2028", "<&>", REFUSED))
_types = st.sampled_from(("pod", "service", "podlist", "configmap", "endpoints"))


def _object(namespace: str, name: str, uid: str, text: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, **({"uid": uid} if uid else {})}
    return {"metadata": metadata, "text": text}


_objects = st.builds(lambda place, uid, text: _object(*place, uid, text), st.sampled_from(PLACES), _uids, _texts)


def _say(operation: str, row_type: str, content: dict[str, Any]) -> Say:
    metadata = content["metadata"]
    said = content["metadata"].get("uid") if operation == "delete" else content
    return Say(operation, f"{metadata['namespace']}/{row_type}/{metadata['name']}", said)


def _report(operation: str, content: dict[str, Any]) -> Report:
    metadata = content["metadata"]
    where = f"{metadata['namespace']}/{'pod' if operation == 'delete' else 'podstatus'}/{metadata['name']}"
    return Report(operation, where, metadata.get("uid", "") if operation == "delete" else content)


_said = st.builds(_say, st.sampled_from(("insert", "update", "update", "delete")), _types, _objects)
_lists = st.builds(
    lambda operation, kind, objects: Say(operation, LISTS[kind][0], objects),
    st.sampled_from(("insert", "update", "delete")),
    st.sampled_from(sorted(LISTS)),
    st.lists(_objects, max_size=3),
)
_asked = st.builds(
    lambda place, kind: Ask(place[0], kind, place[1]), st.sampled_from(PLACES), _types | st.just("podstatus")
)
_asked_of_all = st.builds(Ask, st.sampled_from((*NAMESPACES, "all")), _types, st.just(""))
_asked_back = st.builds(AskBack, st.integers(0, 2))
_taken_back = st.builds(TakeBack, st.integers(0, 2), _uids)
_reported = st.builds(_report, st.sampled_from(("update", "delete")), _objects)
_again = st.builds(Again, st.integers(0, 5))
_often = [_said, _lists, _asked_back, _taken_back, st.builds(Hold)]
_seldom = [_asked, _asked_of_all, _again, _reported, st.builds(Rest), st.builds(Restart)]
_steps: st.SearchStrategy[Step] = st.sampled_from((*_often, *_often, *_often, *_seldom)).flatmap(lambda kind: kind)
_sequences = st.integers(0, 50).flatmap(lambda size: st.lists(_steps, min_size=size, max_size=size + 5))


class Model:
    """The dictionary: key to JSON value."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}
        self.kept: list[str] = []
        """Resources of the pods that edged deleted, in their order."""

    def apply(self, step: Say | Report) -> bool:
        """Return whether it is stored."""
        if step.operation != "delete" and REFUSED in json.dumps(step.content):
            return False
        row_type = step.resource.split("/")[1]
        if row_type in LISTS:
            for element in step.content:
                found = element["metadata"]
                key = f"{found['namespace']}/{LISTS[row_type][1]}/{found['name']}"
                self._remove(key) if step.operation == "delete" else self._put(key, element)
        elif step.operation != "delete":
            self._put(step.resource, step.content)
        elif row_type != "pod" or self._means(step.resource, step.content):
            self._remove(step.resource)
        if isinstance(step, Report) and step.operation == "delete":
            self.kept.append(step.resource)
        return True

    def _means(self, key: str, uid: str | None) -> bool:
        """Whether the delete of a pod means the one that is stored."""
        stored = self.rows.get(key, {"metadata": {}})["metadata"].get("uid", "")
        return not uid or stored in ("", uid)

    def _put(self, key: str, value: Any) -> None:
        self.rows[key] = value

    def _remove(self, key: str) -> None:
        namespace, row_type, name = key.split("/")
        self.rows.pop(key, None)
        self.rows.pop(f"{namespace}/{GOES_WITH.get(row_type)}/{name}", None)

    def answer(self, ask: Ask) -> list[Any]:
        if ask.name:
            key = f"{ask.namespace}/{ask.type}/{ask.name}"
            return [self.rows[key]] if key in self.rows else []
        keys = (key.split("/") for key in sorted(self.rows))
        return [self.rows["/".join(key)] for key in keys if key[1] == ask.type and ask.namespace in (key[0], "all")]


class Process:
    """One process: MetaManager on a bus of its own, and the test in place of its neighbours."""

    def __init__(self, path: Path, clock: VirtualClock, new_id: Any) -> None:
        self.store = open_store(path, (*SCHEMA, REFUSAL))
        self.bus = Bus(clock, new_id, capacity=4096)
        self.hub = self.bus.register("websocket", "hub")
        self.edged = self.bus.register("edged", "edged")
        mesh = self.bus.register("edgemesh", "mesh")
        self.meta = MetaManager(
            self.bus.register("metaManager", "meta"), self.store, Metrics(), ledger=Ledger(clock.monotonic)
        )
        self.acknowledged: list[str] = []
        self.reported: list[str] = []
        self.asked = 0
        self._works = [self._drain(self.edged), self._drain(mesh), self._link()]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.meta.start()
        self._tasks = [asyncio.create_task(work) for work in (self.meta.run(), *self._works)]

    async def stop(self) -> None:
        await self.meta.stop()
        await settle()
        self.bus.close()
        await asyncio.gather(*self._tasks)
        await self.store.close()

    async def rest(self) -> None:
        """Wait until nothing is on its way."""
        idle_rounds = 0
        while idle_rounds < 2:
            await settle(5)
            depths = (port.depth for port in self.bus.statistics().values())
            busy = any(depths) or self.meta.status()["in_flight"] or self.store.statistics().waiting
            idle_rounds = 0 if busy else idle_rounds + 1
            if busy:
                await asyncio.sleep(0.0005)

    async def ask(self, ask: Ask) -> list[Any]:
        resource = f"{ask.namespace}/{ask.type}" + (f"/{ask.name}" if ask.name else "")
        return list(map(json.loads, (await self.call("query", resource, None)).content or ()))

    async def call(self, operation: str, resource: str, content: Any) -> Message:
        request = self.edged.build(Route("edged", "meta", operation, resource), content)
        return await self.edged.send_sync("metaManager", request, 60.0)

    async def _link(self) -> None:
        async for message in self.hub:
            if message.route.operation == "response":
                self.acknowledged.append(message.header.parent_id)
            elif message.route.operation == "delete":
                self.reported.append(message.route.resource)

    async def _drain(self, port: Any) -> None:
        async for _ in port:
            pass


class Play:
    """A sequence that is played."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._clock = VirtualClock()
        self._new_id = seeded_ids(1)
        self._model = Model()
        self._said: list[tuple[Message, bool]] = []
        """What the cloud said, and whether it can be stored."""
        self._due: list[str] = []
        """The acknowledgements that this process owes, in order."""
        self._acknowledged: set[str] = set()
        self._applied: list[str] = []
        self._refused = False
        """Something that will be refused may be on its way: until then a question sees it."""
        self._holder: sqlite3.Connection | None = None

    async def play(self, steps: Iterable[Step]) -> None:
        await self._begin()
        try:
            for step in steps:
                await self._do(step)
            await self._check()
            await self._restart()
            await self._check()
        finally:
            self._let_go()
            await self._process.stop()

    def _let_go(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None

    async def _begin(self) -> None:
        self._process = Process(self._path, self._clock, self._new_id)
        await self._process.start()

    async def _do(self, step: Step) -> None:
        match step:
            case Say():
                await self._before_a_look(step)
                stored = self._model.apply(step)
                header = Header(f"from-the-cloud-{len(self._said)}", timestamp_ms=1)
                route = Route("edgecontroller", "resource", step.operation, step.resource)
                self._said.append((Message(header, route, step.content), stored))
                await self._send(-1)
            case Again(which) if which < len(self._said):
                await self._send(-1 - which)
            case TakeBack(which, uid) if which < len(self._said):
                message = self._said[-1 - which][0]
                is_list = message.route.resource.split("/")[1] in LISTS
                await self._do(Say("delete", message.route.resource, message.content if is_list else uid))
            case Report(operation, resource, content):
                await self._settled_if_refused()
                self._let_go()
                stored = self._model.apply(step)
                reply = await self._process.call(operation, resource, content)
                assert reply.route.operation == ("response" if stored else "error")
            case Ask():
                await self._settled_if_refused()
                assert await self._process.ask(step) == self._model.answer(step)
            case AskBack(which) if which < len(self._said):
                namespace, row_type, name = self._said[-1 - which][0].route.resource.split("/")
                kind = LISTS[row_type][1] if row_type in LISTS else row_type
                await self._do(Ask("all" if row_type in LISTS else namespace, kind, "" if row_type in LISTS else name))
            case Restart():
                await self._restart()
            case Hold() if self._holder is None:
                self._holder = sqlite3.connect(self._path, isolation_level=None)
                self._holder.execute("BEGIN IMMEDIATE")
            case Rest():
                await self._check()

    async def _send(self, index: int) -> None:
        message, stored = self._said[index]
        if stored:
            self._due.append(message.header.id)
        self._refused = self._refused or not stored
        await self._process.hub.send_to_group("meta", message)

    async def _before_a_look(self, step: Say) -> None:
        """The delete of a pod looks at its row."""
        if step.operation == "delete":
            await self._settled_if_refused()

    async def _settled_if_refused(self) -> None:
        if self._refused:
            self._let_go()
            await self._process.rest()
            self._refused = False

    async def _check(self) -> None:
        self._let_go()
        await self._process.rest()
        self._refused = False
        assert self._process.acknowledged == self._due
        store = self._process.store
        rows = {key: json.loads(value) for key, value in store.rows("SELECT key, value FROM meta")}
        assert rows == self._model.rows
        assert {key for (key,) in store.rows("SELECT key FROM provenance")} == rows.keys()
        applied = {applied_id for (applied_id,) in store.rows("SELECT id FROM applied")}
        assert applied == {message.header.id for message, stored in self._said if stored}
        kept = [each.route.resource for each in outbox.kept(store) if isinstance(each, Message)]
        assert kept == self._model.kept

    async def _restart(self) -> None:
        self._let_go()
        await self._process.stop()
        assert self._process.acknowledged == self._due[: len(self._process.acknowledged)]
        self._acknowledged.update(self._process.acknowledged)
        self._due.clear()
        self._refused = False
        await self._begin()
        for index, (message, _) in enumerate(self._said):
            if message.header.id not in self._acknowledged:
                await self._send(index)


@given(steps=_sequences)
def test_any_interleaving_gives_the_answers_of_a_dictionary(steps: Sequence[Step]) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(Play(Path(folder) / "edgecore.db").play(steps))

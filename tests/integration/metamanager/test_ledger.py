"""Every message of the cloud that MetaManager gets is closed in the ledger, however it ends."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.ids import seeded_ids
from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA
from edgecore.observe.ledger import DOWN, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import Statement, open_store

Held = Callable[[], AbstractContextManager[None]]
LIST = "namespace/servicelist/service"


@pytest.mark.parametrize(
    ("operation", "resource", "content", "source", "ending"),
    [
        ("insert", "default/pod/x", {}, "edgecontroller", ("acknowledged", "")),
        ("update", LIST, [], "edgecontroller", ("acknowledged", "")),
        ("delete", "stub/foo/x", None, "edgecontroller", ("acknowledged", "")),
        ("response", "default/configmap/x", {}, "edgecontroller", ("delivered", "")),
        ("response", "default/node/x", "OK", "edgecontroller", ("delivered", "")),
        ("error", "default/node/x", "it failed", "edgecontroller", ("delivered", "")),
        ("publish", "node/connection", "cloud_connected", "edgecontroller", ("delivered", "")),
        ("query", "default/service/x", None, "edgecontroller", ("delivered", "")),
        ("explode", "default/service/x", {}, "edgecontroller", ("dropped", "unknown_operation")),
        ("update", "default/service/x", {}, "nobody", ("dropped", "unknown_source")),
        ("update", LIST, "text", "edgecontroller", ("dropped", "wrong_content")),
        ("insert", "default/pod/refused", {}, "edgecontroller", ("dropped", "store_refused")),
    ],
)
async def test_each_kind_of_message_ends_in_its_way(
    node: Any, operation: str, resource: str, content: Any, source: str, ending: tuple[str, str]
) -> None:
    await node.from_cloud(operation, resource, content, source=source)
    while node.ledger.under_way:
        await asyncio.sleep(0.001)
    assert node.ledger.counts() == {(DOWN, *ending): 1}


async def test_a_message_counts_as_acknowledged_once_the_ack_was_handed_over(node: Any, commits_held: Held) -> None:
    with commits_held():
        await node.from_cloud("insert", "default/pod/x", {})
        await settle(50)
        assert node.ledger.under_way == 1
    await node.hub.receive()
    assert node.ledger.under_way == 0


async def test_what_waits_for_its_commit_is_not_lost_however_long(node: Any, commits_held: Held) -> None:
    with commits_held():
        await node.from_cloud("insert", "default/pod/x", {})
        await node.clock.advance(3600)
        assert node.ledger.unexplained == 0
    await node.hub.receive()


async def test_what_lies_in_the_mailbox_is_not_lost_however_long(tmp_path: Path, vclock: VirtualClock) -> None:
    store = open_store(tmp_path / "edgecore.db", (*SCHEMA, *outbox.SCHEMA))
    bus, ledger = Bus(vclock, seeded_ids(1)), Ledger(vclock.monotonic)
    hub = bus.register("websocket", "hub")
    meta = MetaManager(bus.register("metaManager", "meta"), store, Metrics(), ledger=ledger)
    message = hub.build(Route("edgecontroller", "resource", "insert", "default/pod/x"), {})
    ledger.open(DOWN, message)
    await hub.send_to_group("meta", message)
    await vclock.advance(3600)
    assert ledger.unexplained == 0
    await meta.stop()
    bus.close()
    await store.close()


async def test_a_question_of_the_cloud_that_is_asked_back_ends_with_its_answer(node: Any) -> None:
    await node.connected()
    await node.from_cloud("query", "default/configmap/x")
    question = await node.hub.receive()
    assert node.ledger.under_way == 1
    node.hub.respond(Message(Header("answer", question.header.id), question.route, {}))
    await node.edged.receive()
    assert node.ledger.counts() == {(DOWN, "delivered", ""): 1}


async def test_messages_of_the_edge_are_not_in_the_book(node: Any) -> None:
    await node.call(node.edged, "update", "default/nodestatus/n", {})
    await node.call(node.mesh, "query", "all/service")
    assert node.ledger.counts() == {}


async def test_what_is_left_when_the_node_stops_is_closed(node: Any, commits_held: Held) -> None:
    with commits_held():
        for number in range(5):
            await node.from_cloud("insert", f"default/pod/{number}", {})
        await settle(50)
        node.bus.close()
        await settle(50)
        assert node.ledger.under_way == 0
        assert sum(node.ledger.counts().values()) == 5


# Any sequence of messages, with everything going wrong at once.


class Given(NamedTuple):
    """One message, or a repeat of one that came before."""

    number: int
    operation: str
    source: str
    resource: str
    content: Any


OPERATIONS = [
    *("insert", "update", "delete", "query", "response", "publish", "error", "keepalive", "explode", ""),
    *("createvolume", "meta-internal-sync", "action", "action_result"),
]
SOURCES = ["edgecontroller", "edged", "edgemesh", "nobody", ""]
RESOURCES = [
    "default/pod/a",
    "default/pod/refused",
    "default/podstatus/a",
    "default/service/a",
    "default/service/refused",
    "default/configmap/a",
    "default/node/n",
    "default/podlist/a",
    "default/listener/a",
    "default/volume/a",
    "default/pod",
    LIST,
    "namespace/endpointslist/endpoints",
    "node/connection",
    "default/mistake/x",
    "x",
    "",
]
OBJECT = {"metadata": {"name": "a", "namespace": "default"}}
CONTENTS = [None, {}, OBJECT, [OBJECT], [OBJECT, 1], "text", "OK", "cloud_connected", msgspec.Raw(b'{"a":1}'), object()]
messages = st.builds(
    Given,
    st.integers(0, 5),
    st.sampled_from(OPERATIONS),
    st.sampled_from(SOURCES),
    st.sampled_from(RESOURCES),
    st.sampled_from(CONTENTS),
)


class Mistaken(Metrics):
    """Stands for a mistake of our own: unknown types of resource end the module."""

    def bad_input(self, module: str, reason: str, peer: str, **details: Any) -> None:  # type: ignore[override]
        if reason == "unknown_resource_type":
            raise RuntimeError("a mistake")


class Neighbours:
    """MetaManager between neighbours of which some take nothing; it is run again when it ends."""

    def __init__(self, meta: MetaManager, bus: Bus, clock: VirtualClock, ledger: Ledger, *, stuck: set[str]) -> None:
        self.meta = meta
        self.clock = clock
        self.ledger = ledger
        self.ports = [
            bus.register(name, group, capacity=1 if name in stuck else None)
            for name, group in (("websocket", "hub"), ("edged", "edged"), ("edgemesh", "mesh"))
        ]
        self._stuck = [port for port in self.ports if port.name in stuck]
        self._taking = [asyncio.create_task(self._take(port)) for port in self.ports if port not in self._stuck]
        self._running = asyncio.create_task(self._run())

    async def _take(self, port: Any) -> None:
        async for _ in port:
            pass

    async def _run(self) -> None:
        while True:
            with suppress(ExceptionGroup):
                await self.meta.run()
                return

    async def give(self, each: Given) -> None:
        """Hand over a message as EdgeHub does."""
        route = Route(each.source, "resource", each.operation, each.resource)
        message = Message(Header(f"m-{each.number}"), route, each.content)
        self.ledger.open(DOWN, message)
        await self.ports[0].send("metaManager", message)

    async def settled(self) -> bool:
        """Let time pass until all is closed; return whether that came. In the end everybody takes what there is."""
        for round_ in range(100):
            if not self.ledger.under_way:
                return True
            if round_ == 50:  # what is durable waits for the hub as long as it takes
                self._taking += [asyncio.create_task(self._take(port)) for port in self._stuck]
            await asyncio.sleep(0.001)
            await self.clock.advance(31)
        return False

    async def ended(self) -> None:
        await asyncio.gather(self._running, *self._taking)


@asynccontextmanager
async def _neighbours(folder: str, refusal: str, *, stuck: set[str], broken: str) -> AsyncIterator[Neighbours]:
    clock = VirtualClock()
    store = open_store(Path(folder) / "edgecore.db", (*SCHEMA, *outbox.SCHEMA, refusal))
    if broken:
        await store.write(Statement(f"DROP TABLE {broken}"))
    bus = Bus(clock, seeded_ids(1))
    ledger = Ledger(clock.monotonic)
    port = bus.register("metaManager", "meta")
    neighbours = Neighbours(MetaManager(port, store, Mistaken(), ledger=ledger), bus, clock, ledger, stuck=stuck)
    try:
        yield neighbours
    finally:
        bus.close()  # first: a repeat may still wait for a neighbour, and its id was closed with the message before it
        await neighbours.meta.stop()
        await neighbours.ended()
        await store.close()


@given(
    st.lists(messages, max_size=12),
    st.sets(st.sampled_from(["websocket", "edged", "edgemesh"])),
    st.sampled_from(["", "", "meta", "applied", "outbox"]),
)
def test_any_sequence_of_messages_leaves_nothing_under_way(
    refusal: str, sequence: list[Given], stuck: set[str], broken: str
) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with _neighbours(folder, refusal, stuck=stuck, broken=broken) as neighbours:
                for each in sequence:
                    await neighbours.give(each)
                assert await neighbours.settled(), neighbours.ledger.view()
                assert neighbours.ledger.unexplained == 0
                assert sum(neighbours.ledger.counts().values()) == len(sequence)

    with capture_logs():  # of every refusal
        asyncio.run(scenario())

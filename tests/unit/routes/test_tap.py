"""What is seen of the messages between modules, and what is held of them, over the control socket."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec
import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.gates import BREAKS_MOST, Gates
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.ids import NewId
from edgecore.routes.tap import TAP_BACKLOG, tap_routes

ROUTE = Route("edgecontroller", "resource", "insert", "default/service/web")
Stream = AsyncGenerator[dict[str, Any], None]


@pytest.fixture
async def bus(vclock: VirtualClock, ids: NewId) -> AsyncIterator[Bus]:
    bus = Bus(vclock, ids)
    yield bus
    bus.close()


async def ask(bus: Bus, **query: str) -> Stream:
    stream: Stream = await tap_routes(bus, Gates(bus))["GET", "/v1/tap"](ControlRequest(query, None))
    return stream


@pytest.fixture
async def tap(bus: Bus) -> AsyncIterator[Stream]:
    """A tap of which the first item is taken."""
    stream = await ask(bus)
    assert await anext(stream) == {"tapping": True}
    yield stream
    await stream.aclose()


async def test_a_message_is_shown_with_sender_receiver_time_and_its_document(
    bus: Bus, vclock: VirtualClock, tap: Stream
) -> None:
    sender = bus.register("a", "g")
    bus.register("b", "g")
    await vclock.advance(1.5)
    await sender.post("b", ROUTE, {"metadata": {"name": "web"}})

    passage = await anext(tap)

    document = json.loads(passage.pop("message"))
    assert passage == {
        "at": 1.5,
        "at_ms": 1_589_000_001_623,
        "from": "a",
        "to": "b",
        "missed": 0,
        "hop": 1,
        "micros": 0,
        "injected": False,
    }
    assert document["route"]["resource"] == "default/service/web"
    assert document["content"] == {"metadata": {"name": "web"}}


async def test_a_message_that_no_document_can_show_is_shown_as_the_reason(bus: Bus, tap: Stream) -> None:
    bus.show("a", "b", Message(Header("1"), ROUTE, {1: object()}))

    assert "content of default/service/web" in (await anext(tap))["message"]


async def test_a_slow_reader_is_told_how_many_were_left_out(bus: Bus, tap: Stream) -> None:
    message = Message(Header("1"), ROUTE)
    for _ in range(TAP_BACKLOG + 3):
        bus.show("a", "b", message)

    kept = [(await anext(tap))["missed"] for _ in range(TAP_BACKLOG)]
    bus.show("a", "b", message)
    bus.show("a", "b", message)

    assert set(kept) == {0}
    assert [(await anext(tap))["missed"] for _ in range(2)] == [3, 0]


async def test_each_reader_has_a_tap_of_its_own(bus: Bus, tap: Stream) -> None:
    other = await ask(bus)
    await anext(other)

    bus.show("a", "b", Message(Header("1"), ROUTE))

    assert [(await anext(stream))["to"] for stream in (tap, other)] == ["b", "b"]
    await other.aclose()


async def test_nothing_is_tapped_before_the_first_item_is_asked_for(bus: Bus) -> None:
    await ask(bus)

    assert bus.taps == ()


async def test_a_stream_that_is_closed_leaves_no_tap(bus: Bus, tap: Stream) -> None:
    await tap.aclose()

    assert bus.taps == ()


async def test_a_stream_that_is_cancelled_while_it_waits_leaves_no_tap(bus: Bus, tap: Stream) -> None:
    waiting = asyncio.ensure_future(anext(tap))
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert bus.taps == ()


class Modules:
    """Three modules, and what they are sent."""

    def __init__(self, bus: Bus) -> None:
        self.hub, self.meta, self.mesh = (bus.register(name, name) for name in ("websocket", "metaManager", "edgemesh"))

    async def deliver(self, name: str) -> Message:
        """Send a service the way that it goes: from the cloud, on to EdgeMesh, an acknowledgement back."""
        message = self.hub.build(ROUTE, {"name": name})
        await self.hub.send("metaManager", message)
        await self.meta.send("edgemesh", message)
        await self.meta.post("websocket", ROUTE, "OK", message.header.id)
        return message


@pytest.fixture
def modules(bus: Bus) -> Modules:
    return Modules(bus)


async def shown(stream: Stream, count: int) -> list[tuple[str, str, int]]:
    passages = [await anext(stream) for _ in range(count)]
    return [(passage["from"], passage["to"], passage["hop"]) for passage in passages]


async def test_only_what_the_filter_takes_is_shown_and_counted(bus: Bus, modules: Modules) -> None:
    stream = await ask(bus, to="edge*", op="INSERT")
    await anext(stream)
    await modules.deliver("web")
    await modules.deliver("cart")
    assert await shown(stream, 2) == [("metaManager", "edgemesh", 2)] * 2
    await stream.aclose()


async def test_all_cause_and_effect_of_the_first_that_the_filter_takes_is_shown(bus: Bus, modules: Modules) -> None:
    stream = await ask(bus, to="edgemesh", follow="*")
    await anext(stream)
    first = await modules.deliver("web")
    await modules.deliver("cart")
    await modules.mesh.post("metaManager", ROUTE, "why", first.header.id)
    assert await shown(stream, 3) == [
        ("metaManager", "edgemesh", 2),
        ("metaManager", "websocket", 2),
        ("edgemesh", "metaManager", 3),
    ]
    await stream.aclose()


async def test_of_a_followed_message_the_filter_shows_a_part(bus: Bus, modules: Modules) -> None:
    message = modules.hub.build(ROUTE)
    stream = await ask(bus, follow=message.header.id[:20], to="edgemesh")
    await anext(stream)
    await modules.deliver("other")
    await modules.hub.send("metaManager", message)
    await modules.meta.send("edgemesh", message)
    assert await shown(stream, 1) == [("metaManager", "edgemesh", 2)]
    await stream.aclose()


@pytest.mark.parametrize("path", ["/v1/tap", "/v1/break"])
async def test_a_module_that_is_not_there_is_refused(bus: Bus, modules: Modules, path: str) -> None:
    with pytest.raises(ControlRefused, match="there are edgemesh, metaManager, websocket") as caught:
        await tap_routes(bus, Gates(bus))["GET", path](ControlRequest({"to": "edgemsh"}, None))
    assert caught.value.status == 400


class Person:
    """Holds messages, and decides."""

    def __init__(self, bus: Bus, gates: Gates) -> None:
        self._routes = tap_routes(bus, gates)

    async def hold(self, **query: str) -> Stream:
        stream: Stream = await self._routes["GET", "/v1/break"](ControlRequest(query, None))
        await anext(stream)
        return stream

    async def decide(self, **body: Any) -> Any:
        return await self._routes["POST", "/v1/break"](ControlRequest({}, body))


@pytest.fixture
def gates(bus: Bus) -> Gates:
    return Gates(bus)


@pytest.fixture
def person(bus: Bus, gates: Gates) -> Person:
    return Person(bus, gates)


async def test_a_message_is_held_shown_and_let_go(person: Person, modules: Modules) -> None:
    stream = await person.hold(to="edgemesh", timeout_s="5")
    taking = asyncio.ensure_future(modules.mesh.receive())
    await settle()
    message = await modules.deliver("web")

    held = await anext(stream)
    assert json.loads(held.pop("message"))["header"]["msg_id"] == message.header.id
    assert held == {"held": 1, "at_ms": 1_589_000_000_123, "from": "metaManager", "to": "edgemesh"}
    assert not taking.done()

    assert await person.decide(hold=1, then="go") == {"hold": 1, "then": "go"}
    assert await anext(stream) == {"ended": 1, "how": "go"}
    assert await taking == message
    with pytest.raises(ControlRefused, match="held no more"):
        await person.decide(hold=1, then="drop")
    await stream.aclose()


async def test_who_hangs_up_lets_go(person: Person, modules: Modules, gates: Gates) -> None:
    stream = await person.hold(to="edgemesh")
    taking = asyncio.ensure_future(modules.mesh.receive())
    await settle()
    await modules.deliver("web")
    await settle()
    await stream.aclose()
    await taking
    assert gates.holds == ()


class Thing(msgspec.Struct):
    """A content that is no JSON value."""

    size: int


async def edited(person: Person, modules: Modules, content: Any, given: Any) -> Message:
    """Return what EdgeMesh got of a message with this content, the content of which was replaced."""
    stream = await person.hold(to="edgemesh")
    taking = asyncio.ensure_future(modules.mesh.receive())
    await settle()
    await modules.meta.post("edgemesh", ROUTE, content, "parent")
    await settle()
    route = {"source": "me", "group": "g", "operation": "delete", "resource": "default/service/cart"}
    document = {"header": {"msg_id": "other", "timestamp": 1}, "route": route, "content": given}
    try:
        await person.decide(hold=1, then="edit", message=document)
    except ControlRefused:
        await person.decide(hold=1, then="go")
        raise
    finally:
        await taking
        await stream.aclose()
    return taking.result()


@pytest.mark.parametrize(
    ("content", "given", "got"),
    [
        ({"a": 1}, {"a": 2}, {"a": 2}),
        (msgspec.Raw(b"[1]"), [2], msgspec.Raw(b"[2]")),
        ("OK", "no", "no"),
        (b"abc", "eHl6", b"xyz"),
        (Thing(1), {"size": 2}, Thing(2)),
        (None, None, None),
    ],
)
async def test_what_is_edited_keeps_its_identity_and_the_type_of_its_content(
    person: Person, modules: Modules, content: Any, given: Any, got: Any
) -> None:
    message = await edited(person, modules, content, given)
    assert message.content == got
    assert type(message.content) is type(got)
    assert message.header.parent_id == "parent"
    assert message.header.id != "other"
    assert message.route == Route("me", "g", "delete", "default/service/cart")


async def test_a_content_that_the_receiver_could_not_read_is_refused(person: Person, modules: Modules) -> None:
    with pytest.raises(ControlRefused, match="cannot take this in the place of message"):
        await edited(person, modules, Thing(1), {"size": "large"})


@pytest.mark.parametrize("document", [None, [], {"header": {}}, {"header": {}, "route": {}}, {"header": 1, "route": 2}])
async def test_what_is_no_message_does_not_take_the_place_of_one(
    person: Person, modules: Modules, document: Any
) -> None:
    stream = await person.hold(to="edgemesh")
    taking = asyncio.ensure_future(modules.mesh.receive())
    await settle()
    await modules.deliver("web")
    await settle()
    with pytest.raises(ControlRefused, match="cannot take this in the place of message"):
        await person.decide(hold=1, then="edit", message=document)
    await stream.aclose()
    assert (await taking).route == ROUTE


@pytest.mark.parametrize(
    "body", [None, [], {}, {"hold": "1", "then": "go"}, {"hold": True, "then": "go"}, {"hold": 1, "then": "stay"}]
)
async def test_a_decision_that_makes_no_sense_is_refused(bus: Bus, gates: Gates, body: Any) -> None:
    with pytest.raises(ControlRefused, match="cannot decide") as caught:
        await tap_routes(bus, gates)["POST", "/v1/break"](ControlRequest({}, body))
    assert caught.value.status == 400


@pytest.mark.parametrize("seconds", ["0", "-1", "many", "nan", "1e9"])
async def test_a_time_that_is_none_is_refused(person: Person, seconds: str) -> None:
    with pytest.raises(ControlRefused, match="cannot hold messages for"):
        await person.hold(op="delete", timeout_s=seconds)


async def test_who_does_not_say_what_to_hold_is_refused(person: Person) -> None:
    with pytest.raises(ControlRefused, match="nobody says which"):
        await person.hold()


async def test_only_so_many_may_hold_at_once(person: Person) -> None:
    streams = [await person.hold(op="delete") for _ in range(BREAKS_MOST)]
    with pytest.raises(ControlRefused, match="too many"):
        await person.hold(op="delete")
    for stream in streams:
        await stream.aclose()

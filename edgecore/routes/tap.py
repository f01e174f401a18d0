"""What commands can see of the messages between modules, and hold of them: ``edgecore tap``."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from edgecore.beehive import wire
from edgecore.beehive.bus import Bus
from edgecore.beehive.chains import Chains, Following, Place
from edgecore.beehive.gates import DROP, EDIT, GO, Break, Gates, Hold
from edgecore.beehive.message import Header, Message, content_value
from edgecore.beehive.passages import PassageFilter, filter_of
from edgecore.beehive.switchboard import Passage
from edgecore.clock import Clock
from edgecore.control.backlog import Backlog
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import ContentError, FrameError

Json = dict[str, Any]

log = structlog.get_logger("tap")

TAP_BACKLOG = 10_000
"""Messages that wait for a slow reader of a tap; further ones are left out and counted."""
HOLD_BACKLOG = 1_000
HOLD_S = 60.0
"""How long a message is held at most, where nobody says otherwise."""
HOLD_LIMIT_S = 3600.0


def tap_routes(bus: Bus, gates: Gates) -> Routes:
    """Return the routes.

    | route | answer |
    | --- | --- |
    | ``GET /v1/tap?to=&from=&op=&resource=&id=&follow=`` | a stream of every message between modules that the filter
      takes, from now on until the reader hangs up; ``follow``: all cause and effect of that message, of the first one
      that the filter takes where it is ``*`` |
    | ``GET /v1/break?to=&from=&op=&resource=&id=&timeout_s=`` | a stream of messages that are held, and of how each
      hold ended; who hangs up lets them go |
    | ``GET /v1/held`` | what is held now, ``Gates.view`` |
    | ``POST /v1/break`` | lets one go on, drops it, or puts another in its place:
      ``{"hold": number, "then": "go" | "drop" | "edit", "message": {...}}`` |
    """

    async def tap(request: ControlRequest) -> AsyncIterator[Json]:
        wanted = _wanted(bus, request.query)
        follow = request.query.get("follow", "")
        following = Following("" if follow == "*" else follow) if follow else None
        return _passages(bus, _Choice(wanted, following, is_first=follow == "*"))

    async def hold(request: ControlRequest) -> AsyncIterator[Json]:
        wanted = _wanted(bus, request.query)
        if not any(wanted):
            raise ControlRefused(400, "cannot hold messages: nobody says which; name to=, from=, op=, resource= or id=")
        if gates.is_full:
            raise ControlRefused(
                409, "cannot hold messages: too many ask for that already; end one `edgecore tap --break`"
            )
        return _held(bus.clock, gates, wanted, _seconds(request.query.get("timeout_s", "")))

    async def decide(request: ControlRequest) -> Json:
        return _decide(gates, request.body)

    async def held(_request: ControlRequest) -> list[Json]:
        return gates.view()

    return {
        ("GET", "/v1/tap"): tap,
        ("GET", "/v1/break"): hold,
        ("GET", "/v1/held"): held,
        ("POST", "/v1/break"): decide,
    }


def _wanted(bus: Bus, query: Mapping[str, str]) -> PassageFilter:
    wanted = filter_of(query)
    try:
        wanted.check(mailbox.name for mailbox in bus.boxes())
    except ContentError as error:
        raise ControlRefused(400, str(error)) from None
    return wanted


def _seconds(text: str) -> float:
    try:
        seconds = float(text) if text else HOLD_S
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= HOLD_LIMIT_S:
        raise ControlRefused(
            400, f"cannot hold messages for {text[:20]!r} s: it can be more than 0, to {HOLD_LIMIT_S:g}"
        )
    return seconds


class _Choice:
    """What of all passages one reader of a tap gets."""

    def __init__(self, wanted: PassageFilter, following: Following | None, *, is_first: bool) -> None:
        self._wanted = wanted
        self._following = following
        self._is_first = is_first
        self._chains = Chains()

    def choose(self, passage: Passage) -> list[tuple[Passage, Place]]:
        """Return what is to be shown now that ``passage`` has come."""
        place = self._chains.place(passage)
        following = self._following
        if following is None:
            return [(passage, place)] if self._takes(passage) else []
        if self._is_first:
            if self._takes(passage):
                following.begin(passage)
            return list(following.show(passage, place))
        return [shown for shown in following.show(passage, place) if self._takes(shown[0])]

    def _takes(self, passage: Passage) -> bool:
        return self._wanted.takes(passage.sender, passage.receiver, passage.message)


async def _passages(bus: Bus, choice: _Choice) -> AsyncIterator[Json]:
    """Yield each passage. ``missed`` counts those left out before it because the reader was slow."""
    backlog = Backlog[tuple[Passage, Place]](TAP_BACKLOG)

    def see(passage: Passage) -> None:
        for chosen in choice.choose(passage):
            backlog.put(chosen)

    bus.add_tap(see)
    try:
        yield {"tapping": True}
        while True:
            (passage, place), missed = await backlog.next()
            yield {
                "at": passage.at,
                "at_ms": _wall_ms(bus.clock, passage.at),
                "from": passage.sender,
                "to": passage.receiver,
                "missed": missed,
                "hop": place.hop,
                "micros": place.micros,
                "injected": passage.injected,
                "message": _document(passage.message),
            }
    finally:
        bus.remove_tap(see)


class _Holds:
    """Hands on what the gates tell. Of a reader who does not read, later holds end by their timeout, untold."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waiting: asyncio.Queue[Json] = asyncio.Queue(HOLD_BACKLOG)

    def held(self, hold: Hold) -> None:
        """See ``Watcher``."""
        shown = {"held": hold.number, "at_ms": _wall_ms(self._clock, hold.at), "from": hold.sender, "to": hold.receiver}
        self._tell({**shown, "message": _document(hold.message)})

    def ended(self, hold: Hold, how: str) -> None:
        """See ``Watcher``."""
        self._tell({"ended": hold.number, "how": how})

    def _tell(self, item: Json) -> None:
        with suppress(asyncio.QueueFull):
            self.waiting.put_nowait(item)


async def _held(clock: Clock, gates: Gates, wanted: PassageFilter, timeout_s: float) -> AsyncIterator[Json]:
    holds = _Holds(clock)
    placed = Break(wanted, timeout_s, holds)
    gates.add(placed)
    log.warning("break_set", timeout_s=timeout_s, **wanted.words())
    try:
        yield {"breaking": wanted.words(), "timeout_s": timeout_s}
        while True:
            yield await holds.waiting.get()
    finally:
        gates.remove(placed)
        log.info("break_taken_away", **wanted.words())


def _decide(gates: Gates, body: Any) -> Json:
    number = body.get("hold") if isinstance(body, dict) else None
    then = body.get("then") if isinstance(body, dict) else None
    if type(number) is not int or then not in (GO, DROP, EDIT):
        raise ControlRefused(
            400, 'cannot decide: say {"hold": NUMBER, "then": "go", "drop" or "edit", "message": {...}}'
        )
    hold = gates.find(number)
    if hold is None:
        raise ControlRefused(404, f"cannot {then} message {number}: it is held no more")
    match then:
        case "go":
            gates.go(number)
        case "drop":
            gates.drop(number)
        case _:
            gates.edit(number, _edited(hold.message, body.get("message")))
    return {"hold": number, "then": then}


def _edited(original: Message, document: Any) -> Message:
    """Return the message of ``document`` with the identity of the original one: else answers would not find their way.

    The content is of the same type as it was, where that was no JSON value. Raises ``ControlRefused``.
    """
    cannot = f"cannot take this in the place of message {original.header.id}"
    if not (isinstance(document, dict) and document.keys() >= {"header", "route"}):
        raise ControlRefused(400, f"{cannot}: a message is an object with header, route and content")
    try:
        given = wire.decode(msgspec.json.encode(document))
        if not (given.route.operation and given.route.resource):
            raise ContentError("its route has no operation or no resource")
        before = original.header
        header = Header(before.id, before.parent_id, before.timestamp_ms, given.header.resource_version, before.sync)
        return Message(header, given.route, _content(original.content, given))
    except (FrameError, ContentError, msgspec.ValidationError) as error:
        raise ControlRefused(400, f"{cannot}: {error}") from None


def _content(original: Any, given: Message) -> Any:
    if isinstance(original, msgspec.Raw):
        return given.content
    value = content_value(given)
    if isinstance(original, bytes | msgspec.Struct):
        return msgspec.convert(value, type(original))
    return value


def _document(message: Message) -> str:
    """Return the JSON of a message as it would be on the wire; the reason where it has none."""
    try:
        return wire.encode(message).decode()
    except FrameError as error:
        return str(error)


def _wall_ms(clock: Clock, at: float) -> int:
    return clock.now_ms() - round((clock.monotonic() - at) * 1000)

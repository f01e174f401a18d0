"""Playing recordings to a whole node: the cloud's exact frames at their causal places.

======================  ==============================================================================================
entry of a recording    what is done
======================  ==============================================================================================
frame of the cloud      an answer is kept for the request that it answers; anything else is sent
frame of the edge       awaited from our node, unless it is about what was not sent; of what is sent at a pace of its
                        own, or again, the first one
message of a device     published at the broker
connection opened       a new process (one that registers itself, and was registered) is a new process of ours on the
                        same files; else our node is let in again
connection ended, CUT   the connection is dropped; what the cloud wrote after that never arrived
what the node knew      what ours knows; else that is asked at the end
any                     as much time goes by for our node as went by in the recording, but none while our node has
                        done already what the recorded one was to do next: the cloud would not have waited
======================  ==============================================================================================

A recording that begins in the middle of a connection finds a node that has started and was let in; what that says
before the first entry is no part of its session.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType

from edgecore.beehive.resource import OK, RESPONSE
from edgecore.recording import frames as f
from edgecore.recording.entries import (
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    MqttDirection,
    MqttMessage,
    Note,
    Snapshot,
)
from edgecore.recording.frames import Frame, kind_of
from edgecore.recording.session import Recording, begins_within
from edgecore.replay.replayed import Replayed
from edgecore.replay.script import Expected, Key, Route, Script
from edgecore.replay.stage import Stage

PATIENCE_S = 10.0
"""How long an acknowledgement may take, by the node's clock."""
PATIENT_STEP_S = 0.1
LIMIT_S = 120.0
"""How long a message may take that the node sends at a pace of its own, by its clock."""
STEP_S = 1.0
GIVEN_UP = 3
"""So many messages may be missing before the rest is no longer waited for."""
IN_A_ROW = 32
"""After so many messages of the cloud, where no ``MOMENT_S`` goes by between them, the node has a turn."""
MOMENT_S = 0.0005
UNDER_WAY = 256
"""So many messages of the cloud may be without the acknowledgement that the recording has for them."""

PAUSE_S = 0.1
"""Before a pause of that length the node comes to the end of what it does; so it would have in the recording."""

BEFORE_S = 5.0
"""So long a node is there before a recording that begins in the middle of a connection."""

PUBLISHED = "mqtt publish "
"""What the note of a device's message begins with; the topic follows."""
_PASSING = frozenset({*f.PERIODIC, f.ACK, f.ANSWER_ACK, f.TRANSPORT_PING})


Before = Callable[[int, Entry], Awaitable[None]]


class Player:
    """Plays one recording after the other to the node of a stage."""

    def __init__(self, script: Script, stage: Stage, names: tuple[str, ...], *, is_last: bool = True) -> None:
        """``names`` are asked for at the end; ``is_last``: no other recording follows."""
        self._script = script
        self._stage = stage
        self._names = names
        self._is_last = is_last
        self._has_looked = False
        self._cut = False
        self._is_before = False
        """Whether the recording has not begun yet."""
        self._seen: set[str] = set()
        """Periodic kinds of which one was awaited in this recording, at the place of the first."""
        self._lately: set[str] = set()
        """Kinds that our node has sent since it last sent something of its own accord."""
        self._sent_at: dict[str, float] = {}
        """When our node sent the last message of each kind, by its clock."""
        self._passed_at = 0.0
        """When what the recorded edge last did of its own accord was played, by our node's clock."""
        self._counts: Counter[Key] = Counter()
        self._acked: set[str] = set()
        self._sent_ids: set[str] = set()
        self._sent: list[Frame] = []
        self._lost: list[Frame] = []
        self._missing: list[str] = []
        self.said_before: set[str] = set()
        """The ids of what our node had said when the recording began."""
        self._awaited: deque[Frame] = deque()
        self._answers = script.answers()
        self._last_answer: dict[Route, Frame] = {}

    def take(self, payload: bytes) -> None:
        """Keep what our node says, and answer it with what the recorded cloud answered."""
        frame = self._stage.journal.to_cloud(payload.decode())
        kind = kind_of(frame)
        self._counts[kind, frame.route] += 1
        if frame.parent:
            self._acked.add(frame.parent)
        if kind not in _PASSING:
            self._lately.clear()
        self._lately.add(kind)
        self._sent_at[kind] = self._stage.pace.clock.monotonic()
        if kind == f.TRANSPORT_PING:
            self._answer(frame, "ack")
        elif self._is_before:
            self.said_before.add(frame.id)
            if kind in (f.REGISTRATION, f.NODE_STATUS):
                self._stage.is_registered = True
                self._answer(frame, OK, {"source": "edgecontroller", "group": "resource"})
        elif waiting := self._answers[frame.route]:
            answer = self._last_answer[frame.route] = waiting.popleft()
            self._stage.is_registered |= kind == f.REGISTRATION and answer.document["content"] == OK
            self._sent.append(answer)
            self._sent_ids.add(answer.id)
            self._stage.cloud.send(answer.text.replace(answer.parent, frame.id), answer.id, frame.id)
        elif answered := self._last_answer.get(frame.route):
            message_id = self._stage.new_id()
            text = answered.text.replace(answered.parent, frame.id).replace(answered.id, message_id)
            self._stage.cloud.send(text, message_id, frame.id)

    def _answer(self, frame: Frame, content: str, route: Mapping[str, str] = MappingProxyType({})) -> None:
        message_id = self._stage.new_id()
        header = {
            "msg_id": message_id,
            "parent_msg_id": frame.id,
            "timestamp": self._stage.pace.clock.now_ms(),
        }
        answering = {**frame.document["route"], "operation": RESPONSE, **route}
        text = json.dumps({"header": header, "route": answering, "content": content}, separators=(",", ":"))
        self._stage.cloud.send(text + "\n", message_id, frame.id)

    async def play(self, before: Before) -> Replayed:
        """Play the recording; ``before`` is called before each entry, with its place."""
        recording, stage = self._script.recording, self._stage
        await self._be_there(recording)
        stage.journal.begin()
        first_ns = earlier = recording.entries[0].t_ns if recording.entries else 0
        began = stage.pace.clock.monotonic()
        for place, entry in enumerate(recording.entries):
            following = self._script.following[place]
            await before(place, entry)
            gap_s = max(0.0, (entry.t_ns - earlier) / 1e9)
            if gap_s >= PAUSE_S:
                await self._acknowledged()
                await stage.quiet()
            elif gap_s >= MOMENT_S:
                await asyncio.sleep(0)
            ahead = following is not None and self._is_done(following)
            if not ahead and gap_s:
                await stage.pass_time(gap_s)
            earlier = max(earlier, entry.t_ns)
            await self._play_entry(entry, ahead=ahead)
        await self._acknowledged()
        await stage.pass_time((earlier - first_ns) / 1e9 - (stage.pace.clock.monotonic() - began))
        for frame in recording.edge if self._is_last else ():  # what came while our node was ahead
            if (kind := kind_of(frame)) in f.PERIODIC and stage.cloud.connected:
                await self._await_periodic(kind, frame)
        await stage.quiet()
        if not self._has_looked:
            await self._look()
        return self._replayed()

    async def _look(self) -> None:
        """Keep what our node knows, once it has done all that it was told."""
        self._has_looked = True
        await self._acknowledged()
        await self._stage.quiet()
        self._stage.journal.state(await self._stage.snapshot(sorted({*self._names, *self._script.questions})))

    def _replayed(self) -> Replayed:
        recording = self._script.recording
        unasked: Counter[str] = Counter()
        for left in self._answers.values():
            unasked.update(kind_of(self._script.requests[answer.parent]) for answer in left)
        return Replayed(
            recording.name,
            recording,
            Recording(f"{recording.name}, replayed", self._stage.journal.entries),
            tuple(self._sent),
            tuple(self._lost),
            tuple(self._missing),
            unasked,
        )

    async def _play_entry(self, entry: Entry, *, ahead: bool) -> None:
        match entry:
            case CloudFrame(direction=Direction.TO_EDGE):
                await self._play_frame(self._script.recording.frames[entry.line])
            case CloudFrame():
                expected = self._script.expected[entry.line]
                if expected.kind in f.PERIODIC:
                    if not ahead:
                        await self._await_periodic(expected.kind, expected.frame)
                elif expected.is_awaited:
                    await self._await_ours(expected)
                if expected.kind not in _PASSING:
                    self._passed_at = self._stage.pace.clock.monotonic()
            case ConnectionEvent(link=int(), event="open"):
                await self._open(entry)
            case ConnectionEvent(link=int()):
                await self._drop()
            case Note(text=text) if text.startswith("CUT"):
                await self._drop()
            case Note(text=text, payload=payload) if text.startswith(PUBLISHED):
                await self._publish(text.removeprefix(PUBLISHED), payload.encode())
            case Note(text=text):
                self._stage.journal.note(text)
            case Snapshot():
                await self._look()
            case MqttMessage(direction=MqttDirection.IN):
                await self._publish(entry.topic, entry.payload)

    async def _publish(self, topic: str, payload: bytes) -> None:
        await self._acknowledged()
        await self._stage.quiet()
        self._stage.broker.publish(topic, payload)
        await self._stage.quiet()

    # What the cloud says.

    async def _play_frame(self, frame: Frame) -> None:
        if self._script.answers_something(frame) or (frame.parent and frame.route[2] == RESPONSE):
            return  # it was sent when our node asked; who asked before the recording began is not there
        if self._cut:
            self._lost.append(frame)
            return
        self._sent.append(frame)
        self._sent_ids.add(frame.id)
        self._stage.cloud.send(frame.text, frame.id, frame.parent)
        if not len(self._sent) % IN_A_ROW:
            await asyncio.sleep(0)

    # What the edge does.

    async def _await_periodic(self, kind: str, frame: Frame) -> None:
        if kind not in self._seen:
            self._seen.add(kind)
            await self._acknowledged()
            await self._until(lambda: self._is_recent(kind), frame, LIMIT_S, STEP_S)

    def _is_recent(self, kind: str) -> bool:
        """Whether our node has sent such a message since it did what the recorded one had done before."""
        return kind in self._lately or self._sent_at.get(kind, -1.0) >= self._passed_at

    async def _await_ours(self, expected: Expected) -> None:
        frame = expected.frame
        if not frame.parent:
            await self._acknowledged()
            await self._until(lambda: self._is_done(expected), frame, LIMIT_S, STEP_S)
        elif frame.parent in self._sent_ids:
            self._awaited.append(frame)
            if len(self._awaited) >= UNDER_WAY:
                await self._acknowledged()

    async def _acknowledged(self) -> None:
        """Return once our node has acknowledged what the recorded one had acknowledged up to here."""
        while self._awaited:
            frame = self._awaited.popleft()
            await self._until(partial(self._acked.__contains__, frame.parent), frame, PATIENCE_S, PATIENT_STEP_S)

    def _is_done(self, expected: Expected) -> bool:
        """Whether our node has sent as many messages of this kind as the recorded one had with this one."""
        return self._counts[expected.key] > expected.before

    async def _until(self, holds: Callable[[], bool], what: Frame, limit_s: float, step_s: float) -> None:
        """Wait until our node has done something; if it does not in time, take a note."""
        stage = self._stage
        left_s = 0.0 if len(self._missing) >= GIVEN_UP else min(limit_s, stage.pace.most_wait_s)
        if not holds():
            await stage.pace.quiet(lambda: 0 if holds() else stage.under_way())
        while not holds():
            if left_s <= 0:
                self._missing.append(what.short)
                return
            left_s -= await stage.wait(step_s)

    # Connections and processes.

    async def _be_there(self, recording: Recording) -> None:
        """See to it that the node is there where the recording begins in the middle of a connection."""
        if not begins_within(recording.entries):
            opened = next((one for one in recording.entries if isinstance(one, ConnectionEvent)), None)
            if opened is not None and self._is_new(opened):
                await self._stage.rest_until(recording.entries[0].t_ns)
            return
        if self._stage.cloud.connected:
            return
        self._is_before = True
        self._stage.journal.begin()
        await self._let_in(is_new=self._stage.node is None)
        await self._stage.wait(BEFORE_S)
        await self._stage.quiet()
        self._is_before = False
        self._lately.clear()
        self._sent_at.clear()
        self._counts.clear()

    async def _open(self, opened: ConnectionEvent) -> None:
        await self._acknowledged()
        self._cut = False
        await self._let_in(is_new=self._is_new(opened))

    def _is_new(self, opened: ConnectionEvent) -> bool:
        """Whether it is another process that opens a connection."""
        if self._stage.node is None:
            return True
        return self._script.registers(opened) and (self._stage.is_registered or not self._script.is_ours)

    async def _let_in(self, *, is_new: bool) -> None:
        stage = self._stage
        if is_new:
            await stage.start_node()
        stage.cloud.reachable = True
        left_s = stage.pace.most_wait_s
        await stage.quiet()
        while not stage.cloud.connected and left_s > 0:
            left_s -= await stage.wait(STEP_S)

    async def _drop(self) -> None:
        await self._acknowledged()
        await self._stage.quiet()
        self._cut = True
        self._stage.cloud.drop()

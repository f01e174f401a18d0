"""Playing recordings to a whole node: the cloud's exact frames at their causal places, on a clock that is moved.

======================  ==============================================================================================
entry of a recording    what is done
======================  ==============================================================================================
frame of the cloud      an answer is kept for the request that it answers; anything else is sent
frame of the edge       awaited from our node, unless it is about what was not sent; of what is sent at a pace of its
                        own, or again, the first one
message of a device     brought to DeviceTwin and EdgeHub as EventBus brings it
connection opened       a new process (one that registers itself) is a new process of ours on the same files; else
                        our node is let in again
connection ended, CUT   the connection is dropped; what the cloud wrote after that never arrived
any                     as much time goes by for our node as went by in the recording, but none while our node has
                        done already what the Go edgecore was to do next: the cloud would not have waited
======================  ==============================================================================================
"""

import asyncio
import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edgecore.app import Node
from edgecore.beehive.resource import EVENTBUS
from edgecore.clock import VirtualClock
from edgecore.config.host import Environment
from edgecore.config.load import LoadedConfig, parse
from edgecore.ids import seeded_ids
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, Note
from fidelity import frames as f
from fidelity.cloud import PartCloud
from fidelity.devices import Devices, Published
from fidelity.frames import Frame, kind_of, read_frame
from fidelity.history import Recording
from fidelity.rules import THEIRS_ALONE, named

STEP_S = 1.0
"""How far the node's clock moves at once; between two steps everything that is under way comes to its end."""
PATIENCE_S = 10.0
"""How long an answer may take that needs no time of the node's clock, by the machine's clock."""
LIMIT_S = 120.0
"""How long one may take that needs such time, by the node's clock."""
GIVEN_UP = 3
"""So many messages may be missing before the rest is no longer waited for."""

PUBLISHED = "mqtt publish "
"""What the note of a device's message begins with; the topic follows."""

Request = tuple[str, str, str, str]


@dataclass
class Played:
    """What happened in one recording."""

    ours: list[Frame] = field(default_factory=list)
    sent: list[Frame] = field(default_factory=list)
    """The cloud's messages that our node got, in order."""
    lost: list[Frame] = field(default_factory=list)
    """Those that neither it nor the Go edgecore got: the connection was cut."""
    unasked: Counter[str] = field(default_factory=Counter)
    """Answers that it did not get, by the kind of the request that it did not make."""
    published: list[Published] = field(default_factory=list)
    """What the node published for its devices, in order."""
    missing: list[str] = field(default_factory=list)
    invented: int = 0
    """Answers that the recording does not have: our node asked more often than Go did."""


def node_config(directory: Path, port: int, subnet: str) -> LoadedConfig:
    """Return the configuration of the recorded node, as far as the cloud can see it."""
    settings = {
        "database": {"dataSource": str(directory / "edgecore.db")},
        "controlSocket": str(directory / "edgecore.sock"),
        "observe": {"listen": "127.0.0.1:0"},
        "modules": {
            "eventBus": {"enable": False},
            "edgeHub": {"websocket": {"server": f"ws://127.0.0.1:{port}"}},
            "edged": {"hostnameOverride": "edge-node1", "nodeIP": "10.66.0.2"},
            "edgeMesh": {"rootlessSubNet": subnet, "dns": {"upstreams": ["127.0.0.1:9"]}},
        },
    }
    return parse(json.dumps(settings), "the recorded node", env=Environment("edge-node1", "10.66.0.2"))


class Replay:
    """One node and one cloud, through recordings that follow each other."""

    def __init__(self, directory: Path, subnet: str) -> None:
        self._directory = directory
        self._subnet = subnet
        self._clock = VirtualClock()
        self._ids = seeded_ids(3)
        self._cloud = PartCloud(self._receive)
        self._node: Node | None = None
        self._devices: Devices | None = None
        self._played = Played()
        self._recording = Recording("", ())
        self._answers: defaultdict[Request, deque[Frame]] = defaultdict(deque)
        self._last_answer: dict[Request, Frame] = {}
        self._cut = False
        self._seen: set[str] = set()
        """Periodic kinds of which one was awaited in this recording, at the place of the first."""

    async def play(self, recordings: Iterable[Recording]) -> dict[str, Played]:
        """Play them all; return what happened, by name."""
        played = {}
        async with self._cloud:
            try:
                for recording in recordings:
                    played[recording.name] = await self._play_one(recording)
            finally:
                if self._node is not None:
                    await self._node.stop()
        return played

    async def _play_one(self, recording: Recording) -> Played:
        self._recording, self._played, self._cut = recording, Played(), False
        self._seen.clear()
        self._keep_answers(recording)
        earlier = recording.entries[0].t_ns
        for entry, following in zip(recording.entries, self._next_own(), strict=True):
            ahead = following is not None and self._is_done(following)
            if not ahead:
                await self._pass_time((entry.t_ns - earlier) / 1e9)
            earlier = entry.t_ns
            match entry:
                case CloudFrame(direction=Direction.TO_EDGE):
                    await self._play_frame(recording.frames[entry.line])
                case CloudFrame() if (kind := kind_of(recording.frames[entry.line])) in f.PERIODIC:
                    if not ahead:
                        await self._await_periodic(kind, recording.frames[entry.line])
                case CloudFrame():
                    await self._await_ours(recording.frames[entry.line])
                case ConnectionEvent(link=int(), event="open"):
                    await self._open(entry)
                case ConnectionEvent(link=int()):
                    await self._drop()
                case Note(text=text) if text.startswith("CUT"):
                    await self._drop()
                case Note(text=text, payload=payload) if text.startswith(PUBLISHED):
                    assert self._devices is not None
                    await self._devices.publish(text.removeprefix(PUBLISHED), payload)
        for frame in recording.edge:  # what came while our node was ahead
            if (kind := kind_of(frame)) in f.PERIODIC:
                await self._await_periodic(kind, frame)
        if self._devices is not None:
            self._played.published = await self._devices.take()
        for left in self._answers.values():
            self._played.unasked.update(kind_of(self._request_of(answer)) for answer in left)
        return self._played

    # What the cloud says.

    def _keep_answers(self, recording: Recording) -> None:
        self._answers.clear()
        for answer in recording.cloud:
            if answer.parent:
                self._answers[self._request_of(answer).route].append(answer)

    def _request_of(self, answer: Frame) -> Frame:
        return next(frame for frame in self._recording.edge if frame.id == answer.parent)

    async def _play_frame(self, frame: Frame) -> None:
        if frame.parent:
            return
        if self._cut:
            self._played.lost.append(frame)
            return
        self._played.sent.append(frame)
        await self._cloud.send(frame.text)

    async def _receive(self, text: str) -> None:
        """Keep what our node sends, and answer it with what the Go cloudcore answered."""
        frame = read_frame(text, len(self._played.ours) + 1)
        self._played.ours.append(frame)
        if kind_of(frame) == f.TRANSPORT_PING:
            header = {"msg_id": self._ids(), "parent_msg_id": frame.id, "timestamp": self._clock.now_ms()}
            route = {**frame.document["route"], "operation": "response"}
            await self._cloud.send(json.dumps({"header": header, "route": route, "content": "ack"}) + "\n")
        elif waiting := self._answers[frame.route]:
            answer = self._last_answer[frame.route] = waiting.popleft()
            self._played.sent.append(answer)
            await self._cloud.send(answer.text.replace(answer.parent, frame.id))
        elif answered := self._last_answer.get(frame.route):
            self._played.invented += 1
            text = answered.text.replace(answered.parent, frame.id)
            await self._cloud.send(text.replace(answered.id, self._ids()))

    # What the edge does.

    async def _await_periodic(self, kind: str, frame: Frame) -> None:
        if kind not in self._seen:
            self._seen.add(kind)
            await self._until(lambda: self._has_lately(kind), frame, limit_s=LIMIT_S)

    async def _await_ours(self, frame: Frame) -> None:
        if not self._is_awaited(frame):
            return
        if frame.parent:
            if any(one.id == frame.parent for one in reversed(self._played.sent)):
                await self._until(lambda: self._has(frame.parent), frame)
            return
        await self._until(lambda: self._is_done(frame), frame, limit_s=LIMIT_S)

    def _is_awaited(self, frame: Frame) -> bool:
        kind = kind_of(frame, self._recording.answers)
        is_named = named(THEIRS_ALONE, self._recording.name, kind, frame.resource)
        return frame.line not in self._recording.repeats and kind not in f.PERIODIC and not is_named

    def _is_done(self, frame: Frame) -> bool:
        """Whether our node has sent as many messages of this kind as the Go edgecore had up to ``frame``."""
        kind = kind_of(frame)
        until = itertools.takewhile(lambda one: one is not frame, self._recording.edge)
        recorded = sum((kind_of(one), one.route) == (kind, frame.route) for one in until)
        return sum((kind_of(one), one.route) == (kind, frame.route) for one in self._played.ours) > recorded

    def _next_own(self) -> list[Frame | None]:
        """Return, for each entry, what the Go edgecore next sent of its own accord on the same connection."""
        following: list[Frame | None] = []
        frame = None
        for entry in reversed(self._recording.entries):
            if isinstance(entry, ConnectionEvent):
                frame = None
            elif isinstance(entry, CloudFrame) and entry.direction == Direction.TO_CLOUD:
                this = self._recording.frames[entry.line]
                frame = this if not this.parent and self._is_awaited(this) else frame
            following.append(frame)
        return following[::-1]

    def _has_lately(self, kind: str) -> bool:
        """Whether our node has sent one of a periodic kind since it last sent something of its own accord."""
        kinds = (kind_of(one, self._recording.answers) for one in reversed(self._played.ours))
        passing = {*f.PERIODIC, f.ACK, f.ANSWER_ACK, f.TRANSPORT_PING}
        return kind in itertools.takewhile(lambda one: one in passing, kinds)

    def _has(self, parent: str) -> bool:
        return any(one.parent == parent for one in reversed(self._played.ours))

    async def _until(self, holds: Callable[[], bool], what: Frame, *, limit_s: float = 0.0) -> None:
        """Wait until our node has done something; if it does not in time, take a note."""
        hopeless = len(self._played.missing) >= GIVEN_UP
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (0.1 if hopeless else PATIENCE_S)
        left_s = limit_s
        while not holds():
            if left_s > 0:
                await self._pass_time(STEP_S)
                left_s -= STEP_S
            elif limit_s or loop.time() > deadline:
                self._played.missing.append(what.short)
                return
            else:
                await asyncio.sleep(0.0005)

    # Connections and processes.

    async def _open(self, opened: ConnectionEvent) -> None:
        entries = self._recording.entries
        sent = [
            self._recording.frames[one.line]
            for one in entries
            if isinstance(one, CloudFrame) and one.link == opened.link and one.direction == Direction.TO_CLOUD
        ]
        self._cut = False
        if any(kind_of(frame) == f.REGISTRATION for frame in sent):
            await self._start_node()
        self._cloud.reachable = True
        await self._until(lambda: self._cloud.connected, sent[0], limit_s=LIMIT_S)

    async def _start_node(self) -> None:
        if self._node is not None:
            await self._node.stop()
        self._cloud.drop()
        self._cloud.reachable = True
        loaded = node_config(self._directory, self._cloud.port, self._subnet)
        self._node = Node(loaded, clock=self._clock, new_id=self._ids)
        self._devices = Devices(self._node.bus)
        await self._node.start()

    async def _drop(self) -> None:
        await self._quiet()
        self._cut = True
        self._cloud.drop()

    # Time.

    async def _pass_time(self, seconds: float) -> None:
        while seconds > 0:
            step = min(STEP_S, seconds)
            await self._quiet()
            await self._clock.advance(step)
            seconds -= step
        await self._quiet()

    async def _quiet(self) -> None:
        """Return once no message lies anywhere in the node and no write waits for its commit."""
        calm = 0
        while calm < 3:
            for _ in range(5):
                await asyncio.sleep(0)
            calm = 0 if self._busy() else calm + 1

    def _busy(self) -> bool:
        if self._node is None or self._node.store is None:
            return False
        waiting = self._node.store.statistics().waiting
        depths = (one.depth for name, one in self._node.bus.statistics().items() if name != EVENTBUS)
        return bool(waiting) or any(depths)

"""Playing recordings to a whole stub: what was done to the cluster, and all that the edge said, at their times.

======================  ==============================================================================================
entry of a recording    what is done
======================  ==============================================================================================
note                    what was done to the cluster then (``deeds.py``)
frame of the edge       said by the edge, unless it is an acknowledgement; those follow what our stub writes
frame of the cloud      nothing: ours says what it has to say
connection opened       the node connects; before the recording ``e0`` the stub is restarted, as the cloudcore was
ended by the edge       the connection is gone
======================  ==============================================================================================

The edge acknowledges what ours writes where it acknowledged the same thing in the recording, on the same connection and
as often, and what was not sent there at all; with the words of its acknowledgement.
"""

import asyncio
import json
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from cloudhub_stub.controllers.names import ENDPOINTS
from edgecore.beehive.resource import PING
from edgecore.clock import VirtualClock
from edgecore.ids import seeded_ids
from edgecore.recording import frames as f
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, Entry, Note
from edgecore.recording.frames import Frame, kind_of, read_frame
from edgecore.recording.session import Recording
from fidelity.deeds import CLUSTER_BORN_MS, DEEDS, Deed, Deeds, Found, timed, with_our_uids
from fidelity.wholestub import WholeStub, Written

HEARTBEAT_S = 15.0
LAST_ANSWERS_S = 0.1
"""How long ours is heard after the last entry of a recording."""
RESTARTED = "e0_both_restarted_with_existing_objects"
"""Before this recording both programs were ended."""

Reaction = tuple[object, str, str]
"""Connection, operation and resource."""


@dataclass
class Played:
    """What our stub wrote in one recording."""

    written: list[tuple[Written, Frame]] = field(default_factory=list)
    ended: dict[int, int] = field(default_factory=dict)
    """When our stub ended a connection by itself, in Unix milliseconds."""


class ClusterPlay:
    """One stub, through recordings that follow each other."""

    def __init__(self, controllers: Sequence[str] = ()) -> None:
        self.clock = VirtualClock(start_ms=CLUSTER_BORN_MS)
        self.stub = WholeStub(self.clock, seeded_ids(4), frozenset(controllers), self._take)
        self._are_endpoints_ours = ENDPOINTS in controllers
        self._status = ""
        """The last status of the node."""
        self.uids: dict[str, str] = {}
        """The uids that ours gave, by the recorded ones."""
        self._played = Played()
        self._number = 0
        """Of the connection."""
        self._cut = False
        self._acks: dict[Reaction, list[Frame | None]] = {}
        self._said: Counter[Reaction] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def play(self, recordings: Sequence[Recording]) -> dict[str, Played]:
        """Play them all; return what ours wrote, by name."""
        played = {}
        for recording in recordings:
            played[recording.name] = await self._play_one(recording)
        await self.stub.stop()
        return played

    async def _play_one(self, recording: Recording) -> Played:
        self._played, self._cut = Played(), False
        self._acks, self._said = _reactions(recording), Counter()
        entries = [entry for entry in recording.entries if not isinstance(getattr(entry, "link", 0), str)]
        do = Deeds(self.stub.plane, Found(recording), self.uids, are_endpoints_ours=self._are_endpoints_ours)
        unnoted = deque(timed(recording.name, do.found))
        await self._do_timed(unnoted, do, entries[0].t_ns, self._number or None)
        await self._pass_to(entries[0].t_ns, _link_at_start(entries))
        if recording.name == RESTARTED:
            await self.stub.restart()
            do.plane = self.stub.plane
        deeds = DEEDS.get(recording.name, {})
        for entry in entries:
            await self._do_timed(unnoted, do, entry.t_ns)
            await self._pass_to(entry.t_ns)
            match entry:
                case Note(text=text):
                    self._cut |= text.startswith("CUT")
                    self._do(next((deed for words, deed in deeds.items() if text.startswith(words)), None), do)
                case CloudFrame(direction=Direction.TO_CLOUD):
                    await self._say(recording.frames[entry.line])
                case ConnectionEvent(event="open", link=int() as number):
                    self._cut = False
                    self._connect(number)
                case ConnectionEvent(direction=Direction.TO_CLOUD):
                    self.stub.disconnect()
            await self.clock.advance(0)
        await self.clock.advance(LAST_ANSWERS_S)
        begun_ms = entries[0].t_ns // 1_000_000
        self._played.written = [one for one in self._played.written if one[0].at_ms >= begun_ms]
        return self._played

    def _connect(self, number: int) -> None:
        self.stub.disconnect()
        self._number = number
        self.stub.connect(number)

    async def _do_timed(
        self, unnoted: deque[tuple[int, Deed]], do: Deeds, until_ns: int, link: int | None = None
    ) -> None:
        while unnoted and unnoted[0][0] * 1_000_000 <= until_ns:
            at_ms, deed = unnoted.popleft()
            await self._pass_to((at_ms * 1_000_000) or until_ns, link)
            self._do(deed, do)

    def _do(self, deed: object, do: Deeds) -> None:
        if callable(deed):
            deed(do)
            self.stub.plane.kick()

    async def _say(self, frame: Frame) -> None:
        if frame.parent and frame.route[2] == "response":
            return
        self._note_end()
        if kind_of(frame) == f.NODE_STATUS:
            self._status = frame.text
        await self.stub.receive(with_our_uids(frame.text, self.uids))

    # Time.

    async def _pass_to(self, t_ns: int, link: int | None = None) -> None:
        """Let time pass up to that instant; on the way from one recording to the next the edge goes on living."""
        left_s = (t_ns / 1e6 - self.clock.now_ms()) / 1000
        while link is not None and left_s > HEARTBEAT_S:
            await self.clock.advance(HEARTBEAT_S)
            left_s -= HEARTBEAT_S
            await self.stub.receive(_KEEPALIVE)
            await self.stub.receive(self._status.replace('"msg_id":"', f'"msg_id":"{self.clock.now_ms()}-'))
        await self._advance_to(t_ns)
        if link is not None and self._number != link:
            self._connect(link)

    async def _advance_to(self, t_ns: int) -> None:
        await self.clock.advance(max(0.0, (t_ns / 1e6 - self.clock.now_ms()) / 1000))
        self._note_end()

    def _note_end(self) -> None:
        link = self.stub.link
        if link is not None and link.session.ended and self._played.written:
            self._played.ended.setdefault(self._played.written[-1][0].link, self.clock.now_ms())

    # What the edge does about what ours writes.

    def _take(self, written: Written) -> None:
        frame = read_frame(written.text, len(self._played.written))
        self._played.written.append((written, frame))
        if self._cut:
            return
        if frame.route[2] == PING:
            self._later(_answer(frame, "ack"))
            return
        if frame.parent and frame.document["content"] == "OK":
            return
        about = (written.link, frame.route[2], frame.resource)
        known = self._acks.get(about)
        place = self._said[about]
        self._said[about] += 1
        if known is None or place >= len(known):
            if frame.route[0] == "edgecontroller" and "/node/" not in frame.resource:
                self._later(_answer(frame, "OK"))
        elif (ack := known[place]) is not None:
            self._later(ack.text.replace(ack.parent, frame.id).replace(ack.id, f"{ack.id}-{frame.line}"))

    def _later(self, text: str) -> None:
        task = asyncio.get_running_loop().create_task(self.stub.receive(text))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_KEEPALIVE = json.dumps(
    {
        "header": {"msg_id": "between", "timestamp": 1},
        "route": {"source": "websocket", "group": "resource", "operation": "keepalive", "resource": "node"},
        "content": "ping",
    }
)


def _answer(frame: Frame, content: str) -> str:
    header = {"msg_id": f"answer-{frame.id}", "parent_msg_id": frame.id, "timestamp": 1}
    route = {**frame.document["route"], "operation": "response"}
    return json.dumps({"header": header, "route": route, "content": content})


def _reactions(recording: Recording) -> dict[Reaction, list[Frame | None]]:
    """Return for everything that the Go cloud wrote, each time it did, the acknowledgement of it if there was one."""
    acks = {frame.parent: frame for frame in recording.edge if frame.parent}
    found: defaultdict[Reaction, list[Frame | None]] = defaultdict(list)
    seen: set[str] = set()
    for entry in recording.entries:
        if isinstance(entry, CloudFrame) and entry.direction == Direction.TO_EDGE:
            frame = recording.frames[entry.line]
            if frame.id not in seen:
                seen.add(frame.id)
                found[entry.link, frame.route[2], frame.resource].append(acks.get(frame.id))
    return found


def _link_at_start(entries: Sequence[Entry]) -> int | None:
    """Return the connection that was there when the recording began."""
    for entry in entries:
        if isinstance(entry, ConnectionEvent) and entry.event == "open":
            return None
        if isinstance(entry, CloudFrame):
            assert isinstance(entry.link, int)
            return entry.link
    return None

"""Records what passes a node into a file, while it passes: the loop only puts it aside, a thread of its own writes.

::

    watch, bus, notes ──▶ what waits (bounded) ──▶ thread ──▶ process: entry, number, causes, redaction ──▶ file

Neither a slow disk nor a full one holds up the loop. What finds no room is counted, and a ``Loss`` entry stands in its
place; a file that cannot be written any more ends the recording, never the node.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message
from edgecore.beehive.switchboard import Passage
from edgecore.clock import Clock, bounded
from edgecore.recording.entries import (
    VERSION,
    ConnectionEvent,
    Direction,
    DnsExchange,
    Fault,
    Link,
    Loss,
    MqttDirection,
    MqttMessage,
    Note,
    ProxiedRequest,
    SessionHead,
    Snapshot,
)
from edgecore.recording.questions import Questions
from edgecore.recording.recorder import sightings
from edgecore.recording.recorder.apart import Apart
from edgecore.recording.recorder.scribe import Pen, Scribe
from edgecore.recording.recorder.sightings import Sighting
from edgecore.recording.recorder.writing import SLOTS, Writing
from edgecore.recording.redaction import Redactor
from edgecore.recording.watch import Watch
from edgecore.recording.writer import EntryWriter, open_writer

log = structlog.get_logger("recording")

LIMIT_BYTES = 32 * 1024 * 1024
"""How much may wait for the disk."""
LIMIT_ENTRIES = 100_000
LIMIT_SLOTS = LIMIT_ENTRIES * SLOTS
DELAY_S = 0.1
"""How long an entry may wait before the thread is woken: that seldom, it does not get in the way of the loop."""
STOP_S = 4.0
"""How long the end of a recording waits for the disk, and for what a large node knows to be written."""
_SIZE = 256
"""What an entry weighs beside its payload, in bytes."""


class Recorder:
    """One recording, from ``start`` to ``stop``; after that it is spent. To be made in the event loop.

    ``kinds`` are keys of ``KEYS``. ``redactor`` of ``None``: secrets are written as they are. ``apart``: by a process
    of its own; else by the thread, which costs the loop some of its time.
    """

    def __init__(
        self,
        path: Path,
        kinds: Iterable[str],
        *,
        clock: Clock,
        node: str = "",
        program: str = "",
        bus: Bus | None = None,
        watch: Watch | None = None,
        redactor: Redactor | None = None,
        limit_bytes: int = LIMIT_BYTES,
        apart: bool = False,
        open_file: Callable[[Path], EntryWriter] = open_writer,
    ) -> None:
        self.path = path
        self.kinds = tuple(kinds)
        self._clock = clock
        self._monotonic = clock.monotonic
        self._bus = bus
        self._watch = watch
        self._limit_bytes = limit_bytes
        self._open_file = open_file
        self._since = clock.monotonic()
        self._redactor = redactor
        self._apart = apart
        head = self._head = SessionHead(
            0,
            clock.now_ms() * 1_000_000,
            VERSION,
            program,
            node,
            (*self.kinds, "lost"),
            redacted=redactor is not None,
        )
        self._questions = Questions()
        self._scribe = Scribe(path, head.t_ns - int(self._since * 1e9))
        self._put_bytes = 0
        self._missed = 0
        self._lost = 0
        self._due = False
        self._listens = self._attached = False
        self._ended = asyncio.Event()
        self._stopping = False

    async def start(self) -> None:
        """Make the file, and record from now on. Raises ``RecordingError``."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._pen))
        try:
            pen = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)
            raise
        loop = asyncio.get_running_loop()

        def ended() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._written)

        threading.Thread(
            target=self._scribe.write_all, args=(pen, ended), name="edgecore recorder", daemon=True
        ).start()
        self._listens = True
        self._attach()
        self._scribe.awake.set()
        log.info("recording_started", path=str(self.path), kinds=self.kinds)

    def _pen(self) -> Pen:
        writer = self._open_file(self.path)
        if not self._apart:
            return Writing(writer, self._redactor, self._head)
        writer.close()  # it is there now, and nobody else's
        return Apart(self.path, self._redactor, self._head)

    async def stop(self, snapshot: dict[str, Any] | None = None) -> None:
        """Write ``snapshot`` and what waits, and close the file; a disk that hangs is left to itself (``STOP_S``)."""
        if self._stopping:
            return
        self._stopping = True
        self._detach()
        if self._listens:
            if snapshot is not None:
                self.state(snapshot)
            self._tell_loss()
            self._listens = False
            self._scribe.over = True
            self._scribe.awake.set()
            try:
                await bounded(self._clock, self._monotonic() + STOP_S, _until(self._ended), grace_s=0.1)
            except TimeoutError:
                log.error("recording_not_finished", path=str(self.path), waiting=self._scribe.count)
        log.info("recording_stopped", path=str(self.path), entries=self._scribe.written.entries, lost=self.lost)

    # What is recorded. None of these waits, or raises.

    def note(self, text: str) -> None:
        """Record what somebody says."""
        self._put(0, sightings.timed, Note(0, 0, text, "", "", ""))

    def state(self, snapshot: dict[str, Any]) -> None:
        """Record what the node knows; nobody may change ``snapshot`` afterwards."""
        if "state" in self.kinds:
            self._put(0, sightings.timed, Snapshot(0, 0, snapshot))

    def fault(self, fault: str, detail: str = "") -> None:
        """Record a fault that was injected, or ended."""
        if "fault" in self.kinds:
            self._put(len(fault) + len(detail), sightings.timed, Fault(0, 0, fault, detail))

    def frame(self, direction: Direction, link: Link, payload: bytes) -> None:
        """Record one frame of the link to the cloud."""
        make = sightings.frame_to_edge if direction is Direction.TO_EDGE else sightings.frame_to_cloud
        self._put(len(payload), make, link, payload)

    def connection(self, direction: Direction, link: Link, event: str, *, tls: str = "", detail: str = "") -> None:
        """Record what happened to a connection with the cloud."""
        what: Any = event
        entry = ConnectionEvent(0, 0, direction, link, what, tls, detail)
        self._put(len(detail), sightings.connection, entry)

    def _passage(self, passage: Passage) -> None:
        way = passage.sender, passage.receiver, passage.injected
        self._put(_weight(passage.message), sightings.bus_message, way, passage.message)

    def _mqtt(self, direction: MqttDirection, broker: str, topic: str, payload: bytes, message_id: str = "") -> None:
        entry = MqttMessage(0, 0, direction, broker, topic, payload, message_id)
        self._put(len(payload), sightings.mqtt_message, entry)

    def _commit(self, writes: Sequence[tuple[str, Sequence[Any]]]) -> None:
        weight = sum(len(param) for _, params in writes for param in params if isinstance(param, str | bytes))
        self._put(weight + _SIZE * len(writes), sightings.commit, writes)

    def _dns(self, client: str, transport: str, query: bytes, answer: bytes, took_us: int) -> None:
        over: Any = transport
        self._questions.add(query)
        entry = DnsExchange(0, 0, client, over, query, answer, took_us)
        self._put(len(query) + len(answer), sightings.timed, entry)

    def _request(self, entry: ProxiedRequest) -> None:
        self._put(len(entry.head), sightings.timed, entry)

    def _others_lost(self, lost: int, reason: str) -> None:
        self._lost += lost
        self._put(0, sightings.timed, Loss(0, 0, lost, reason))

    # How it is.

    @property
    def questions(self) -> list[str]:
        """What was asked for by DNS, where that is recorded: each ``NAME TYPE``."""
        return self._questions.texts

    @property
    def is_on(self) -> bool:
        """Whether it records."""
        return self._listens

    @property
    def failure(self) -> str:
        """Why the recording ended by itself; empty where it did not."""
        return self._scribe.failure

    @property
    def lost(self) -> int:
        """How many entries are missing."""
        return self._lost + self._scribe.written.lost + self._scribe.unwritten

    def figures(self) -> dict[str, Any]:
        """Return the state of the recording and what went into it."""
        return {
            "path": str(self.path),
            "kinds": list(self.kinds),
            "recording": self.is_on,
            "since_s": round(self._monotonic() - self._since, 3),
            "entries": self._scribe.written.entries,
            "bytes": self._scribe.written.bytes,
            "lost": self.lost,
            "waiting": self._scribe.count,
            "redacted": self._redactor is not None,
            "error": self.failure,
        }

    # Putting aside.

    def _put(self, weight: int, make: Callable[..., Sighting], one: Any, other: Any = None) -> None:
        if not self._listens:
            return
        scribe = self._scribe
        held = self._put_bytes - scribe.taken_bytes
        if held + weight > self._limit_bytes or len(scribe.waiting) >= LIMIT_SLOTS:
            self._missed += 1
            self._lost += 1
            return
        if self._missed:
            self._tell_loss()
        weight += _SIZE
        self._put_bytes += weight
        now = self._monotonic()
        scribe.waiting.extend((now, weight, make, one, other))  # at once, for the thread
        if not self._due:
            self._due = True
            self._clock.call_at(now + DELAY_S, self._wake)
        elif held > self._limit_bytes // 4:
            scribe.awake.set()

    def _tell_loss(self) -> None:
        if self._missed:
            missed, self._missed = self._missed, 0
            entry = Loss(0, 0, missed, "the disk is too slow")
            self._scribe.waiting.extend((self._monotonic(), 0, sightings.timed, entry, None))

    def _wake(self) -> None:
        self._due = False
        self._scribe.at(self._clock.now_ms(), self._monotonic())
        self._scribe.awake.set()

    def _written(self) -> None:
        """Take note that the thread has ended, by itself or because it was to."""
        self._ended.set()
        if self.failure:
            self._listens = False
            self._detach()
            log.error("recording_failed", path=str(self.path), error=self.failure, lost=self.lost)

    def _attach(self) -> None:
        self._attached = True
        watch, kinds = self._watch, self.kinds
        if self._bus is not None and "bus" in kinds:
            self._bus.add_tap(self._passage)
        if watch is None:
            return
        watch.frame = self.frame if "text" in kinds else None
        watch.connection = self.connection if "event" in kinds else None
        watch.mqtt = self._mqtt if "mqtt" in kinds else None
        watch.commit = self._commit if "commit" in kinds else None
        watch.dns = self._dns if "dns" in kinds else None
        watch.request = self._request if "request" in kinds else None
        watch.lost = self._others_lost

    def _detach(self) -> None:
        if not self._attached:
            return
        self._attached = False
        if self._bus is not None:
            self._bus.remove_tap(self._passage)
        watch = self._watch
        if watch is not None:
            watch.frame = watch.connection = watch.mqtt = watch.commit = watch.dns = watch.request = None
            watch.lost = None


def _close_unused(opening: "asyncio.Future[Pen]") -> None:
    """Close a file that was opened for nobody."""
    if not opening.cancelled() and opening.exception() is None:
        threading.Thread(target=opening.result().close, name="edgecore recorder", daemon=True).start()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


def _weight(message: Message) -> int:
    content = message.content
    return len(content) if isinstance(content, str | bytes) else _of_json(content)


def _of_json(content: Any) -> int:
    try:
        return len(memoryview(content))  # JSON of the wire that nobody has looked at
    except TypeError:
        return 1024

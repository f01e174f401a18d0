"""Where recordings of a node are begun and ended: one at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from edgecore.beehive.bus import Bus
from edgecore.clock import Clock, bounded
from edgecore.errors import EdgecoreError, RecordingError
from edgecore.recording.kinds import DEFAULT
from edgecore.recording.recorder.recorder import STOP_S, Recorder
from edgecore.recording.redaction import Redactor
from edgecore.recording.watch import Watch

log = structlog.get_logger("recording")

LOOK_S = 10.0
"""How long it may take to find out what the node knows; where the node stops, ``LAST_LOOK_S``."""
LAST_LOOK_S = 5.0
"""A node with 10,000 services needs half of it."""

Json = dict[str, Any]


class Wish(NamedTuple):
    """What is to be recorded."""

    path: Path
    """A file that is not there yet, or a folder for one that is named after the node and the time."""
    kinds: tuple[str, ...] = DEFAULT
    redact: bool = True


class RecordingDesk:
    """The recording of a node that is under way, or the last one that was."""

    def __init__(
        self,
        *,
        clock: Clock,
        node: str,
        program: str,
        bus: Bus,
        watch: Watch,
        known: Iterable[str],
        new_key: Callable[[], bytes],
        look: Callable[[Sequence[str]], Awaitable[Json]],
    ) -> None:
        """``known`` are secrets of the node; ``new_key`` makes a key for pseudonyms.

        ``look`` makes a snapshot with the answers to some questions.
        """
        self._clock = clock
        self._node = node
        self._program = program
        self._bus = bus
        self._watch = watch
        self._known = tuple(known)
        self._new_key = new_key
        self._look = look
        self._recorder: Recorder | None = None
        self._one_at_a_time = asyncio.Lock()
        self._before = {"entries": 0, "bytes": 0, "lost": 0}

    async def start(self, wish: Wish) -> None:
        """Begin a recording. Raises ``RecordingError``."""
        async with self._one_at_a_time:
            if self._recorder is not None and self._recorder.is_on:
                raise RecordingError(
                    f"cannot record into {wish.path}: the node records into {self._recorder.path}; end that first"
                )
            path = await asyncio.to_thread(self._file_of, wish.path)
            recorder = Recorder(
                path,
                wish.kinds,
                clock=self._clock,
                node=self._node,
                program=self._program,
                bus=self._bus,
                watch=self._watch,
                redactor=Redactor(self._new_key(), self._known) if wish.redact else None,
                apart=True,
            )
            await recorder.start()
            self._before = self._counts()
            self._recorder = recorder

    async def stop(self) -> None:
        """End the recording with what the node knows now. Raises ``RecordingError`` where there is none."""
        async with self._one_at_a_time:
            recorder = self._running("end a recording")
            await recorder.stop(await self._snapshot(recorder, LOOK_S))

    def note(self, text: str) -> None:
        """Put words of a person into the recording. Raises ``RecordingError`` where there is none."""
        self._running("make a note").note(text)

    @property
    def end_s(self) -> float:
        """How long the end of what is recorded may take, where the node stops."""
        recorder = self._recorder
        return LAST_LOOK_S + STOP_S if recorder is not None and recorder.is_on else 0.0

    async def last_look(self) -> None:
        """Record what the node knows; to be called before its modules stop."""
        recorder = self._recorder
        if recorder is not None and recorder.is_on:
            known = await self._snapshot(recorder, LAST_LOOK_S)
            if known is not None:
                recorder.state(known)

    async def close(self) -> None:
        """End what is recorded, if anything is."""
        async with self._one_at_a_time:
            if self._recorder is not None and self._recorder.is_on:
                await self._recorder.stop()

    def status(self) -> Json:
        """Return how the recording is, or how the last one was; ``reasons`` says why one ended by itself."""
        if self._recorder is None:
            return {"recording": False}
        figures = self._recorder.figures()
        return {**figures, "reasons": [figures["error"]] if figures["error"] else []}

    def totals(self) -> dict[str, int]:
        """Return what all recordings of this process came to, and whether one is on."""
        return {**self._counts(), "on": int(self._recorder is not None and self._recorder.is_on)}

    def _counts(self) -> dict[str, int]:
        figures = self._recorder.figures() if self._recorder is not None else {}
        return {name: count + figures.get(name, 0) for name, count in self._before.items()}

    def _running(self, verb: str) -> Recorder:
        recorder = self._recorder
        if recorder is None or not recorder.is_on:
            why = f": {recorder.failure}" if recorder is not None and recorder.failure else ""
            raise RecordingError(f"cannot {verb}: nothing is recorded{why}; begin with edgecore record start FILE")
        return recorder

    async def _snapshot(self, recorder: Recorder, timeout_s: float) -> Json | None:
        if "state" not in recorder.kinds:
            return None
        try:
            return await bounded(
                self._clock, self._clock.monotonic() + timeout_s, _awaited(self._look(recorder.questions)), grace_s=0.1
            )
        except (EdgecoreError, TimeoutError) as error:
            log.warning("snapshot_not_recorded", path=str(recorder.path), error=str(error) or "it took too long")
            return None

    def _file_of(self, path: Path) -> Path:
        if path.suffix == ".mcap":
            raise RecordingError(
                f"cannot record into {path}: an MCAP file cannot be read until it is closed;"
                " record .jsonl or .jsonl.zst, then edgecore recording convert"
            )
        if not path.is_dir():
            return path
        at = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        return path / f"{self._node}-{at:%Y%m%dT%H%M%S}{at.microsecond // 1000:03}Z.jsonl"


async def _awaited(look: Awaitable[Json]) -> Json:
    return await look

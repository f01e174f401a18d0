"""A replay from the files to what our node did: reading, selecting, mapping, playing."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec

from edgecore.clock import SystemClock
from edgecore.errors import ContentError, StoreError, reason_of
from edgecore.privatefiles import copy, make_directory
from edgecore.recording.entries import Entry, SessionHead
from edgecore.recording.reader import read_entries
from edgecore.recording.selection import Selection
from edgecore.recording.session import Recording, begins_within
from edgecore.replay.facts import NodeFacts, facts_of
from edgecore.replay.mapping import Mapper
from edgecore.replay.nodeconfig import node_config
from edgecore.replay.options import Progress, ReplayOptions
from edgecore.replay.pace import Pace, RealPace, VirtualPace
from edgecore.replay.player import BEFORE_S, Player
from edgecore.replay.replayed import Replayed
from edgecore.replay.script import IsAlone, Script, said_before
from edgecore.replay.stage import Stage

Tell = Callable[[Progress], None]
GoOn = Callable[[Entry], Awaitable[None]]


async def _at_once(_entry: Entry) -> None:
    return


async def replay(
    options: ReplayOptions,
    tell: Tell = lambda _progress: None,
    *,
    is_alone: IsAlone = lambda *_message: False,
    go_on: GoOn = _at_once,
) -> list[Replayed]:
    """Play the recordings to one node, and return what it did in each of them.

    ``is_alone`` says which recorded messages our node is known not to send: nobody waits for them. ``go_on`` is awaited
    before each entry. Raises ``ContentError`` where a file cannot be read or played, and what a node raises that cannot
    start.
    """
    recordings = read_recordings(options)
    facts = facts_of(entry for one in recordings for entry in one.entries)
    life = _Life(options, recordings, tell, is_alone, go_on)
    if options.directory is not None and options.loop > 1:
        raise ContentError(f"cannot replay to {options.loop} nodes in one directory: leave one of the two out")
    replayed: list[Replayed] = []
    for _ in range(max(1, options.loop)):
        with TemporaryDirectory(prefix="edgecore-replay-") as scratch:
            directory = options.directory or Path(scratch)
            _prepare(directory, options.db)
            replayed += await life.play(directory, facts)
    return replayed


WHOLE = Selection()
DATABASE = "edgecore.db"


class _Life(NamedTuple):
    """One node, from its start to its end, and who is told of it."""

    options: ReplayOptions
    recordings: Sequence[Recording]
    tell: Tell
    is_alone: IsAlone
    go_on: GoOn

    async def play(self, directory: Path, facts: NodeFacts) -> list[Replayed]:
        """Play all recordings."""
        real, options = SystemClock(), self.options
        players: list[Player] = []
        pace = _pace(options, self.recordings)

        def heard(payload: bytes) -> None:
            players[-1].take(payload)

        stage = Stage(node_config(directory, facts, options.config), pace, options.seed, heard)
        replayed, said = [], frozenset[str]()
        try:
            for number, recording in enumerate(self.recordings, 1):
                is_last = number == len(self.recordings)
                player = Player(Script(recording, self.is_alone), stage, options.dns, is_last=is_last)
                players[:] = [player]
                began = real.monotonic()
                done = await player.play(partial(self._before, number))
                said |= player.said_before
                done = done._replace(said=said, took_s=real.monotonic() - began)
                if number <= len(options.after):
                    done = done._replace(is_before=True)
                else:
                    done = done._replace(filters=Selection(filters=options.selection.filters))
                replayed.append(done)
                self.tell(Progress(recording.name, len(recording.entries), len(recording.entries), number, self._all))
                said |= {frame.id for frame in done.session.edge}
        finally:
            await stage.stop()
        return replayed

    @property
    def _all(self) -> int:
        return len(self.recordings)

    async def _before(self, number: int, place: int, entry: Entry) -> None:
        recording = self.recordings[number - 1]
        self.tell(Progress(recording.name, place, len(recording.entries), number, self._all, entry))
        await self.go_on(entry)


def _pace(options: ReplayOptions, recordings: Sequence[Recording]) -> Pace:
    if not options.virtual_time:
        return RealPace(options.speed)
    first = recordings[0].entries
    before_ms = round(BEFORE_S * 1000) if begins_within(first) else 0
    return VirtualPace(first[0].t_ns // 1_000_000 - before_ms, options.speed)


def _prepare(directory: Path, db: Path | None) -> None:
    """Make the node's directory, with a copy of the database and of its log.

    Raises ``StoreError``, and ``ContentError`` where a node has kept something.
    """
    try:
        make_directory(directory)
        if (kept := directory / DATABASE).exists():
            raise ContentError(f"cannot replay in {directory}: a node has kept {kept}; --db takes a copy of it")
        if db is None:
            return
        for end in ("", "-wal"):
            file = db.with_name(db.name + end)
            if not end or file.exists():
                copy(file, directory / f"{DATABASE}{end}")
    except OSError as error:
        raise StoreError(f"cannot begin with a copy of {db}: {reason_of(error)}") from error


def read_recordings(options: ReplayOptions) -> list[Recording]:
    """Read what is played: selected, mapped, moved in time. Raises ``ContentError``."""
    chosen = [(path, WHOLE) for path in options.after] + [(path, options.selection) for path in options.files]
    read = [(path, read_recording(path, selection).entries) for path, selection in chosen]
    mapper = Mapper(options.mapping, facts_of(chain.from_iterable(entries for _, entries in read)).name)
    recordings: list[Recording] = []
    earlier: frozenset[str] = frozenset()
    shift_ns: int | None = None if options.shift_time else 0
    for path, found in read:
        if not found:
            raise ContentError(f"cannot replay {path}: there are no entries that were asked for")
        if not recordings:
            earlier = said_before(found)
        if shift_ns is None:
            shift_ns = SystemClock().now_ms() * 1_000_000 - found[0].t_ns
        entries = tuple(map(mapper.entry, found)) if options.mapping.changes_something else found
        if shift_ns:
            entries = tuple(msgspec.structs.replace(entry, t_ns=entry.t_ns + shift_ns) for entry in entries)
        recording = Recording(name_of(path), entries, earlier)
        earlier |= {frame.id for frame in recording.edge}
        recordings.append(recording)
    return recordings


def read_recording(path: Path, selection: Selection = WHOLE) -> Recording:
    """Read one recording, in the order of its time. Raises ``ContentError``."""
    entries = tuple(selection.select(read_entries(path)))
    if not any(isinstance(entry, SessionHead) for entry in entries[:1]):
        entries = tuple(sorted(entries, key=lambda entry: entry.t_ns))  # version 1 is nearly in order
    return Recording(name_of(path), entries)


def name_of(path: Path) -> str:
    """Return the name of a recording: that of its file without what says how it is kept."""
    return path.name.partition(".jsonl")[0] if ".jsonl" in path.name else path.stem

"""What a replay is to do."""

import math
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgecore.recording.entries import Entry
from edgecore.recording.selection import Selection
from edgecore.replay.mapping import Mapping


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which recordings are played to what node, and how."""

    files: tuple[Path, ...]
    """The recordings of one node's life, in order."""
    after: tuple[Path, ...] = ()
    """Those of its life before, which are played whole."""
    config: Path | None = None
    """The recorded node's ``edgecore.yaml``; the defaults, without."""
    db: Path | None = None
    """The database that the node begins with; a copy of it is used."""
    speed: float = math.inf
    """1 as recorded; infinite for as fast as it goes."""
    step: bool = False
    """Whether each entry waits until ``go_on`` returns."""
    virtual_time: bool = True
    """Whether the node lives in the recording's time; then the same replay gives the same bytes."""
    selection: Selection = Selection()
    """Which entries are played."""
    mapping: Mapping = Mapping()
    loop: int = 1
    """How often everything is played, each time to a new node."""
    shift_time: bool = False
    """Whether the recording is moved to now: without, the node's clock begins when the recording does."""
    dns: tuple[str, ...] = ()
    """Names that are asked for at the end, besides those of the services."""
    seed: int = 1
    directory: Path | None = None
    """Where the node keeps what it has, and no other did; a temporary one, without."""


class Progress(NamedTuple):
    """How far a replay is."""

    name: str
    entry: int
    """How many entries of this recording were played."""
    entries: int
    recording: int
    """Which recording this is, from 1."""
    recordings: int
    what: Entry | None = None
    """What is played next."""

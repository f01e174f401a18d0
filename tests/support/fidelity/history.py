"""The recordings of one node's life, in the order in which they were taken."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgecore.recording.entries import CloudFrame, Direction, Entry
from edgecore.recording.reader import read_entries
from fidelity.frames import Frame, read_frame

DATA = Path(__file__).parents[2] / "data"

NAMES = (
    "a_connect_first_sync",
    "b_services_endpoints_pods",
    "e0_both_restarted_with_existing_objects",
    "b2_deletes",
    "b3_service_endpoints_delete",
    "c_configmap_secret_pod",
    "d_devices_twins",
    "e_disconnect_reconnect_resync",
    "f_burst_1000_services_3000_pods",
)


@dataclass(frozen=True)
class Recording:
    """One file, by the time of its entries."""

    name: str
    entries: tuple[Entry, ...]
    earlier: frozenset[str] = frozenset()
    """The ids of what the Go edgecore sent in the recordings before."""

    @cached_property
    def frames(self) -> dict[int, Frame]:
        """Each frame by its line."""
        return {one.line: read_frame(one.text, one.line) for one in self.entries if isinstance(one, CloudFrame)}

    def sent(self, direction: Direction) -> list[Frame]:
        """Return the frames of one direction."""
        entries = (one for one in self.entries if isinstance(one, CloudFrame) and one.direction == direction)
        return [self.frames[one.line] for one in entries]

    @cached_property
    def edge(self) -> list[Frame]:
        """What the Go edgecore sent."""
        return self.sent(Direction.TO_CLOUD)

    @cached_property
    def cloud(self) -> list[Frame]:
        """What the Go cloudcore sent."""
        return self.sent(Direction.TO_EDGE)

    @cached_property
    def answers(self) -> frozenset[str]:
        """The ids of the cloud's answers."""
        return frozenset(frame.id for frame in self.cloud if frame.parent)

    @cached_property
    def repeats(self) -> frozenset[int]:
        """The lines of what the Go edgecore had sent before, under the same id: no cloud of 1.3 confirms it."""
        known, found = set(self.earlier), set()
        for frame in self.edge:
            if frame.id in known:
                found.add(frame.line)
            known.add(frame.id)
        return frozenset(found)


def read_recording(name: str, earlier: frozenset[str] = frozenset()) -> Recording:
    """Read the recording of that name; one that is compressed too."""
    (path,) = DATA.glob(f"{name}.jsonl*")
    return Recording(name, tuple(sorted(read_entries(path), key=lambda entry: entry.t_ns)), earlier)


def read_life() -> dict[str, Recording]:
    """Read all recordings, in order, by name."""
    life: dict[str, Recording] = {}
    earlier: frozenset[str] = frozenset()
    for name in NAMES:
        life[name] = read_recording(name, earlier)
        earlier |= {frame.id for frame in life[name].edge}
    return life

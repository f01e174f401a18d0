"""The recordings of one node's life, in the order in which they were taken."""

from pathlib import Path

from edgecore.recording.reader import read_entries
from edgecore.recording.session import Recording

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

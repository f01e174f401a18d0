"""Which benchmarks there are, in the order in which a run takes them: what is soon done comes first."""

from typing import NamedTuple


class Area(NamedTuple):
    """A script of this folder's parent."""

    name: str
    """Also that of the script."""
    title: str
    usual: tuple[str, ...]
    """With which arguments it is run, so that all of them together take no longer than a quarter of an hour."""
    usual_s: float
    """How long that takes on two processors, about."""
    quick_s: float
    """How long it takes with ``--quick``."""


AREAS = (
    Area("bus", "Bus", ("--rounds", "5"), 10, 2),
    Area("codec", "Codec", ("--rounds", "3"), 15, 5),
    Area("balancing", "Choice of a pod", ("--rounds", "5"), 3, 1),
    Area("link", "Link to the cloud", ("--rounds", "3"), 20, 5),
    Area("recording", "Files of recordings", ("--entries", "100000", "--rounds", "3"), 12, 2),
    Area("record", "Recording", ("--rounds", "5"), 20, 5),
    Area("replay", "Replay", ("--rounds", "3"), 15, 4),
    Area("metamanager", "Store", ("--rounds", "3", "--count", "1200"), 110, 14),
    Area("dns", "DNS", ("--rounds", "3", "--seconds", "1", "--many", "3000"), 90, 18),
    Area("proxy", "Proxy", ("--rounds", "3", "--seconds", "1"), 135, 22),
    Area("kernelplane", "Kernel plane", ("--rounds", "6"), 45, 16),
    Area("mqtt", "MQTT", ("--rounds", "3", "--messages", "3000", "--memory", "30000"), 55, 18),
    Area("devices", "Devices", ("--rounds", "3", "--count", "2000", "--memory", "4000"), 40, 10),
    Area("mirror", "Mirror of the bus", ("--rounds", "5"), 20, 6),
    Area("pods", "Pods", ("--rounds", "2", "--seconds", "4"), 45, 12),
    Area("nodes", "Many edges", ("--rounds", "3", "--seconds", "9"), 50, 5),
    Area("growth", "As work grows", ("--rounds", "1"), 150, 35),
    Area("cluster", "A burst through the cloud", ("--services", "200", "--rounds", "2"), 50, 14),
)


def areas_named(names: list[str] | None, areas: tuple[Area, ...] = AREAS) -> tuple[Area, ...]:
    """Return those areas, or all; in the order of all. Raises ``KeyError`` with a name that none has."""
    for name in names or ():
        if name not in {area.name for area in areas}:
            raise KeyError(name)
    return tuple(area for area in areas if names is None or area.name in names)

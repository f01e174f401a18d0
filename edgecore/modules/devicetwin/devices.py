"""What the node knows of its devices: the values that messages, rows and decisions share (pure).

A twin is one property of a device, with two sides: ``expected`` is what the cloud wants, ``actual`` what the device
says. Values are never changed in place: a decision returns new ones, which are kept once their rows are committed.
"""

from collections.abc import Mapping
from typing import NamedTuple

DELETED = "deleted"
"""The type of a twin that is gone: its row stays, with its versions, so that no older word revives it."""


class Version(NamedTuple):
    """How often each end changed a side: ``cloud`` is the resource version of the device there."""

    cloud: int = 0
    edge: int = 0


class Side(NamedTuple):
    """One side of a twin. ``value`` is ``None`` where there is none (any more); its version may outlive it."""

    value: str | None = None
    timestamp_ms: int | None = None
    """When the value became so, Unix milliseconds; ``None`` where nobody said."""
    version: Version | None = None


class Twin(NamedTuple):
    """One property of a device."""

    expected: Side | None = None
    actual: Side | None = None
    optional: bool = False
    """A device may delete it."""
    type: str = "string"

    @property
    def is_deleted(self) -> bool:
        """Whether only the memory of it is left."""
        return self.type == DELETED

    @property
    def is_set_here(self) -> bool:
        """Whether a program on MQTT set or deleted what is expected: no cloud of 1.3.1 changes it any more."""
        return self.expected is not None and self.expected.version is not None and self.expected.version.edge > 0


class Attribute(NamedTuple):
    """One thing that is so of a device and does not change by itself."""

    value: str
    optional: bool = True
    type: str = "string"


class Device(NamedTuple):
    """One device. ``state`` is empty until one is reported; ``last_online`` is local time, ``2006-01-02 15:04:05``."""

    id: str
    name: str = ""
    description: str = ""
    state: str = ""
    last_online: str = ""
    attributes: Mapping[str, Attribute] = {}
    twins: Mapping[str, Twin] = {}
